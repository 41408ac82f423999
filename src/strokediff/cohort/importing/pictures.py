"""Sets of 8-bit pictures: slices of a window, without spacing.

A picture is taken as radiologists look at it, the patient's right on its left and the front up;
layouts turn theirs to that. The field of view and the distance of slices are nominal, so that
tools that need millimetres run, and `spacing_known` is false. Where the window cut them, bone
becomes 800 HU and air -1000, so that the head is whole again.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from strokediff.cohort.importing.base import (
    Classes,
    Layout,
    ListedScan,
    Listing,
    MaskedImage,
    SizeError,
)
from strokediff.cohort.importing.names import (
    by_number,
    by_stem,
    composed_stem,
    entries,
    strangers,
)
from strokediff.ct.axes import transposed
from strokediff.ct.brain.windowed import put_back
from strokediff.ct.checks.sanity import PIXEL_LIMITS_MM
from strokediff.ct.volume import CT, Source
from strokediff.errors import InputError
from strokediff.util.names import safe_name
from strokediff.util.quiet import quiet

FIELD_OF_VIEW_MM, SLICE_MM = 230.0, 5.0
_MIN_SIDE, _MAX_SIDE = (round(FIELD_OF_VIEW_MM / mm) for mm in reversed(PIXEL_LIMITS_MM))
"""Pixels along a slice's longer side whose nominal size is one of a head CT."""
SUFFIXES = (".png", ".jpg", ".jpeg")


def nominal_affine(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """X to the patient's left and Y to the back, as pictures run; not a measurement."""
    pixel = FIELD_OF_VIEW_MM / max(shape[:2])
    return np.diag([-pixel, -pixel, SLICE_MM, 1.0])


def picture_size(path: Path) -> tuple[int, int]:
    """(rows, columns) from the header; `InputError` if it is no picture or is too large."""
    with _opened(path) as image:
        return image.height, image.width


def read_grey(path: Path) -> NDArray[np.uint8]:
    """(rows, columns), 0 to 255; colour is taken if its three channels are alike."""
    array = _pixels(path)
    if array.ndim == 2:
        return array
    red, green, blue = (array[..., channel].astype(np.int16) for channel in range(3))
    high, low = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    if (high - low).max(initial=0) > 8:  # JPEG rounds its channels apart by a few
        raise InputError(
            f"{path}: expected a grey picture, got colours. Give the CT slice without overlay."
        )
    return ((red + green + blue + 1) // 3).astype(np.uint8)  # to the nearest: thirds are never half


def read_values(path: Path) -> NDArray[np.int32]:
    """(rows, columns) of the stored numbers: of a palette the index, else grey."""
    with _opened(path) as image:
        is_palette = image.mode == "P"
    return (_pixels(path, palette=True) if is_palette else read_grey(path)).astype(np.int32)


def read_colour(path: Path) -> NDArray[np.int32]:
    """(rows, columns) of 0xRRGGBB; grey v reads as 0xvvvvvv."""
    array = _pixels(path).astype(np.int32)
    if array.ndim == 2:
        array = np.repeat(array[..., None], 3, axis=2)
    return array[..., 0] << 16 | array[..., 1] << 8 | array[..., 2]


def upright(picture: NDArray[Any]) -> NDArray[Any]:
    """A picture with the front up, rows x columns, as a slice (X, Y) of `nominal_affine`."""
    return transposed(picture)


class PictureLayout(Layout):
    """A layout whose cases are stacks of pictures of one window."""

    window_hu: ClassVar[tuple[float, float]] = (0.0, 80.0)
    """HU of grey 0 and of grey 255."""

    @abstractmethod
    def read_classes(self, path: Path) -> NDArray[np.int32]:
        """One mask, (rows, columns) of class values; values that are no class stay as they are."""

    def turned(self, picture: NDArray[Any]) -> NDArray[Any]:
        """A stored picture as a slice (X, Y)."""
        return upright(picture)

    def affine(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Of a stack (X, Y, Z): the assumed pixels where there are such, else nominal ones."""
        nominal = nominal_affine(shape)
        pixel = self.assumed_pixel_mm
        return nominal if pixel is None else np.diag([-pixel, -pixel, SLICE_MM, 1.0])

    def classes(self, case: ListedScan) -> Classes:
        """As `Layout.classes`; every picture of a case must be of one size."""
        first = case.pairs[0].image
        size = picture_size(first)
        slices = []
        for pair in case.pairs:
            for path in (pair.image, *([pair.mask] if pair.mask else [])):
                if (found := picture_size(path)) != size:
                    raise SizeError(_sizes(path, found, first, size))
            slices.append(self.turned(self._mask(pair, size)))
        values = np.stack(slices, axis=2)
        known = self.assumed_pixel_mm is not None
        return Classes(values, self.affine(values.shape), spacing_known=known)

    def image(self, case: ListedScan) -> CT:
        """As `Layout.image`: the window undone, bone and air still cut."""
        low, high = self.window_hu
        grey = np.stack([self.turned(read_grey(pair.image)) for pair in case.pairs], axis=2)
        hu = (low + grey.astype(np.float32) / 255 * (high - low)).astype(np.float32)
        source = Source(case.pairs[0].image, "array", hu.shape, self.affine(hu.shape))
        return CT.from_source_array(hu, source)

    def write_image(self, case: ListedScan, path: Path) -> None:
        """As `Layout.write_image`: bone and air put back, int16."""
        volume = put_back(self.image(case), *self.window_hu)
        whole = np.round(volume.to_source(volume.hu)).astype(np.int16)
        nib.save(nib.Nifti1Image(whole, volume.source.affine), path)

    def _mask(self, pair: MaskedImage, size: tuple[int, int]) -> NDArray[np.int32]:
        if pair.mask is not None:
            return self.read_classes(pair.mask)
        assert self.unmasked_is_empty, "checked by check_listing"
        return np.zeros(size, np.int32)


class SinglePictures(PictureLayout):
    """images/NAME.png with masks/NAME.png: every slice stands alone as its own case.

    Whose slice it is cannot be told, so a split between them may divide a patient.
    """

    single_slices = True
    expected = "images/NAME.png and masks/NAME.png, single slices"
    prefix: ClassVar[str]

    @classmethod
    def recognises(cls, source: Path) -> bool:
        """Whether both folders are there and images/ holds pictures."""
        return (source / "masks").is_dir() and bool(entries(source / "images", source, *SUFFIXES))

    def list_cases(self) -> Listing:
        """One case a picture."""
        masks = by_stem(entries(self.source / "masks", self.source, *SUFFIXES))
        images = by_stem(entries(self.source / "images", self.source, *SUFFIXES))
        cases = [
            ListedScan(
                safe_name(f"{self.prefix}_{name}"), name, (MaskedImage(path, masks.get(name)),)
            )
            for name, path in images.items()
        ]
        stray = tuple(path for name, path in masks.items() if name not in images)
        note = "single slices: whose they are is unknown, so a split may divide a patient"
        unread = unread_in(self.source, "images", "masks")
        return Listing(tuple(cases), stray, unread=unread, notes=(note,))


def paired(images: list[Path], masks: list[Path]) -> tuple[tuple[MaskedImage, ...], list[Path]]:
    """Slices in the order of their numbers with the masks of their names, and masks left over."""
    mask_of, image_of = by_stem(masks), by_stem(images)
    pairs = [MaskedImage(p, mask_of.get(composed_stem(p))) for p in sorted(images, key=by_number)]
    return tuple(pairs), [p for name, p in mask_of.items() if name not in image_of]


def numbers_of(pairs: Iterable[MaskedImage]) -> tuple[int, ...]:
    """The last number in each image's name, suffix aside; nothing unless every name has one."""
    found = [re.findall(r"\d+", composed_stem(pair.image)) for pair in pairs]
    return tuple(int(digits[-1]) for digits in found) if all(found) else ()


def unread_in(source: Path, *folders: str) -> tuple[Path, ...]:
    """Files in these folders of `source` that are no pictures of ours."""
    return tuple(p for folder in folders for p in strangers(source / folder, source, *SUFFIXES))


def _sizes(path: Path, found: tuple[int, int], first: Path, size: tuple[int, int]) -> str:
    return (
        f"{path}: expected {size[1]} x {size[0]} pixels as {first.name}, got "
        f"{found[1]} x {found[0]}. Export both at one size."
    )


def _opened(path: Path) -> Image.Image:
    try:
        with quiet("PIL"):  # its warnings of bombs and metadata: sizes are checked below
            image = Image.open(path)
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise _unreadable(path, error) from error
    if not _MIN_SIDE <= max(image.size) <= _MAX_SIDE:
        raise InputError(
            f"{path}: expected a slice whose longer side has {_MIN_SIDE} to {_MAX_SIDE} pixels, "
            f"got {image.width} x {image.height}. Export it again, or resize images and masks."
        )
    return image


def _pixels(path: Path, *, palette: bool = False) -> NDArray[np.uint8]:
    """The picture as grey or RGB; with `palette` the indices into its palette."""
    with _opened(path) as image:
        if image.mode not in ("L", "RGB", "RGBA", "P", "1"):
            raise InputError(
                f"{path}: expected an 8-bit picture, got mode {image.mode} (16 or more bits a "
                "pixel). Its window is not known here: export 8-bit slices, or NIfTI in HU."
            )
        mode = {"P": "P" if palette else "RGB", "1": "L"}.get(image.mode, image.mode)
        try:
            array = np.asarray(image.convert(mode))
        except (OSError, ValueError, SyntaxError) as error:
            raise _unreadable(path, error) from error
    return array


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(
        f"{path}: expected a complete PNG or JPEG, but it cannot be read "
        f"({type(error).__name__}: {str(error)[:100]}). Copy or export it again."
    )
