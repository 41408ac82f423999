"""From a trained model to its decisions and intervals by the command line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import two_kinds
from answered import BEST, KEY, SHAPE, sheet

import strokediff as sd
from strokediff.phantom.make import Phantom
from strokediff.segmentation.calibrate.answers import OfKind, Sheet
from strokediff.segmentation.calibrate.decisions import THRESHOLDS
from strokediff.segmentation.decision import Decision
from strokediff.util.files import sole
from strokediff.util.kinds import STROKE
from strokediff.util.locks import LOCK_NAME

Run = Callable[..., int]


@pytest.fixture
def source(patient: Phantom, tmp_path: Path) -> Path:
    """Three patients, one of them without a lesion."""
    for name, lesion in (
        ("p0", patient.lesion),
        ("p1", patient.lesion),
        ("p2", patient.lesion * 0),
    ):
        for part, array in (("images", patient.hu), ("labels", lesion)):
            folder = tmp_path / "source" / part
            folder.mkdir(parents=True, exist_ok=True)
            image = nib.Nifti1Image(array.astype(np.int16), patient.affine)
            nib.save(image, folder / f"{name}.nii.gz")
    return tmp_path / "source"


@pytest.fixture
def trained(checkpoint: Path, tmp_path: Path) -> Path:
    """The checkpoint, as if it had been trained with p1 and p2 for validation."""
    folder = tmp_path / "model"
    shutil.copytree(checkpoint, folder)
    (folder / "split.json").write_text(json.dumps({"train": ["p0"], "val": ["p1", "p2"]}))
    kept = {"decision": {"paper/sal": {"threshold": 0.3}}, "figures": 1}
    (folder / "metrics.json").write_text(json.dumps(kept))
    return folder


def test_a_calibrated_model_segments_by_what_was_chosen(
    run: Run, trained: Path, source: Path, scan: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    out, done = tmp_path / "calibrated", tmp_path / "done"
    options = ["--data", source, "-o", out, "--device", "cpu", "--population", "phantoms"]
    assert run("calibrate", trained, *options, "--methods", "avg") == 0
    said = capsys.readouterr().out
    assert "2 validation patients" in said and "Too few patients" in said
    metrics = json.loads((out / "metrics.json").read_text())
    assert set(metrics["decision"]) == {"paper/sal", "fast/avg"}
    assert metrics["figures"] == 1
    calibration = metrics["calibration"]["fast/avg"]
    assert (calibration["bins"][0]["n"], calibration["population"]) == (2, "phantoms")
    weights = [(m / "model.safetensors").read_bytes() for m in (trained, out)]
    assert weights[0] == weights[1]

    def mask_of(model: Path, *options: object) -> np.ndarray:
        args = ["--model", model, "--method", "avg", "--device", "cpu", "--quiet", *options]
        assert run("segment", scan, "-o", done, *args) == 0
        return np.asarray(nib.load(done / "lesion_mask.nii.gz").dataobj) > 0

    own = metrics["decision"]["fast/avg"]
    cut = mask_of(trained, "--cut", (own["threshold"] + 1) / 2)
    found = mask_of(out)
    assert not (found & ~cut).any() and (own["least_lesion_ml"] > 0 or (found == cut).all())
    result = json.loads((done / "result.json").read_text())
    assert {key: result[key] for key in own} == own
    assert "calibrated on 2 phantoms, too few to promise it" in json.dumps(result)


@pytest.mark.parametrize(
    ("split", "options", "said", "code"),
    [
        ({"val": []}, (), "--val above 0", 2),
        ({"val": ["p1", "gone"]}, (), "(gone)", 3),
        ({"val": ["p1"]}, (), "expected two or more", 3),
        ({"val": ["p1"]}, ("--methods", "best"), "no method 'best'", 2),
        ({"val": ["p1"]}, ("--preset", "slow"), "slow", 2),
    ],
)
def test_what_cannot_be_calibrated_is_refused(
    run: Run, trained: Path, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    split: dict[str, list[str]], options: tuple[str, ...], said: str, code: int,
) -> None:  # fmt: skip
    (trained / "split.json").write_text(json.dumps(split))
    out = tmp_path / "calibrated"
    assert run("calibrate", trained, "--data", source, "-o", out, *options, "--quiet") == code
    assert said in capsys.readouterr().err
    assert not out.exists()


def test_a_folder_with_something_in_it_is_left_alone(
    run: Run, trained: Path, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(p.name for p in trained.iterdir())
    assert run("calibrate", trained, "--data", source, "-o", trained, "--quiet") == 2
    assert "not empty" in capsys.readouterr().err
    assert sorted(p.name for p in trained.iterdir()) == before


def test_two_do_not_calibrate_into_one_folder_and_a_killed_one_is_no_hindrance(
    run: Run, trained: Path, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """What the system refuses on the way is a sentence, and nothing is left."""

    def refused(*_: object, **__: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes")

    monkeypatch.setattr("strokediff.segmentation.calibrate.run.answers", refused)
    out = tmp_path / "calibrated"
    calibrate = ["calibrate", trained, "--data", source, "-o", out, "--quiet"]
    with sole(out, "calibrate"):
        assert run(*calibrate) == 2
    assert "Choose another folder" in capsys.readouterr().err
    out.mkdir(exist_ok=True)
    (out / LOCK_NAME).write_text("{}")  # by a process that was killed
    assert run(*calibrate) == 2
    said = capsys.readouterr().err
    assert "calibration stopped: the memory does not suffice" in said and "Traceback" not in said
    assert [*out.iterdir()] == []


def test_answers_of_folds_make_the_same_model_as_their_patients(
    run: Run, trained: Path, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Written by one model patient by patient, as models of folds would."""
    same = ["--methods", "avg", "--device", "cpu"]
    for name in ("p1", "p2"):
        fold = tmp_path / f"fold-{name}"
        shutil.copytree(trained, fold)
        (fold / "split.json").write_text(json.dumps({"train": ["p0"], "val": [], "test": [name]}))
        place = tmp_path / f"{name}.json"
        asked = ["--data", source, "--split", "test", "--answers", place, *same]
        assert run("calibrate", fold, *asked) == 0
        assert f"Answers on 1 patients: {place}" in capsys.readouterr().out.replace("\n", "")
    sheets = [part for name in ("p1", "p2") for part in ("--from-table", tmp_path / f"{name}.json")]
    assert run("calibrate", trained, *sheets, "-o", tmp_path / "one", "--quiet") == 0
    assert run("calibrate", trained, "--data", source, "-o", tmp_path / "two", *same) == 0
    one, two = ((tmp_path / name / "metrics.json").read_text() for name in ("one", "two"))
    assert one == two and "binned" in one


def test_kinds_are_decided_one_by_one_and_the_others_are_kept(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By other patients each, as where no real patient has an infarct."""
    model, sheets = two_kinds.checkpoint(tmp_path / "model"), {}
    for seed, kind in enumerate(STROKE):
        sheets[kind] = tmp_path / f"{kind}.json"
        sheet(seed=seed).write(sheets[kind])
    for kind, before, out in (("haemorrhage", model, "one"), ("infarct", tmp_path / "one", "two")):
        given = ["--from-table", sheets[kind], "--kinds", kind, "--population", kind]
        assert run("calibrate", before, *given, "-o", tmp_path / out, "--quiet") == 0
    first, both = (
        json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("one", "two")
    )
    assert first["decision"]["fast/avg"]["infarct"] == Decision().model_dump()
    assert set(first["calibration"]["fast/avg"]) == {"haemorrhage"}
    decided = {kind: own["threshold"] for kind, own in both["decision"]["fast/avg"].items()}
    assert decided == {kind: THRESHOLDS[i] for kind, (i, _) in zip(STROKE, BEST, strict=True)}
    population = {kind: own["population"] for kind, own in both["calibration"]["fast/avg"].items()}
    assert population == {kind: kind for kind in STROKE}
    sd.load(tmp_path / "two", device="cpu")
    given = ["--from-table", sheets["infarct"], "-o", tmp_path / "all", "--quiet"]
    assert run("calibrate", model, *given) == 0
    given = ["--from-table", sheets["infarct"], "--kinds", "infarct", "-o", tmp_path / "again"]
    assert run("calibrate", tmp_path / "all", *given, "--quiet") == 0
    intervals = {
        name: set(
            json.loads((tmp_path / name / "metrics.json").read_text())["calibration"]["fast/avg"]
        )
        for name in ("all", "again")
    }
    assert intervals == {"all": {*STROKE, "lesion"}, "again": {*STROKE}}  # of other decisions
    refused = ["--from-table", sheets["infarct"], "--kinds", "oedema", "-o", tmp_path / "three"]
    assert run("calibrate", model, *refused) == 2
    assert "no kind oedema; it tells infarct, haemorrhage apart" in capsys.readouterr().err


def test_what_spares_is_chosen_by_its_own_rule(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Most have no infarct; of haemorrhage everybody has one, which cannot be asked for sparing."""
    model, file = two_kinds.checkpoint(tmp_path / "model"), tmp_path / "sheet.json"
    whole = sheet(12)
    spared = np.zeros(SHAPE)
    spared[BEST[0]], empty = 5.0, np.ones(SHAPE)
    empty[BEST[0]] = 0.0
    none = OfKind(dice=empty.tolist(), volume_ml=spared.tolist(), doubt_ml=1.0, true_ml=0.0)
    answers = [
        one.model_copy(
            update={"methods": {KEY: one.methods[KEY].model_copy(
                update={"kinds": {**one.methods[KEY].kinds, "infarct": none}}
            )}}
        )
        if n >= 2 else one
        for n, one in enumerate(whole.answers)
    ]  # fmt: skip
    Sheet(kinds=STROKE, answers=tuple(answers)).write(file)
    given = ["calibrate", model, "--from-table", file, "--kinds", "infarct", "-o"]
    assert run(*given, tmp_path / "half", "--spare", 0.5) == 0
    assert "100%" in capsys.readouterr().out
    chosen = json.loads((tmp_path / "half" / "metrics.json").read_text())
    kept = chosen["decision"][KEY]["infarct"]
    assert kept["threshold"] != THRESHOLDS[BEST[0][0]]  # where 5 mL are marked in ten without one
    assert run("calibrate", model, "--from-table", file, "-o", tmp_path / "o", "--spare", 0.5) == 3
    assert "haemorrhage: no patient without a lesion" in capsys.readouterr().err
    assert run(*given, tmp_path / "p", "--spare", 2) == 2
    assert not (tmp_path / "o").exists() and not (tmp_path / "p").exists()
    wrong = ["calibrate", model, "--data", tmp_path, "--answers", tmp_path / "x", "--spare", 0.5]
    assert run(*wrong) == 2 and "--spare is for -o" in capsys.readouterr().err


def test_a_table_of_volumes_makes_an_interval_alone(
    run: Run, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"p{n},{n},1.0,{n + 2}" for n in range(30)]
    table = tmp_path / "volumes.csv"
    table.write_text("\n".join(["patient,volume_pred_ml,doubt_ml,volume_true_ml", *rows]))
    out = tmp_path / "out"
    given = ["calibrate", trained, "--from-table", table, "-o", out]
    assert run(*given) == 2
    assert "a table of volumes is of one method" in capsys.readouterr().err
    assert run(*given, "--methods", "sal", "--population", "patients in five folds") == 0
    metrics = json.loads((out / "metrics.json").read_text())
    assert set(metrics["decision"]) == {"paper/sal"}
    own = metrics["calibration"]["fast/sal"]
    assert own["population"] == "patients in five folds"
    assert sum(part["n"] for part in own["bins"]) == 30


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "expected one of"),
        (("-o", "OUT"), "expected one of"),
        (("--data", "IN"), "expected one of"),
        (("--data", "IN", "--from-table", "a.json", "-o", "OUT"), "expected one of"),
        (("--from-table", "a.json", "--answers", "b.json"), "expected one of"),
        (("--data", "IN", "-o", "OUT", "--split", "test"), "cannot be tested on them"),
        (("--data", "IN", "-o", "OUT", "--split", "unseen"), "is for --answers"),
        (("--data", "IN", "-o", "OUT", "--kinds", "infarct"), "--kinds is for --from-table"),
        (("--data", "IN", "--answers", "a.json", "--split", "train"), "no split 'train'"),
        (("--from-table", "a.json", "--from-table", "b.csv", "-o", "OUT"), "got a.json, b.csv"),
        (("--from-table", "a.txt", "-o", "OUT"), "got a.txt"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_options_that_do_not_go_together_are_refused(
    run: Run, trained: Path, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...], said: str,
) -> None:  # fmt: skip
    places = {"OUT": tmp_path / "out", "IN": source}
    given = [places.get(option, option) for option in options]
    assert run("calibrate", trained, *given, "--quiet") == 2
    assert said in capsys.readouterr().err.replace("\n", " ")
    assert not (tmp_path / "out").exists()
