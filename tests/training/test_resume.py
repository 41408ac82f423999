"""Laws: a run goes on from its own checkpoints alone, and a refusal says what differs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from strokediff.cohort.store import Cohort
from strokediff.errors import UsageError
from strokediff.training.config import TrainingConfig

from .test_loop import run_in, train


def test_resuming_with_another_configuration_is_refused(
    tmp_path: Path, cohort: Cohort, config: TrainingConfig
) -> None:
    train(run_in(tmp_path / "run", cohort, config), stop_after=3)
    other = config.model_copy(update={"lr": 5e-4})
    loss = config.loss.model_copy(update={"dice": 7.0})
    other = other.model_copy(update={"loss": loss})
    told = rf"another configuration \(loss\.dice: {config.loss.dice} there, 7.0 asked for; lr: "
    with pytest.raises(UsageError, match=told):
        train(run_in(tmp_path / "run", cohort, other), resume=True)


def test_resuming_on_other_patients_is_refused(
    tmp_path: Path, cohort: Cohort, config: TrainingConfig
) -> None:
    """A run that had seen some of them would call them its test patients."""
    train(run_in(tmp_path / "run", cohort, config), stop_after=3)
    turned = {**cohort.split, "train": cohort.split["val"], "val": cohort.split["train"]}
    other = replace(cohort, split=turned)
    with pytest.raises(UsageError, match="on other patients than .* has to train on"):
        train(run_in(tmp_path / "run", other, config), resume=True)
    train(run_in(tmp_path / "run", cohort, config), resume=True)
    assert run_in(tmp_path / "run", cohort, config).finished()
    with pytest.raises(UsageError, match="on other patients"):
        run_in(tmp_path / "run", other, config).finished()
