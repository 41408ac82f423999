"""Baselines in the training loop as it stands: an interrupted run equals an uninterrupted one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from strokediff.baselines.base import Baseline
from strokediff.baselines.diffusion_unet import Widths
from strokediff.baselines.dyn_unet import DynUNet
from strokediff.baselines.label_posterior import LabelPosterior
from strokediff.baselines.segdiff import ImageWidths, SegDiff
from strokediff.baselines.swin_unetr import SwinUNETR
from strokediff.cohort.store import Cohort, CohortWriter, Patient, open_cohort
from strokediff.ct.grid import GridConfig
from strokediff.networks.config import NetworkConfig
from strokediff.training.checkpoint import read_checkpoint
from strokediff.training.config import TrainingConfig
from strokediff.training.loop import Run

pytest.importorskip("zarr")
pytest.importorskip("lightning")
SIDE = 64
TINY: list[Baseline] = [
    DynUNet(filters=4, most=8),
    SwinUNETR(filters=12),
    LabelPosterior(widths=Widths(base=4, multipliers=(1, 2), blocks=1, attentive=1, groups=2)),
    SegDiff(
        widths=Widths(base=4, multipliers=(1, 2), blocks=1, attentive=1, groups=2),
        image=ImageWidths(width=4, growth=2, blocks=1),
    ),
]


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    folder = tmp_path / "cohort"
    folder.mkdir()
    writer = CohortWriter(folder, GridConfig(size=SIDE, spacing_mm=3.0))
    for name in ("a", "b"):
        y = np.zeros((2, SIDE, SIDE), np.uint8)
        y[:, 20:40, 20:40] = 1
        writer.add(Patient(name, (0.6 * y).astype(np.float16), y, np.ones_like(y)))
    writer.finish(split={"train": ["a"], "val": ["b"], "test": []}, origin={"description": "toy"})
    return open_cohort(folder)


def run_in(folder: Path, cohort: Cohort, method: Baseline) -> Run:
    config = TrainingConfig(
        network=NetworkConfig(base=8, multipliers=(1, 2)),
        steps=4,
        batch_size=2,
        lr=1e-3,
        ema_every=1,
        validate_every=2,
        checkpoint_every=2,
    )
    torch.manual_seed(config.seed)
    return Run(
        folder=folder,
        cohort=cohort,
        config=config,
        task=method,
        module=method.build(SIDE).to(memory_format=torch.channels_last),  # type: ignore[call-overload]
        name=method.name,
        device="cpu",
    )


@pytest.mark.parametrize("method", TINY, ids=lambda method: method.name)
def test_resuming_changes_nothing(method: Baseline, cohort: Cohort, tmp_path: Path) -> None:
    for _ in run_in(tmp_path / "whole", cohort, method).train(resume=False):
        pass
    for report in run_in(tmp_path / "parts", cohort, method).train(resume=False):
        if report.step == 3:
            break
    for _ in run_in(tmp_path / "parts", cohort, method).train(resume=True):
        pass
    whole, parts = (read_checkpoint(tmp_path / part / "model") for part in ("whole", "parts"))
    assert whole.config.method == method.name and whole.config.noise == "none"
    assert len(whole.metrics["validation"]) == 2
    assert all(torch.equal(parts.weights[key], value) for key, value in whole.weights.items())
    method.build(SIDE).load_state_dict(whole.weights)


def test_another_seed_draws_another_noise(cohort: Cohort) -> None:
    method = TINY[-1]
    assert isinstance(method, SegDiff)
    m = torch.ones(1, 1, SIDE, SIDE)
    batch = {"x": 0 * m, "y": -m, "m": m, "number": torch.tensor([5])}
    module = method.build(SIDE)
    with torch.no_grad():
        losses = [float(replace(method, seed=s).losses(module, batch)["loss"]) for s in (0, 0, 1)]
    assert losses[0] == losses[1] != losses[2]
