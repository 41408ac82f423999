"""Slices to studies: whose they are by IDs where these can be believed, else by folder.

Anonymised cohorts share a PatientID, now and then a StudyInstanceUID or every UID. One patient's
files may lie in several folders, two patients' in one. So IDs are asked first, then the folders
contradict them: two that hold the same slices of one series, or two series of one protocol and
number, are two patients whatever the IDs say.
"""

from __future__ import annotations

import filecmp
from collections import defaultdict
from collections.abc import Hashable, Iterable
from pathlib import Path

from strokediff.ct.dicom.headers import SliceHeader
from strokediff.ct.dicom.read import common_folder
from strokediff.ct.dicom.series import objection
from strokediff.ct.dicom.stacks import split_series

Headers = list[SliceHeader]
SHARED = 0.5
"""Folders that share this part of the smaller one's slices hold the same slices."""


def studies_of(slices: Iterable[SliceHeader]) -> list[Headers]:
    """The slices of each study of each patient, in the order in which they are met.

    A series under two PatientIDs whose parts complete each other stays whole: reading it says what
    is wrong.
    """
    by_id: dict[Hashable, Headers] = defaultdict(list)
    for header in slices:
        place = header.path.parent if not header.study_uid else None
        by_id[header.patient_id, header.study_uid, place].append(header)
    return [part for study in _whole_series(list(by_id.values())) for part in _by_folder(study)]


def _whole_series(studies: list[Headers]) -> list[Headers]:
    """Join studies of different IDs, or without any, that hold parts of one series."""
    parts: dict[int, Headers] = {}
    holders: dict[str, set[int]] = defaultdict(set)
    for number, study in enumerate(studies):
        headers, series = list(study), {h.series_uid for h in study}
        for other in sorted({k for uid in series for k in holders[uid]} & parts.keys()):
            if not _same_slices(headers, parts[other]):
                headers = [*parts.pop(other), *headers]
        parts[number] = headers
        for header in headers:
            holders[header.series_uid].add(number)
    return list(parts.values())


def _by_folder(study: Headers) -> list[Headers]:
    """One study, or what its folders hold where they contradict each other being one."""
    branches = list(_branches(study).values())
    pairs = [(i, j) for j in range(len(branches)) for i in range(j)]
    usable = [_protocols(b) for b in branches] if len(branches) > 1 else []
    if not any(
        _same_slices(branches[i], branches[j]) or _same_protocol(usable[i], usable[j])
        for i, j in pairs
    ):
        return [study]
    joined: list[Headers] = []
    for branch in branches:
        series = {h.series_uid for h in branch}
        for other in joined:
            if series & {h.series_uid for h in other} and not _same_slices(branch, other):
                other += branch
                break
        else:
            joined.append(list(branch))
    if len(joined) == 1:
        return [study]
    return [part for one in joined for part in _by_folder(one)]


def _branches(study: Headers) -> dict[Path, Headers]:
    """The slices by the first folder in which their paths differ."""
    common = common_folder(h.path for h in study)
    branches: dict[Path, Headers] = defaultdict(list)
    for header in study:
        parts = header.path.parent.relative_to(common).parts
        branches[common / parts[0] if parts else common].append(header)
    return branches


def _same_slices(a: Headers, b: Headers) -> bool:
    """Whether two folders hold a series' same slices in different files: not two parts of it.

    Copies to the byte are one thing that lies there twice.
    """
    by_number = all(len(_numbered(x)) == len(x) for x in (a, b))
    mine, theirs = (_numbered(x) if by_number else _placed(x) for x in (a, b))
    shared = [(mine[key], theirs[key]) for key in mine.keys() & theirs.keys()]
    if len(shared) < max(1.0, SHARED * min(len(mine), len(theirs))):
        return False
    return any(not filecmp.cmp(x.path, y.path, shallow=False) for x, y in shared)


def _numbered(headers: Headers) -> dict[Hashable, SliceHeader]:
    """By series, acquisition and number; fewer than slices where numbers are not given."""
    return {
        (h.series_uid, h.acquisition_number, h.instance_number if h.frame is None else h.frame): h
        for h in headers
    }


def _placed(headers: Headers) -> dict[Hashable, SliceHeader]:
    """By series and position, for slices without numbers."""
    return {
        (h.series_uid, *h.position.round(2).tolist()): h for h in headers if h.position is not None
    }


def _protocols(branch: Headers) -> dict[Hashable, set[str]]:
    """Series number and what was scanned how, of the usable series, with their UIDs."""
    found: dict[Hashable, set[str]] = defaultdict(set)
    for stack in split_series(branch):
        if objection(stack) is None:
            head, geometry = stack.head, stack.geometry
            step = round(float(geometry.increments_mm.mean()), 1) if geometry else 0.0
            key = (head.series_number, head.description, head.protocol, head.kernel, step)
            found[key].add(head.series_uid)
    return found


def _same_protocol(a: dict[Hashable, set[str]], b: dict[Hashable, set[str]]) -> bool:
    """Whether two folders hold usable series of one number and protocol, but of different UIDs."""
    return any(not a[key] & b[key] for key in a.keys() & b.keys())
