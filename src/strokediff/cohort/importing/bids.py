"""BIDS and what is called so: CT under the subjects, lesion masks under them or derivatives/.

    [rawdata/ or raw_data/]sub-X/[ses-Y/][anat/ or ct/]*_ct.nii.gz, or *_ncct.nii.gz (ISLES'24)
    derivatives/[PIPELINE/]sub-X/[ses-Y/]**/*_mask.nii.gz, or _dseg, _roi, _lesion-msk

Letter case counts nowhere. A mask belongs to the scan of its subject and session. ISLES'24 keeps
the infarct that the follow-up MRI showed in the follow-up's session, on the grid of the first
session's CT: a subject's only scan takes the mask of another session where its own has none, and
their grids must agree. Masks of the lesion, by their label, desc or suffix, come before unnamed
ones, and those that say that they lie in the CT's space before others; masks of anatomy (brain,
vessels, thrombus) never count. Contrast-enhanced CT and other modalities are left alone. Two
scans, or two masks, of one session are refused.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from strokediff.cohort.importing.base import ListedScan, Listing, MaskedImage
from strokediff.cohort.importing.bids_names import BidsName, is_lesion_mask, named, names_plain_ct
from strokediff.cohort.importing.names import composed, entries
from strokediff.cohort.importing.volumes import VolumeLayout
from strokediff.errors import InputError
from strokediff.util.names import NIFTI, safe_name

_FOLDERS = ("anat", "ct")
RAW = ("rawdata", "raw_data")
Session = tuple[str, str]
"""Subject and session, "sub-01" and "ses-02" or ""."""


class Bids(VolumeLayout):
    """One case a session."""

    name = "bids"
    one_data_set = False
    title = "BIDS data set"
    licence = "as the data set's owner says"
    expected = (
        "sub-X/[ses-Y/][anat/ or ct/]*_ct.nii.gz or *_ncct.nii.gz, and "
        "derivatives/[PIPELINE/]sub-X/.../*_mask.nii.gz, _dseg, _roi or _lesion-msk"
    )

    @classmethod
    def recognises(cls, source: Path) -> bool:
        """Whether there are folders of subjects."""
        return bool(_folders(_raw(source), source, "sub-"))

    def list_cases(self) -> Listing:
        """One case for each subject and session with a plain CT; those without are noted."""
        raw = _raw(self.source)
        scans: dict[Session, list[Path]] = defaultdict(list)
        masks: dict[Session, list[BidsName]] = defaultdict(list)
        for session, folder in self._sessions(raw):
            for place in (folder, *_named_folders(folder, self.source, _FOLDERS)):
                scans[session] += [n.path for n in self._files(place) if names_plain_ct(n)]
            masks[session] += self._masks_below(folder)
        derived = self.source / "derivatives"
        for pipeline in [derived, *entries(derived, self.source)]:
            for session, folder in self._sessions(pipeline):
                masks[session] += self._masks_below(folder)
        scans = {session: paths for session, paths in scans.items() if paths}
        chosen = _assigned(scans, {s: _preferred(found) for s, found in masks.items()})
        cases = [self._case(session, paths, chosen) for session, paths in scans.items()]
        have = {subject for subject, _ in scans}
        other = {s: paths for s, paths in chosen.items() if s not in scans}
        stray = [p for session, paths in other.items() if session[0] not in have for p in paths]
        later = ["_".join(session) for session in other if session[0] in have]
        notes = [
            *_note("subject(s) without a plain CT", self._without_ct(raw, have)),
            *_note("session(s) whose masks are not read, as they have no plain CT", later),
        ]
        return Listing(tuple(cases), tuple(stray), notes=tuple(notes))

    def _case(
        self, session: Session, scans: list[Path], masks: Mapping[Session, list[Path]]
    ) -> ListedScan:
        name = "_".join(part for part in session if part)
        found = masks.get(session, [])
        for what, paths in (("CT images", scans), ("lesion masks", found)):
            if len(paths) > 1:
                shown = ", ".join(str(path.relative_to(self.source)) for path in paths[:5])
                raise InputError(
                    f"{self.source}: {name} has {len(paths)} {what}: {shown}. Expected one; take "
                    "the others out, or name the lesion's mask label-lesion."
                )
        pair = MaskedImage(scans[0], found[0] if found else None)
        return ListedScan(safe_name(name), composed(session[0]), (pair,))

    def _sessions(self, root: Path) -> list[tuple[Session, Path]]:
        """Every subject's folder, and those of its sessions."""
        return [
            ((subject.name, "" if folder is subject else folder.name), folder)
            for subject in _folders(root, self.source, "sub-")
            for folder in [subject, *_folders(subject, self.source, "ses-")]
        ]

    def _files(self, folder: Path) -> list[BidsName]:
        return [named(path) for path in entries(folder, self.source, *NIFTI)]

    def _masks_below(self, folder: Path) -> list[BidsName]:
        below = _all_below(folder, self.source)
        return [found for own in below for found in self._files(own) if is_lesion_mask(found)]

    def _without_ct(self, raw: Path, have: set[str]) -> list[str]:
        names = (p.name for p in _folders(raw, self.source, "sub-"))
        return [name for name in names if name not in have]


def _note(what: str, names: list[str]) -> list[str]:
    shown = ", ".join(names[:5]) + ", ..." * (len(names) > 5)
    return [f"{len(names)} {what}: {shown}"] if names else []


def _assigned(
    scans: Mapping[Session, list[Path]], masks: Mapping[Session, list[BidsName]]
) -> dict[Session, list[Path]]:
    """Masks by the session of the scan that they lie on."""
    of_subject: dict[str, list[Session]] = defaultdict(list)
    for session in scans:
        of_subject[session[0]].append(session)
    found: dict[Session, list[BidsName]] = {s: own for s, own in masks.items() if own}
    for sessions in of_subject.values():
        (only, *more) = sessions
        if more or only in found:
            continue
        others = [s for s in found if s[0] == only[0]]
        best = _in_ct_space([own for s in others for own in found[s]])
        if others:
            found = {s: own for s, own in found.items() if s not in others} | {only: best}
    return {session: [own.path for own in every] for session, every in found.items()}


def _preferred(masks: list[BidsName]) -> list[BidsName]:
    """Those that say that they are of a lesion, else all; and of them those in the CT's space."""
    return _in_ct_space([own for own in masks if own.says_lesion] or masks)


def _in_ct_space(masks: list[BidsName]) -> list[BidsName]:
    return [own for own in masks if own.in_ct_space] or masks


def _raw(source: Path) -> Path:
    """Where the subjects are: here, or in a folder of raw data."""
    return next(iter(_named_folders(source, source, RAW)), source)


def _folders(root: Path, source: Path, prefix: str) -> list[Path]:
    return [path for path in entries(root, source) if path.name.lower().startswith(prefix)]


def _named_folders(root: Path, source: Path, names: tuple[str, ...]) -> list[Path]:
    return [path for path in entries(root, source) if path.name.lower() in names]


def _all_below(session: Path, source: Path) -> list[Path]:
    """A folder and all in it, without other sessions, and without links: they may go in circles."""
    found = [session]
    for folder in found:
        below = entries(folder, source)
        found += [p for p in below if not (p.name.lower().startswith("ses-") or p.is_symlink())]
    return found
