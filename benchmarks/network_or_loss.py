"""Does SDPM without noise segment otherwise than a U-Net by its network or by its loss?

    python benchmarks/network_or_loss.py --data COHORT -o DIR [--steps 500] [--hold-out 0.25]
                                         [--seeds 0] [--arms unet-peers two-stream-sdpm ...]

Both networks with both losses, on the same samples, at t = 0 alone: `peers` is the loss of the
methods of others (Dice and cross-entropy over the slice), `sdpm` that of the preset `tiny` without
noise. As many parameters in each. COHORT is split by patient and its test patients are not read: a
share of the others is held out and scored, as `ablation_options --hold-out` does it. A lesion is
where the mean of both mirrored views is at least one half; nothing is filtered. Dice in 3D over the
patients with a lesion, and in thirds of its volume; differences from `unet-peers` with a 95 %
bootstrap over patients. A run is DIR/ARM/seed-K: finished ones are kept, interrupted ones resumed.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from ablation import developing
from torch import Tensor, nn

from strokediff.baselines.unet import UNet
from strokediff.cohort.brain_slices import with_brain
from strokediff.cohort.store import Cohort, Patient, open_cohort
from strokediff.evaluation.bootstrap import bootstrap
from strokediff.inference.mirrored import LEFT_RIGHT
from strokediff.training.build import build_network, build_task
from strokediff.training.checkpoint import read_checkpoint
from strokediff.training.config import TrainingConfig, changed, training_preset
from strokediff.training.loop import Run
from strokediff.training.tasks import Task
from strokediff.util.machine import machine_name

NETWORKS, LOSSES = ("unet", "two-stream"), ("peers", "sdpm")
ARMS = [f"{network}-{loss}" for network in NETWORKS for loss in LOSSES]
REFERENCE = ARMS[0]
BATCH = 8


class AsLogits(nn.Module):
    """The two-stream network at t = 0 as one that gives logits: y_0 = tanh(l / 2)."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, H, W) -> l."""
        _, y_0 = self.net(x, torch.zeros(len(x), dtype=torch.long, device=x.device))
        return 2.0 * torch.atanh(y_0.clamp(-1.0 + 1e-6, 1.0 - 1e-6))


class AsTwoStream(nn.Module):
    """A network that gives logits as one of images and labels, for t = 0."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 1, H, W), (B,) -> (no noise, y_0)."""
        logits = self.net(x_t)
        return torch.zeros_like(logits), torch.tanh(logits.float() / 2)


@dataclass(frozen=True)
class Scored:
    """The Dice of every patient with a lesion, and its volume in mL."""

    dice: np.ndarray
    ml: np.ndarray


def built(arm: str, config: TrainingConfig, size: int) -> tuple[nn.Module, Task]:
    """The untrained network of an arm and its task."""
    network, _, loss = arm.rpartition("-")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        module = UNet().build(size) if network == "unet" else build_network(config, size)
    if loss == "peers":
        return (module if network == "unet" else AsLogits(module)), UNet()
    return (AsTwoStream(module) if network == "unet" else module), build_task(config)


def scored(arm: str, folder: Path, cohort: Cohort, config: TrainingConfig) -> Scored:
    """Train, or go on, unless it is done; then segment the patients held out."""
    module, task = built(arm, config, cohort.grid.size)
    run = Run(folder, cohort, config, task, module, name=arm, device="cpu")
    if not run.finished():
        for report in run.train(resume=True):
            if report.step % 100 == 0:
                print(f"{arm}: step {report.step}, loss {report.losses['loss']:.4f}", flush=True)
    module.load_state_dict(read_checkpoint(folder / "model").weights)
    module.eval()
    dice, ml = [], []
    for name in cohort.split["val"]:
        volume = float(cohort.patients[name]["volume_ml"])
        if volume > 0:
            ml.append(volume)
            dice.append(dice_of(cohort.read(name), module, task))
    return Scored(np.array(dice), np.array(ml))


@torch.inference_mode()
def dice_of(patient: Patient, module: nn.Module, task: Task) -> float:
    """In 3D, inside the brain."""
    used = with_brain(patient.m)
    m = torch.from_numpy(patient.m[used].astype(np.float32))[:, None]
    x = torch.from_numpy(patient.x[used].astype(np.float32))[:, None] * m
    parts = []
    for some, inside in zip(x.split(BATCH), m.split(BATCH), strict=True):
        mirrored = task.label(module, some.flip(LEFT_RIGHT), inside.flip(LEFT_RIGHT))
        parts.append(task.label(module, some, inside) + mirrored.flip(LEFT_RIGHT))
    found = ((torch.cat(parts) >= 0) & (m > 0))[:, 0].numpy()
    true = (patient.y > 0) & (patient.m > 0)
    return float(2 * (found & true[used]).sum() / max(1, found.sum() + true.sum()))


def line(arm: str, seeds: list[Scored], base: list[Scored] | None) -> str:
    """A row of the table; `base` is the reference, None for the reference itself."""
    dice = np.mean([own.dice for own in seeds], axis=0)
    thirds = np.array_split(np.argsort(seeds[0].ml, kind="stable"), 3)
    difference = ""
    if base is not None:
        apart = dice - np.mean([own.dice for own in base], axis=0)
        found = bootstrap(lambda i: float(apart[i].mean()), len(apart))
        difference = f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"
    cells = [f"{dice.mean():.3f}", *(f"{dice[third].mean():.3f}" for third in thirds), difference]
    return f"| {arm} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--hold-out", type=float, default=0.25)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--arms", nargs="+", default=ARMS, choices=ARMS)
    args = parser.parse_args()
    cohort = developing(open_cohort(args.data), args.hold_out)
    found: dict[str, list[Scored]] = {arm: [] for arm in args.arms}
    for seed in args.seeds:
        config = changed(
            training_preset("tiny").training,
            time_sampler="clean",
            steps=args.steps,
            validate_every=args.steps,
            checkpoint_every=max(1, args.steps // 2),
            seed=seed,
        )
        for arm in args.arms:
            found[arm].append(scored(arm, args.out / arm / f"seed-{seed}", cohort, config))
    ml = np.sort(next(iter(found.values()))[0].ml)
    ends = ", ".join(f"{part[-1]:.1f}" for part in np.array_split(ml, 3))
    print(f"{len(cohort.split['train'])} patients to train on, {len(ml)} with a lesion to score; ")
    print(f"{args.steps} steps, seeds {args.seeds}; thirds up to {ends} mL; {machine_name()}\n")
    print(f"| arm | Dice | small | middle | large | Dice - that of {REFERENCE} |")
    print("| --- " * 6 + "|")
    for arm, seeds in found.items():
        print(line(arm, seeds, None if arm == REFERENCE else found.get(REFERENCE)))


if __name__ == "__main__":
    main()
