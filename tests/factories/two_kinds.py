"""A head with an infarct and a haemorrhage, and a model of both kinds that needs no training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from records import record
from torch import Tensor, nn

from strokediff.core.process import SynchronousProcess
from strokediff.core.schedule import sigmoid_schedule
from strokediff.ct.grid import GridConfig
from strokediff.ct.volume import CT
from strokediff.inference.compute import ON_CPU
from strokediff.networks.config import NetworkConfig
from strokediff.noise.isotropic import IsotropicNoise
from strokediff.segmentation.segmenter import Segmenter
from strokediff.training.build import build_network
from strokediff.training.checkpoint import CheckpointConfig, write_checkpoint
from strokediff.training.config import TrainingConfig
from strokediff.util.kinds import STROKE

GRID = GridConfig(size=48, spacing_mm=4.5)
INFARCT, HAEMORRHAGE = (0.3, 0.1, 0.2), (-0.3, -0.1, 0.15)
"""Place x, y of [-1, 1] in the head, and radius."""
AFFINE = np.diag([3.0, 3.0, 12.0, 1.0])


class Brightness(nn.Module):
    """(x_t, t) -> no noise, and as y_0 how much darker and how much brighter than brain x is."""

    def forward(self, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        x = x_t[:, :1]
        return torch.zeros_like(x), torch.cat([-4 * x - 1.6, 4 * x - 1.6], dim=1).clamp(-1, 1)


def head(seed: int = 0) -> tuple[CT, NDArray[np.bool_]]:
    """A brain of 35 HU in a skull, an infarct of 18 HU and blood of 65 HU; both masks (2, ...)."""
    x, y, z = np.ogrid[-1:1:72j, -1:1:72j, -1:1:14j]
    r = np.sqrt(x**2 + y**2 + z**2)
    masks = [
        np.broadcast_to((x - at) ** 2 + (y - to) ** 2 + z**2 < size**2, r.shape)
        for at, to, size in (INFARCT, HAEMORRHAGE)
    ]
    hu = np.select([*masks, r < 0.7, r < 0.8], [18.0, 65.0, 35.0, 900.0], default=-1000.0)
    hu = hu + np.random.default_rng(seed).normal(0, 1, hu.shape)
    return CT(hu, AFFINE), np.stack(masks)


def model(**own: Any) -> Segmenter:
    """Infarct where it is dark, haemorrhage where it is bright; `own` in place of its fields."""
    known: Mapping[str, Any] = {
        "network": Brightness(),
        "process": SynchronousProcess(sigmoid_schedule(T=50)),
        "noise": IsotropicNoise(),
        "grid": GRID,
        "card": record().model,
        "kinds": STROKE,
        "compute": ON_CPU,
    }
    return Segmenter(**{**known, **own})


def checkpoint(folder: Path, **metrics: Any) -> Path:
    """An untrained one, its weights shaken so that it marks some of the brain as either kind."""
    folder.mkdir(parents=True, exist_ok=True)
    network = NetworkConfig(base=8, multipliers=(1, 2), label_form="clean", kinds=STROKE)
    training = TrainingConfig(network=network, T=50)
    g = torch.Generator().manual_seed(0)
    weights = {
        k: v + 0.1 * torch.randn(v.shape, generator=g)
        for k, v in build_network(training, GRID.size).state_dict().items()
    }
    config = CheckpointConfig(
        name="two-kinds",
        method="sdpm",
        grid=GRID,
        training=training,
        trained_on="nothing (a test)",
        step=0,
    )
    write_checkpoint(folder, config, weights, split={}, metrics=metrics)
    return folder
