"""The images of a result. A new output format is one class here and its line in `OUTPUTS`.

Names begin with "lesion_", so that an input that holds results is known (`own_results`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from strokediff.ct.nifti.images import save_like
from strokediff.ct.volume import CT
from strokediff.version import __version__

MADE = f"strokediff {__version__}"
MASK = "lesion_mask.nii.gz"


class Maps(IntEnum):
    """How many maps a result has beside its mask: a mask that was drawn has none."""

    NONE = 0
    PROBABILITY = 1
    UNCERTAINTY = 2


def maps_of(uncertainty: bool) -> Maps:
    """Those of a model's result."""
    return Maps.UNCERTAINTY if uncertainty else Maps.PROBABILITY


class Estimated(Protocol):
    """What a model says of every voxel, on the grid of the scan."""

    @property
    def probability(self) -> NDArray[np.float32]:
        """Of lesion of any kind."""
        ...

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """Of each kind, (K, X, Y, Z)."""
        ...

    @property
    def entropy(self) -> NDArray[np.float32]:
        """Bits."""
        ...

    @property
    def variance(self) -> NDArray[np.float32]:
        """Between draws."""
        ...


class Found(Protocol):
    """What a result's files are made of, all on the grid of `ct`: `Segmentation`, `Drawn`."""

    @property
    def ct(self) -> CT:
        """The scan."""
        ...

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Where there is lesion of any kind."""
        ...

    @property
    def labels(self) -> NDArray[np.uint8]:
        """k + 1 where there is lesion of kind k."""
        ...

    @property
    def brain(self) -> NDArray[np.bool_]:
        """Intracranial contents."""
        ...

    @property
    def estimated(self) -> Estimated | None:
        """What a model says of every voxel; None of a mask that was drawn."""
        ...


class Output(Protocol):
    """A file of a result that the result cannot do without."""

    @property
    def name(self) -> str:
        """Of the file."""
        ...

    def wanted(self, kind: str, maps: Maps) -> bool:
        """Whether it is written for an input of that kind, with those maps."""
        ...

    def write(self, path: Path, found: Found) -> None:
        """Write it; raises `UsageError` if that cannot be done."""
        ...


@dataclass(frozen=True)
class Mask:
    """The mask on the grid that the scan is stored on.

    Of several kinds of lesion it holds k + 1 for kind k; `result.json` names them in that order.
    """

    name: str = MASK

    def wanted(self, kind: str, maps: Maps) -> bool:
        """Always."""
        return True

    def write(self, path: Path, found: Found) -> None:
        """One byte a voxel."""
        save_like(found.ct, found.labels, path, dtype=np.uint8, description=MADE)


@dataclass(frozen=True)
class Map:
    """What a model says of every voxel, as the mask; of several kinds a channel a kind."""

    name: str
    values: Callable[[Estimated], NDArray[np.float32]]
    among: Maps
    """With which maps it is written."""

    def wanted(self, kind: str, maps: Maps) -> bool:
        """With its maps."""
        return maps >= self.among

    def write(self, path: Path, found: Found) -> None:
        """Rounded to three decimals; raises `ValueError` of a mask that no model made."""
        if found.estimated is None:
            raise ValueError(f"{self.name}: nothing was estimated")
        values = np.round(self.values(found.estimated), 3)
        save_like(found.ct, values, path, dtype=np.float32, description=MADE)


@dataclass(frozen=True)
class Scanned:
    """The CT that was made of a DICOM series, in HU, for overlays."""

    name: str = "ct.nii.gz"

    def wanted(self, kind: str, maps: Maps) -> bool:
        """For DICOM: a NIfTI file is its own."""
        return kind == "dicom"

    def write(self, path: Path, found: Found) -> None:
        """Whole HU."""
        save_like(found.ct, np.round(found.ct.hu), path, dtype=np.int16, description=MADE)


def _by_kind(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """A map a kind along the last axis (X, Y, Z, K); that of a single kind as it is."""
    return maps[0] if len(maps) == 1 else np.moveaxis(maps, 0, -1)


OUTPUTS: tuple[Output, ...] = (
    Mask(),
    Map("lesion_prob.nii.gz", lambda own: _by_kind(own.probabilities), Maps.PROBABILITY),
    Map("lesion_entropy.nii.gz", lambda own: own.entropy, Maps.UNCERTAINTY),
    Map("lesion_variance.nii.gz", lambda own: own.variance, Maps.UNCERTAINTY),
    Scanned(),
)
IMAGES = tuple(output.name for output in OUTPUTS)
DICOM = {name: f"lesion_{name}.dcm" for name in ("seg", "sr", "sc")}
"""Objects for the PACS, by name: BINARY segmentation, structured report with the volumes, secondary
capture of the montage."""
PICTURES = ("preview.png", "report.html")
VIEWER = "viewer.html"
PAGES = (*PICTURES, VIEWER)
"""May fail, and may be made again: somebody's changes in them are not looked for."""


def wanted_outputs(kind: str, maps: Maps) -> list[Output]:
    """Those of `OUTPUTS` that are written for such an input with those maps."""
    return [output for output in OUTPUTS if output.wanted(kind, maps)]
