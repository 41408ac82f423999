"""Decode the pixels of DICOM slices to Hounsfield units."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray

from strokediff.data.dicom_headers import SliceHeader, value_of
from strokediff.data.quiet import quiet
from strokediff.data.sanity import AIR_BELOW_HU, AIR_HU
from strokediff.errors import InputError


class PixelReader:
    """Reads slices as HU (rows, columns); keeps the last file, for multi-frame ones."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._dataset: pydicom.Dataset | None = None
        self._stored: NDArray[Any] | None = None
        self.no_rescale: set[Path] = set()

    def hu(self, header: SliceHeader) -> NDArray[np.float32]:
        """One slice in HU, at least -1024: stored x slope + intercept of that very slice."""
        dataset, stored = self._load(header)
        if header.frame is not None and stored.ndim == 3:
            stored = stored[header.frame]
        if stored.shape != (header.rows, header.columns):
            raise InputError(
                f"{header.path}: expected {header.rows} x {header.columns} pixels, got "
                f"{stored.shape}. Export the series again."
            )
        slope, intercept = self._rescale(header, dataset)
        hu = stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)
        for padding in _padding(dataset, stored.dtype):
            # Some files name a padding that is also a tissue value: only air-like ones count.
            if padding * slope + intercept < AIR_BELOW_HU:
                hu[stored == padding] = AIR_HU
        return np.maximum(hu, np.float32(AIR_HU), out=hu)

    def _load(self, header: SliceHeader) -> tuple[pydicom.Dataset, NDArray[Any]]:
        if self._path != header.path or self._dataset is None or self._stored is None:
            self._path, self._stored = None, None
            self._dataset, self._stored = _decode(header)
            self._path = header.path
        return self._dataset, self._stored

    def _rescale(self, header: SliceHeader, dataset: pydicom.Dataset) -> tuple[float, float]:
        for group in _groups(header, dataset):
            items = value_of(group, "PixelValueTransformationSequence")
            holder = items[0] if items else group
            values = [value_of(holder, name) for name in ("RescaleSlope", "RescaleIntercept")]
            if None not in values:
                return _finite(header.path, values)
        self.no_rescale.add(header.path)
        return 1.0, 0.0


def _decode(header: SliceHeader) -> tuple[pydicom.Dataset, NDArray[Any]]:
    path = header.path
    try:
        with quiet("pydicom"):
            dataset = pydicom.dcmread(path, force=True)
            if "PixelData" not in dataset:
                raise InputError(
                    f"{path}: the file has a CT header but no pixel data, or they are cut off. "
                    f"Expected an image; copy the series again from its archive."
                )
            if "TransferSyntaxUID" not in dataset.file_meta:
                dataset.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
            return dataset, dataset.pixel_array
    except (InputError, KeyboardInterrupt, SystemExit, MemoryError):
        raise
    # Decoders raise many kinds on damaged data; one in Rust panics outside of Exception.
    except BaseException as error:
        syntax = pydicom.uid.UID(header.transfer_syntax).name or "unknown transfer syntax"
        raise InputError(
            f"{path}: the pixels cannot be decoded ({syntax}; {type(error).__name__}: "
            f"{str(error)[:150]}). The file is probably truncated; copy it again, or export the "
            f"series uncompressed."
        ) from error


def _finite(path: Path, values: list[Any]) -> tuple[float, float]:
    try:
        slope, intercept = (float(v) for v in values)
    except (TypeError, ValueError):
        slope, intercept = float("nan"), float("nan")
    if not (np.isfinite([slope, intercept]).all() and slope != 0):
        raise InputError(
            f"{path}: expected a RescaleSlope and RescaleIntercept that are numbers, got "
            f"{values[0]!r} and {values[1]!r}. The header is damaged; copy the file again."
        )
    return slope, intercept


def _groups(header: SliceHeader, dataset: pydicom.Dataset) -> list[pydicom.Dataset]:
    """Where a slice's own attributes are looked for, the nearest first."""
    if header.frame is None:
        return [dataset]
    frames = value_of(dataset, "PerFrameFunctionalGroupsSequence") or []
    shared = value_of(dataset, "SharedFunctionalGroupsSequence") or []
    return [frames[header.frame], *shared, dataset]


def _padding(dataset: pydicom.Dataset, dtype: np.dtype[Any]) -> list[int]:
    """The stored padding value, wrapped into the pixels' type (its VR is often wrong)."""
    value = value_of(dataset, "PixelPaddingValue")
    if value is None or dtype.kind not in "iu":
        return []
    try:
        return [int(np.array(int(value)).astype(dtype))]
    except (TypeError, ValueError):
        return []
