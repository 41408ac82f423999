"""The slices of a stack to one array of HU."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from strokediff.ct.axes import transposed
from strokediff.ct.dicom.frames import SliceHeader
from strokediff.ct.dicom.geometry import StackGeometry, in_time
from strokediff.ct.dicom.pixels import PixelReader
from strokediff.errors import InputError

MOST_RESCANNED = 0.5
"""If more of the positions than this part hold several different slices, it was no rescan."""
_NAMED = 3


def assemble_hu(geometry: StackGeometry) -> tuple[NDArray[np.float32], list[str]]:
    """HU (columns, rows, slices) and warnings.

    Of identical slices at one position one is kept. Of different ones the first that was scanned
    is, if the headers tell which that is and it is so at few positions; else `InputError`.
    """
    first = geometry.groups[0][0]
    stack = np.empty((geometry.n_slices, first.rows, first.columns), dtype=np.float32)
    reader = PixelReader()
    dropped = 0
    again: list[tuple[SliceHeader, SliceHeader]] = []
    for k, group in enumerate(geometry.groups):
        stack[k] = reader.hu(group[0])
        differ = [h for h in group[1:] if not np.array_equal(stack[k], reader.hu(h))]
        dropped += len(group) - 1 - len(differ)
        again += [(group[0], h) for h in differ]
    warnings = _rescanned(geometry, again)
    if dropped:
        warnings.append(f"{dropped} duplicate slices (same position, same pixels) were dropped")
    return transposed(stack), warnings + _of_values(geometry, reader)


def _rescanned(geometry: StackGeometry, again: list[tuple[SliceHeader, SliceHeader]]) -> list[str]:
    if not again:
        return []
    for kept, other in again:
        if in_time(kept)[:-1] == in_time(other)[:-1]:
            raise InputError(
                f"{other.path}: lies at the same position as {kept.path.name} but its pixels "
                f"differ. Expected one slice a position; remove one of the two."
            )
    positions = {id(kept) for kept, _ in again}
    if len(positions) > MOST_RESCANNED * geometry.n_slices:
        kept, other = again[0]
        raise InputError(
            f"{other.path}: lies at the same position as {kept.path.name} but its pixels differ, "
            f"and so it is at {len(positions)} of {geometry.n_slices} positions. Expected one pass "
            f"over the head; give the files of one pass in a folder of their own."
        )
    names = ", ".join(_name(other) for _, other in again[:_NAMED])
    more = " ..." if len(again) > _NAMED else ""
    return [
        f"{len(positions)} slices were scanned again ({names}{more}): those scanned first are "
        f"used. If they were spoiled, remove them and read the series again"
    ]


def _of_values(geometry: StackGeometry, reader: PixelReader) -> list[str]:
    warnings = []
    paths = {header.path for group in geometry.groups for header in group}
    if reader.no_rescale and reader.no_rescale != paths:
        raise InputError(
            f"{min(reader.no_rescale)}: has no RescaleSlope and RescaleIntercept, while other "
            f"slices of its series have them. Expected all or none; copy the series again."
        )
    if reader.no_rescale:
        warnings.append(
            "the files have no RescaleSlope and RescaleIntercept: stored values are taken as HU"
        )
    if reader.unsigned:
        warnings.append(
            f"{len(reader.unsigned)} files hold negative numbers, but declare that they have none "
            f"(PixelRepresentation 0): their sign was restored"
        )
    return warnings


def _name(header: SliceHeader) -> str:
    return (
        header.path.name if header.frame is None else f"{header.path.name} frame {header.frame + 1}"
    )
