"""Whether slices of one series that name several patients are one head or two."""

from __future__ import annotations

from collections import defaultdict

from strokediff.ct.dicom.frames import SliceHeader
from strokediff.ct.dicom.geometry import StackGeometry
from strokediff.ct.dicom.passes import is_clean, repeated, shared_part


def patients_in(headers: list[SliceHeader]) -> int:
    """How many patients the slices are of, by PatientID.

    Two IDs count as one where they share a series (a SeriesInstanceUID is one scan's) to which
    each gives the slices that the other lacks; two whole heads under one UID are two patients.
    """
    groups: list[set[str]] = []
    for ids in [{h.patient_id} for h in headers if h.patient_id] + _completed(headers):
        met = [group for group in groups if group & ids]
        groups = [group for group in groups if not group & ids] + [set.union(ids, *met)]
    return len(groups)


def n_patient_ids(headers: list[SliceHeader]) -> int:
    """How many PatientIDs the slices name."""
    return len({h.patient_id for h in headers} - {""})


def complete_each_other(headers: list[SliceHeader]) -> bool:
    """Whether slices of one series are one head, although their PatientIDs differ.

    They are where they lie at different places that together have no hole, and where parts that
    lie between each other do not count their slices from one number each.
    """
    if any(h.flaws for h in headers):
        return False
    geometry = StackGeometry.of(headers)
    if repeated(geometry) or geometry.gaps() or not is_clean(headers, geometry):
        return False
    parts: dict[str, list[SliceHeader]] = defaultdict(list)
    for header in headers:
        parts[header.patient_id].append(header)
    numbers = [h.instance_number for h in headers]
    stacks = [StackGeometry.of(part) for part in parts.values()]
    return len(set(numbers)) == len(numbers) or not shared_part(stacks)


def _completed(headers: list[SliceHeader]) -> list[set[str]]:
    """Sets of IDs whose slices complete each other within a series."""
    series: dict[str, list[SliceHeader]] = defaultdict(list)
    for header in headers:
        if header.patient_id:
            series[header.series_uid].append(header)
    return [
        {h.patient_id for h in one}
        for one in series.values()
        if n_patient_ids(one) > 1 and complete_each_other(one)
    ]
