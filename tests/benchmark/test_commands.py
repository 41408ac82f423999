"""Every command of the benchmark on a tiny cohort: `python -m strokediff.benchmark.*`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from strokediff.benchmark import ablation
from strokediff.benchmark.noise import speed
from strokediff.benchmark.reports.__main__ import app as reports
from strokediff.cohort.store import CohortWriter, Patient
from strokediff.ct.grid import GridConfig

pytestmark = pytest.mark.slow

SIDE = 32
SHORT = ("--steps", "2", "--batch-size", "2", "--seeds", "0,1", "--hold-out", "0.4")


def run(command: typer.Typer, *arguments: object) -> str:
    """Its output; the arguments are taken."""
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def alone(main: object) -> typer.Typer:
    """A module's `main` as an application."""
    app = typer.Typer()
    app.command()(main)  # type: ignore[type-var]
    return app


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohort")
    rng = np.random.default_rng(0)
    writer = CohortWriter(folder, GridConfig(size=SIDE, spacing_mm=4.0))
    names = [f"p{i}" for i in range(10)]
    for i, name in enumerate(names):
        y = np.zeros((4, SIDE, SIDE), np.uint8)
        y[2, 4 : 6 + i % 4, 4:8] = 1
        x = (rng.normal(0, 0.2, y.shape) + 0.6 * y).astype(np.float16)
        known = {"spacing_mm": [4.0, 4.0, 5.0], "volume_ml": float(y.sum()) * 0.08}
        writer.add(Patient(name, x, y, np.ones_like(y)), **known)
    split = {"train": names[:5], "val": names[5:8], "test": names[8:]}
    writer.finish(split=split, origin={"description": "squares", "spacing": "known"})
    return folder


@pytest.fixture(scope="module")
def trained(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ablation of two arms."""
    out = tmp_path_factory.mktemp("options")
    told = run(
        alone(ablation.main),
        *("options", "--data", cohort, "-o", out, *SHORT),
        *("--arms", "sdpm,max-pooling", "--patch", 2, "--precision", "32", "--methods", "avg,sal"),
    )
    assert "| max-pooling |" in told and (out / "ablation.md").read_text() in told + "\n"
    return out


def test_an_ablation_goes_on_and_refuses_another(cohort: Path, trained: Path) -> None:
    again = ("options", "--data", cohort, "-o", trained, *SHORT, "--arms", "sdpm,max-pooling")
    same = ("--patch", 2, "--precision", "32", "--methods", "avg,sal")
    told = run(alone(ablation.main), *again, *same)
    assert "trained" not in told
    refused = CliRunner().invoke(alone(ablation.main), [str(a) for a in again])
    assert "holds a benchmark of" in str(refused.exception)


def test_network_and_loss_are_crossed(cohort: Path, tmp_path: Path) -> None:
    told = run(
        alone(ablation.main),
        *(
            "network-or-loss",
            "--data",
            cohort,
            "-o",
            tmp_path,
            *SHORT[:4],
            "--seeds",
            0,
            *SHORT[6:],
        ),
        *("--arms", "two-stream-peers,unet-sdpm", "--reference", "two-stream-peers"),
    )
    assert "Dice - that of two-stream-peers" in told
    assert "| unet-sdpm |" in run(reports, "by-size", tmp_path / "scores")


def test_reports_on_scores_and_masks(cohort: Path, trained: Path, tmp_path: Path) -> None:
    scores = trained / "scores"
    rows = ("--rows", "sdpm-avg,max-pooling-avg")
    assert "| sdpm-avg |" in run(reports, "by-size", scores, *rows, "--seeds", "0")
    assert "p < 0.05" in run(reports, "between-seeds", scores)
    told = run(reports, "cuts", trained / "predictions", "-o", tmp_path, *rows, "--seeds", 1)
    assert "| sdpm-avg | expected |" in told and (tmp_path / "cuts.png").stat().st_size > 5000
    assert "0 of them crumbs" in run(reports, "labels", cohort)


def test_reports_on_estimates(cohort: Path, trained: Path, tmp_path: Path) -> None:
    model = trained / "runs" / "sdpm" / "seed-0" / "model"
    where = (model, "--data", cohort, "-o", tmp_path)
    curves = ("curves", *where, "--split", "val", "--patients", 1, "--slices", 1)
    first = run(reports, *curves, "--reference-draws", 1)
    assert "| fast | 42 |" in first and "against" in first
    assert run(reports, *curves, "--reference-draws", 1) == first, "seconds are kept too"
    told = run(reports, "tolerance", *where, "--patients", 2, "--tolerances", "4", "--most", 32)
    assert "| +- 4 mL |" in told
    told = run(reports, "fusion", *where, "--folds", 3)
    assert "| learned |" in told and "| union |" in told
    for name in ("curves", "tolerance", "fusion"):
        assert json.loads((tmp_path / f"{name}.json").read_text())


def test_speeds(cohort: Path, tmp_path: Path) -> None:
    told = run(
        reports, "training-speed", "--budget", "tiny", "--steps", 1, "--methods", "sdpm,unet"
    )
    assert "| unet |" in told
    only = ("--only", "slice by slice,fast/avg", "--precision", "32", "--plain-malloc")
    told = run(reports, "inference-speed", "--sizes", 32, "--networks", "tiny", *only)
    assert "| tiny | 32 | fast/avg | 2 |" in told
    small = ("--size", 16, "--batch", 2, "--features", 32, "--rank", 2, "--repeats", 1)
    options = ("--data", cohort, "-o", tmp_path / "speed.json", "--models", "fourier,low-rank")
    told = run(alone(speed.main), *small, *options)
    assert "| low-rank |" in told and "times faster and smaller" in told


def test_fields_to_draw_beside_are_in_a_brain() -> None:
    ((x, m),) = speed.fields(16, 8)()
    assert x.shape == m.shape == (8, 16, 16)
    assert bool((x[m == 0] == 0).all()) and float(x.std()) > 0
