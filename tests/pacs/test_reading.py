"""Laws: a segmentation that we or others wrote comes back on the slices of its series."""

from __future__ import annotations

from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
from found_series import SERIES, read, series

from strokediff.errors import InputError
from strokediff.pacs.objects import write_objects
from strokediff.pacs.reading import is_dicom, read_segmentation


@pytest.mark.parametrize("kind", SERIES)
def test_what_was_written_is_read(kind: str, tmp_path: Path) -> None:
    _, found = read(SERIES[kind](tmp_path / "scan"))
    (tmp_path / "out").mkdir()
    (path,) = write_objects(tmp_path / "out", found, ("seg",))
    own = read_segmentation(path, found.source)
    assert set(own.kinds) == {"infarct", "haemorrhage"} and own.how == "AUTOMATIC"
    for k, name in enumerate(own.kinds, start=1):
        wanted = found.mask(found.place_of(name))
        np.testing.assert_array_equal(own.labels == k, wanted)


def others(found: object, folder: Path, form: str, label: str = "Old bleed") -> Path:
    """A segmentation as another program writes it: other codes, all in one segment."""
    mask = (found.labels > 0).astype(np.uint8).transpose(2, 1, 0)  # type: ignore[attr-defined]
    lesion = highdicom.sr.CodedConcept("99", "99OTHER", "Something")
    made = highdicom.seg.Segmentation(
        source_images=found.source.instances,  # type: ignore[attr-defined]
        pixel_array=mask.astype(np.float32) if form == "FRACTIONAL" else mask,
        segmentation_type=form,
        segment_descriptions=[highdicom.seg.SegmentDescription(1, label, lesion, lesion, "MANUAL")],
        series_instance_uid=pydicom.uid.generate_uid(),
        series_number=7,
        sop_instance_uid=pydicom.uid.generate_uid(),
        instance_number=1,
        manufacturer="other",
        manufacturer_model_name="other",
        software_versions="1",
        device_serial_number="1",
        content_creator_name="Reader^Anna",
        omit_empty_frames=False,
    )
    path = folder / f"{form}.dcm"
    made.save_as(path)
    return path


@pytest.mark.parametrize("form", ["BINARY", "FRACTIONAL", "LABELMAP"])
def test_another_program_s_forms_and_codes_are_read(form: str, tmp_path: Path) -> None:
    _, found = read(series(tmp_path / "scan"))
    own = read_segmentation(others(found, tmp_path, form), found.source)
    assert own.kinds == ("old-bleed",) and own.creator == "Reader^Anna" and own.how == "MANUAL"
    np.testing.assert_array_equal(own.labels > 0, found.labels > 0)


def test_another_series_another_place_and_what_is_no_segmentation_are_refused(
    tmp_path: Path,
) -> None:
    _, found = read(series(tmp_path / "scan"))
    path = others(found, tmp_path, "BINARY")
    moved = pydicom.dcmread(path)
    for group in moved.PerFrameFunctionalGroupsSequence:
        x, y, z = group.PlanePositionSequence[0].ImagePositionPatient
        group.PlanePositionSequence[0].ImagePositionPatient = [x, y + 3, z]
    moved.save_as(tmp_path / "moved.dcm")
    with pytest.raises(InputError, match=r"moved\.dcm: a frame lies 3\.00 mm from"):
        read_segmentation(tmp_path / "moved.dcm", found.source)
    (scan,) = list((tmp_path / "scan").iterdir())[:1]
    with pytest.raises(InputError, match="no DICOM segmentation but CT Image Storage"):
        read_segmentation(scan, found.source)
    (tmp_path / "junk.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 40)
    with pytest.raises(InputError, match="Export it again"):
        read_segmentation(tmp_path / "junk.dcm", found.source)
    bare = pydicom.dcmread(path)
    del bare.PerFrameFunctionalGroupsSequence
    bare.save_as(tmp_path / "bare.dcm")
    with pytest.raises(InputError, match=r"bare\.dcm: the segmentation is not whole"):
        read_segmentation(tmp_path / "bare.dcm", found.source)
    (tmp_path / "short").write_bytes(b"x")
    assert is_dicom(path) and not is_dicom(tmp_path / "short")


def test_voxels_of_two_kinds_are_refused(tmp_path: Path) -> None:
    _, found = read(series(tmp_path / "scan"))
    (tmp_path / "out").mkdir()
    (path,) = write_objects(tmp_path / "out", found, ("seg",))
    seg = pydicom.dcmread(path)
    both = np.unpackbits(np.frombuffer(seg.PixelData, np.uint8), bitorder="little")
    seg.PixelData = np.packbits(np.ones_like(both), bitorder="little").tobytes()
    seg.save_as(tmp_path / "both.dcm")
    frames = [
        g.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        for g in seg.PerFrameFunctionalGroupsSequence
    ]
    assert len(set(frames)) == 2
    groups = seg.PerFrameFunctionalGroupsSequence
    first, second = frames.index(1), frames.index(2)
    groups[second].PlanePositionSequence = groups[first].PlanePositionSequence
    groups[second].DerivationImageSequence = groups[first].DerivationImageSequence
    seg.save_as(tmp_path / "both.dcm")
    with pytest.raises(InputError, match="one kind a voxel"):
        read_segmentation(tmp_path / "both.dcm", found.source)
