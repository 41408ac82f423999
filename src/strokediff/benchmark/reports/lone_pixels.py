"""What the filter of lone pixels, a part of SDPM, would do for the methods of others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from strokediff.baselines.registry import BASELINES
from strokediff.benchmark.tables import ruled
from strokediff.ct.axes import transposed
from strokediff.ct.nifti.masks import read_mask
from strokediff.errors import InputError
from strokediff.evaluation.metrics import Confusion
from strokediff.networks.blocks import FrozenOnesFilter


def lone_pixels(predictions: Path, seed: int = 0) -> list[str]:
    """Mean Dice of every method of others as it is and with the filter, and how much that takes.

    SDPM drops a positive pixel alone among its 7 x 7 neighbours (SDPM section 2.2). `predictions`
    is that of a benchmark; raises `InputError` if it has none of others.
    """
    cells = []
    for name in BASELINES:
        folder, dice, pixels = predictions / name / f"seed-{seed}", [], []
        for file in sorted((folder / "truth").glob("*.nii.gz")):
            true = transposed(read_mask(file).array) > 0
            mask = transposed(read_mask(folder / name / "masks" / file.name).array) > 0
            kept = without_lone(mask)
            dice.append([Confusion.of(found, true).dice for found in (mask, kept)])
            pixels.append([mask.sum(), (mask & ~kept).sum()])
        if dice:
            plain, less = np.mean(dice, axis=0)
            found, taken = np.sum(pixels, axis=0)
            cells.append([name, f"{plain:.4f}", f"{less:.4f}", str(found), str(taken)])
    if not cells:
        raise InputError(f"{predictions}: no predictions of methods of others, seed {seed}.")
    return ruled(("method", "Dice", "with the filter", "pixels", "taken"), cells)


def without_lone(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask (Z, y, x) without its lone pixels."""
    kept = FrozenOnesFilter()(torch.from_numpy(mask[:, None].astype(np.float32)))
    return mask & np.asarray(kept[:, 0].numpy() > 0)
