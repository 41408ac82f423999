"""`strokediff noise`: files, table and exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from strokediff.cohort.store import CohortWriter, Patient
from strokediff.ct.grid import GridConfig
from strokediff.noise.store import load_noise

pytest.importorskip("zarr")
Run = Callable[..., int]


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    folder = tmp_path / "cohort"
    folder.mkdir()
    writer = CohortWriter(folder, GridConfig(size=16, spacing_mm=12.0))
    rng = np.random.default_rng(0)
    for name in ("p0", "p1"):
        m = np.zeros((10, 16, 16), np.uint8)
        m[:, 2:14, 2:14] = 1
        x = (rng.normal(0, 0.3, m.shape) * m).astype(np.float16)
        writer.add(Patient(name, x, np.zeros_like(m), m))
    split = {"train": ["p0", "p1"], "val": [], "test": []}
    writer.finish(split=split, origin={"description": "white patients"})
    return folder


def test_compare_writes_a_table_a_picture_and_figures(
    run: Run, cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    small = ("--features", 32, "--rank", 4, "--draws", 8)
    assert run("noise", "compare", cohort, "-o", out, *small, "--size", 20) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("isotropic", "fourier", "calibrated", "low-rank"))
    assert sorted(p.name for p in out.iterdir()) == ["noise.json", "noise.png"]
    record = json.loads((out / "noise.json").read_text())
    assert record["settings"]["size"] == 20
    assert record["fourier"]["settings"]["D"] == 32
    assert record["low-rank"]["settings"]["rank"] == 4


@pytest.mark.parametrize(
    "models", [["--models", "isotropic,low-rank"], ["--models", "isotropic", "--models=low-rank"]]
)
def test_models_can_be_chosen(run: Run, cohort: Path, tmp_path: Path, models: list[str]) -> None:
    out = tmp_path / "out"
    more = ("--rank", 3, "--draws", 4, "--quiet")
    assert run("noise", "compare", cohort, "-o", out, *models, *more) == 0
    record = json.loads((out / "noise.json").read_text())
    assert {"isotropic", "low-rank", "images"} <= set(record)
    assert "fourier" not in record


def test_fit_writes_a_model_that_loads(run: Run, cohort: Path, tmp_path: Path) -> None:
    out = tmp_path / "noise"
    fit = ("noise", "fit", cohort, "-o", out, "--model", "low-rank", "--quiet")
    assert run(*fit, "--rank", 3, "--shrinkage", 0.5) == 0
    model = load_noise(out)
    assert model.name == "low-rank"
    assert model.settings()["shrinkage"] == 0.5
    assert run(*fit, "--rank", 2) == 0, "a model may be replaced"
    assert load_noise(out).settings()["rank"] == 2


def test_the_scanners_share_is_an_option(run: Run, cohort: Path, tmp_path: Path) -> None:
    fit = ("noise", "fit", cohort, "--model", "scanner-low-rank", "--rank", 3, "--quiet")
    assert run(*fit, "-o", tmp_path / "noise", "--share", 0.7) == 0
    assert load_noise(tmp_path / "noise").settings()["share"] == 0.7
    assert run(*fit, "-o", tmp_path / "other", "--share", 1.2) == 2


def test_fit_replaces_nothing_but_a_model(
    run: Run, cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    assert run("noise", "fit", cohort, "-o", tmp_path / "mine", "--model", "low-rank") == 2
    assert "holds letter.txt" in capsys.readouterr().err
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("compare", "--models", "pink"), 2, "no noise model 'pink'; expected one of"),
        (("fit", "--model", "pink"), 2, "no noise model 'pink'; expected one of"),
        (("fit", "--model", "isotropic", "--rank", "3"), 2, "has no setting rank"),
        (("compare", "--draws", "1"), 2, "draws"),
        (("compare", "--size", "4"), 2, "size"),
        (("compare", "--device", "quantum"), 2, "no device 'quantum'"),
    ],
)
def test_a_bad_call_is_code_2(
    run: Run,
    cohort: Path,
    tmp_path: Path,
    arguments: tuple[str, ...],
    code: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    what, *options = arguments
    assert run("noise", what, cohort, "-o", tmp_path / "out", *options) == code
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("what", [("compare",), ("fit", "--model", "isotropic")])
def test_no_cohort_is_code_3(run: Run, tmp_path: Path, what: tuple[str, ...]) -> None:
    command, *options = what
    assert run("noise", command, tmp_path / "none", "-o", tmp_path / "out", *options) == 3
    assert not (tmp_path / "out").exists()
