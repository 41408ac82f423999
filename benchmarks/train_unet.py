"""Train the plain U-Net on a cohort as long as `strokediff train` trains SDPM.

    python benchmarks/train_unet.py --data COHORT -o RUN [--steps N] [--resume]

Same samples, augmentation, learning-rate law, averaging and precision as the `tiny` preset.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from strokediff.baselines.registry import baseline
from strokediff.cli.train import follow
from strokediff.cohort.store import open_cohort
from strokediff.training.config import TrainingConfig, training_preset
from strokediff.training.loop import Run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--precision", default="32")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--quiet", action="store_true")
    args = parser.parse_args()
    tiny = training_preset("tiny").training
    changes = {"steps": args.steps or tiny.steps, "precision": args.precision}
    config = TrainingConfig(**{**tiny.model_dump(), **changes})
    unet, cohort = baseline("unet"), open_cohort(args.data)
    torch.manual_seed(config.seed)
    run = Run(
        folder=args.out,
        cohort=cohort,
        config=config,
        task=unet,
        module=unet.build(cohort.grid.size),
        name=unet.name,
        device="cpu",
    )
    follow(run, resume=args.resume, quiet=args.quiet)


if __name__ == "__main__":
    main()
