"""What the filter of lone pixels, a part of SDPM, would do for the methods of others.

    python benchmarks/lone_pixels.py PREDICTIONS [--seed 0]

PREDICTIONS is the `predictions` of `strokediff benchmark`. SDPM drops a positive pixel alone
among its 7 x 7 neighbours (SDPM section 2.2), the others do not. Prints the mean Dice of every
method of others as it is and with the filter, and how many of its pixels that takes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from strokediff.baselines.registry import BASELINES
from strokediff.ct.nifti.masks import read_mask
from strokediff.errors import InputError
from strokediff.networks.blocks import FrozenOnesFilter
from strokediff.prediction.prediction import as_slices


def dice(found: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    total = int(found.sum() + true.sum())
    return 2 * int((found & true).sum()) / total if total else 1.0


def filtered(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask (Z, y, x) without its lone pixels."""
    kept = FrozenOnesFilter()(torch.from_numpy(mask[:, None].astype(np.float32)))
    return mask & (kept[:, 0].numpy() > 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("predictions", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    print("| method | Dice | with the filter | pixels | taken |\n| --- | --- | --- | --- | --- |")
    there = [name for name in BASELINES if (args.predictions / name / f"seed-{args.seed}").is_dir()]
    if not there:
        raise InputError(
            f"{args.predictions}: no predictions of methods of others, seed {args.seed}."
        )
    for name in there:
        folder = args.predictions / name / f"seed-{args.seed}"
        plain, less, pixels, taken = [], [], 0, 0
        for file in sorted((folder / "truth").glob("*.nii.gz")):
            true = as_slices(read_mask(file).array) > 0
            mask = as_slices(read_mask(folder / name / "masks" / file.name).array) > 0
            kept = filtered(mask)
            plain.append(dice(mask, true))
            less.append(dice(kept, true))
            pixels, taken = pixels + int(mask.sum()), taken + int((mask & ~kept).sum())
        figures = f"{np.mean(plain):.4f} | {np.mean(less):.4f} | {pixels} | {taken}"
        print(f"| {name} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
