"""Laws of fine-tuning: the first step starts at the model's weights, and its card says so."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from strokediff.cohort.store import Cohort
from strokediff.errors import InputError, UsageError
from strokediff.training.build import build_network
from strokediff.training.checkpoint import read_checkpoint, write_checkpoint
from strokediff.training.config import TrainingConfig, changed, with_settings
from strokediff.training.loop import Run
from strokediff.training.start import StartModel
from strokediff.training.train import make_run


def run_in(
    folder: Path,
    cohort: Cohort,
    config: TrainingConfig,
    start: StartModel | None = None,
    *,
    resume: bool = False,
) -> Run:
    return make_run(folder, cohort, config, start=start, resume=resume, device="cpu")


@pytest.fixture(scope="module")
def first(cohort: Cohort, config: TrainingConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("start") / "first"
    list(run_in(folder, cohort, config).train(resume=False))
    return folder / "model"


def test_it_starts_at_the_models_weights_and_says_so(
    cohort: Cohort, first: Path, tmp_path: Path
) -> None:
    """With a rate of nothing the weights stay what they were, whatever the seed."""
    start = StartModel.of(first)
    config = changed(start.preset.training, lr=0.0, lr_min=0.0, seed=7, steps=2)
    assert config.start == read_checkpoint(first).config.sha256
    list(run_in(tmp_path / "second", cohort, config, start).train(resume=False))
    made = read_checkpoint(tmp_path / "second" / "model")
    for key, value in read_checkpoint(start.path).weights.items():
        torch.testing.assert_close(made.weights[key], value, rtol=0, atol=1e-6)
    assert made.config.trained_on == "test phantoms; started from first (test phantoms)"
    assert read_checkpoint(first).config.trained_on == "test phantoms"


def test_a_resumed_run_equals_an_uninterrupted_one(
    cohort: Cohort, first: Path, tmp_path: Path
) -> None:
    start = StartModel.of(first)
    config = changed(start.preset.training, seed=3)
    list(run_in(tmp_path / "whole", cohort, config, start).train(resume=False))
    stopped = run_in(tmp_path / "stopped", cohort, config, start).train(resume=False)
    for report in stopped:
        if report.step == 5:
            break
    again = run_in(tmp_path / "stopped", cohort, config, start, resume=True)
    list(again.train(resume=True))
    whole, again = (
        read_checkpoint(tmp_path / name / "model").weights for name in ("whole", "stopped")
    )
    assert all(torch.equal(whole[key], again[key]) for key in whole)


def test_it_cannot_be_resumed_as_if_it_had_started_from_nothing(
    cohort: Cohort, config: TrainingConfig, first: Path, tmp_path: Path
) -> None:
    start = StartModel.of(first)
    list(run_in(tmp_path / "second", cohort, start.preset.training, start).train(resume=False))
    other = run_in(tmp_path / "second", cohort, config)
    with pytest.raises(UsageError, match="another configuration"):
        next(other.train(resume=True))


@pytest.mark.parametrize("beside", ["network.neighbours=1", "network.mirror=true"])
def test_what_it_newly_sees_beside_a_slice_does_not_count_at_first(
    cohort: Cohort, first: Path, beside: str
) -> None:
    start = StartModel.of(first)
    own = build_network(start.preset.training, cohort.grid.size)
    config = with_settings(start.preset.training, [beside])
    wider = build_network(config, cohort.grid.size)
    start.load_into(own)
    start.load_into(wider)
    side = cohort.grid.size
    x = torch.randn(2, config.network.channels, side, side, generator=torch.manual_seed(0))
    t = torch.tensor([0, 5])
    with torch.no_grad():
        for plain, seen in zip(own(x[:, :1], t), wider(x, t), strict=True):
            torch.testing.assert_close(plain, seen)


def test_a_model_that_saw_more_than_the_network_asked_for_is_refused(
    cohort: Cohort, config: TrainingConfig, tmp_path: Path
) -> None:
    wider = with_settings(config, ["network.neighbours=1"])
    list(run_in(tmp_path / "wider", cohort, wider).train(resume=False))
    start = StartModel.of(tmp_path / "wider" / "model")
    with pytest.raises(UsageError, match="do not fit the network asked for"):
        start.load_into(build_network(config, cohort.grid.size))


def test_another_network_is_refused(cohort: Cohort, first: Path) -> None:
    start = StartModel.of(first)
    config = with_settings(start.preset.training, ["network.base=16"])
    with pytest.raises(UsageError, match="do not fit the network asked for"):
        start.load_into(build_network(config, cohort.grid.size))


def test_a_checkpoint_of_another_method_is_refused(first: Path, tmp_path: Path) -> None:
    found = read_checkpoint(first)
    other = tmp_path / "unetr"
    other.mkdir()
    config = found.config.model_copy(update={"method": "unetr"})
    write_checkpoint(other, config, found.weights, split={}, metrics={})
    with pytest.raises(InputError, match="a checkpoint of method 'unetr'"):
        StartModel.of(other)
