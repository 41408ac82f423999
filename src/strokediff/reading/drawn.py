"""`measure_mask`: the figures, pages and objects of any mask on a scan, as `segment` gives them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from strokediff.ct.brain import BrainMask, extract_brain
from strokediff.ct.checks.enhancement import enhanced
from strokediff.ct.checks.head_size import implausible_size
from strokediff.ct.lesions import Lesions
from strokediff.ct.volume import CT
from strokediff.errors import UsageError
from strokediff.result.figures import Lesion
from strokediff.result.reading import Reader, Reading
from strokediff.segmentation.files import Wanted, save
from strokediff.segmentation.measure import Spread, measure
from strokediff.segmentation.objects import objects_of
from strokediff.segmentation.outputs import Maps
from strokediff.segmentation.read_out import OneKind, ReadOut
from strokediff.util.kinds import JOINED, LESION

NO_INTERVAL = "none: the mask was read in, not estimated"
OUTSIDE = 0.05
"""Of the mask; more of it outside the brain is worth a warning."""


@dataclass(frozen=True)
class Drawn:
    """A mask that was read in, on the grid (X, Y, Z) of `ct`, and what was measured of it.

    `labels` is k + 1 where there is lesion of kind k; `reading` is result.json.

    >>> ct = read_ct("scan.nii.gz")
    >>> reader = Reader(name="A. Reader", mask="mine.nii.gz", mask_sha256="0" * 64)
    >>> drawn = measure_mask(ct, ct.hu > 50, reader)
    >>> sorted(drawn.save("measured", pictures=False).files), list(drawn.volumes_ml)
    (['lesion_mask.nii.gz'], ['lesion'])
    """

    ct: CT
    labels: NDArray[np.uint8]
    brain: NDArray[np.bool_]
    reading: Reading

    def __repr__(self) -> str:
        return f"<Drawn on {self.ct!r}: {self.volume_ml:.1f} mL, {self.reading.reader.shown}>"

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Where there is lesion of any kind."""
        return self.labels > 0

    @property
    def estimated(self) -> None:
        """Nobody estimated anything."""
        return

    @property
    def volume_ml(self) -> float:
        """Volume of lesions of any kind, mL, each slice counted with its own thickness."""
        return self.reading.volume_ml

    @property
    def volumes_ml(self) -> Mapping[str, float]:
        """That of each kind."""
        return {own.name: own.volume_ml for own in self.reading.kinds}

    @property
    def lesions(self) -> tuple[Lesion, ...]:
        """Volume, centroid and kind of each lesion, largest first."""
        return self.reading.lesions

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know before the figures are used."""
        return self.reading.warnings

    def named(self, case: str) -> Drawn:
        """The same as the result of that patient."""
        return replace(self, reading=self.reading.named(case))

    def save(
        self,
        folder: str | Path,
        *,
        pictures: bool = True,
        viewer: bool | None = None,
        dicom: Sequence[str] = (),
    ) -> Reading:
        """Write what `strokediff measure` writes into `folder`; returns result.json.

        As `Segmentation.save`, but for the maps, of which a drawn mask has none.
        """
        wanted = Wanted(pictures, viewer, Maps.NONE, objects_of(self.ct, dicom))
        return save(self, self.reading, Path(folder), wanted)


def measure_mask(
    ct: CT,
    labels: ArrayLike,
    reader: Reader,
    kinds: Sequence[str] = JOINED,
    *,
    brain: BrainMask | None = None,
) -> Drawn:
    """Measure a mask on the grid of `ct`: a person's, or another program's.

    `labels` (X, Y, Z) is k + 1 where there is lesion of `kinds[k]`, or a binary mask of one kind.
    Every voxel counts: nothing is left out for being small. There is no interval and no verdict
    on trust, which are of models. `brain` is extracted unless it is given. Raises `UsageError` for
    another shape and for values that name no kind, `InputError` if no head is shown.

    >>> ct = read_ct("scan.nii.gz")
    >>> mask = (ct.hu > 50) & (ct.hu < 90)
    >>> reader = Reader(name="A. Reader", mask="mine.nii.gz", mask_sha256="0" * 64)
    >>> drawn = measure_mask(ct, mask, reader)
    >>> drawn.volume_ml == ct.mask_volume_mm3(mask) / 1000, drawn.reading.volume_interval_ml
    (True, None)
    """
    start = time.perf_counter()
    array = _checked(np.asarray(labels), ct, kinds)
    brain = brain or extract_brain(ct)
    found = ReadOut(tuple(_one(ct, array == k + 1) for k in range(len(kinds))))
    nothing = Spread(0.0, None, NO_INTERVAL)
    figures = measure(
        ct, found, dict.fromkeys(kinds), brain, dict.fromkeys((*kinds, LESION), nothing)
    )
    warnings = (
        *figures.warnings,
        *_outside(array > 0, brain),
        *implausible_size(ct),
        *enhanced(ct, brain.mask),
    )
    reading = Reading(
        **{**dict(figures), "warnings": warnings},
        reader=reader,
        seconds={"measure": round(time.perf_counter() - start, 3)},
    )
    return Drawn(ct, array, brain.mask, reading)


def _one(ct: CT, mask: NDArray[np.bool_]) -> OneKind:
    return OneKind(mask.astype(np.float32), mask, Lesions(ct, mask))


def _checked(labels: NDArray[Any], ct: CT, kinds: Sequence[str]) -> NDArray[np.uint8]:
    whole = labels.dtype.kind in "biu"
    if labels.shape != ct.hu.shape or not whole or labels.min() < 0 or labels.max() > len(kinds):
        told = f"0 to {len(kinds)} ({', '.join(kinds)})"
        raise UsageError(
            f"labels: shape {labels.shape} of {labels.dtype}. Expected whole numbers {told} on the "
            f"scan's grid, {ct.hu.shape}."
        )
    return np.ascontiguousarray(labels, dtype=np.uint8)


def _outside(mask: NDArray[np.bool_], brain: BrainMask) -> list[str]:
    """A warning where much of the mask is not in the brain that was found."""
    share = float((mask & ~brain.mask).sum() / max(1, mask.sum()))
    if share <= OUTSIDE:
        return []
    return [
        f"{share:.0%} of the mask lies outside the brain as it was found; all of it is counted. "
        "Look whether the mask is that of this scan"
    ]
