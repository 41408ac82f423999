"""The plain U-Net in the project's pipeline, for comparison."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from strokediff.baselines.registry import baseline
from strokediff.ct.grid import SliceGrid
from strokediff.ct.volume import CT
from strokediff.training.checkpoint import read_checkpoint, read_split


class PlainUNet:
    """The U-Net in the same pipeline: same brain mask, grid and way back; one view of a slice."""

    def __init__(self, path: Path) -> None:
        checkpoint = read_checkpoint(path)
        self.grid = checkpoint.config.grid
        self.validation = set(read_split(path)["val"])
        self.unet = baseline("unet")
        self.module = self.unet.build(self.grid.size).eval()
        self.module.load_state_dict(checkpoint.weights)

    @torch.inference_mode()
    def __call__(self, volume: CT, brain: np.ndarray) -> np.ndarray:
        """Probability on the volume's grid."""
        grid = SliceGrid(self.grid, volume, brain)
        slices = grid.image(volume.hu)
        x, m = (torch.from_numpy(a)[:, None] for a in (slices.x, slices.m))
        y_0 = self.unet.label(self.module, x, m)
        return grid.to_volume(((y_0[:, 0] + 1) / 2).numpy())
