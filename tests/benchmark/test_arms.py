"""Laws: an arm runs where it fits at the budget's cost; fine-tuning starts at a model's weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from strokediff.benchmark.arms import ARMS, FineTunedArm, arms
from strokediff.benchmark.budgets import BUDGETS
from strokediff.benchmark.nnunet.arm import NNUNetArm
from strokediff.benchmark.pretrained import PretrainedArm
from strokediff.benchmark.suites import SUITES
from strokediff.cohort.store import Cohort
from strokediff.ct.grid import GridConfig
from strokediff.errors import UsageError
from strokediff.inference.algorithm1 import Algorithm1, variance_as_printed
from strokediff.inference.compute import ON_CPU
from strokediff.inference.estimation import METHODS
from strokediff.inference.fusion import Fused
from strokediff.inference.repeated import Repeated
from strokediff.inference.salient import Salient
from strokediff.prediction.diffusion import DiffusionPredictor
from strokediff.training.checkpoint import read_checkpoint, write_checkpoint
from strokediff.training.start import SEES, StartModel
from strokediff.weights import model_path

REAL, PHANTOMS = SUITES["phe-sich"], SUITES["phantom-infarct"]
SMALL, FULL = BUDGETS["small"], BUDGETS["full"]


def test_a_model_of_phantoms_has_no_place_among_phantoms_or_on_another_grid() -> None:
    there = [n for n, arm in ARMS.items() if not isinstance(arm, PretrainedArm | NNUNetArm)]
    assert [arm.name for arm in arms([], REAL, SMALL)] == there
    for suite, budget in ((PHANTOMS, SMALL), (REAL, FULL)):
        names = {arm.name for arm in arms([], suite, budget)}
        tuned = {name for name, arm in ARMS.items() if isinstance(arm, FineTunedArm)}
        assert names == {*there} - tuned
        with pytest.raises(UsageError, match="'sdpm-phantoms' has no place in suite"):
            arms(["unet", "sdpm-phantoms"], suite, budget)


def test_as_printed_the_training_is_that_of_the_preset_of_the_papers(tmp_path: Path) -> None:
    """But for what a budget fixes for everybody: width and depth of the network, length, batch."""
    cohort = Cohort(tmp_path, GridConfig(), {"train": []}, {}, {})
    run = ARMS["sdpm-printed"].run(tmp_path / "run", cohort, SMALL, seed=0, device="cpu")
    printed, paper = run.config, FULL.training(0)
    for field in (
        "T",
        "loss",
        "time_sampler",
        "noise_loss",
        "ema",
        "clip_norm",
        "augmentation",
        "lr",
    ):
        assert getattr(printed, field) == getattr(paper, field)
    own = printed.network.model_dump(exclude={"base", "multipliers", "kinds"})
    assert own == paper.network.model_dump(exclude={"base", "multipliers", "kinds"})
    assert printed.network.base == SMALL.training(0).network.base


def test_as_printed_the_estimates_are_the_papers_samplers_of_fewer_draws(tmp_path: Path) -> None:
    """At a budget of 2,000 evaluations 8 draws of each in place of 100 and 50; at full all."""
    cohort = Cohort(tmp_path, GridConfig(), {"train": []}, {}, {})
    run = ARMS["sdpm-printed"].run(tmp_path / "run", cohort, SMALL, seed=0, device="cpu")
    start = StartModel.of("phantom-stroke")
    (tmp_path / "model").mkdir()
    write_checkpoint(
        tmp_path / "model",
        start.config.model_copy(update={"training": run.config}),
        run.module.state_dict(), split={}, metrics={},
    )  # fmt: skip
    for budget, sal, infer in ((SMALL, 8, 8), (FULL, 100, 50)):
        predictor = ARMS["sdpm-printed"].predictor(tmp_path / "model", ON_CPU, budget)
        assert isinstance(predictor, DiffusionPredictor)
        made = {e.method: e.estimator(T=500) for e in predictor.estimations}
        assert {*made} == {*METHODS}
        assert made["sal"] == Repeated(Salient(250), sal)
        chain, fused = made["infer"], made["all"]
        assert isinstance(chain, Repeated) and isinstance(chain.sampler, Algorithm1)
        assert (chain.repeats, chain.sampler.T_i, chain.sampler.stride) == (infer, 250, 1)
        assert chain.sampler.transition_scale is variance_as_printed
        assert isinstance(fused, Fused)
        parts = [part.repeats for part in fused.parts if isinstance(part, Repeated)]
        assert parts == [1, sal, infer]


def test_it_starts_at_the_models_weights_at_the_budgets_cost(tmp_path: Path) -> None:
    arm = ARMS["sdpm-phantoms"]
    cohort = Cohort(tmp_path, GridConfig(), {"train": []}, {}, {})
    run = arm.run(tmp_path / "run", cohort, SMALL, seed=3, device="cpu")
    assert (run.config.steps, run.config.seed) == (SMALL.steps, 3)
    assert run.config.batch_size == SMALL.training(3).batch_size
    model = read_checkpoint(model_path("phantom-stroke"))
    assert run.config.start == model.config.sha256
    assert "phantom-stroke" in run.started_from
    state = run.module.state_dict()
    for key, value in model.weights.items():
        own = state[key][:, : value.shape[1]] if key == SEES else state[key]
        assert torch.equal(own, value)
