"""Laws: a stopped benchmark goes on, a failing method loses nothing, and rows can be made again."""

from __future__ import annotations

import errno
import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from filelock import FileLock

from strokediff.benchmark.arms import DiffusionArm
from strokediff.benchmark.budgets import BUDGETS, Budget
from strokediff.benchmark.folds import Fold
from strokediff.benchmark.report import write_benchmark
from strokediff.benchmark.runner import Benchmark
from strokediff.benchmark.suites import GivenSuite, suite
from strokediff.cohort.importing.registry import LAYOUTS
from strokediff.cohort.store import CohortWriter, Patient
from strokediff.ct.grid import GridConfig
from strokediff.errors import UsageError
from strokediff.prediction.scoring import evaluate_folders
from strokediff.training.build import build_network
from strokediff.training.checkpoint import read_checkpoint
from strokediff.training.loop import Run
from strokediff.util.files import sole
from strokediff.util.machine import machine_name

SIDE = 16
BUDGET = replace(BUDGETS["tiny"], steps=2)
AVG = DiffusionArm("sdpm", "SDPM", methods=("avg",))
BOTH = DiffusionArm("both", "Both", methods=("avg", "sal"))


@dataclass(frozen=True)
class Broken:
    """Fails while it trains."""

    name: str = "broken"
    ours: bool = False
    rows: Any = None

    def run(self, folder: Path, cohort: Any, budget: Budget, seed: int, device: str) -> Run:
        raise RuntimeError("no memory")

    def predictor(self, checkpoint: Path, device: Any) -> Any:
        raise AssertionError


BROKEN = Broken(rows={"broken": "Broken"})


@pytest.fixture
def benchmark(tmp_path: Path) -> Benchmark:
    """With its cohort in place: two patients to train on, two to test."""
    out = tmp_path / "out"
    folder = out / "cohort"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    writer = CohortWriter(folder, GridConfig(size=SIDE, spacing_mm=8.0))
    names = [f"p{i}" for i in range(4)]
    for name in names:
        y = np.zeros((4, SIDE, SIDE), np.uint8)
        y[2, 4:8, 4:8] = 1
        x = (rng.normal(0, 0.2, y.shape) + 0.6 * y).astype(np.float16)
        writer.add(Patient(name, x, y, np.ones_like(y)), spacing_mm=[1.0, 1.0, 5.0])
    split = {"train": names[:2], "val": [], "test": names[2:]}
    writer.finish(split=split, origin={"description": "test phantoms"})
    known = (AVG, BOTH, BROKEN)
    return Benchmark(GivenSuite("phe-sich", "given"), BUDGET, out, device="cpu", known=known)


def rows_in(folder: Path) -> list[dict[str, Any]]:
    """The rows that a report has."""
    return list(json.loads((folder / "results.json").read_text())["rows"])


def test_a_method_is_trained_predicted_scored_and_reported(benchmark: Benchmark) -> None:
    assert benchmark.run([BOTH], [0]) == {}
    assert write_benchmark([benchmark], benchmark.cohort()) == benchmark.out
    rows = rows_in(benchmark.out)
    assert [r["title"] for r in rows] == ["Both ŷ_avg", "Both ŷ_sal"]
    costs = rows[0]["costs"]
    assert costs["evaluations_a_slice"] == 2 and costs["parameters"] > 100
    assert costs["gmacs"] > 0 and costs["train_seconds"] > 0
    for name in ("benchmark.md", "benchmark.csv", "results.json", "dice.png", "cases.png"):
        assert (benchmark.out / name).stat().st_size > 100
    scored = benchmark.scores()["both-sal"][0]
    assert [p.metrics.case for p in scored.patients] == ["p2", "p3"]
    assert scored.training["images"] == BUDGET.steps * BUDGET.batch_size
    assert costs["images"] == BUDGET.steps * BUDGET.batch_size


def test_both_auc_are_taken_in_the_brain_too(benchmark: Benchmark) -> None:
    """As `evaluate --within` takes them of the files that are kept."""
    benchmark.run([AVG], [0])
    (own,) = benchmark.scores()["sdpm"]
    out = benchmark.predictions(AVG, 0)
    folders = (out / "avg" / "masks", out / "truth", out / "avg" / "probabilities")
    inside, everywhere = (
        evaluate_folders(*folders, within=within).rows for within in (out / "brain", None)
    )
    for scored, found, whole in zip(own.patients, inside, everywhere, strict=True):
        taken = (scored.auc_brain, scored.auc_mask_brain)
        assert taken == pytest.approx((found.auc, found.auc_mask), rel=1e-5)
        over_image = (scored.metrics.auc, scored.metrics.auc_mask)
        assert over_image == pytest.approx((whole.auc, whole.auc_mask), rel=1e-5)
        assert taken[1] is not None and over_image[1] is not None
        assert 0 < taken[1] <= over_image[1]


def test_what_is_done_is_not_done_again(benchmark: Benchmark) -> None:
    benchmark.run([AVG], [0])
    model = benchmark.out / "runs" / "sdpm" / "seed-0" / "model" / "model.safetensors"
    before = model.stat().st_mtime_ns
    score = benchmark.score_file("sdpm", 0)
    first = benchmark.scores()["sdpm"][0].patients[0].metrics
    score.unlink()
    benchmark.run([AVG], [0])
    assert model.stat().st_mtime_ns == before
    assert benchmark.scores()["sdpm"][0].patients[0].metrics == first


def test_times_name_every_machine_that_had_a_part(benchmark: Benchmark) -> None:
    benchmark.run([AVG], [0])
    (first,) = benchmark.scores()["sdpm"]
    here = machine_name()
    assert first.training["machine"] == here
    clock = benchmark.out / "runs" / "sdpm" / "seed-0" / "clock.json"
    kept = json.loads(clock.read_text())
    clock.write_text(json.dumps({**kept, "machines": ["another"]}))
    benchmark.score_file("sdpm", 0).unlink()
    benchmark.run([AVG], [0])
    (again,) = benchmark.scores()["sdpm"]
    assert again.training["machine"] == f"another, then {here}"
    assert again.training["seconds"] == pytest.approx(kept["seconds"])


def test_published_scores_are_tabled_without_a_model_or_masks(
    benchmark: Benchmark, tmp_path: Path
) -> None:
    benchmark.run([AVG], [0])
    write_benchmark([benchmark], benchmark.cohort())
    elsewhere = replace(benchmark, out=tmp_path / "elsewhere")
    for part in ("cohort", "scores"):
        shutil.copytree(benchmark.out / part, elsewhere.out / part)
    assert elsewhere.run([AVG], [0]) == {}
    assert not (elsewhere.out / "runs").exists()
    write_benchmark([elsewhere], elsewhere.cohort())
    assert rows_in(elsewhere.out) == rows_in(benchmark.out)
    assert not (elsewhere.out / "cases.png").exists()


def test_folds_share_the_cohort_and_test_every_patient_in_one_table(benchmark: Benchmark) -> None:
    folds = [replace(benchmark, fold=Fold(k, 3)) for k in range(3)]
    assert benchmark.run([AVG], [0]) == {}
    assert write_benchmark(folds, benchmark.cohort()) is None  # two folds are missing
    broken = folds[1].run([BROKEN], [0])
    assert list(broken) == ["fold-1-of-3/broken-seed-0"]
    for fold in folds:
        assert fold.run([AVG], [0]) == {}
    place = write_benchmark(folds, benchmark.cohort())
    assert place == benchmark.out / "folds-3"
    results = json.loads((place / "results.json").read_text())
    assert (results["folds"], results["test"]) == (3, 4)
    assert "4 patients in 3 folds, each tested once" in (place / "benchmark.md").read_text()
    tested = [p.metrics.case for f in folds for p in f.scores()["sdpm"][0].patients]
    assert sorted(tested) == ["p0", "p1", "p2", "p3"]
    split = folds[1].out / "fold-1-of-3" / "runs" / "sdpm" / "seed-0" / "model" / "split.json"
    assert json.loads(split.read_text())["test"] == folds[1].cohort().split["test"]


def test_one_failing_method_does_not_lose_the_others_and_is_tried_again(
    benchmark: Benchmark,
) -> None:
    failed = benchmark.run([BROKEN, AVG], [0])
    assert failed == {"broken-seed-0": "RuntimeError: no memory"}
    note = benchmark.out / "failed" / "broken-seed-0.txt"
    assert "Traceback" in note.read_text()
    write_benchmark([benchmark], benchmark.cohort())
    assert [row["name"] for row in rows_in(benchmark.out)] == ["sdpm"]
    mended = DiffusionArm("broken", "Mended", methods=("avg",))
    assert benchmark.run([mended, AVG], [0]) == {}
    assert not note.exists()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (RuntimeError("CUDA error: an illegal access"), "the GPU failed"),
        (torch.OutOfMemoryError("CUDA out of memory."), "the GPU's memory does not suffice"),
        (MemoryError(), "the memory does not suffice"),
    ],
)
def test_what_the_system_refuses_one_method_is_a_sentence_in_its_place(
    benchmark: Benchmark, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Broken, "run", refused)
    ((name, why),) = benchmark.run([BROKEN], [0]).items()
    assert name == "broken-seed-0" and why.startswith(f"{benchmark.place}: {name} stopped: {said}")
    assert "Traceback" in (benchmark.out / "failed" / f"{name}.txt").read_text()


def test_a_note_or_a_picture_that_cannot_be_written_loses_nothing_else(
    benchmark: Benchmark,
) -> None:
    told: list[str] = []
    (benchmark.out / "failed").write_text("a file is in the way")
    talking = replace(benchmark, tell=told.append)
    assert list(talking.run([BROKEN, AVG], [0])) == ["broken-seed-0"]
    assert any("not written" in line for line in told)
    (benchmark.out / "dice.png").mkdir()
    warned: list[str] = []
    assert write_benchmark([benchmark], benchmark.cohort(), warned.append) == benchmark.out
    assert len(warned) == 1 and "dice.png: no picture" in warned[0]
    assert [row["name"] for row in rows_in(benchmark.out)] == ["sdpm"]
    assert (benchmark.out / "volumes.png").is_file() and (benchmark.out / "cases.png").is_file()


@pytest.mark.parametrize(
    "clock", ["", "[]", '{"seconds": "long"}', '{"seconds": -1}', '{"machines": 3}', "[" * 9999]
)
def test_a_broken_clock_is_named_with_its_remedy(benchmark: Benchmark, clock: str) -> None:
    folder = benchmark.out / "runs" / "sdpm" / "seed-0"
    folder.mkdir(parents=True)
    (folder / "clock.json").write_text(clock)
    (why,) = benchmark.run([AVG], [0]).values()
    assert "clock.json" in why and "Remove it" in why and "Traceback" not in why


@pytest.mark.parametrize("claim", ["", "[]", "[" * 9999, '{"suite": NaN}'])
def test_a_folder_that_does_not_say_what_it_holds_is_refused(
    benchmark: Benchmark, claim: str
) -> None:
    (benchmark.out / "benchmark.json").write_text(claim)
    with pytest.raises(UsageError, match="does not say what it holds"):
        benchmark.cohort()


def test_a_folder_that_is_trained_into_is_not_trained_into_twice(benchmark: Benchmark) -> None:
    """By `strokediff train`, which knows nothing of a benchmark's locks."""
    with sole(benchmark.out / "runs" / "sdpm" / "seed-0", "train"):
        (why,) = benchmark.run([AVG], [0]).values()
    assert "Choose another folder" in why
    assert benchmark.run([AVG], [0]) == {}


def test_a_tiny_budget_gives_trained_weights(benchmark: Benchmark) -> None:
    """Four steps are fewer than those between two updates of the average."""
    four = replace(benchmark, budget=replace(BUDGET, steps=4))
    assert four.run([AVG], [0]) == {}
    model = read_checkpoint(benchmark.out / "runs" / "sdpm" / "seed-0" / "model")
    first = build_network(model.config.training, SIDE).state_dict()
    moved = [not torch.equal(model.weights[key], value) for key, value in first.items()]
    assert model.config.training.ema_every == 10 and sum(moved) > len(moved) / 2


def test_what_another_process_has_claimed_is_left_to_it(benchmark: Benchmark) -> None:
    lock = benchmark.out / "locks" / "sdpm-seed-0"
    lock.parent.mkdir()
    with FileLock(lock):
        assert benchmark.run([AVG], [0]) == {}
        assert benchmark.scores() == {}
    benchmark.run([AVG], [0])
    assert set(benchmark.scores()) == {"sdpm"}


def test_a_folder_of_another_budget_is_refused(benchmark: Benchmark) -> None:
    benchmark.cohort()
    other = replace(benchmark, budget=BUDGETS["small"])
    with pytest.raises(UsageError, match="holds a benchmark of"):
        other.run([AVG], [0])


def test_a_table_is_of_all_that_is_there_whichever_call_made_it(benchmark: Benchmark) -> None:
    benchmark.run([AVG], [0, 11])
    benchmark.run([BOTH], [0])
    write_benchmark([benchmark], benchmark.cohort())
    assert {r["name"]: r["seeds"] for r in rows_in(benchmark.out)} == {
        "sdpm": [0, 11],
        "both-avg": [0],
        "both-sal": [0],
    }


def test_a_model_of_other_patients_is_not_scored(benchmark: Benchmark) -> None:
    """A cohort that was made anew may test whom the model was trained on."""
    benchmark.run([AVG], [0])
    shutil.rmtree(benchmark.out / "scores")
    file = benchmark.out / "cohort" / "cohort.json"
    content = json.loads(file.read_text())
    split = content["split"]
    content["split"] = {**split, "train": split["test"], "test": split["train"]}
    file.write_text(json.dumps(content))
    (why,) = benchmark.run([AVG], [0]).values()
    assert "was trained on other patients" in why
    assert benchmark.scores() == {}


def test_data_of_other_scans_than_the_cohorts_is_refused(
    benchmark: Benchmark, tmp_path: Path
) -> None:
    for folder in ("images", "labels"):
        (tmp_path / "scans" / folder).mkdir(parents=True)
        (tmp_path / "scans" / folder / "q0.nii.gz").touch()
    with pytest.raises(UsageError, match=r"holds other scans \(1\) than .* \(4\)"):
        replace(benchmark, data=tmp_path / "scans").cohort()


@pytest.mark.parametrize(("name", "layout"), [("phe-sich", "phe-sich"), ("ct-ich", "ctich")])
def test_real_patients_must_be_given(tmp_path: Path, name: str, layout: str) -> None:
    """By a layout that `strokediff import` knows."""
    assert layout in {known.name for known in LAYOUTS}
    with pytest.raises(UsageError, match=f"strokediff import {layout} SRC DST"):
        Benchmark(suite(name), BUDGET, tmp_path).cohort()
