"""What every layout has in common: it lists its cases, reads a mask, and writes an image."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from strokediff.ct.volume import CT
from strokediff.errors import InputError


class SizeError(InputError):
    """A mask does not lie on its image's grid, or slices of one patient differ in size."""


@dataclass(frozen=True)
class MaskedImage:
    """An image file, a slice or a whole head, with its mask; `mask` is None where none is."""

    image: Path
    mask: Path | None


@dataclass(frozen=True)
class ListedScan:
    """One scan as it is listed, before any pixel is read; several slices from foot to head.

    `name` names it in the cohort, `patient` is who it is of, as the data set calls them; `split`
    is "train", "val" or "test" where the data set says so. `numbers` are those of the slices in
    their files' names, in the order of `pairs`, where the names alone give the order.
    """

    name: str
    patient: str
    pairs: tuple[MaskedImage, ...]
    split: str | None = None
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True)
class Listing:
    """The cases of a data set, masks that belong to no image, and what to know about the whole.

    `empty` are folders that should hold images and hold none, `unread` files of other kinds that
    lie among the images and masks.
    """

    cases: tuple[ListedScan, ...]
    stray_masks: tuple[Path, ...] = ()
    empty: tuple[Path, ...] = ()
    unread: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Classes:
    """A mask as the data set stores it: class values (X, Y, Z) on the image's stored grid.

    `affine` takes indices to RAS+ mm; it is nominal where `spacing_known` is false.
    """

    values: NDArray[np.int32]
    affine: NDArray[np.float64]
    spacing_known: bool


class Layout(ABC):
    """One public layout, opened on a folder."""

    name: ClassVar[str]
    """What the user calls it."""
    title: ClassVar[str]
    licence: ClassVar[str]
    expected: ClassVar[str]
    """The folder in one line, for whoever gave another one."""
    labels: Mapping[str, tuple[int, ...]] | None = None
    """Class names and their values; None if any whole number may occur."""
    default_labels: tuple[str, ...] = ()
    """The classes that count as the lesion unless the user says otherwise; none: all of them."""
    kind: ClassVar[str | None] = None
    """What kind of lesion all its classes are; None: what their names say."""
    needed: ClassVar[tuple[str, ...]] = ()
    """Files and folders by which the layout is recognised."""
    one_data_set: ClassVar[bool] = True
    """Every folder of this layout is a copy of one data set, which calls its patients alike."""
    single_slices: ClassVar[bool] = False
    """Cases are slices without a head around them."""
    unmasked_is_empty: ClassVar[bool] = False
    """An image without a mask shows no lesion; else it is an error."""
    assumed_pixel_mm: float | None = None
    """The side of a pixel where the files do not hold it but the data set's authors tell it."""

    def __init__(self, source: Path) -> None:
        self.source = source

    @classmethod
    def recognises(cls, source: Path) -> bool:
        """Whether the folder looks like this layout."""
        return all((source / name).exists() for name in cls.needed)

    @property
    def spacing_note(self) -> str | None:
        """What of the spacing is assumed rather than read; None where nothing is."""
        return None

    @property
    def licence_note(self) -> str:
        """The licence in one line."""
        return self.licence

    @property
    def known_values(self) -> frozenset[int] | None:
        """Every value that a mask may hold, the background's 0 among them; None: any from 0."""
        if self.labels is None:
            return None
        return frozenset({0}.union(*self.labels.values()))

    @abstractmethod
    def list_cases(self) -> Listing:
        """Find every image and mask; no pixels are read."""

    @abstractmethod
    def classes(self, case: ListedScan) -> Classes:
        """Read a case's mask and compare its grid with the image's; `SizeError` if they differ."""

    @abstractmethod
    def image(self, case: ListedScan) -> CT:
        """Read a case's image in HU, as it is stored; `InputError` if it is no head CT."""

    @abstractmethod
    def write_image(self, case: ListedScan, path: Path) -> None:
        """Write an image that `image` took, in HU, to `path` (.nii.gz)."""

    def shown(self, value: int) -> str:
        """A class value in the words of its file."""
        return str(value)
