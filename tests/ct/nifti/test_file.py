"""Laws: a damaged or hostile NIfTI file costs one sentence, few megabytes and no wait."""

from __future__ import annotations

import gzip
import os
import pickle
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from small_head import AFFINE, SHAPE, small_head

from strokediff.ct.checks.sanity import MAX_VOXELS
from strokediff.ct.nifti.file import MAX_REST_BYTES, open_nifti
from strokediff.ct.nifti.header import UnreadableError
from strokediff.ct.nifti.images import read_nifti
from strokediff.ct.nifti.masks import read_labels, read_mask, read_probability
from strokediff.errors import InputError

READERS: dict[str, Callable[[Path], object]] = {
    "image": read_nifti,
    "mask": read_mask,
    "labels": read_labels,
    "probability": read_probability,
}
HU = np.round(small_head()).astype(np.int16)
MOST_BYTES = 24 << 20


@pytest.fixture(params=READERS.values(), ids=READERS)
def read(request: pytest.FixtureRequest) -> Callable[[Path], object]:
    return request.param


def saved(path: Path, array: np.ndarray = HU, kind: type = nib.Nifti1Image) -> Path:
    nib.save(kind(array, AFFINE), path)
    return path


def patched(path: Path, *changes: tuple[int, str, object]) -> Path:
    """A file whose header has other values at some offsets."""
    raw = bytearray(path.read_bytes())
    for offset, form, value in changes:
        values = value if isinstance(value, tuple) else (value,)
        struct.pack_into(f"<{form}", raw, offset, *values)
    path.write_bytes(bytes(raw))
    return path


def refused(read: Callable[[Path], object], path: Path, message: str | None = None) -> None:
    """`InputError` that names the file and an action, at the cost of a little memory."""
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=message) as caught:
            read(path)
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).rstrip().endswith(".") and str(caught.value).count(". ") >= 1


inf, nan = float("inf"), float("nan")
DIM, DATATYPE, OFFSET, SLOPE = 40, 70, 108, 112
HEADERS: dict[str, tuple[tuple[int, str, object], ...]] = {
    "vox_offset infinite": ((OFFSET, "f", inf),),
    "vox_offset minus infinite": ((OFFSET, "f", -inf),),
    "vox_offset NaN": ((OFFSET, "f", nan),),
    "vox_offset negative": ((OFFSET, "f", -352.0),),
    "vox_offset within the header": ((OFFSET, "f", 100.0),),
    "vox_offset huge": ((OFFSET, "f", 3e38),),
    "vox_offset beyond the file": ((OFFSET, "f", 1e7),),
    "slope infinite": ((SLOPE, "f", inf),),
    "intercept infinite": ((SLOPE, "ff", (1.0, inf)),),
    "intercept NaN": ((SLOPE, "ff", (2.0, nan)),),
    "a negative dimension": ((DIM, "4h", (3, 64, -64, 16)),),
    "two negative dimensions": ((DIM, "4h", (3, -64, -64, 16)),),
    "an empty dimension": ((DIM, "4h", (3, 64, 0, 16)),),
    "no dimension": ((DIM, "h", 0),),
    "nine dimensions": ((DIM, "h", 9),),
    "negative number of dimensions": ((DIM, "h", -3),),
    "two dimensions": ((DIM, "h", 2),),
    "the largest dimensions": ((DIM, "4h", (3, 32767, 32767, 32767)),),
    "larger than the file": ((DIM, "4h", (3, 512, 512, 1000)),),
    "a series in time": ((DIM, "5h", (4, 64, 64, 8, 2)),),
    "an unknown type": ((DATATYPE, "h", 7777),),
    "no type": ((DATATYPE, "h", 0),),
    "colour": ((DATATYPE, "hh", (128, 24)),),
    "colour and opacity": ((DATATYPE, "hh", (2304, 32)),),
    "complex": ((DATATYPE, "hh", (32, 64)),),
    "complex, long": ((DATATYPE, "hh", (2048, 256)),),
    "no magic": ((344, "4s", b"\0\0\0\0"),),
    "magic of a pair": ((344, "4s", b"ni1\0"),),
    "magic of another format": ((344, "4s", b"abcd"),),
    "all zeros": ((0, "348s", b"\0" * 348),),
    "all ones": ((0, "348s", b"\xff" * 348),),
}


@pytest.mark.parametrize("changes", HEADERS.values(), ids=HEADERS)
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_a_damaged_header_is_one_sentence(
    tmp_path: Path, read: Callable[[Path], object], changes: tuple, ending: str
) -> None:
    path = patched(saved(tmp_path / "a.nii"), *changes)
    if ending == ".nii.gz":
        packed = tmp_path / "a.nii.gz"
        packed.write_bytes(gzip.compress(path.read_bytes(), 1))
        path = packed
    refused(read, path)


@pytest.mark.parametrize(
    "change",
    [
        (SLOPE, "f", 0.0),
        (SLOPE, "ff", (nan, nan)),
        (SLOPE, "ff", (0.0, inf)),
        (72, "h", 32),  # bitpix: datatype says it too, and is believed
        (0, "i", 0),  # sizeof_hdr
        (OFFSET, "f", 0.0),
        (348, "4s", b"\1\0\0\0"),  # an extension of no size
    ],
)
def test_what_headers_often_have_wrong_is_read(tmp_path: Path, change: tuple) -> None:
    volume = read_nifti(patched(saved(tmp_path / "a.nii"), change))
    np.testing.assert_array_equal(volume.hu, HU)


@pytest.mark.parametrize("size", [-1, 0, 7, 2**31 - 1, -(2**31)])
def test_extensions_are_stepped_over_whatever_their_size(tmp_path: Path, size: int) -> None:
    raw = bytearray(saved(tmp_path / "a.nii").read_bytes())
    raw[348:352] = b"\1\0\0\0" + struct.pack("<ii", size, 6) + b"x" * 24
    path = patched_bytes(tmp_path / "b.nii", bytes(raw), offset=352 + 32)
    np.testing.assert_array_equal(read_nifti(path).hu, HU)


def patched_bytes(path: Path, raw: bytes, offset: int) -> Path:
    path.write_bytes(raw)
    return patched(path, (OFFSET, "f", float(offset)))


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("dtype", ["<i2", ">i2", "<f4", ">f8", "<i4", ">i8"])
def test_every_type_and_byte_order_is_read_in_its_own_type(
    tmp_path: Path, kind: type, ending: str, dtype: str
) -> None:
    header = kind.header_class(endianness=dtype[0])
    header.set_data_dtype(dtype)
    nib.save(kind(HU.astype(dtype), AFFINE, header), tmp_path / f"a{ending}")
    volume = read_nifti(tmp_path / f"a{ending}")
    np.testing.assert_array_equal(volume.hu, HU)
    assert volume.source.details["format"] == f"NIfTI-{1 if kind is nib.Nifti1Image else 2}"


def bomb(path: Path, shape: tuple[int, int, int], code: int, bits: int, data: int) -> Path:
    """A compressed file of `data` zeros behind a header that promises `shape`."""
    header = nib.Nifti1Header()
    header.set_data_shape(shape)
    header["datatype"], header["bitpix"], header["vox_offset"] = code, bits, 352
    header["magic"] = b"n+1\0"
    header.set_sform(AFFINE, 1)
    header["pixdim"][1:4] = np.diag(AFFINE)[:3]
    with gzip.open(path, "wb", compresslevel=9) as stream:
        stream.write(header.binaryblock + b"\0\0\0\0")
        zeros = bytes(1 << 20)
        for _ in range(data >> 20):
            stream.write(zeros)
    return path


@pytest.mark.parametrize(
    ("shape", "code", "bits"),
    [((2048, 2048, 200), 64, 64), ((1000, 1000, 1000), 2, 8), ((32767, 32767, 32767), 2, 8)],
)
def test_a_bomb_is_refused_at_a_bound_that_is_stated(
    tmp_path: Path, read: Callable[[Path], object], shape: tuple, code: int, bits: int
) -> None:
    path = bomb(tmp_path / "a.nii.gz", shape, code, bits, 8 << 20)
    refused(read, path, f"at most {MAX_VOXELS / 1e6:.0f} million voxels")


def test_a_stream_that_goes_on_behind_the_image_is_cut_off(
    tmp_path: Path, read: Callable[[Path], object]
) -> None:
    path = bomb(tmp_path / "a.nii.gz", SHAPE, 4, 16, 64 << 20)
    refused(read, path, f"more than {MAX_REST_BYTES} bytes follow the image")


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_zeros_behind_the_compressed_stream_are_not_walked(
    tmp_path: Path, read: Callable[[Path], object]
) -> None:
    """gzip skips them byte by byte: a file with a hole of gigabytes would take hours."""
    path = saved(tmp_path / "a.nii.gz")
    with path.open("r+b") as stream:
        stream.truncate(8 << 30)
    refused(read, path, f"more than {MAX_REST_BYTES} bytes follow the image")


def test_a_stream_that_ends_early_is_refused_before_its_memory_is_used(
    tmp_path: Path, read: Callable[[Path], object]
) -> None:
    path = bomb(tmp_path / "a.nii.gz", (512, 512, 1100), 512, 16, 1 << 20)
    refused(read, path, r"bytes were expected, its \d+ cannot hold them")


def test_a_pipe_a_device_and_a_folder_are_no_files(
    tmp_path: Path, read: Callable[[Path], object]
) -> None:
    """Opened, a pipe would hang and /dev/zero never end."""
    os.mkfifo(tmp_path / "pipe.nii.gz")
    (tmp_path / "folder.nii").mkdir()
    (tmp_path / "device.nii").symlink_to("/dev/zero")
    (tmp_path / "lost.nii").symlink_to(tmp_path / "nowhere")
    for name in ("pipe.nii.gz", "folder.nii", "device.nii", "lost.nii", "none.nii"):
        refused(read, tmp_path / name)


def test_masks_take_a_byte_a_voxel(tmp_path: Path) -> None:
    """However they are stored: labels in double precision are a habit of scripts."""
    array = np.zeros((256, 256, 40), np.float64)
    array[100:150, 100:150, 10:20] = 1
    path = saved(tmp_path / "m.nii.gz", array)
    tracemalloc.start()
    try:
        mask = read_mask(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert mask.array.sum() == 25000
    assert peak < array.size + (10 << 20)


def test_the_error_survives_the_way_from_another_process(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError) as caught:
        open_nifti(patched(saved(tmp_path / "a.nii"), (344, "4s", b"abcd")))
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.reason) == (str(caught.value), caught.value.reason)
