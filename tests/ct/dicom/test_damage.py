"""Law: whatever a header holds, a file is read, or is `damaged`, or is refused by name; no small
file costs much memory, and nothing but files is opened."""

import os
import socket
import struct

import numpy as np
import pytest
from dicom_factory import N, head, write_enhanced, write_series
from pydicom.datadict import dictionary_VR
from pydicom.tag import Tag

from strokediff.ct.dicom.frames import TAGS
from strokediff.ct.dicom.headers import read_header, scan, walk_files
from strokediff.ct.dicom.pixels import PixelReader
from strokediff.ct.dicom.read import read_dicom_series
from strokediff.ct.dicom.stacks import split_series
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
