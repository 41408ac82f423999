"""nnU-Net's trainer at another length; for the process that trains (`worker`)."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from strokediff.benchmark.nnunet.job import EXTRA
from strokediff.benchmark.nnunet.length import Length
from strokediff.core.seeds import derive_seed
from strokediff.util.extras import require
from strokediff.util.files import atomic_path


def paced_trainer() -> Any:
    """nnU-Net's own training but for its length, its seeds and what it draws and keeps meanwhile.

    Every epoch has a seed of its own, so that on a CPU a resumed training equals an uninterrupted
    one; loaders in processes of their own, as on a GPU, draw without a seed. No pictures are drawn
    and no best checkpoint is kept: the last is what nnU-Net predicts with. Checkpoints are whole or
    not there. Raises `MissingExtraError` without nnU-Net, whose class this one is of.
    """
    base: Any = require("nnunetv2.training.nnUNetTrainer.nnUNetTrainer", EXTRA).nnUNetTrainer

    class PacedTrainer(base):  # type: ignore[misc]
        """See `paced_trainer`."""

        seed: int
        on_epoch: Callable[[int, bool], None]

        def pace(self, length: Length, seed: int, on_epoch: Callable[[int, bool], None]) -> None:
            """Train so long; `on_epoch` is told the epochs done, and whether they are kept."""
            self.num_epochs, self.num_iterations_per_epoch = length.epochs, length.iterations
            self.num_val_iterations_per_epoch = 1  # told to the log, and nothing hangs on it
            self.save_every = length.kept_every
            self.seed, self.on_epoch = seed, on_epoch
            seed_all(seed, -1)

        def on_epoch_start(self) -> None:
            """Seed what is drawn in it."""
            seed_all(self.seed, self.current_epoch)
            super().on_epoch_start()

        def on_epoch_end(self) -> None:
            """Say that it is done."""
            self._best_ema = float("inf")
            super().on_epoch_end()
            done = self.current_epoch
            self.on_epoch(done, done % self.save_every == 0)

        def save_checkpoint(self, filename: str) -> None:
            """Write it beside its place, then rename it."""
            with atomic_path(Path(filename)) as temporary:
                super().save_checkpoint(str(temporary))

        def plot_network_architecture(self) -> None:
            """Not drawn."""

    return PacedTrainer


def seed_all(seed: int, epoch: int) -> None:
    """Seed all that nnU-Net draws from in this process."""
    own = derive_seed(seed, epoch)
    random.seed(own)
    np.random.seed(own % 2**32)  # noqa: NPY002 - what nnU-Net draws from
    torch.manual_seed(own)
