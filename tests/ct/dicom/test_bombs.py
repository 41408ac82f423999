"""Law: no small file costs much memory or time; each bound is stated in the message."""

import io
import os
import struct
import tracemalloc
import zlib

import numpy as np
import pydicom
import pytest
from dicom_factory import head, write_enhanced, write_series

from strokediff.ct.dicom import streams as dicom_streams
from strokediff.ct.dicom.codestream import own_sizes
from strokediff.ct.dicom.headers import scan
from strokediff.ct.dicom.pixels import PixelReader
from strokediff.errors import InputError


def peak_mb(call):
    tracemalloc.start()
    try:
        result = call()
        return result, tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def deflated(path, extra):
    """A deflated file with so many MB of zeros behind its pixels."""
    ds = pydicom.dcmread(path)
    plain = io.BytesIO()
    ds.save_as(plain, enforce_file_format=True)
    start = plain.getvalue().index(b"\x08\x00\x08\x00CS")
    ds.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    meta = io.BytesIO()
    ds.save_as(meta, enforce_file_format=True)
    group = meta.getvalue()
    length = struct.unpack_from("<L", group, 140)[0]
    packer = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = packer.compress(plain.getvalue()[start:])
    body += b"".join(packer.compress(bytes(1 << 20)) for _ in range(extra)) + packer.flush()
    path.write_bytes(group[: 144 + length] + body)


def test_a_deflated_bomb_is_inflated_only_as_far_as_needed(tmp_path):
    path = write_series(tmp_path, hu=head(1))[0]
    deflated(path, extra=120)
    found, scanned = peak_mb(lambda: scan([path]))
    hu, read = peak_mb(lambda: PixelReader().hu(found.slices[0]))
    np.testing.assert_array_equal(hu, head(1)[0])
    assert max(scanned, read) < 60


def test_a_deflated_header_without_end_is_damaged(tmp_path, monkeypatch):
    monkeypatch.setattr(dicom_streams, "MAX_DICOM_HEADER_BYTES", 1 << 20)
    path = write_series(tmp_path, hu=head(1), TextValue="x" * (2 << 20))[0]
    assert "more than 1 MiB" in scan([path]).damaged[path]
    deflated(path, extra=0)
    assert "more than 1 MiB" in scan([path]).damaged[path]


@pytest.mark.parametrize(
    ("size", "fate"), [(1 << 30, "read"), (5 << 30, "GB, more than the 2 GiB")]
)
def test_a_slice_followed_by_zeros(tmp_path, size, fate):
    """Sparse files: nothing is read for the zeros, and beyond the bound not even opened."""
    path = write_series(tmp_path, hu=head(1))[0]
    os.truncate(path, size)
    found, scanned = peak_mb(lambda: scan([path]))
    assert scanned < 100
    if fate == "read":
        hu, read = peak_mb(lambda: PixelReader().hu(found.slices[0]))
        np.testing.assert_array_equal(hu, head(1)[0])
        assert read < 110
    else:
        assert fate in found.damaged[path]


def test_a_header_followed_by_zeros_in_place_of_pixels(tmp_path):
    path = write_series(tmp_path, hu=head(1))[0]
    raw = path.read_bytes()
    path.write_bytes(raw[: raw.index(b"\xe0\x7f\x10\x00")] + bytes(4 << 20))
    header = scan([path]).slices[0]
    with pytest.raises(InputError, match="no pixel data"):
        PixelReader().hu(header)


@pytest.mark.parametrize(
    ("bend", "message"),
    [
        ({"NumberOfFrames": 2**31 - 1}, "claims 2147483647 frames of 40 x 32"),
        ({"Rows": 65535, "Columns": 65535}, "65535 x 65535"),
        ({"Rows": 0}, "claims 1 frames of 0 x 32"),
        ({"SamplesPerPixel": 60000, "Rows": 2048, "Columns": 2048}, "Expected at most 2048"),
        ({"BitsAllocated": 64}, "64 bits each"),
    ],
)
def test_absurd_claims_are_refused_before_anything_is_allocated(tmp_path, bend, message):
    path = write_series(tmp_path, hu=head(1), **bend)[0]
    header = scan([path]).slices[0]
    with pytest.raises(InputError, match=message):
        PixelReader().hu(header)


def test_frames_and_items_without_end(tmp_path, monkeypatch):
    path = write_enhanced(tmp_path / "e.dcm", hu=head(12))
    monkeypatch.setattr(dicom_streams, "SMALL_FILE_BYTES", 0)
    monkeypatch.setattr(dicom_streams, "MAX_ITEMS", 20)
    assert "more than the 20 that are read" in scan([path]).damaged[path]
    monkeypatch.setattr(dicom_streams, "MAX_ITEMS", 100)
    monkeypatch.setattr("strokediff.ct.dicom.frames.MAX_FRAMES", 11)
    assert scan([path]).damaged[path] == "12 frames, more than 11"
    monkeypatch.setattr("strokediff.ct.dicom.frames.MAX_FRAMES", 12)
    assert len(scan([path]).slices) == 12


def test_sequences_nested_without_end(tmp_path):
    path = write_series(tmp_path, hu=head(1))[0]
    raw = path.read_bytes()
    at = raw.index(b"\x28\x00\x02\x00US")
    opened = b"\x18\x00\x12\x00SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    path.write_bytes(raw[:at] + opened * 3000 + raw[at:])
    assert scan([path]).damaged[path] == "its sequences are nested too deeply"


def test_elements_without_end(tmp_path):
    path = write_series(tmp_path, hu=head(1))[0]
    raw = path.read_bytes()
    at = raw.index(b"\x28\x00\x02\x00US")
    path.write_bytes(raw[:at] + b"\x18\x00\x12\x00LO\0\0" * 30_000 + raw[at:])
    assert "more than 20000 elements" in scan([path]).damaged[path]


@pytest.mark.parametrize("name", ["JPEG2000Lossless", "JPEGLSLossless", "RLELossless"])
def test_a_codestream_that_claims_another_size_is_not_decoded(tmp_path, name):
    path = write_series(tmp_path, hu=head(1), compress=getattr(pydicom.uid, name))[0]
    raw = path.read_bytes()
    if name == "RLELossless":
        start = raw.index(b"\xfe\xff\x00\xe0", raw.index(b"\xe0\x7f\x10\x00") + 16) + 8
        raw = raw[:start] + struct.pack("<L", 900) + raw[start + 4 :]
    else:
        own = (
            struct.pack(">LL", 32, 40) if name == "JPEG2000Lossless" else struct.pack(">HH", 40, 32)
        )
        big = (
            struct.pack(">LL", 30000, 30000) if len(own) == 8 else struct.pack(">HH", 30000, 30000)
        )
        assert raw.count(own) >= 1
        at = raw.index(own, raw.index(b"\xe0\x7f\x10\x00"))
        raw = raw[:at] + big + raw[at + len(own) :]
    path.write_bytes(raw)
    expected = (
        "900 segments" if name == "RLELossless" else "says 30000 x 30000 pixels, the header 40 x 32"
    )
    with pytest.raises(InputError, match=expected):
        PixelReader().hu(scan([path]).slices[0])


def test_a_compressed_frame_far_larger_than_its_pixels(tmp_path):
    path = write_series(tmp_path, hu=head(1), compress=pydicom.uid.RLELossless)[0]
    ds = pydicom.dcmread(path)
    ds.PixelData = pydicom.encaps.encapsulate([bytes(2 << 20)])
    ds.save_as(path)
    with pytest.raises(
        InputError, match=r"(has 2097152 bytes, its pixels only 2560|no pixel data)"
    ):
        PixelReader().hu(scan([path]).slices[0])


@pytest.mark.parametrize(
    ("markers", "sizes"),
    [
        (b"\xff\xd8\xff\xc0\x00\x0b\x08\x02\x00\x01\x00\x01\x01\x11\x00\xff\xda", [(512, 256)]),
        (
            b"\xff\xd8\xff\xc4\x00\x04\x00\x00\xff\xc3\x00\x0b\x10\x75\x30\x75\x30\x01\x01\x11\x00",
            [(30000, 30000)],
        ),
        (b"\xff\xd8\xff\xf7\x00\x0b\x10\x00\x28\x00\x20\x01\x01\x11\x00", [(40, 32)]),
        (
            b"\xff\xd8\xff\xff\xff\xe0\x00\x02\xff\xc1\x00\x0b\x0c\x00\x05\x00\x06\x01\x01\x11\x00",
            [(5, 6)],
        ),
        (b"\xff\xd8\xff", []),
        (b"", []),
    ],
)
def test_sizes_that_codestreams_state(markers, sizes):
    assert own_sizes(markers) == sizes
