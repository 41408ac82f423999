"""Every script of benchmarks/ with every option, on tiny inputs: what docs quote can be printed."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest
import two_kinds
import typer
from PIL import Image
from typer.testing import CliRunner

from strokediff.cohort.prepare import prepare_cohort
from strokediff.ct.grid import GridConfig
from strokediff.inference.estimation import Estimation
from strokediff.phantom.cohort import write_cohort
from strokediff.phantom.dicom import write_dicom_series
from strokediff.phantom.make import make_phantom
from strokediff.segmentation.calibrate.answers import Answer, OfKind, OfMethod, Sheet
from strokediff.segmentation.patients import segment_folder
from strokediff.segmentation.segmenter import load
from strokediff.training.build import build_network
from strokediff.training.checkpoint import read_config, write_checkpoint
from strokediff.training.start import StartModel
from strokediff.util.kinds import STROKE

pytestmark = pytest.mark.slow
pytest.importorskip("lightning")
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
DOCS = Path(__file__).parents[2] / "docs" / "benchmark"
SMALL: dict[str, Any] = {"matrix": 128, "thickness_mm": 8.0}


@pytest.fixture
def script() -> Iterator[Callable[[str], ModuleType]]:
    """Imports one by its name."""
    sys.path.insert(0, str(BENCHMARKS))
    yield importlib.import_module
    sys.path.remove(str(BENCHMARKS))


def run(module: ModuleType, *arguments: object, code: int = 0) -> str:
    """Its output."""
    app = typer.Typer()
    app.command()(module.main)
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result.output


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four phantoms with a haemorrhage."""
    folder = tmp_path_factory.mktemp("scans") / "hemorrhage"
    write_cohort(4, "hemorrhage", folder, 3, **SMALL)
    return folder


def test_every_script_is_tried_here() -> None:
    text = Path(__file__).read_text()
    parts = {"fuzz_bending", "fuzz_formats", "fuzz_inputs", "orthanc"}
    untried = {p.stem for p in BENCHMARKS.glob("*.py")} - parts
    assert not [name for name in untried if f'script("{name}")' not in text]


def test_model_card(script: Any, scans: Path, tmp_path: Path) -> None:
    prepare_cohort(scans, tmp_path / "cohort", GridConfig(), val=0.5, test=0.0)
    unseen = tmp_path / "unseen" / "infarct"
    write_cohort(1, "infarct", unseen, 9, **SMALL)
    told = run(
        script("model_card"),
        *("--data", tmp_path / "unseen", "-o", tmp_path, "--methods", "avg,sal"),
        *("--unet", tmp_path / "unet", "--train-on", tmp_path / "cohort", "--steps", 2),
        *("--validation", scans, "--model", "phantom-stroke"),
    )
    for method in ("avg", "sal", "unet", "unet tuned"):
        assert f"| all | {method} | 1 |" in told
    content = json.loads((tmp_path / "model_card.json").read_text())
    assert content["table"]["all/unet"]["n_cases"] == 1
    assert set(content["coverage"]) == {"avg", "sal"}


def test_external_slices(script: Any, tmp_path: Path) -> None:
    module = script("external_slices")
    made = make_phantom("hemorrhage", 0, **SMALL)
    k = int(made.lesion.sum((0, 1)).argmax())
    grey = np.clip(made.hu[:, :, k] / 80 * 255, 0, 255).astype(np.uint8)
    for name in (of.name for of in module.SETS):
        for part, picture in (("images", grey), ("masks", (grey > 200) * np.uint8(255))):
            (tmp_path / name / part).mkdir(parents=True)
            Image.fromarray(picture.T[::-1, ::-1]).save(tmp_path / name / part / "one.png")
    (tmp_path / "aisd-slices" / "images" / "two.png").write_bytes(_black())
    (tmp_path / "aisd-slices" / "masks" / "two.png").write_bytes(_black())
    told = run(module, tmp_path, "--model", "phantom-stroke", "--method", "avg")
    assert "| aisd-slices | 2 | 1 |" in told and "| ctich-slices | 1 | 0 |" in told
    assert "kind right" not in told
    told = run(module, tmp_path, "--model", _of_two_kinds(tmp_path / "model"), "--method", "avg")
    assert "| ctich-slices | 1 | 0 |" in told
    assert "| ctich-slices | haemorrhage | 0.000 | 0 of 1 | 0% of " in told
    assert "| cpaisd-slices | infarct | " in told and "| 1 of 1 | 100% of " in told
    told = run(script("slice_contrast"), tmp_path)
    set_, slices, lesion, *_, beyond = told.splitlines()[3].strip("| ").split(" | ")
    assert (set_, slices, beyond) == ("aisd-slices", "1", "1 of 1")
    assert float(lesion.split()[0]) > 15  # a haematoma


def test_outline_ceiling(script: Any, scans: Path) -> None:
    """A dense haematoma of smooth shape is outlined by its brightness nearly as the truth is."""
    told = run(script("outline_ceiling"), scans, "--within-mm", "3")
    name, n, threshold, moved = told.splitlines()[2].strip("| ").split(" | ")
    assert name == "with a lesion" and 1 <= int(n) <= 4
    assert float(threshold) > 0.8 and float(moved) > 0.8


def _of_two_kinds(folder: Path) -> Path:
    """The bundled model with two kinds of lesion that are the same to it: the first one wins."""
    start = StartModel.of("phantom-stroke")
    network = start.config.training.network.model_copy(update={"kinds": STROKE})
    training = start.config.training.model_copy(update={"network": network})
    module = build_network(training, start.config.grid.size)
    start.load_into(module)
    folder.mkdir()
    config = start.config.model_copy(update={"training": training})
    write_checkpoint(folder, config, module.state_dict(), split={}, metrics={})
    return folder


def _black() -> bytes:
    import io

    stream = io.BytesIO()
    Image.fromarray(np.zeros((128, 128), np.uint8)).save(stream, "png")
    return stream.getvalue()


def test_screens(script: Any, scans: Path, tmp_path: Path) -> None:
    image = next((scans / "images").iterdir())
    load("phantom-stroke", device="cpu").segment(image, "avg").save(tmp_path / "result")
    told = run(
        script("screens"), tmp_path / "result", tmp_path / "t.png",
        *("--width", 500, "--height", 400, "--press", "t"),
    )  # fmt: skip
    assert told.endswith("500 x 400\n")
    with Image.open(tmp_path / "t.png") as picture:
        assert picture.size == (500, 400) and np.asarray(picture.convert("L")).std() > 5
    run(script("screens"), tmp_path / "result", tmp_path / "d.png", "--draw", "--ct", image)
    assert (tmp_path / "d.png").stat().st_size > 10_000
    run(script("screens"), tmp_path, tmp_path / "t.png", code=1)


def test_unseen(script: Any, scans: Path, tmp_path: Path) -> None:
    model = load("phantom-stroke", device="cpu")
    found, truth = tmp_path / "found", scans / "labels"
    list(segment_folder(scans / "images", found, model, Estimation("avg"), pictures=False))
    told = run(script("unseen"), found, truth)
    row = told.splitlines()[-1].split("|")[1:-1]
    assert row[0].strip() == "4" and "[" in row[1] and 0 <= float(row[5]) <= 1
    run(script("unseen"), found, truth, "--kind", "infarct", code=1)
    run(script("unseen"), found, code=1)


def test_segment(script: Any, scans: Path) -> None:
    image = next((scans / "images").iterdir())
    options = ("--runs", 1, "--methods", "avg", "--device", "cpu", "--preset", "fast")
    told = run(script("segment"), image, *options, "--model", "phantom-stroke")
    assert told.splitlines()[-1].startswith("| avg | ")


def test_phantom_realism(script: Any, tmp_path: Path) -> None:
    made = make_phantom("infarct", 1, matrix=128, thickness_mm=8.0)
    write_dicom_series(made, tmp_path / "head", localizer=False)
    out = tmp_path / "realism.png"
    options = ("-o", out, "--phantoms", 1, "--matrix", 128)
    told = run(script("phantom_realism"), tmp_path / "head", *options)
    rows = {line.split(" | ")[0]: line.split(" | ")[1:6] for line in told.splitlines()[2:]}
    assert [*rows] == ["| head", "| phantom 0"] and out.stat().st_size > 5000


def test_lesion_realism(script: Any, scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "realism.png"
    told = run(script("lesion_realism"), scans, scans, "-o", out, "--value", 1, "--most", 3)
    rows = [line.split(" | ") for line in told.splitlines() if line.startswith("| ")]
    assert len(rows) == 12 and out.stat().st_size > 5000
    contrast = [row for row in rows if row[0] == "| contrast, HU"]
    assert contrast[0][2:] == contrast[1][2:]  # the same folder twice
    assert float(contrast[0][5]) > 10


def test_real_brains(script: Any, scans: Path, tmp_path: Path) -> None:
    image = sorted((scans / "images").iterdir())[0]
    told = run(script("real_brains"), image, "--middle", "--run", 1)
    blank = next(line for line in told.splitlines() if line.startswith("| blank"))
    assert blank.startswith("| blank | 1 | 1 |") and "| 100.0% | 100.0% |" in blank
    empty = tmp_path / "air.nii.gz"
    nib.save(nib.Nifti1Image(np.full((64, 64, 8), -1000, np.int16), np.diag([3.0, 3, 8, 1])), empty)
    assert "| blank" not in run(script("real_brains"), empty, "--every", 4)


def test_publish(script: Any, tmp_path: Path) -> None:
    from strokediff.cohort.store import CohortWriter, Patient
    from strokediff.version import __version__

    module, suite = script("publish"), DOCS / "phantom-infarct"
    names = json.loads((suite / "scores" / "unet" / "seed-0.json").read_text())["patients"]["case"]
    place = tmp_path / "runs"
    (place / "cohort").mkdir(parents=True)
    claim = {"suite": "phantom-infarct", "budget": "small", "version": __version__}
    (place / "benchmark.json").write_text(json.dumps(claim))
    shutil.copytree(suite / "scores" / "unet", place / "scores" / "unet")
    (place / "cases.png").write_bytes(_black())
    writer = CohortWriter(place / "cohort", GridConfig(size=16, spacing_mm=8.0))
    one = np.ones((1, 16, 16))
    for name in [*names, "t"]:
        patient = Patient(name, one.astype(np.float16), one.astype(np.uint8), one.astype(np.uint8))
        writer.add(patient, spacing_mm=[8.0, 8.0, 5.0], volume_ml=1.0)
    writer.finish(split={"train": ["t"], "val": [], "test": names}, origin={})
    told = run(module, place, "--cases", "--docs", tmp_path / "docs")
    published = tmp_path / "docs" / "phantom-infarct"
    assert str(published / "benchmark.md") in told
    assert "U-Net" in (published / "benchmark.md").read_text()
    assert (published / "cases.png").is_file() and not (published / "results.json").exists()


def test_fuzz(script: Any) -> None:
    module = script("fuzz")
    told = run(module, "--formats", "record", "-n", 20, "--seed", 0, "--jobs", 2)
    assert "| record | 20 |" in told
    dying = [*module.watched("no such format", 0, 3, 5)]
    assert [(r["number"], r["outcome"]) for r in dying] == [(3, "fault"), (4, "fault")]
    assert "ends its process (exit code 1)" in dying[0]["why"]
    alone = [sys.executable, str(BENCHMARKS / "fuzz.py"), "--formats", "record", "--only", "7"]
    found = json.loads(subprocess.run(alone, capture_output=True, check=True).stdout)
    again = next(iter(module.watched("record", 0, 7, 8)))
    assert (found["number"], found["outcome"]) == (7, again["outcome"])


def test_kill(script: Any, scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = script("kill")
    module.nnunet(scans, tmp_path / "raw")
    command = module.Command("import", ("nnunet", tmp_path / "raw", "OUT", "-q"))
    monkeypatch.setattr(module, "make_commands", lambda folder: [command])
    told = run(module, "--commands", "import", "--kills", 1, "--seed", 1, "-o", tmp_path / "k")
    row = next(line for line in told.splitlines() if line.startswith("| import |"))
    assert " | 1 | " in row and row.endswith(" | 0 | 0 | 0 |")


def test_listen(script: Any, tmp_path: Path) -> None:
    """Ten studies, of which three have no result, and a kill."""
    assert script("orthanc").BINARY, "no Orthanc: install it (.ci/run does)"
    small = ("--model", two_kinds.checkpoint(tmp_path / "model"), "--kills", 1)
    told = run(script("listen"), "--series", 10, *small, "-o", tmp_path / "day")
    rows = {line.split(" | ")[0]: line for line in told.splitlines() if line.startswith("| ")}
    assert rows["| head"] == "| head | 7 | 7 | 0 | 7 | 7 | 7 | 0 |"
    for kind in ("damaged", "contrast", "no head"):
        assert rows[f"| {kind}"] == f"| {kind} | 1 | 0 | 1 | 0 | 0 | 0 | 0 |"
    assert {"| 1", "| 2"} <= rows.keys()


def test_ohif(script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a page that stands in for OHIF, whose build is no part of the tests."""
    module, web = script("ohif"), script("dicomweb")
    ohif = tmp_path / "ohif"
    ohif.mkdir()
    run(module, "--ohif", ohif, "--out", tmp_path, code=1)  # no build of OHIF
    shutil.copy(Path(__file__).parents[1] / "factories" / "stub_viewer.html", ohif / "index.html")
    (ohif / "app-config.js").write_text("not this one")
    assert script("orthanc").BINARY, "no Orthanc: install it (.ci/run does)"
    how = {"tilt_deg": 12.0, "thickness_mm": 8.0, "matrix": 128}
    study = module.patient(tmp_path / "p", "hemorrhage", 16, "phantom-stroke", "avg", **how)
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(
        module, "patient", lambda _, *what, **how: asked.append((*what, how)) or study
    )
    slice_, marked = study.key_slice()
    hu = slice_.pixel_array - 1024.0
    seen = np.repeat(np.clip(hu / 80 * 255, 0, 255)[..., None], 3, axis=2)
    seen[marked] = 255, 93, 58
    Image.fromarray(seen.astype(np.uint8)).resize((390, 390), 0).save(ohif / "slice.png")
    options = ("--kind", "hemorrhage", "--seed", 16, "--model", "phantom-stroke", "--method", "avg")
    size = ("--tilt-deg", 12, "--thickness-mm", 8, "--matrix", 128, "--width", 600, "--height", 700)
    told = run(module, "--ohif", ohif, "--out", tmp_path / "out", *options, *size)
    assert asked == [("hemorrhage", 16, "phantom-stroke", "avg", how)]
    covered, volume = (line.split(": ", 1)[1] for line in told.splitlines()[1:])
    assert float(covered.split()[-2]) > 0.95
    assert volume == f"Volume: {study.volume_ml:.2f} mL"
    for name in ("ohif-seg.png", "ohif-sr.png"):
        with Image.open(tmp_path / "out" / name) as picture:
            assert picture.size == (600, 700)
    Image.fromarray(np.clip(hu, 0, 255).astype(np.uint8)).save(ohif / "slice.png")
    run(module, "--ohif", ohif, "--out", tmp_path / "nothing", *options, *size, code=1)
    assert not (tmp_path / "nothing").exists()  # no colour on the page, no picture
    aside = np.roll(seen, 4, axis=1)
    aside[~marked] = seen[~marked]
    assert (
        module.in_place(seen, slice_, marked) > 0.99 > 0.9 > module.in_place(aside, slice_, marked)
    )
    with web.site(ohif, web.OHIF, "http://127.0.0.1:9") as address:
        for path in ("/../orthanc.json", "/viewer", "/%2e%2e/p/out/result.json"):
            status, headers, content = web.asked(address, "GET", path)
            assert status == 200 and content == (ohif / "index.html").read_bytes()
            assert headers["Cross-Origin-Opener-Policy"] == "same-origin"


def test_rtstruct(script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Contours of the right place are not astray on any series, and moved ones by as much."""
    module = script("rtstruct")
    monkeypatch.setitem(sys.modules, "rt_utils", None)
    run(module, code=1)  # without the library

    class Builder:
        """Writes them by each slice's own position."""

        moved = np.zeros(3)

        def __init__(self, dicom_series_path: str) -> None:
            paths = sorted(Path(dicom_series_path).iterdir())
            self.slices, self.ds = [pydicom.dcmread(path) for path in paths], pydicom.Dataset()

        create_new = classmethod(lambda cls, dicom_series_path: cls(dicom_series_path))

        def add_roi(self, mask: np.ndarray, name: str) -> None:
            assert mask.shape[2] == len(self.slices) and mask.any(axis=(0, 1)).all()
            roi = pydicom.Dataset()
            roi.ContourSequence = []
            for own in self.slices:
                contour, image = pydicom.Dataset(), pydicom.Dataset()
                image.ReferencedSOPInstanceUID = own.SOPInstanceUID
                contour.ContourImageSequence = [image]
                points = module.corners(own) + self.moved
                contour.ContourData = [f"{v:.6f}" for v in points.ravel()]
                roi.ContourSequence.append(contour)
            self.ds.ROIContourSequence = [roi]

    monkeypatch.setattr(module, "library", lambda: Builder)
    rows = [line.strip("| ").split(" | ") for line in run(module).splitlines()[2:]]
    assert [name for name, *_ in rows] == [*module.SERIES]
    assert all(row[1:] == ["0.00", "0.00"] for row in rows)
    Builder.moved = np.array([0.0, 0.0, 2.0])
    rows = [line.strip("| ").split(" | ") for line in run(module).splitlines()[2:]]
    assert rows[0][1:] == ["2.00", "2.00"]
    tilted = dict(zip(module.SERIES, rows, strict=True))["tilted by 15 degrees"]
    assert tilted[1:] == ["2.00", f"{2 * np.cos(np.radians(15)):.2f}"]


def test_trust(script: Any, scans: Path, tmp_path: Path) -> None:
    """Of results, and of the answers of folds."""
    list(
        segment_folder(
            scans / "images",
            tmp_path / "out",
            load("phantom-stroke", device="cpu"),
            Estimation("avg"),
            pictures=False,
        )
    )
    told = run(script("trust"), tmp_path / "out", "--truth", scans / "labels")
    assert "| all | 4 |" in told and "area under the roc curve" in told.lower()
    for k in range(2):
        sheets = []
        for n in range(12):
            volume = [[20.0 + n * (k + 1)] * 5] * 9
            own = OfKind(dice=[[0.5] * 5] * 9, volume_ml=volume, doubt_ml=1, true_ml=25)
            method = OfMethod(kinds={"lesion": own}, doubt_ml=1, true_ml=25)
            name, features = f"{k}-{n}", {"noise": 1.0 + n}
            sheets.append(
                Answer(scan=name, patient=name, methods={"fast/sal": method}, features=features)
            )
        Sheet(kinds=("lesion",), answers=tuple(sheets)).write(tmp_path / f"{k}.json")
    told = run(script("trust"), tmp_path / "0.json", tmp_path / "1.json", "--kind", "lesion")
    assert "| all | 24 |" in told and "interval" in told


def test_decisions(script: Any, tmp_path: Path) -> None:
    """Laxer finds more and marks more: of those that spare enough, the one with most Dice."""
    found, marked = ([[v - 0.1 * i] * 5 for i in range(9)] for v in (0.9, 1.35))
    answers = []
    for n, (true_ml, dice, volume) in enumerate(((9.0, found, found), (0.0, found, marked))):
        own = OfKind(dice=dice, volume_ml=volume, doubt_ml=1, true_ml=true_ml)
        method = OfMethod(kinds={"infarct": own}, doubt_ml=1, true_ml=true_ml)
        answers.append(Answer(scan=str(n), patient=str(n), methods={"fast/sal": method}))
    sheet = Sheet(kinds=("infarct",), answers=tuple(answers))
    sheet.write(tmp_path / "all.json")
    told = run(script("decisions"), tmp_path / "all.json")
    assert "1 scans with a lesion, 1 without" in told
    assert "| -0.8 | 0 | 0.90 | 0.00 | 1.35 |" in told
    assert "spare 85%: y_0 >= 0, 0 mL and more (spares 100%)" in told  # 1.35 - 0.1 * 4: 0.95 mL
    run(script("decisions"), tmp_path / "all.json", "--spare", 1.1, code=1)
    with_one = Sheet(kinds=("infarct",), answers=tuple(answers[:1]))
    with_one.write(tmp_path / "one.json")
    run(script("decisions"), tmp_path / "one.json", code=1)
    run(script("decisions"), tmp_path / "all.json", "--kind", "haemorrhage", code=1)


def test_intervals(script: Any, tmp_path: Path) -> None:
    table = tmp_path / "volumes.csv"
    rows = [f"p{n},{n % 3 * n},{n / 3},{n % 3 * n + 1}" for n in range(40)]
    table.write_text("\n".join(["patient,volume_pred_ml,doubt_ml,volume_true_ml", *rows]))
    told = run(script("intervals"), table, "--folds", 4, "--level", 0.8, "--kind", "lesion")
    assert "40 patients, 4 folds, 80%" in told
    for form in ("ratio", "difference", "doubt", "binned"):
        assert f"| {form} |" in told


def test_real_heads(script: Any, scans: Path, tmp_path: Path) -> None:
    """Every real patient is tested in one fold, and no scan of his head is trained on there."""
    module, src = script("real_heads"), tmp_path / "src"
    for folder in ("ctich", "made"):
        shutil.copytree(scans, src / folder)
        meta = json.loads((src / folder / "cohort.json").read_text())
        names = [case["name"] for case in meta["cases"]]
        meta |= {"data_set": "x", "patients": {name: {"patient": name} for name in names}}
        meta |= {"labels": {"infarct": 2, "haemorrhage": 1}}
        (src / folder / "cohort.json").write_text(json.dumps(meta))
    cohort = prepare_cohort(src, tmp_path / "cohort", GridConfig(), val=0.0, test=0.0)
    tested = module.folds(cohort, "ctich", 2)
    assert sorted(person for fold in tested for person in fold) == sorted(
        {*map(cohort.patient_of, cohort.patients)}
    )
    common = ("--preset", "tiny", "--steps", 2, "--set", "batch_size=2", "--of", 2)
    for fold in (0, 1):
        told = run(module, cohort.path, tmp_path / f"fold{fold}", "--fold", fold, *common)
        assert "4 scans to train on, 2 to test" in told
        kept = json.loads((tmp_path / f"fold{fold}" / "model" / "split.json").read_text())
        assert {*map(cohort.patient_of, kept["test"])} == {*tested[fold]}
        assert not {*map(cohort.patient_of, kept["train"])} & {*tested[fold]}
    told = run(module, cohort.path, tmp_path / "unet", "--fold", 0, *common, "--method", "unet")
    assert "4 scans to train on, 2 to test" in told
    trained = read_config(tmp_path / "unet" / "model")
    assert trained.method == "unet" and trained.training.network.kinds == STROKE
    run(script("peer_answers"), tmp_path / "unet" / "model", src, tmp_path / "unet.json")
    sheet = Sheet.read([tmp_path / "unet.json"])
    assert sheet.methods == ["unet"] and len(sheet.answers) == 2
    assert all(one.features for one in sheet.answers)
    told = run(script("fold_scans"), src, tmp_path / "fold0" / "model", tmp_path / "of-fold0")
    assert told.strip() == "2 of ctich, 2 of made"
    kept = json.loads((tmp_path / "fold0" / "model" / "split.json").read_text())
    shown = {name.removeprefix("ctich_") for name in kept["test"]}
    for folder in ("ctich", "made"):
        record = json.loads((tmp_path / "of-fold0" / folder / "cohort.json").read_text())
        assert {own["patient"] for own in record["patients"].values()} == shown
        assert len([*(tmp_path / "of-fold0" / folder / "labels").iterdir()]) == 2
    start = ("--from", tmp_path / "fold0" / "model", "--leave-out", "made", "--workers", 1)
    told = run(module, cohort.path, tmp_path / "all", *start, "--steps", 1, "--resume")
    assert "4 scans to train on, 0 to test" in told
