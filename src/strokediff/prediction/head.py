"""Heads to predict: a cohort's patients on the network's grid, or their scans on their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from strokediff.cohort.labelled import LabelledScan, find_scans
from strokediff.cohort.masks import MaskReader
from strokediff.cohort.sources import Sources
from strokediff.cohort.store import Cohort, Patient, as_bits
from strokediff.core.seeds import derive_seed
from strokediff.ct.axes import transposed
from strokediff.ct.brain import BrainMask, extract_brain
from strokediff.ct.checks.sanity import MIN_SLICES
from strokediff.ct.grid import GridConfig
from strokediff.ct.nifti.images import read_nifti
from strokediff.ct.surroundings import ALONE, Surroundings
from strokediff.ct.volume import CT
from strokediff.errors import UsageError
from strokediff.prediction.place import CohortPatient
from strokediff.segmentation.place import Place, Scan


class Head(Protocol):
    """A patient by name, where the network sees him and where masks are compared."""

    @property
    def name(self) -> str:
        """What files are called."""
        ...

    @property
    def ct(self) -> CT:
        """The grid of masks and truth."""
        ...

    @property
    def truth(self) -> NDArray[np.uint8]:
        """(X, Y, Z) on that grid; bit k is set where the lesion is of kind k."""
        ...

    @property
    def brain(self) -> NDArray[np.bool_]:
        """(X, Y, Z) on that grid: what is no air, bone or scalp."""
        ...

    @property
    def digits(self) -> int | None:
        """How many decimals of probabilities files keep, None for all."""
        ...

    def place(self, surroundings: Surroundings = ALONE, seed: int = 0) -> Place:
        """The slices for a network that sees so much beside them, seeded by name and `seed`."""
        ...


Heads = Callable[[Cohort, str], Head]
"""The head of a cohort's patient, by name."""


@dataclass(frozen=True)
class CohortHead:
    """On the network's grid, as prepared."""

    cohort: Cohort
    patient: Patient
    digits: int | None = None

    @property
    def name(self) -> str:
        """The patient's."""
        return self.patient.name

    @cached_property
    def ct(self) -> CT:
        """The windowed slices."""
        return CohortPatient(self.cohort, self.patient).ct

    @property
    def truth(self) -> NDArray[np.uint8]:
        """As prepared."""
        return np.ascontiguousarray(transposed(self.patient.y))

    @property
    def brain(self) -> NDArray[np.bool_]:
        """As prepared."""
        return np.ascontiguousarray(transposed(self.patient.m > 0))

    def place(self, surroundings: Surroundings = ALONE, seed: int = 0) -> Place:
        """The slices as they were prepared."""
        return CohortPatient(self.cohort, self.patient, surroundings, seed)


def on_networks_grid(cohort: Cohort, name: str) -> Head:
    """The patient as prepared."""
    return CohortHead(cohort, cohort.read(name))


@dataclass(frozen=True)
class ScanHead:
    """On the scan's own grid: brain, slices and masks are what `segment` makes of the file.

    `masks` reads the scan's label.
    """

    scan: LabelledScan
    masks: MaskReader
    grid: GridConfig
    min_slices: int = MIN_SLICES
    digits: int | None = 3

    @property
    def name(self) -> str:
        """The scan's."""
        return self.scan.name

    @cached_property
    def ct(self) -> CT:
        """The scan in HU."""
        return read_nifti(self.scan.image, min_slices=self.min_slices)

    @property
    def truth(self) -> NDArray[np.uint8]:
        """As outlined: nothing is resampled."""
        return as_bits(self.masks.on(self.scan.label, self.ct))

    @property
    def brain(self) -> NDArray[np.bool_]:
        """As extracted."""
        return self._extracted.mask

    def place(self, surroundings: Surroundings = ALONE, seed: int = 0) -> Place:
        """The slices that show enough brain and can be used."""
        own = derive_seed(seed, self.name)
        return Scan(self.ct, self._extracted, self.grid, surroundings, own)

    @cached_property
    def _extracted(self) -> BrainMask:
        return extract_brain(self.ct)


class OnOwnGrids:
    """The scans in a folder that a cohort was prepared from, on their own grids."""

    def __init__(self, source: Path) -> None:
        self.source = source
        self.sources = Sources.of(source)
        self.scans = {scan.name: scan for scan in find_scans(source)}

    def __call__(self, cohort: Cohort, name: str) -> Head:
        """The patient's scan; `UsageError` if it is not there."""
        scan = self.scans.get(name)
        if scan is None:
            raise UsageError(
                f"{self.source}: has no scan of {name}, which is in {cohort.path}. Give the folder "
                "that the cohort was prepared from."
            )
        masks = MaskReader(cohort.kinds, self.sources.labels(scan.folder))
        return ScanHead(scan, masks, cohort.grid, self.sources.min_slices(scan.folder))
