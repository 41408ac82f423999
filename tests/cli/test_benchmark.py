"""The comparison from the command line: every method trains, predicts and is scored."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from strokediff.benchmark import budgets
from strokediff.benchmark.arms import arms
from strokediff.benchmark.budgets import Budget
from strokediff.benchmark.runner import Benchmark
from strokediff.benchmark.suites import SUITES
from strokediff.networks.config import NetworkConfig

Run = Callable[..., int]
pytest.importorskip("lightning")
pytest.importorskip("zarr")
pytest.importorskip("monai")


SMALLEST = Budget(
    "tiny",
    preset="tiny",
    scale="small",
    steps=1,
    batch_size=1,
    network=NetworkConfig(base=8, multipliers=(1, 2), label_form="clean"),
    phantoms=(2, 1),
    acquisition=(("matrix", 96), ("thickness_mm", 12.0), ("empty_fraction", 0.0)),
    most_evaluations=10,
    T=20,
)


@pytest.fixture(autouse=True)
def smallest_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer steps and phantoms than `tiny`, so that every method fits into a test."""
    monkeypatch.setitem(budgets.BUDGETS, "tiny", SMALLEST)


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A benchmark's folder with its phantoms and cohort, and nothing trained."""
    out = tmp_path_factory.mktemp("suite") / "out"
    Benchmark(SUITES["phantom-infarct"], SMALLEST, out, device="cpu").cohort()
    return out


@pytest.fixture
def made(phantoms: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(phantoms, tmp_path / "out"))


@pytest.mark.parametrize(
    "methods", [pytest.param([], marks=pytest.mark.slow, id="every"), ["unet", "sdpm-no-noise"]]
)
def test_methods_from_phantoms_to_the_table(
    run: Run, made: Path, tmp_path: Path, methods: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = made
    suite = ["--suite", "phantom-infarct", "--budget", "tiny", "-o", out, "--device", "cpu"]
    assert run("benchmark", *suite, *(("--methods", ",".join(methods)) if methods else ())) == 0
    results = json.loads((out / "results.json").read_text())
    rows = [row["name"] for row in results["rows"]]
    every = arms(methods, SUITES["phantom-infarct"], budgets.BUDGETS["tiny"])
    assert len(rows) == sum(len(arm.rows) for arm in every)
    assert (results["train"], results["test"]) == (2, 1)
    shown, told = capsys.readouterr()
    assert all(title in shown for arm in every for title in arm.rows.values())
    for line in ("unet seed 0: trained", "unet seed 0: Dice", "sdpm-no-noise seed 0: Dice"):
        assert line in told
    for picture in ("dice.png", "volumes.png", "cases.png"):
        assert (out / picture).stat().st_size > 1000

    # The same trainings on the scans' own grids, where the truth is as it was made.
    assert run("benchmark", *suite, "--methods", "unet", "--own-grids") == 0
    text = (out / "own-grids" / "benchmark.md").read_text()
    assert "masks compared on the scans' own grids" in text and "trained" not in capsys.readouterr()
    scores = json.loads((out / "own-grids" / "scores" / "unet" / "seed-0.json").read_text())
    ((name,), (ml,)) = (scores["patients"][key] for key in ("case", "volume_true_ml"))
    truth = nib.load(out / "phantoms" / "labels" / f"{name}.nii.gz")
    expected = np.count_nonzero(truth.dataobj) * np.prod(truth.header.get_zooms()) / 1000
    assert ml == pytest.approx(expected, rel=1e-4)

    # A row is made again by predict and evaluate.
    model = out / "runs" / "unet" / "seed-0" / "model"
    again = tmp_path / "again"
    assert run("predict", out / "cohort", "--model", model, "-o", again, "--device", "cpu") == 0
    command = capsys.readouterr().out.split("strokediff evaluate")[1].split()
    assert run("evaluate", *command, "--quiet") == 0
    mean = json.loads((again / "unet" / "metrics.json").read_text())["mean"]
    row = next(row for row in results["rows"] if row["name"] == "unet")
    for figure in ("dice", "hd95_mm", "auc"):
        assert mean[figure] == pytest.approx(row["figures"][figure]["value"])


def test_folds_from_the_command_line(
    run: Run, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = made
    suite = ["--suite", "phantom-infarct", "--budget", "tiny", "-o", out, "--device", "cpu"]
    assert run("benchmark", *suite, "--methods", "unet", "--folds", "2") == 0
    assert "3 patients in 2 folds, each tested once" in capsys.readouterr().out
    assert (out / "folds-2" / "benchmark.csv").is_file()
    # The first fold is the benchmark without folds.
    assert (out / "scores" / "unet" / "seed-0.json").is_file()

    # The model of another fold predicts the patients that it has not seen, or says so.
    model = out / "fold-1-of-2" / "runs" / "unet" / "seed-0" / "model"
    predict = ["predict", out / "cohort", "--model", model, "--device", "cpu"]
    assert run(*predict, "--split", "own", "-o", tmp_path / "own") == 0
    tested = {file.name for file in (tmp_path / "own" / "truth").glob("*.nii.gz")}
    assert tested == {file.name for file in out.glob("fold-1-of-2/predictions/*/*/truth/*.nii.gz")}
    assert "trained on" not in capsys.readouterr().err
    assert run(*predict, "-o", tmp_path / "seen") == 0
    assert "trained on 1 of these 1 patients" in capsys.readouterr().err
    assert run("benchmark", *suite, "--methods", "unetr", "--folds", "4") == 2
    assert not (out / "scores" / "unetr").exists()
    assert "fewer --folds" in capsys.readouterr().err


def test_the_list_names_suites_methods_and_budgets(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("benchmark", "--list") == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("phantom-infarct", "phe-sich", "medsegdiff", "small"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "give --suite and -o"),
        (("--suite", "none", "-o", "x"), "no suite 'none'"),
        (("--suite", "phe-sich", "-o", "x", "--budget", "huge"), "no budget 'huge'"),
        (("--suite", "phe-sich", "-o", "x", "--methods", "unet,foo"), "no method 'foo'"),
        (
            ("--suite", "phantom-infarct", "-o", "x", "--methods", "sdpm-phantoms"),
            "has no place in suite 'phantom-infarct'",
        ),
        (("--suite", "phe-sich", "-o", "x"), "strokediff import phe-sich SRC DST"),
        (("--suite", "phantom-infarct", "-o", "x", "--data", "y"), "leave --data out"),
    ],
)
def test_what_does_not_fit_is_refused(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("benchmark", *options) == 2
    assert said in capsys.readouterr().err
