"""A cohort of two patients and an untrained network for it, its weights shaken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from strokediff.cohort.store import Cohort, CohortWriter, Patient, open_cohort
from strokediff.ct.grid import GridConfig
from strokediff.networks.config import NetworkConfig
from strokediff.training.build import build_network
from strokediff.training.checkpoint import CheckpointConfig, write_checkpoint
from strokediff.training.config import TrainingConfig
from strokediff.util.kinds import JOINED, STROKE

pytest.importorskip("zarr")
GRID = GridConfig(size=16, spacing_mm=8.0)


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    return written(tmp_path / "cohort")


@pytest.fixture
def cohort_of_kinds(tmp_path: Path) -> Cohort:
    """Bits 0 and 1 of y are an infarct and a haemorrhage, which overlap."""
    return written(tmp_path / "cohort-of-kinds", STROKE)


def written(folder: Path, kinds: tuple[str, ...] = JOINED) -> Cohort:
    folder.mkdir()
    rng = np.random.default_rng(0)
    writer = CohortWriter(folder, GRID, kinds)
    for number in range(2):
        y = np.zeros((5, 16, 16), np.uint8)
        y[2, 4:8, 4:9] = 1
        if len(kinds) > 1:
            y[2:4, 6 : 8 + number, 7:11] |= 2
        m = np.zeros_like(y)
        m[1:, 2:14, 3:15] = 1
        x = (rng.normal(0, 0.3, y.shape) * m).astype(np.float16)
        writer.add(Patient(f"p{number}", x, y, m), spacing_mm=[1.0, 1.0, 5.0])
    split = {"train": [], "val": [], "test": ["p0", "p1"]}
    writer.finish(split=split, origin={"description": "test phantoms"})
    return open_cohort(folder)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shaken(tmp_path_factory.mktemp("run") / "model")


@pytest.fixture(scope="session")
def checkpoint_of_kinds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shaken(tmp_path_factory.mktemp("run") / "model", STROKE)


def shaken(folder: Path, kinds: tuple[str, ...] = JOINED) -> Path:
    folder.mkdir()
    network = NetworkConfig(base=8, multipliers=(1, 2), patch=1, label_form="clean", kinds=kinds)
    training = TrainingConfig(network=network, T=50)
    g = torch.Generator().manual_seed(0)
    weights = {
        k: v + 0.2 * torch.randn(v.shape, generator=g)
        for k, v in build_network(training, GRID.size).state_dict().items()
    }
    config = CheckpointConfig(
        name="untrained", method="sdpm", grid=GRID, training=training, trained_on="nothing", step=0
    )
    write_checkpoint(folder, config, weights, split={}, metrics={})
    return folder
