"""Decode the pixels of DICOM slices to Hounsfield units."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    UID,
    ImplicitVRLittleEndian,
    JPEG2000TransferSyntaxes,
    JPEGLSTransferSyntaxes,
)

from strokediff.ct.arrays import FLOOR_HU
from strokediff.ct.checks.sanity import MAX_PIXELS, MAX_VOXELS
from strokediff.ct.dicom.codestream import FRAME_SLACK_BYTES, check_frames
from strokediff.ct.dicom.frames import SliceHeader
from strokediff.ct.dicom.padding import (
    LARGEST_HU,
    negative_where,
    padding_where,
    without_unused_bits,
)
from strokediff.ct.dicom.streams import read_dataset
from strokediff.ct.dicom.values import integer, items_of, numbers_in, raw_text, text, value_of
from strokediff.errors import InputError
from strokediff.util.quiet import quiet


class PixelReader:
    """Reads slices as HU (rows, columns); keeps the last file, for multi-frame ones.

    `no_rescale` are files without RescaleSlope and RescaleIntercept, `unsigned` those whose
    negative numbers were stored without sign, and mended.
    """

    def __init__(self) -> None:
        self._path: Path | None = None
        self._dataset: pydicom.Dataset | None = None
        self._stored: NDArray[Any] | None = None
        self.no_rescale: set[Path] = set()
        self.unsigned: set[Path] = set()

    def hu(self, header: SliceHeader) -> NDArray[np.float32]:
        """One slice in HU, at least -1024: stored x slope + intercept of that very slice.

        Padding becomes -1024. Whatever is wrong with the file is an `InputError` naming it.
        """
        try:
            with quiet("pydicom"):
                return self._hu(header)
        except (InputError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # a decoder in Rust panics outside of Exception
            raise _undecodable(header, error) from error

    def _hu(self, header: SliceHeader) -> NDArray[np.float32]:
        dataset, stored = self._load(header)
        if header.frame is not None and stored.ndim == 3:
            stored = stored[header.frame]
        if stored.shape != (header.rows, header.columns):
            raise InputError(
                f"{header.path}: expected {header.rows} x {header.columns} pixels, got "
                f"{stored.shape}. Export the series again."
            )
        slope, intercept = self._rescale(header, dataset)
        values = _numbers(stored, _bits_stored(dataset, header))
        hu = values.astype(np.float32) * np.float32(slope) + np.float32(intercept)
        self._restore_sign(header, stored, hu, slope)
        hu[padding_where(dataset, stored, slope, intercept)] = FLOOR_HU
        if not np.isfinite(hu).all():
            raise InputError(
                f"{header.path}: RescaleSlope {slope:g} and RescaleIntercept {intercept:g} give "
                f"values that are no numbers. The header is damaged; copy the file again."
            )
        return np.asarray(np.maximum(hu, np.float32(FLOOR_HU), out=hu))

    def _restore_sign(
        self, header: SliceHeader, raw: NDArray[Any], hu: NDArray[np.float32], slope: float
    ) -> None:
        """Give negative numbers that were stored as unsigned ones their sign back, in `hu`."""
        if raw.dtype.kind != "u" or raw.dtype.itemsize != 2 or slope <= 0:
            return
        wrapped = (raw >= 1 << 15) & (hu > LARGEST_HU)
        if wrapped.any():
            hu[wrapped] -= np.float32(slope * (1 << 16))
            if (hu[wrapped] > FLOOR_HU).any():
                self.unsigned.add(header.path)

    def _load(self, header: SliceHeader) -> tuple[pydicom.Dataset, NDArray[Any]]:
        if self._path != header.path or self._dataset is None or self._stored is None:
            self._path, self._stored = None, None
            self._dataset, self._stored = _decode(header)
            self._path = header.path
        return self._dataset, self._stored

    def _rescale(self, header: SliceHeader, dataset: pydicom.Dataset) -> tuple[float, float]:
        names = ("RescaleSlope", "RescaleIntercept")
        for group in _groups(header, dataset):
            holder = next(iter(items_of(group, "PixelValueTransformationSequence")), group)
            raw = [raw_text(holder, name) for name in names]
            if all(raw):
                raw = [text(r)[:60] for r in raw]
                found = [numbers_in(holder, name, 1) for name in names]
                return _finite(header.path, found, raw)
        if items_of(dataset, "ModalityLUTSequence"):
            raise InputError(
                f"{header.path}: has a ModalityLUTSequence in place of RescaleSlope and "
                f"RescaleIntercept. Expected a linear rescale; export the series again."
            )
        self.no_rescale.add(header.path)
        return 1.0, 0.0


def _decode(header: SliceHeader) -> tuple[pydicom.Dataset, NDArray[Any]]:
    _check_claims(header)
    path = header.path
    expected = header.image_bytes
    dataset = read_dataset(path, pixel_bytes=2 * expected + FRAME_SLACK_BYTES)
    if not value_of(dataset, "PixelData"):
        raise InputError(
            f"{path}: the file has a CT header but no pixel data, or they are cut off. "
            f"Expected an image; copy the series again from its archive."
        )
    syntax = UID(dataset.file_meta.get("TransferSyntaxUID") or ImplicitVRLittleEndian)
    dataset.file_meta.TransferSyntaxUID = syntax
    check_frames(
        dataset,
        syntax,
        header.rows,
        header.columns,
        expected // header.n_frames,
        header.n_frames,
    )
    as_stored: dict[str, Any] = {"raw": True, "correct_unused_bits": False}
    stored = get_decoder(syntax).as_array(dataset, **as_stored)[0]
    return dataset, stored.astype(stored.dtype.newbyteorder("="), copy=False)


def _numbers(stored: NDArray[Any], bits: int) -> NDArray[Any]:
    """The stored numbers without what unused bits hold, but for negatives that reach into them."""
    if bits >= stored.dtype.itemsize * 8:
        return stored
    signed = stored.view(f"i{stored.dtype.itemsize}")
    return np.where(negative_where(stored, bits), signed, without_unused_bits(stored, bits))


def _check_claims(header: SliceHeader) -> None:
    """Refuse an image that no head CT has, before anything is read or allocated for it."""
    voxels = header.rows * header.columns * header.n_frames * max(header.samples, 1)
    sides = (header.rows, header.columns)
    if min(sides) < 1 or max(sides) > MAX_PIXELS or voxels > MAX_VOXELS or header.bits > 32:
        raise InputError(
            f"{header.path}: claims {header.n_frames} frames of {header.rows} x {header.columns} "
            f"pixels, {header.bits} bits each. Expected at most {MAX_PIXELS} pixels a side, 32 "
            f"bits and {MAX_VOXELS / 1e6:.0f} million voxels; the header is damaged, copy the "
            f"file again."
        )


def _undecodable(header: SliceHeader, error: BaseException) -> InputError:
    syntax = UID(header.transfer_syntax).name or "unknown transfer syntax"
    return InputError(
        f"{header.path}: the pixels cannot be decoded ({syntax}; {type(error).__name__}: "
        f"{str(error)[:150]}). The file is probably truncated; copy it again, or export the "
        f"series uncompressed."
    )


def _bits_stored(dataset: pydicom.Dataset, header: SliceHeader) -> int:
    """How many bits of a pixel count; all where codestreams have brought the right sign."""
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax in JPEG2000TransferSyntaxes or syntax in JPEGLSTransferSyntaxes:
        return header.bits
    return integer(value_of(dataset, "BitsStored"), header.bits)


def _finite(
    path: Path, found: list[NDArray[np.float64] | None], raw: list[str]
) -> tuple[float, float]:
    slope, intercept = (float("nan") if v is None else float(v[0]) for v in found)
    if not (np.isfinite([slope, intercept]).all() and slope != 0):
        raise InputError(
            f"{path}: expected a RescaleSlope and RescaleIntercept that are numbers, got "
            f"{raw[0]!r} and {raw[1]!r}. The header is damaged; copy the file again."
        )
    return slope, intercept


def _groups(header: SliceHeader, dataset: pydicom.Dataset) -> list[pydicom.Dataset]:
    """Where a slice's own attributes are looked for, the nearest first."""
    if header.frame is None:
        return [dataset]
    frames = items_of(dataset, "PerFrameFunctionalGroupsSequence")
    shared = items_of(dataset, "SharedFunctionalGroupsSequence")
    return [frames[header.frame], *shared, dataset]
