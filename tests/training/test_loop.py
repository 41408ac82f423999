"""Laws of training: interrupted equals uninterrupted, bit for bit; nothing half-written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from strokediff.cohort.store import Cohort
from strokediff.errors import UsageError
from strokediff.training.build import build_network, build_task
from strokediff.training.checkpoint import read_checkpoint
from strokediff.training.config import TrainingConfig
from strokediff.training.loop import Run, StepReport, learning_rate
from strokediff.training.resume import checkpoints
from strokediff.training.validation import Validation


def run_in(folder: Path, cohort: Cohort, config: TrainingConfig, workers: int = 0) -> Run:
    return Run(
        folder=folder,
        cohort=cohort,
        config=config,
        task=build_task(config),
        module=build_network(config, cohort.grid.size),
        name="test",
        device="cpu",
        workers=workers,
    )


def train(run: Run, *, resume: bool = False, stop_after: int | None = None) -> list[StepReport]:
    reports = []
    for report in run.train(resume=resume):
        reports.append(report)
        if report.step == stop_after:
            break
    return reports


@pytest.mark.parametrize("stop_after", [3, 5])
def test_resumed_equals_uninterrupted_bit_for_bit(
    tmp_path: Path, cohort: Cohort, config: TrainingConfig, stop_after: int
) -> None:
    """Stopped between checkpoints, as by kill -9: the lost steps are done again, the same."""
    whole = train(run_in(tmp_path / "whole", cohort, config))
    train(run_in(tmp_path / "cut", cohort, config), stop_after=stop_after)
    rest = train(run_in(tmp_path / "cut", cohort, config), resume=True)
    assert rest[0].step == stop_after // 2 * 2 + 1
    assert [r.losses for r in rest] == [r.losses for r in whole[rest[0].step - 1 :]]
    one, other = (read_checkpoint(tmp_path / name / "model") for name in ("whole", "cut"))
    assert one.config.sha256 == other.config.sha256
    assert all(torch.equal(one.weights[k], other.weights[k]) for k in one.weights)
    assert one.metrics == other.metrics


def test_worker_processes_change_nothing(
    tmp_path: Path, cohort: Cohort, config: TrainingConfig
) -> None:
    alone = train(run_in(tmp_path / "a", cohort, config))
    helped = train(run_in(tmp_path / "b", cohort, config, workers=2))
    assert [r.losses for r in alone] == [r.losses for r in helped]


def test_only_the_newest_checkpoints_are_kept_and_each_is_whole(
    tmp_path: Path, cohort: Cohort, config: TrainingConfig
) -> None:
    train(run_in(tmp_path / "run", cohort, config))
    kept = checkpoints(tmp_path / "run")
    assert [p.name for p in kept] == ["step-0000004", "step-0000006"]
    for folder in kept:
        assert read_checkpoint(folder).config.trained_on == "test phantoms"
    files = {p.name for p in (tmp_path / "run" / "model").iterdir()}
    assert files == {"config.json", "model.safetensors", "split.json", "metrics.json"}
    assert json.loads((kept[0] / "split.json").read_text()) == cohort.split


def test_a_failure_while_saving_leaves_the_checkpoint_before_it(
    tmp_path: Path, cohort: Cohort, config: TrainingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_in(tmp_path / "run", cohort, config)

    def full_disk(*_: object) -> None:
        if checkpoints(run.folder):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("strokediff.training.keep.save_state", full_disk)
    with pytest.raises((OSError, UsageError), match="No space left"):
        train(run)
    assert [p.name for p in checkpoints(run.folder)] == ["step-0000002"]
    assert [p.name for p in (run.folder / "checkpoints").iterdir()] == ["step-0000002"]


def test_a_folder_that_holds_a_run_is_not_overwritten(
    tmp_path: Path, cohort: Cohort, config: TrainingConfig
) -> None:
    train(run_in(tmp_path / "run", cohort, config), stop_after=3)
    with pytest.raises(UsageError, match="holds a run already. Continue it with --resume"):
        train(run_in(tmp_path / "run", cohort, config))


def test_a_training_that_diverges_says_so(
    tmp_path: Path, cohort: Cohort, config: TrainingConfig
) -> None:
    wild = config.model_copy(update={"lr": 1e30})
    with pytest.raises(UsageError, match=r"run: diverged, .* step \d+ .*lower rate \(--set lr="):
        train(run_in(tmp_path / "run", cohort, wild))


def test_accumulated_gradients_are_those_of_the_whole_batch(
    tmp_path: Path, cohort: Cohort, config: TrainingConfig
) -> None:
    """But for Dice, which is over a part; features computed again change nothing at all."""
    plain = config.model_copy(
        update={"loss": config.loss.model_copy(update={"dice": 0.0}), "batch_size": 4, "steps": 1}
    )
    found = {}
    for name, own in (
        ("whole", {}),
        ("parts", {"accumulate": 4}),
        ("again", {"gradient_checkpointing": True}),
    ):
        run = run_in(tmp_path / name, cohort, plain.model_copy(update=own))
        train(run)
        found[name] = {k: p.grad for k, p in run.module.named_parameters() if p.grad is not None}
    for key, gradient in found["whole"].items():
        torch.testing.assert_close(found["parts"][key], gradient, rtol=1e-3, atol=1e-6)
        assert torch.equal(found["again"][key], gradient)


def test_accumulated_training_resumes_bit_for_bit(
    tmp_path: Path, cohort: Cohort, config: TrainingConfig
) -> None:
    frugal = config.model_copy(update={"accumulate": 2, "gradient_checkpointing": True})
    whole = train(run_in(tmp_path / "whole", cohort, frugal))
    train(run_in(tmp_path / "cut", cohort, frugal), stop_after=3)
    rest = train(run_in(tmp_path / "cut", cohort, frugal), resume=True)
    assert [r.losses for r in rest] == [r.losses for r in whole[2:]]
    one, other = (read_checkpoint(tmp_path / name / "model") for name in ("whole", "cut"))
    assert one.config.sha256 == other.config.sha256


def test_the_best_model_of_the_validations_is_kept_beside_the_last(
    tmp_path: Path, cohort: Cohort, config: TrainingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = iter([0.3, 0.6, 0.6, 0.5, 0.6, 0.5])

    def scored(*_: object) -> Validation:
        return Validation({"dice": next(dice)}, np.zeros((0, 0), np.float32))

    monkeypatch.setattr("strokediff.training.loop.validate", scored)
    every = config.model_copy(update={"validate_every": 1, "checkpoint_every": 1, "steps": 4})
    train(run_in(tmp_path / "run", cohort, every), stop_after=3)
    best = read_checkpoint(tmp_path / "run" / "best")
    assert best.config.step == 2  # the first of equals
    train(run_in(tmp_path / "run", cohort, every), resume=True)
    assert read_checkpoint(tmp_path / "run" / "best").config.step == 2
    assert [f["dice"] for f in best.metrics["validation"]] == [0.3, 0.6]
    assert read_checkpoint(tmp_path / "run" / "model").config.step == 4


def test_without_validation_patients_there_is_no_best(
    tmp_path: Path, cohort: Cohort, config: TrainingConfig
) -> None:
    alone = replace(cohort, split={**cohort.split, "val": []})
    reports = train(run_in(tmp_path / "run", alone, config))
    assert all(report.validation is None for report in reports)
    assert not (tmp_path / "run" / "best").exists()


def test_the_loss_falls(tmp_path: Path, cohort: Cohort, config: TrainingConfig) -> None:
    longer = config.model_copy(update={"steps": 60, "checkpoint_every": 1000})
    reports = train(run_in(tmp_path / "run", cohort, longer))
    first, last = (sum(r.losses["loss"] for r in part) for part in (reports[:10], reports[-10:]))
    assert last < 0.7 * first


def test_learning_rate_law(config: TrainingConfig) -> None:
    """lr (1 - i/i_max)^0.9 + lr_min (i/i_max)^0.9."""
    assert learning_rate(0, config) == config.lr
    half = 0.5**0.9 * (config.lr + config.lr_min)
    assert learning_rate(3, config) == pytest.approx(half)
    assert learning_rate(6, config) == pytest.approx(config.lr_min)
