"""A tiny cohort on the network's grid, made without images on disk."""

from __future__ import annotations

import numpy as np
import pytest

from strokediff.cohort.store import Cohort, CohortWriter, Patient, open_cohort
from strokediff.core.objective import LossConfig
from strokediff.ct.grid import GridConfig
from strokediff.networks.config import NetworkConfig
from strokediff.training.config import TrainingConfig

pytest.importorskip("zarr")
pytest.importorskip("lightning")
pytest.importorskip("monai")
SIDE = 16


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    folder = tmp_path_factory.mktemp("training") / "cohort"
    folder.mkdir()
    rng = np.random.default_rng(0)
    writer = CohortWriter(folder, GridConfig(size=SIDE, spacing_mm=8.0))
    names = [f"p{i}" for i in range(4)]
    for name in names:
        y = np.zeros((5, SIDE, SIDE), np.uint8)
        y[2, 4:8, 4:8] = 1
        m = np.ones_like(y)
        x = (rng.normal(0, 0.2, y.shape) + 0.6 * y).astype(np.float16)
        writer.add(Patient(name, x, y, m))
    split = {"train": names[:3], "val": names[3:], "test": []}
    writer.finish(split=split, origin={"description": "test phantoms"})
    return open_cohort(folder)


@pytest.fixture(scope="session")
def config() -> TrainingConfig:
    return TrainingConfig(
        network=NetworkConfig(base=8, multipliers=(1, 2), label_form="clean"),
        T=50,
        loss=LossConfig(label_reading="linear"),
        steps=6,
        batch_size=2,
        lr=1e-3,
        ema_every=2,
        validate_every=3,
        checkpoint_every=2,
    )
