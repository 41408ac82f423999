"""Where should a probability be cut: at a half, elsewhere, or where the volume is the expected one?

    python benchmarks/cuts.py RUN [RUN ...] --data COHORT --hold-out 0.25 [--methods avg sal]

RUN is DIR/ARM/seed-K of `ablation_options.py` with the same --data and --hold-out: the patients are
those that it held out of training, and no test patient is read. `expected` marks the likeliest
pixels, as many as the probabilities of a patient add up to: the volume is then right on average if
the probabilities are. Per patient in 3D on the network's grid, preset `fast`; VDP median beside the
mean, `volume` all found over all true.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import date
from pathlib import Path

import numpy as np
import torch
from ablation import developing
from numpy.typing import NDArray
from scipy.stats import spearmanr

from strokediff.cohort.store import open_cohort
from strokediff.errors import UsageError
from strokediff.inference.presets import Choice
from strokediff.prediction.diffusion import DiffusionPredictor
from strokediff.segmentation.model import load_model
from strokediff.training.checkpoint import read_split
from strokediff.util.machine import machine_name

CUTS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
Volume = NDArray[np.float32]
Found = dict[str, tuple[float, int]]
"""Cut -> (Dice, pixels found) of one patient."""


@dataclass(frozen=True)
class Figures:
    """All patients at one cut."""

    cut: str
    dice: float
    vc: float
    vc_ranks: float
    vdp: float
    vdp_median: float
    volume: float

    def line(self) -> str:
        """A line under HEAD."""
        values = astuple(self)
        return f"| {values[0]} | " + " | ".join(f"{value:.3f}" for value in values[1:]) + " |"


HEAD = "| cut | Dice | VC | VC of ranks | VDP | median VDP | volume |"
RULE = "| --- " * 7 + "|"


def expected(prob: Volume) -> NDArray[np.bool_]:
    """The likeliest pixels, as many as the probabilities add up to."""
    mask = np.zeros(prob.size, dtype=bool)
    mask[np.argsort(-prob, axis=None, kind="stable")[: round(float(prob.sum()))]] = True
    return mask.reshape(prob.shape)


def at_cuts(prob: Volume, true: NDArray[np.bool_]) -> Found:
    masks = {f"{cut}": prob >= cut for cut in CUTS} | {"expected": expected(prob)}
    both = {name: 2 * int((mask & true).sum()) for name, mask in masks.items()}
    found = {name: int(mask.sum()) for name, mask in masks.items()}
    return {name: (both[name] / (found[name] + true.sum()), found[name]) for name in masks}


def table(patients: Sequence[Found], true: NDArray[np.float64]) -> list[Figures]:
    """A row for each cut; `true` are the pixels of every patient's label."""
    rows = []
    for cut in patients[0]:
        dice = float(np.mean([patient[cut][0] for patient in patients]))
        found = np.array([patient[cut][1] for patient in patients], dtype=np.float64)
        vdp = np.abs(found - true) / true
        vc, rho = np.corrcoef(found, true)[0, 1], spearmanr(found, true).statistic
        volume = found.sum() / true.sum()
        row = (dice, vc, rho, vdp.mean(), np.median(vdp), volume)
        rows.append(Figures(cut, *(float(value) for value in row)))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--hold-out", type=float, required=True)
    parser.add_argument("--methods", nargs="+", default=["avg", "sal"])
    args = parser.parse_args()
    cohort = developing(open_cohort(args.data), args.hold_out)
    patients = [cohort.read(name) for name in cohort.split["val"]]
    patients = [p for p in patients if p.y.max() > 0]
    true = np.array([(p.y > 0).sum() for p in patients], dtype=np.float64)
    print(f"{len(patients)} held-out patients, {machine_name('cpu')}, {date.today()}")
    for run in args.runs:
        if read_split(run / "model")["val"] != cohort.split["val"]:
            raise UsageError(f"{run}: held out other patients. Give its own --data and --hold-out.")
        model = load_model(run / "model", torch.device("cpu"))
        predictor = DiffusionPredictor(model, [Choice(method) for method in args.methods])
        found = [predictor(cohort, patient) for patient in patients]
        for method in args.methods:
            pairs = zip(found, patients, strict=True)
            rows = table([at_cuts(f[method].prob, p.y > 0) for f, p in pairs], true)
            lines = [f"\n{run.parent.name}/{run.name}, {method}:\n", HEAD, RULE]
            print("\n".join([*lines, *(row.line() for row in rows)]), flush=True)


if __name__ == "__main__":
    main()
