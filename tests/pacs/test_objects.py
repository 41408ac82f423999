"""Laws: objects are valid, lie where the mask lies, measure what it measures, and are the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_factory import AXIAL, write_series
from found_series import FRAME, KINDS, SERIES, figures, read, series
from numpy.typing import NDArray
from PIL import Image
from records import record

from strokediff.ct.axes import lps_points
from strokediff.ct.discovery.discover import discover
from strokediff.ct.discovery.loading import load_source
from strokediff.ct.volume import CT
from strokediff.errors import InputError
from strokediff.pacs.finding import Finding
from strokediff.pacs.objects import write_objects
from strokediff.result.figures import Figures
from strokediff.result.reading import Corrected, Reader, Reading

pytest.importorskip("highdicom")
TOOLS = Path(sys.executable).parent
"""Validator and reader, which pip puts beside Python."""


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("picture") / "preview.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)).save(path)
    return path


@pytest.fixture(scope="module", params=SERIES)
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, picture: Path
) -> tuple[CT, Finding, Path]:
    folder = tmp_path_factory.mktemp("pacs")
    ct, found = read(SERIES[request.param](folder / "scan"))
    (folder / "out").mkdir()
    names = [p.name for p in write_objects(folder / "out", found, ("seg", "sr", "sc"), picture)]
    assert names == ["lesion_seg.dcm", "lesion_sr.dcm", "lesion_sc.dcm"]
    return ct, found, folder / "out"


def errors_of(path: Path) -> list[str]:
    """What dciodvfy calls an error."""
    ran = subprocess.run([TOOLS / "dciodvfy", path], capture_output=True, check=False)
    said = (ran.stdout + ran.stderr).decode("utf-8", "replace").splitlines()
    assert said, f"dciodvfy said nothing of {path}"
    return [line for line in said if line.startswith("Error")]


def test_a_validator_finds_no_error(made: tuple[CT, Finding, Path]) -> None:
    for path in made[2].iterdir():
        assert not errors_of(path)


def positions(seg: pydicom.Dataset) -> dict[int, NDArray[np.float64]]:
    """LPS mm of every voxel of each segment, by hand from the bits of the frames."""
    shared = seg.SharedFunctionalGroupsSequence[0]
    frames = seg.PerFrameFunctionalGroupsSequence
    size = seg.Rows * seg.Columns
    bits = np.unpackbits(np.frombuffer(seg.PixelData, np.uint8), bitorder="little")
    bits = bits[: len(frames) * size].reshape(len(frames), seg.Rows, seg.Columns)
    found: dict[int, list[NDArray[np.float64]]] = {}
    for plane, group in zip(bits, frames, strict=True):
        measures = shared.get("PixelMeasuresSequence") or group.PixelMeasuresSequence
        down, across = map(float, measures[0].PixelSpacing)
        turn = shared.get("PlaneOrientationSequence") or group.PlaneOrientationSequence
        direction = np.array(turn[0].ImageOrientationPatient, float).reshape(2, 3)
        origin = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
        r, c = np.nonzero(plane)
        segment = group.get("SegmentIdentificationSequence") or shared.SegmentIdentificationSequence
        number = int(segment[0].ReferencedSegmentNumber)
        found.setdefault(number, []).append(
            origin + c[:, None] * across * direction[0] + r[:, None] * down * direction[1]
        )
    return {number: np.concatenate(own) for number, own in found.items()}


def test_every_voxel_is_where_the_mask_has_it(made: tuple[CT, Finding, Path]) -> None:
    ct, found, out = made
    seg = pydicom.dcmread(out / "lesion_seg.dcm")
    assert [own.SegmentLabel for own in seg.SegmentSequence] == list(KINDS)
    assert seg.SegmentationType == "BINARY" and seg.FrameOfReferenceUID == FRAME
    for number, own in positions(seg).items():
        index = np.argwhere(canonical(ct, found) == number)
        wanted = lps_points(ct.index_to_world(index))
        order, other = np.lexsort(own.T.round(2)), np.lexsort(wanted.T.round(2))
        np.testing.assert_allclose(own[order], wanted[other], atol=0.01)


def canonical(ct: CT, found: Finding) -> NDArray[np.uint8]:
    """The labels on the axes of `ct`: what `to_source` undoes."""
    from strokediff.ct import axes

    return np.asarray(axes.canonical(found.labels, ct.source.affine))


def contents(dataset: pydicom.Dataset) -> list[pydicom.Dataset]:
    items = list(dataset.get("ContentSequence", []))
    return items + [inner for item in items for inner in contents(item)]


def test_the_report_has_the_volumes_the_outlines_and_who_says_so(
    made: tuple[CT, Finding, Path],
) -> None:
    ct, found, out = made
    sr, seg = (pydicom.dcmread(out / f"lesion_{name}.dcm") for name in ("sr", "seg"))
    items = contents(sr)
    numbers = [item for item in items if item.ValueType == "NUM"]
    told = [
        (
            item.ConceptNameCodeSequence[0].CodeMeaning,
            float(item.MeasuredValueSequence[0].NumericValue),
            item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue,
        )
        for item in numbers
    ]
    for k, own in enumerate(found.record.kinds):
        volume = ct.mask_volume_mm3(canonical(ct, found) == k + 1) / 1000
        same = [v for name, v, unit in told if name == "Volume" and unit == "mL"]
        assert sum(v == pytest.approx(volume, rel=1e-3) for v in same) == 2, own.name
    ends = sorted((name, v) for name, v, _ in told if "interval" in name)
    assert [v for _, v in ends] == [0.5, 0.5, 9.0, 9.0]
    likely = [v for name, v, unit in told if name == "Probability of a volume of 50 mL or more"]
    assert likely == [25.0, 25.0]
    sides = [
        item.ConceptCodeSequence[0].CodeMeaning
        for item in items
        if item.ValueType == "CODE" and item.ConceptNameCodeSequence[0].CodeMeaning == "Laterality"
    ]
    assert sorted(sides) == ["Left", "Left", "Right", "Right"]
    texts = " ".join(item.TextValue for item in items if item.ValueType == "TEXT")
    assert "research use only" in texts and found.record.model.sha256 in texts
    referred = {
        item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for item in items
        if item.ValueType == "IMAGE"
    }
    assert seg.SOPInstanceUID in referred
    tracked = {own.TrackingUID for own in seg.SegmentSequence}
    uids = {item.UID for item in items if item.ValueType == "UIDREF"}
    assert tracked <= uids
    outlines = [item for item in items if item.ValueType == "SCOORD"]
    assert len(outlines) == 2
    for item in outlines:
        points = np.array(item.GraphicData).reshape(-1, 2)
        assert (points[0] == points[-1]).all() and (points >= 0).all()


def test_another_reader_finds_the_volume_of_each_kind_on_its_segment(
    made: tuple[CT, Finding, Path], tmp_path: Path
) -> None:
    """dcmqi's, of the volumetric groups."""
    _, found, out = made
    told = tmp_path / "told.json"
    command = ["--inputDICOM", out / "lesion_sr.dcm", "--outputMetadata", told]
    subprocess.run([TOOLS / "tid1500reader", *command], check=True, capture_output=True)
    groups = [g for g in json.loads(told.read_text())["Measurements"] if "ReferencedSegment" in g]
    assert [group["ReferencedSegment"] for group in groups] == [1, 2]
    for group, own in zip(groups, found.record.kinds, strict=True):
        volume = group["measurementItems"][0]
        assert volume["units"]["CodeValue"] == "mL"
        assert float(volume["value"]) == pytest.approx(own.volume_ml, rel=1e-3)
        assert group["TrackingIdentifier"] == f"{own.name} (strokediff)"


def test_left_is_left(made: tuple[CT, Finding, Path]) -> None:
    """RAS+ x of the infarct is less than that of the haemorrhage: it lies further to the right."""
    own = positions(pydicom.dcmread(made[2] / "lesion_seg.dcm"))
    assert own[1][:, 0].mean() > own[2][:, 0].mean()  # LPS: right is less


def test_nothing_of_a_person_but_the_patient_module(made: tuple[CT, Finding, Path]) -> None:
    _, found, out = made
    for path in out.iterdir():
        dataset = pydicom.dcmread(path)
        assert dataset.PatientID == found.source.first.PatientID
        assert dataset.StudyInstanceUID == found.source.first.StudyInstanceUID
        people = [e for e in dataset.iterall() if e.VR == "PN" and str(e.value)]
        assert {e.keyword for e in people} <= {"PatientName"}


def test_the_same_result_gives_the_same_objects_bit_for_bit(
    made: tuple[CT, Finding, Path], picture: Path, tmp_path: Path
) -> None:
    _, found, out = made
    for path in write_objects(tmp_path, found, ("seg", "sr", "sc"), picture):
        assert path.read_bytes() == (out / path.name).read_bytes()
    other = Finding(found.source, found.labels, found.record.model_copy(update={"seed": 7}))
    assert other.uid("seg", "instance") != found.uid("seg", "instance")


def test_an_empty_mask_has_a_report_of_0_ml_and_no_segmentation(
    picture: Path, tmp_path: Path
) -> None:
    ct, found = read(series(tmp_path / "scan"))
    nothing = np.zeros_like(found.labels)
    empty = Finding(found.source, nothing, figures(ct, canonical(ct, found) * 0))
    (tmp_path / "out").mkdir()
    (only,) = write_objects(tmp_path / "out", empty, ("seg", "sr"))
    assert only.name == "lesion_sr.dcm"
    assert not errors_of(only)
    volumes = [
        float(item.MeasuredValueSequence[0].NumericValue)
        for item in contents(pydicom.dcmread(only))
        if item.ValueType == "NUM" and item.ConceptNameCodeSequence[0].CodeMeaning == "Volume"
    ]
    assert volumes == [0.0, 0.0]


@pytest.mark.parametrize("how", ["manual", "corrected", "automatic"])
def test_a_reader_s_mask_says_whose_it_is(how: str, picture: Path, tmp_path: Path) -> None:
    """A person is the observer and no algorithm; a program is none of ours."""
    ct, found = read(series(tmp_path / "scan"))
    own = figures(ct, canonical(ct, found))
    base = Corrected(model="stroke-ncct", model_sha256="1" * 64) if how == "corrected" else None
    reader = Reader(
        name="Zoë^A. 森", how=how, revision=2, mask="m.nii.gz", mask_sha256="0" * 64,
        corrects=base,
    )  # fmt: skip
    given = {name: getattr(own, name) for name in Figures.model_fields}
    kinds = tuple(
        k.model_copy(update={"volume_interval_ml": None, "exceeds": (), "threshold": None})
        for k in own.kinds
    )
    reading = Reading(**{**given, "kinds": kinds}, reader=reader, seconds={})
    (tmp_path / "out").mkdir()
    mine = Finding(found.source, found.labels, reading)
    for path in write_objects(tmp_path / "out", mine, ("seg", "sr", "sc"), picture):
        assert not errors_of(path)
    seg, sr = (pydicom.dcmread(tmp_path / "out" / f"lesion_{n}.dcm") for n in ("seg", "sr"))
    types = {"manual": "MANUAL", "corrected": "SEMIAUTOMATIC", "automatic": "AUTOMATIC"}
    assert {one.SegmentAlgorithmType for one in seg.SegmentSequence} == {types[how]}
    items = contents(sr)
    people = [str(item.PersonName) for item in items if item.ValueType == "PNAME"]
    assert people == ([] if how == "automatic" else ["Zoë A. 森"])
    algorithms = [
        item.TextValue
        for item in items
        if item.ValueType == "TEXT"
        and item.ConceptNameCodeSequence[0].CodeMeaning == "Algorithm Name"
    ]
    assert set(algorithms) == ({"Zoë^A. 森"} if how == "automatic" else set())
    texts = " ".join(item.TextValue for item in items if item.ValueType == "TEXT")
    assert "research use only" in texts and ("stroke-ncct" in texts) == (how == "corrected")
    assert not [i for i in items if "interval" in str(i.get("ConceptNameCodeSequence", ""))]


def test_one_kind_of_two_is_the_first_segment(tmp_path: Path) -> None:
    ct, found = read(series(tmp_path / "scan"))
    labels = np.where(found.labels == 2, 2, 0).astype(np.uint8)
    alone = Finding(found.source, labels, figures(ct, canonical(ct, found)))
    (tmp_path / "out").mkdir()
    write_objects(tmp_path / "out", alone, ("seg", "sr"))
    seg = pydicom.dcmread(tmp_path / "out" / "lesion_seg.dcm")
    (own,) = seg.SegmentSequence
    assert (own.SegmentNumber, own.SegmentLabel) == (1, "haemorrhage")


def test_what_has_no_outline_is_beside_the_measurements_of_what_has_one(tmp_path: Path) -> None:
    """One among them, and OHIF shows a black page; its 0 mL is still in the report."""
    ct, found = read(series(tmp_path / "scan"))
    labels = np.where(found.labels == 2, 2, 0).astype(np.uint8)
    bare = Finding(found.source, labels, found.record)
    alone = Finding(found.source, labels, figures(ct, canonical(ct, bare)))
    (tmp_path / "out").mkdir()
    (path,) = write_objects(tmp_path / "out", alone, ("sr",))
    assert not errors_of(path)
    sr = pydicom.dcmread(path)
    measured, findings = (part(sr, code) for code in ("126010", "121070"))
    assert groups_of(measured) == [("haemorrhage", False), ("haemorrhage", True)]
    assert groups_of(findings) == [("infarct", False)]
    volumes = [
        float(item.MeasuredValueSequence[0].NumericValue)
        for item in contents(findings)
        if item.ConceptNameCodeSequence[0].CodeMeaning == "Volume"
    ]
    assert volumes == [0.0]


def part(sr: pydicom.Dataset, code: str) -> pydicom.Dataset:
    """The container of that name."""
    (own,) = [i for i in sr.ContentSequence if i.ConceptNameCodeSequence[0].CodeValue == code]
    return own


def groups_of(sr: pydicom.Dataset) -> list[tuple[str, bool]]:
    """The kind that each group of measurements is of, and whether it has an outline."""
    groups = []
    for item in contents(sr):
        if item.ConceptNameCodeSequence[0].CodeValue == "125007":
            parts = contents(item)
            (name,) = [p.TextValue for p in parts if p.get("TextValue", "").endswith("diff)")]
            groups.append((name.split()[0], any(p.ValueType == "SCOORD" for p in parts)))
    return groups


def test_the_kind_of_which_there_is_most_is_first_in_the_report(tmp_path: Path) -> None:
    """OHIF shows the first group, and a black page if that has no outline."""
    ct, found = read(series(tmp_path / "scan"))
    kinds = found.record.kinds
    assert kinds[0].volume_ml > kinds[1].volume_ml
    swapped = np.choose(found.labels, [0, 2, 1]).astype(np.uint8)
    for place, labels in (("a", found.labels), ("b", swapped)):
        bare = Finding(found.source, labels, found.record)
        own = Finding(found.source, labels, figures(ct, canonical(ct, bare)))
        (tmp_path / place).mkdir()
        write_objects(tmp_path / place, own, ("sr",))
    first, other = (groups_of(pydicom.dcmread(tmp_path / p / "lesion_sr.dcm")) for p in "ab")
    assert [kind for kind, _ in first] == ["infarct"] * 2 + ["haemorrhage"] * 2
    assert [kind for kind, _ in other] == ["haemorrhage"] * 2 + ["infarct"] * 2


def test_values_that_are_not_allowed_are_emptied_and_not_copied(
    picture: Path, tmp_path: Path
) -> None:
    """As whoever removes names from headers leaves them."""
    folder = series(
        tmp_path / "scan",
        PatientBirthDate="Unknown",
        PatientSex="not said",
        PatientIdentityRemoved="YES",
        ReferringPhysicianName="Dr^House",
        AccessionNumber="7" * 40,
    )
    _, found = read(folder)
    (tmp_path / "out").mkdir()
    for path in write_objects(tmp_path / "out", found, ("seg", "sr", "sc"), picture):
        assert not errors_of(path)
        dataset = pydicom.dcmread(path)
        assert dataset.PatientBirthDate == dataset.PatientSex == dataset.AccessionNumber == ""
        assert "House" not in str(dataset)


def test_what_has_no_frame_of_reference_or_another_grid_is_refused(tmp_path: Path) -> None:
    bare = write_series(tmp_path / "bare")[0].parent
    with pytest.raises(InputError, match=r"000\.dcm: has no FrameOfReferenceUID"):
        load_source(discover(bare).cases[0])
    _, found = read(series(tmp_path / "scan", orientation=AXIAL))
    with pytest.raises(InputError, match="the mask has 5 x 6 x 7 voxels and the series 32 x 40 x"):
        Finding(found.source, np.zeros((5, 6, 7), np.uint8), record())
