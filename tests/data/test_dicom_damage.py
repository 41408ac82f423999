"""Law: whatever a header holds, a file is read, or is `damaged`, or is refused by name; no small
file costs much memory, and nothing but files is opened."""

import io
import os
import socket
import struct
import tracemalloc
import zlib

import numpy as np
import pydicom
import pytest
from dicom_factory import N, head, write_enhanced, write_series
from pydicom.datadict import dictionary_VR
from pydicom.tag import Tag

from strokediff.data import dicom_streams
from strokediff.data.dicom import read_dicom_series
from strokediff.data.dicom_codestream import own_sizes
from strokediff.data.dicom_frames import TAGS
from strokediff.data.dicom_headers import read_header, scan, walk_files
from strokediff.data.dicom_pixels import PixelReader
from strokediff.data.dicom_stacks import split_series
from strokediff.errors import InputError

OF_PIXELS = (
    "Rows",
    "Columns",
    "BitsAllocated",
    "NumberOfFrames",
    "SamplesPerPixel",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "PixelValueTransformationSequence",
    "RescaleSlope",
    "RescaleIntercept",
    "ModalityLUTSequence",
    "PhotometricInterpretation",
    "FrameContentSequence",
    "PlanePositionSequence",
    "SpecificCharacterSet",
)


NESTED = (
    "SOPClassUID",
    "RescaleSlope",
    "PixelValueTransformationSequence",
    "PerFrameFunctionalGroupsSequence",
    "SharedFunctionalGroupsSequence",
    "FrameContentSequence",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "StackID",
    "NumberOfFrames",
)
WRONG = {
    "infinite": (None, b"inf "),
    "not a number": (None, b"nan "),
    "huge": (None, b"9" * 400),
    "text": ("LO", b"no such thing "),
    "bytes": ("OB", b"\x00\xff\x80\x01" * 4),
    "a float": ("FD", struct.pack("<d", np.inf)),
    "floats": ("FD", struct.pack("<ddd", 1e308, np.nan, -0.0)),
    "negative": ("SL", struct.pack("<l", -(2**31))),
    "empty": ("LO", b""),
    "a sequence": ("SQ", b"\xfe\xff\x00\xe0\x0a\0\0\0\x10\0\x20\0LO\x02\0x "),
    "an empty sequence": ("SQ", b""),
    "a cut sequence": ("SQ", b"\xfe\xff\x00\xe0\xff\0\0\0\x10\0"),
    "no such VR": ("ZZ", b"1234"),
    "escapes": ("LO", b"\x1b[31m\x1b$B\x00\\\\\\ "),
}
"""A VR (None: the element's own) and the bytes of a value."""
LONG = ("OB", "SQ", "UN", "UT")


def encoded(name, vr, value):
    """An element in Explicit VR Little Endian."""
    tag = Tag(name)
    vr = vr or dictionary_VR(tag)[:2]
    head = struct.pack("<HH", tag.group, tag.element) + vr.encode()
    return (
        head
        + (struct.pack("<HL", 0, len(value)) if vr in LONG else struct.pack("<H", len(value)))
        + value
    )


def with_element(raw, name, vr, value):
    """A file with the element in place of its own, at its place among the top level's."""
    at = 144 + struct.unpack_from("<L", raw, 140)[0]
    out, new = [raw[:at]], encoded(name, vr, value)
    while at < len(raw):
        group, element = struct.unpack_from("<HH", raw, at)
        long = raw[at + 4 : at + 6].decode() in (*LONG, "OW")
        length = struct.unpack_from("<L" if long else "<H", raw, at + (8 if long else 6))[0]
        end = at + (12 if long else 8) + length
        if new and (group, element) >= (Tag(name).group, Tag(name).element):
            out.append(new)
            new = b""
        if (group, element) != (Tag(name).group, Tag(name).element):
            out.append(raw[at:end])
        at = end
    return b"".join([*out, new])


def overwritten(raw, name, vr, value):
    """A file in which an element, wherever it is nested, has another value of the same length."""
    tag = Tag(name)
    at = raw.find(struct.pack("<HH", tag.group, tag.element) + dictionary_VR(tag)[:2].encode())
    if at < 0 or dictionary_VR(tag) == "SQ":
        return None
    length = struct.unpack_from("<H", raw, at + 6)[0]
    short = vr if vr not in (None, *LONG) else dictionary_VR(tag)[:2]
    filled = (value * (length + 1))[:length] if value else b" " * length
    return raw[: at + 4] + short.encode() + raw[at + 6 : at + 8] + filled + raw[at + 8 + length :]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Bytes of one slice, and of a short enhanced file."""
    folder = tmp_path_factory.mktemp("plain")
    one = write_series(folder, hu=head(1))[0]
    many = write_enhanced(folder / "e.dcm", hu=head(3), content=lambda k: {"StackID": "1"})
    return one.read_bytes(), many.read_bytes()


def outcome(path, pixels=True):
    """What became of a file; anything but the project's own error ends the test."""
    found = scan([path])
    if found.damaged:
        assert all(found.damaged.values())
        return "damaged"
    stacks = split_series(found.slices)
    assert all(stack.flaws or stack.geometry for stack in stacks)
    reader = PixelReader()
    for header in found.slices[:1] if pixels else []:
        try:
            assert np.isfinite(reader.hu(header)).all()
        except InputError as error:
            assert str(path) in str(error)
            return "refused"
    return "read"


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("which", [0, 1], ids=["classic", "enhanced"])
def test_any_element_of_any_kind(plain, tmp_path, wrong, which):
    """Every element that is looked at, in turn, with another VR and nonsense in it."""
    path = tmp_path / "x.dcm"
    outcomes = {}
    for name in (*TAGS, *OF_PIXELS):
        for change in (with_element, overwritten):
            raw = change(plain[which], name, *WRONG[wrong])
            # What the records of pixels do not hold cannot spoil them.
            if raw is not None and (which == 0 or name in NESTED):
                path.write_bytes(raw)
                pixels = name in OF_PIXELS
                outcomes[name, change.__name__] = outcome(path, pixels=pixels)
    assert outcomes["RescaleSlope", "with_element"] in ("read", "refused")
    assert outcomes["SOPClassUID", "overwritten"] in ("read", "damaged")


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("name", ["ImagePositionPatient", "SeriesInstanceUID", "AcquisitionNumber"])
def test_one_damaged_header_costs_that_file(tmp_path, wrong, name):
    """The last slice: the others are read, and it is either read too or said to be left out."""
    path = write_series(tmp_path, hu=head(8))[-1]
    path.write_bytes(with_element(path.read_bytes(), name, *WRONG[wrong]))
    volume = read_dicom_series(tmp_path)
    assert volume.hu.shape[2] in (7, 8)
    if name == "AcquisitionNumber":
        assert volume.hu.shape[2] == 8
    elif name == "ImagePositionPatient":
        assert any("only a part of the series" in w for w in volume.warnings)


def test_damaged_files_are_named_with_their_reason_where_slices_are_missing(tmp_path):
    paths = write_series(tmp_path)
    paths[5].write_bytes(paths[5].read_bytes()[:300])
    with pytest.raises(InputError, match=r"slices are missing.*1 empty or damaged .*005\.dcm: "):
        read_dicom_series(tmp_path)


def seeded_mutants(raw, count, seed):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        out = bytearray(raw)
        for at in rng.integers(0, min(len(out), 2400), rng.integers(1, 6)):
            out[at] = rng.integers(256)
        start = int(rng.integers(0, 2000))
        yield bytes(out[:start] + out[start + int(rng.integers(0, 12)) :])


def test_mutated_bytes(plain, tmp_path):
    path = tmp_path / "x.dcm"
    seen = set()
    for raw in plain:
        for mutant in seeded_mutants(raw, 60, seed=5):
            path.write_bytes(mutant)
            seen.add(outcome(path))
    assert seen == {"read", "damaged", "refused"}


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
    monkeypatch.setattr(dicom_streams, "MAX_HEADER_BYTES", 1 << 20)
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
    monkeypatch.setattr("strokediff.data.dicom_frames.MAX_FRAMES", 11)
    assert scan([path]).damaged[path] == "12 frames, more than 11"
    monkeypatch.setattr("strokediff.data.dicom_frames.MAX_FRAMES", 12)
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


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_pipes_and_sockets_are_never_opened(tmp_path):
    """Opening a pipe without a writer blocks for ever: the test would not end."""
    write_series(tmp_path)
    os.mkfifo(tmp_path / "pipe.dcm")
    with socket.socket(socket.AF_UNIX) as held:
        held.bind(os.path.relpath(tmp_path / "socket.dcm"))
        assert len(list(walk_files(tmp_path))) == N
        assert scan([tmp_path / "pipe.dcm", tmp_path / "socket.dcm"]).slices == []
        assert read_header(tmp_path / "pipe.dcm") is None
        assert read_dicom_series(tmp_path).warnings == ()
        with pytest.raises(InputError, match=r"pipe\.dcm: is a pipe, socket or device"):
            read_dicom_series(tmp_path / "pipe.dcm")


def test_broken_links_are_damaged_and_loops_end(tmp_path):
    write_series(tmp_path)
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "gone.dcm").symlink_to(tmp_path / "nowhere")
    volume = read_dicom_series(tmp_path)
    assert any("gone.dcm: No such file" in w for w in volume.warnings)


def test_a_folder_that_cannot_be_listed_is_damage(tmp_path, monkeypatch):
    write_series(tmp_path / "a")
    (tmp_path / "locked").mkdir()
    listing = os.scandir

    def refuse(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return listing(path)

    monkeypatch.setattr(os, "scandir", refuse)
    files = list(walk_files(tmp_path))
    assert files[-1] == tmp_path / "locked"
    assert (tmp_path / "locked") in scan(files).damaged
