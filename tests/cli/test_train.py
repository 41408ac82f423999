"""From scans to a model by the command line: prepare, train, stop, resume, segment."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from strokediff.cohort.prepare import prepare_cohort
from strokediff.ct.grid import GridConfig
from strokediff.networks.config import NetworkConfig
from strokediff.phantom.make import Phantom
from strokediff.training import config as configuration
from strokediff.util.files import sole

Run = Callable[..., int]
pytest.importorskip("lightning")
pytest.importorskip("zarr")


@pytest.fixture(scope="module")
def source(patient: Phantom, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The phantom three times, each with noise of its own: one image twice is one patient's."""
    place, rng = tmp_path_factory.mktemp("s"), np.random.default_rng(0)
    for name in ("p0", "p1", "p2"):
        noisy = patient.hu + rng.integers(-3, 4, patient.hu.shape)
        for part, array in {"images": noisy, "labels": patient.lesion}.items():
            folder = place / "source" / part
            folder.mkdir(parents=True, exist_ok=True)
            dtype = np.int16 if part == "images" else np.uint8
            image = nib.Nifti1Image(array.astype(dtype), patient.affine)
            nib.save(image, folder / f"{name}.nii.gz")
    return place / "source"


@pytest.fixture(scope="module")
def cohort(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three patients, one of them for validation."""
    out = tmp_path_factory.mktemp("c") / "cohort"
    prepare_cohort(source, out, GridConfig(size=32, spacing_mm=6.5), val=0.34, test=0.0)
    return out


@pytest.fixture(scope="module")
def without_val(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same patients, all to train on."""
    out = Path(shutil.copytree(cohort, tmp_path_factory.mktemp("c") / "cohort"))
    content = json.loads((out / "cohort.json").read_text())
    content["split"] = {"train": ["p0", "p1", "p2"], "val": [], "test": []}
    (out / "cohort.json").write_text(json.dumps(content))
    return out


@pytest.fixture(autouse=True)
def small_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    """A preset that trains in seconds takes the place of `tiny`."""
    training = configuration.TrainingConfig(
        network=NetworkConfig(base=8, multipliers=(1, 2), label_form="clean"),
        T=50,
        steps=3,
        batch_size=2,
        validate_every=2,
        checkpoint_every=2,
    )
    small = configuration.TrainingPreset(size=32, spacing_mm=6.5, training=training)
    monkeypatch.setitem(configuration.TRAINING_PRESETS, "tiny", small)


def test_from_scans_to_a_mask(
    run: Run, source: Path, scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cohort, runs, out = tmp_path / "cohort", tmp_path / "run", tmp_path / "out"
    assert run("prepare", source, cohort, "--val", 0.34, "--test", 0, "--quiet") == 0
    assert "3 patients (2 train, 1 val, 0 test)" in capsys.readouterr().out
    train = ["train", "--data", cohort, "-o", runs, "--device", "cpu", "--quiet"]
    train += ["--set", "network.mirror=true", "--set", "network.neighbours=1"]
    assert run(*train) == 0
    assert "validation dice" in capsys.readouterr().out
    assert any((runs / "logs").iterdir())
    shutil.rmtree(runs / "model")
    shutil.rmtree(runs / "checkpoints" / "step-0000003")
    assert run(*train, "--resume") == 0
    assert json.loads((runs / "model" / "config.json").read_text())["step"] == 3
    assert run("segment", scan, "-o", out, "--model", runs / "model", "--quiet") == 0
    assert json.loads((out / "result.json").read_text())["model"]["name"] == "run"


def test_what_is_no_run_is_not_trained_into(
    run: Run, cohort: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(p.name for p in cohort.iterdir())
    assert run("train", "--data", cohort, "-o", cohort, "--device", "cpu", "--quiet") == 2
    assert "holds what is no training run (cohort.json, patients.zarr)" in capsys.readouterr().err
    assert sorted(p.name for p in cohort.iterdir()) == before


def test_resuming_where_nothing_is_says_that_it_begins(
    run: Run, without_val: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    train = ["train", "--data", without_val, "-o", out, "--device", "cpu", "--quiet"]
    assert run(*train, "--steps", 1, "--resume") == 0
    assert "no checkpoint to resume from, so training begins at step 0" in capsys.readouterr().out


@pytest.mark.parametrize("resume", [False, True])
def test_without_patients_to_validate_on_there_is_no_figure(
    run: Run, without_val: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], resume: bool
) -> None:
    """Not on the terminal, not in the model, not for TensorBoard; a resumed run neither."""
    out = tmp_path / "run"
    train = ["train", "--data", without_val, "-o", out, "--device", "cpu", "--quiet"]
    assert run(*train) == 0
    if resume:
        shutil.rmtree(out / "model")
        shutil.rmtree(out / "checkpoints" / "step-0000003")
        assert run(*train, "--resume") == 0
    said = capsys.readouterr()
    assert "validation" not in said.out + said.err and "model written" in said.out
    assert json.loads((out / "model" / "metrics.json").read_text()) == {"validation": []}
    logged = b"".join(file.read_bytes() for file in (out / "logs").iterdir())
    assert b"validation" not in logged


def test_a_folder_is_trained_into_by_one_run_at_a_time(
    run: Run, without_val: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    train = ["train", "--data", without_val, "-o", out, "--device", "cpu", "--quiet"]
    with sole(out, "train"):
        before = sorted(out.rglob("*"))
        assert run(*train) == run(*train, "--resume") == 2
        assert sorted(out.rglob("*")) == before
    assert "Choose another folder" in capsys.readouterr().err
    assert run(*train) == 0
    assert {p.name for p in out.iterdir()} == {"checkpoints", "logs", "model"}


def test_a_network_beyond_all_bounds_is_refused_before_it_takes_memory(
    run: Run, without_val: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = ["train", "--data", without_val, "-o", tmp_path / "run", "--device", "cpu", "--quiet"]
    for setting in ("network.base=1024", "network.multipliers=[1,300]"):
        assert run(*train, "--set", setting) == 2
        assert "parameters: expected at most 268,435,456" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_model_is_trained_further(
    run: Run, cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its settings are the model's, unless given; what makes no sense is refused at once."""
    first, second = tmp_path / "first", tmp_path / "second"
    train = ["train", "--data", cohort, "--device", "cpu", "--quiet"]
    noise = ["--noise", "low-rank", "--noise-rank", 8, "--shrinkage", 0.5]
    assert run(*train, "-o", first, *noise, "--set", "network.mirror=true") == 0
    start = ["--from", first / "model"]
    assert run(*train, "-o", second, *start, "--steps", 2, "--shrinkage", 0.75) == 0
    made = json.loads((second / "model" / "config.json").read_text())
    assert made["training"]["network"]["mirror"] and made["step"] == 2
    assert made["training"]["noise"]["name"] == "low-rank"
    assert made["training"]["noise"]["rank"] == 8
    assert made["training"]["noise"]["shrinkage"] == 0.75
    assert "started from first (" in made["trained_on"]
    capsys.readouterr()
    assert run(*train, "-o", tmp_path / "x", *start, "--preset", "tiny") == 2
    assert "Leave --preset out" in capsys.readouterr().err
    assert run(*train, "-o", tmp_path / "x", "--from", "phantom-stroke") == 2
    assert "the model phantom-stroke expects 96 of 2.0 mm" in capsys.readouterr().err
    assert run(*train, "-o", tmp_path / "x", *start, "--set", "network.base=16") == 2
    assert run(*train, "-o", tmp_path / "x", "--from", "nothing") == 2
    assert not (tmp_path / "x").exists()


def test_a_cohort_on_another_grid_is_refused(
    run: Run, cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("train", "--data", cohort, "-o", tmp_path / "run", "--preset", "paper") == 2
    assert "Prepare it with --preset paper" in capsys.readouterr().err


def test_training_on_what_is_no_cohort_is_code_3(run: Run, tmp_path: Path) -> None:
    assert run("train", "--data", tmp_path, "-o", tmp_path / "run") == 3


def test_an_unknown_preset_is_code_2(run: Run, source: Path, tmp_path: Path) -> None:
    assert run("prepare", source, tmp_path / "cohort", "--preset", "huge") == 2


def test_an_sadpm_model_is_trained_and_segments(
    run: Run, cohort: Path, scan: Path, tmp_path: Path
) -> None:
    """Its noise goes from the command line into the checkpoint and into every result."""
    runs, out = tmp_path / "run", tmp_path / "out"
    train = ["train", "--data", cohort, "-o", runs, "--device", "cpu", "--quiet"]
    noise = ["--noise", "low-rank", "--noise-rank", 8, "--shrinkage", 0.5]
    assert run(*train, *noise, "--noise-loss", "mahalanobis") == 0
    assert json.loads((runs / "model" / "noise" / "noise.json").read_text())["name"] == "low-rank"
    segment = ["segment", scan, "-o", out, "--model", runs / "model", "--quiet"]
    assert run(*segment, "--method", "infer", "--transition", "own") == 0
    result = json.loads((out / "result.json").read_text())
    assert result["model"]["noise"] == "low-rank"
    assert result["model"]["noise_settings"]["shrinkage"] == 0.5
    assert result["transition"] == "own"
    assert "low-rank" in (out / "report.html").read_text()
    (runs / "model" / "noise" / "noise.safetensors").unlink()
    assert run(*segment) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--noise", "pink"], "isotropic, fourier, fourier-standardised, calibrated, low-rank"),
        (["--shrinkage", 0.5], "noise 'isotropic' has no setting 'shrinkage'"),
        (["--noise", "fourier", "--noise-loss", "mahalanobis"], "cannot be whitened"),
    ],
)
def test_noise_options_that_make_no_sense_are_code_2(
    run: Run,
    cohort: Path,
    tmp_path: Path,
    options: list[object],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("train", "--data", cohort, "-o", tmp_path / "run", *options) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
