"""`extract_brain`: the intracranial contents of a head CT."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from strokediff.data.brain.components import without_holes
from strokediff.data.brain.evidence import Mask, coarse_evidence
from strokediff.data.brain.native import to_native
from strokediff.data.brain.propagate import start_at, sweep
from strokediff.data.brain.windowed import without_window
from strokediff.data.volume import Volume, pixel_area_mm2
from strokediff.errors import InputError

PLAUSIBLE_ML = (900.0, 1800.0)
WHOLE_HEAD_MM = 110.0
"""A scan that covers less is not expected to hold a whole brain."""
OPEN_TOP_MM2 = 2500.0
OPEN_BOTTOM_MM2 = 2500.0


@dataclass(frozen=True)
class BrainMask:
    """Intracranial contents: `mask` (X, Y, Z) bool on the volume's grid.

    `truncated` says that the brain goes on beyond the scan: it is cut wide by the first or last
    slice, or touches the image's side. `warnings` are sentences for the user.
    """

    mask: Mask
    volume_ml: float
    warnings: tuple[str, ...]
    truncated: bool


def extract_brain(volume: Volume) -> BrainMask:
    """Brain and CSF inside the inner table, down to the foramen magnum.

    Raises InputError if no slice shows tissue of a brain's density enclosed by bone.
    """
    volume = without_window(volume)
    evidence = coarse_evidence(volume)
    if evidence is None:
        raise InputError(_no_head(volume, "nothing denser than air was found"))
    start = max((start_at(evidence, k) for k in range(evidence.hu.shape[2])), key=lambda s: s.score)
    if start.score == 0:
        raise InputError(_no_head(volume, "no slice shows tissue of 0-80 HU enclosed by bone"))
    coarse = sweep(
        evidence,
        start,
        shift_per_mm=_shift_per_mm(volume),
        step_mm=_steps_mm(volume, evidence.grid.block[2]),
    )
    mask = to_native(without_holes(coarse, evidence.grid), evidence.grid, volume)
    volume_ml = volume.mask_volume_mm3(mask) / 1000
    open_ends = _open_ends(mask, volume)
    return BrainMask(
        mask=mask,
        volume_ml=volume_ml,
        warnings=(*open_ends, *_implausible(volume, volume_ml, bool(open_ends))),
        truncated=bool(open_ends),
    )


def _shift_per_mm(volume: Volume) -> tuple[float, float]:
    """How far the column of voxels above a pixel leans from the slice normal, per mm along it.

    A patient point above moves by minus this in the next slice.
    """
    columns = volume.affine[:3, :3]
    x, y = (columns[:, i] / np.linalg.norm(columns[:, i]) for i in (0, 1))
    along_normal = abs(np.linalg.det(columns)) / pixel_area_mm2(volume.affine)
    return -float(columns[:, 2] @ x / along_normal), -float(columns[:, 2] @ y / along_normal)


def _steps_mm(volume: Volume, slab: int) -> NDArray[np.float64]:
    """Distance between the middles of neighbouring slabs of `slab` slices, mm."""
    increments = volume.slice_increments_mm
    thickness = np.add.reduceat(increments, np.arange(0, len(increments), slab))
    return (thickness[1:] + thickness[:-1]) / 2


def _open_ends(mask: Mask, volume: Volume) -> list[str]:
    area = np.count_nonzero(mask, axis=(0, 1)) * np.prod(volume.pixel_spacing_mm)
    found = []
    if area[-1] > OPEN_TOP_MM2:
        found.append(
            "The scan ends below the vertex: brain fills "
            f"{area[-1] / 100:.0f} cm² of the top slice."
        )
    if area[0] > OPEN_BOTTOM_MM2:
        found.append(
            "The scan begins above the foramen magnum: brain fills "
            f"{area[0] / 100:.0f} cm² of the bottom slice."
        )
    if mask[[0, -1]].any() or mask[:, [0, -1]].any():
        found.append("The brain touches the side of the image: the field of view cuts it.")
    return found


def _implausible(volume: Volume, volume_ml: float, truncated: bool) -> list[str]:
    low, high = PLAUSIBLE_ML
    covers_head = volume.slice_increments_mm.sum() >= WHOLE_HEAD_MM and not truncated
    if volume_ml <= high and (volume_ml >= low or not covers_head):
        return []
    return [
        f"Brain extraction found {volume_ml:.0f} mL; {low:.0f}-{high:.0f} mL is usual in adults. "
        "Look at the outline in the preview before you use the result."
    ]


def _no_head(volume: Volume, came: str) -> str:
    low, high = float(np.nanmin(volume.hu)), float(np.nanmax(volume.hu))
    return (
        f"{volume.source.path}: no head found. Expected a CT of the head in HU with at least one "
        f"slice in which the skull surrounds the brain; {came} ({volume.hu.shape[2]} slices, "
        f"{low:.0f} to {high:.0f} HU). Check that this is the axial head series and that values "
        "are in HU."
    )
