"""Which fusion of the three estimates is best, and does one that is learned beat the fixed ones?

    python benchmarks/fusion.py MODEL --data COHORT -o DIR [--split val] [--folds 5]

The estimates `avg`, `sal` and `infer` of the preset `fast` are drawn once a patient, on the
network's grid, and fused. `learned` is a logistic regression on the three logits 2 artanh(y_0),
fitted to the pixels inside the brains of the other folds' patients. Every row's threshold is chosen
on the other folds too, by Dice, so no patient is scored by what was fitted to him; `at 0` is
the threshold that nothing chooses. Figures are means over patients of 3D Dice and VDP; differences
from `union`, the paper's, are paired, with 95 % bootstrap intervals over patients.
Writes DIR/fusion.json and DIR/fusion.md. Estimates are kept in DIR/estimates, by model.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from strokediff.cohort.store import Cohort, open_cohort
from strokediff.evaluation.bootstrap import bootstrap
from strokediff.inference.estimator import Context
from strokediff.inference.executor import denoiser_on
from strokediff.inference.presets import FUSIONS, Choice
from strokediff.prediction.diffusion import slices_of
from strokediff.segmentation.model import Model, load_model
from strokediff.util.files import write_json, write_text
from strokediff.util.machine import machine_name

PARTS = ("avg", "sal", "infer")
THRESHOLDS = np.round(np.arange(-0.8, 0.81, 0.2), 1)
PIXELS = 20_000
"""Pixels of a patient that the regression is fitted to."""


@dataclass(frozen=True)
class Case:
    """A patient's estimates (3, S, 1, H, W), brain and true lesion (S, 1, H, W)."""

    name: str
    labels: Tensor
    m: Tensor
    truth: Tensor


Fuse = Callable[[Case], Tensor]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="val")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("-o", "--out", type=Path, required=True)
    args = parser.parse_args()
    model, cohort = load_model(args.model, torch.device("cpu")), open_cohort(args.data)
    names = cohort.split[args.split]
    cases = [
        estimated(model, cohort, name, args.out / "estimates" / model.card["sha256"][:12])
        for name in names
    ]
    folds = [[c for i, c in enumerate(cases) if i % args.folds == k] for k in range(args.folds)]
    rows = {part: scored(folds, fixed(lambda c, i=i: c.labels[i])) for i, part in enumerate(PARTS)}
    for name, fuse in FUSIONS.items():
        rows[name] = scored(folds, fixed(lambda c, fuse=fuse: fuse(c.labels, c.m)))
    rows["learned"] = scored(folds, learned)
    lines = [
        f"{len(cases)} patients of {args.data.name} ({args.split}), model {model.card['name']} "
        f"({model.card['sha256'][:12]}), {args.folds} folds; {machine_name()}, "
        f"{date.today()}",
        "",
        *table(rows),
    ]
    write_text(args.out / "fusion.md", "\n".join(lines) + "\n")
    plain = {k: [[None if np.isnan(v) else v for v in row] for row in rows[k]] for k in rows}
    write_json(args.out / "fusion.json", plain)
    print("\n".join(lines))


def estimated(model: Model, cohort: Cohort, name: str, folder: Path) -> Case:
    """The patient's three estimates, drawn unless they lie in `folder`."""
    file = folder / f"{name}.safetensors"
    patient = cohort.read(name)
    slices = slices_of(cohort, patient, model)
    if not file.is_file():
        with denoiser_on(model.network, model.device) as network:
            context = Context(network, model.process, model.noise)
            chosen = [Choice(part).estimator(model.process.T) for part in PARTS]
            labels = torch.stack([e.estimate(slices, context).y_0 for e in chosen])
        folder.mkdir(parents=True, exist_ok=True)
        save_file({"labels": labels.contiguous()}, file)
        print(name, flush=True)
    truth = torch.from_numpy(patient.y[list(slices.keys)] > 0)[:, None]
    return Case(name, load_file(file)["labels"], slices.m > 0, truth)


def fixed(fuse: Fuse) -> Callable[[Sequence[Case]], Fuse]:
    """A fusion that learns nothing from the cases."""
    return lambda cases: fuse


def learned(cases: Sequence[Case]) -> Fuse:
    """y_0 = tanh(l / 2), l = w . (logits, 1), the likeliest w on pixels of the cases."""
    g = torch.Generator().manual_seed(0)
    x, y = [], []
    for case in cases:
        inside = logits(case)[:, case.m].T
        picked = torch.randperm(len(inside), generator=g)[:PIXELS]
        x.append(inside[picked])
        y.append(case.truth[case.m][picked].float())
    seen, wanted = torch.cat(x), torch.cat(y)
    w = torch.tensor([0.0, 1.0, 0.0, 0.0], requires_grad=True)
    optimizer = torch.optim.LBFGS([w], max_iter=100)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(seen @ w, wanted)
        loss.backward()
        return loss

    optimizer.step(closure)
    print("weights of avg, sal, infer and 1:", [round(v, 3) for v in w.tolist()], flush=True)
    found = w.detach()
    return lambda case: torch.tanh(torch.einsum("kshwx,k->shwx", logits(case), found) / 2)


def logits(case: Case) -> Tensor:
    """(4, S, 1, H, W): the estimates' logits, and 1."""
    found = 2 * torch.atanh(case.labels.clamp(-0.9999, 0.9999))
    return torch.cat([found, torch.ones_like(found[:1])])


def scored(folds: Sequence[Sequence[Case]], fit: Callable[[Sequence[Case]], Fuse]) -> np.ndarray:
    """Dice and VDP at the chosen threshold, and both at 0, of every patient: (patients, 4)."""
    zero = int(np.flatnonzero(THRESHOLDS == 0)[0])
    found = []
    for k, held_out in enumerate(folds):
        others = [case for j, fold in enumerate(folds) if j != k for case in fold]
        fuse = fit(others)
        best = int(np.mean([at_thresholds(fuse, c)[:, 0] for c in others], axis=0).argmax())
        for case in held_out:
            own = at_thresholds(fuse, case)
            found.append([*own[best], *own[zero]])
    return np.array(found)


def at_thresholds(fuse: Fuse, case: Case) -> np.ndarray:
    """Dice and VDP (NaN without lesion) at every threshold, (THRESHOLDS, 2)."""
    y_0, true = fuse(case), int(case.truth.sum())
    rows = []
    for threshold in THRESHOLDS:
        mask = (y_0 >= threshold) & case.m
        n = int(mask.sum())
        dice = 2 * int((mask & case.truth).sum()) / (n + true) if n + true else 1.0
        rows.append((dice, abs(n - true) / true if true else np.nan))
    return np.array(rows)


def table(rows: dict[str, np.ndarray]) -> list[str]:
    lines = [
        "| fusion | Dice | VDP | Dice - union's | Dice at 0 | VDP at 0 |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, found in rows.items():
        apart = found[:, 0] - rows["union"][:, 0]
        interval = bootstrap(lambda index, apart=apart: float(apart[index].mean()), len(apart))
        mean = np.nanmean(found, axis=0)
        lines.append(
            f"| {name} | {mean[0]:.3f} | {mean[1]:.3f} | {interval.value:+.3f} "
            f"[{interval.low:+.3f}, {interval.high:+.3f}] | {mean[2]:.3f} | {mean[3]:.3f} |"
        )
    return lines


if __name__ == "__main__":
    main()
