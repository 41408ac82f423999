"""The images of a result. A new output format is one class here and its line in `OUTPUTS`.

Names begin with "lesion_", so that an input that holds results is known (`own_results`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from strokediff.ct.nifti.images import save_like
from strokediff.ct.volume import CT
from strokediff.version import __version__


class Found(Protocol):
    """What a result's files are made of, all on the grid of `ct`; see `Segmentation`."""

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

    @property
    def brain(self) -> NDArray[np.bool_]:
        """Intracranial contents."""
        ...


class Output(Protocol):
    """A file of a result that the result cannot do without."""

    @property
    def name(self) -> str:
        """Of the file."""
        ...

    def wanted(self, kind: str, *, uncertainty: bool) -> bool:
        """Whether it is written for an input of that kind, with or without uncertainty maps."""
        ...

    def write(self, path: Path, found: Found) -> None:
        """Write it; raises `UsageError` if that cannot be done."""
        ...


@dataclass(frozen=True)
class Map:
    """Values on the scan's grid as NIfTI, on the grid that the scan is stored on.

    Of several kinds of lesion the mask holds k + 1 for kind k, and probabilities have a channel a
    kind; `result.json` names them in that order.
    """

    name: str
    values: Callable[[Found], NDArray[Any]]
    dtype: DTypeLike = np.float32
    uncertain: bool = False
    """Written only where uncertainty maps are asked for."""

    def wanted(self, kind: str, *, uncertainty: bool) -> bool:
        """Always, or with uncertainty maps only."""
        return uncertainty or not self.uncertain

    def write(self, path: Path, found: Found) -> None:
        """Maps are rounded to three decimals."""
        values = self.values(found)
        values = values if values.dtype == np.uint8 else np.round(values, 3)
        made = f"strokediff {__version__}"
        save_like(found.ct, values, path, dtype=self.dtype, description=made)


@dataclass(frozen=True)
class Scanned:
    """The CT that was made of a DICOM series, in HU, for overlays."""

    name: str = "ct.nii.gz"

    def wanted(self, kind: str, *, uncertainty: bool) -> bool:
        """For DICOM: a NIfTI file is its own."""
        return kind == "dicom"

    def write(self, path: Path, found: Found) -> None:
        """Whole HU."""
        made, hu = f"strokediff {__version__}", np.round(found.ct.hu)
        save_like(found.ct, hu, path, dtype=np.int16, description=made)


def _by_kind(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """A map a kind along the last axis (X, Y, Z, K); that of a single kind as it is."""
    return maps[0] if len(maps) == 1 else np.moveaxis(maps, 0, -1)


OUTPUTS: tuple[Output, ...] = (
    Map("lesion_mask.nii.gz", lambda found: found.labels, np.uint8),
    Map("lesion_prob.nii.gz", lambda found: _by_kind(found.probabilities)),
    Map("lesion_entropy.nii.gz", lambda found: found.entropy, uncertain=True),
    Map("lesion_variance.nii.gz", lambda found: found.variance, uncertain=True),
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


def wanted_outputs(kind: str, *, uncertainty: bool) -> list[Output]:
    """Those of `OUTPUTS` that are written for such an input."""
    return [output for output in OUTPUTS if output.wanted(kind, uncertainty=uncertainty)]
