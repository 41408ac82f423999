"""What `--tolerance-ml` spends, and whether it keeps what it says, patient by patient.

    python benchmarks/tolerance.py MODEL --data COHORT -o DIR [--split val] [--patients 10]
                                   [--tolerances 4 2 1] [--most 128]

The salient estimate of the preset `fast` is drawn for whole heads, on the network's grid: as the
preset has it, with every tolerance (`--most` evaluations a slice at most), and, from another seed,
with `--most` evaluations in every slice, the reference. "kept" is the share of patients whose mean
volume over draws is within the tolerance of the reference's; 90 % is promised where `--most` is not
reached. Dice and volume error are those of the mask y_0 >= 0. Writes DIR/tolerance.json and
DIR/tolerance.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import torch
from inference import spread

from strokediff.cohort.store import Cohort, open_cohort
from strokediff.evaluation.metrics import Confusion
from strokediff.inference.estimator import Context, LabelEstimate
from strokediff.inference.executor import denoiser_on
from strokediff.inference.presets import Choice, Limits
from strokediff.prediction.diffusion import slices_of
from strokediff.segmentation.model import Model, load_model
from strokediff.util.files import write_json, write_text
from strokediff.util.machine import machine_name

Row = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="val")
    parser.add_argument("--patients", type=int, default=10)
    parser.add_argument("--tolerances", type=float, nargs="+", default=[4, 2, 1])
    parser.add_argument("--most", type=int, default=128)
    parser.add_argument("-o", "--out", type=Path, required=True)
    args = parser.parse_args()
    model, cohort = load_model(args.model, torch.device("cpu")), open_cohort(args.data)
    limits = {f"+- {x:g} mL": Limits(x, args.most) for x in args.tolerances}
    found: dict[str, list[Row]] = {}
    for name in spread(cohort.split[args.split], args.patients):
        for row, figures in measured(model, cohort, name, limits, args.most):
            found.setdefault(row, []).append(figures)
        print(name, {k: v[-1] for k, v in found.items()}, flush=True)
    n = len(found["preset"])
    lines = [
        f"{n} patients of {args.data.name} ({args.split}), model {model.card['name']} "
        f"({model.card['sha256'][:12]}), at most {args.most} evaluations a slice; "
        f"{machine_name()}, {date.today()}",
        "",
        *table(found, dict(zip(limits, args.tolerances, strict=True))),
    ]
    write_text(args.out / "tolerance.md", "\n".join(lines) + "\n")
    write_json(args.out / "tolerance.json", found)
    print("\n".join(lines))


def measured(
    model: Model, cohort: Cohort, name: str, limits: dict[str, Limits], most: int
) -> Iterator[tuple[str, Row]]:
    """Every way's figures for one patient; the reference comes first."""
    patient = cohort.read(name)
    slices = slices_of(cohort, patient, model)
    if slices.pixel_ml is None:
        raise SystemExit(f"{name}: a tolerance in mL needs a cohort with a known spacing")
    pixel_ml = slices.pixel_ml.double()
    truth = patient.y[list(slices.keys)] > 0
    true_ml = float((torch.from_numpy(truth).flatten(1).sum(1).double() * pixel_ml).sum())
    ways = {"reference": Limits(max_evaluations=most), "preset": Limits(), **limits}
    reference_ml = 0.0
    with denoiser_on(model.network, model.device) as network:
        context = Context(network, model.process, model.noise)
        for way, limit in ways.items():
            seen = replace(slices, seed=slices.seed + 1) if way == "reference" else slices
            estimate = (
                Choice("sal", limits=limit).estimator(model.process.T).estimate(seen, context)
            )
            mean_ml = volume(estimate, pixel_ml)
            if way == "reference":
                reference_ml = mean_ml
            mask = (estimate.y_0 >= 0) & (slices.m > 0)
            ml = float((mask.flatten(1).sum(1).double() * pixel_ml).sum())
            yield (
                way,
                {
                    "evaluations": estimate.evaluations / len(slices.keys),
                    "apart": abs(mean_ml - reference_ml),
                    "dice": Confusion.of(mask[:, 0].numpy(), truth).dice,
                    "error": abs(ml - true_ml),
                },
            )


def volume(estimate: LabelEstimate, pixel_ml: torch.Tensor) -> float:
    """The mean volume over draws in mL, which the tolerance is for."""
    return float((estimate.tally.area * pixel_ml).sum())


def table(found: dict[str, list[Row]], tolerances: dict[str, float]) -> Iterator[str]:
    yield "| draws | evaluations a slice | apart from the reference, mL | kept | Dice | error, mL |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for way, rows in found.items():
        of = {k: np.array([row[k] for row in rows]) for k in rows[0]}
        spent, apart = of["evaluations"], of["apart"]
        kept = f"{np.mean(apart <= tolerances[way]):.0%}" if way in tolerances else "-"
        yield (
            f"| {way} | {spent.mean():.1f} ({spent.min():.0f} to {spent.max():.0f}) | "
            f"{apart.mean():.2f} | {kept} | {of['dice'].mean():.3f} | {of['error'].mean():.2f} |"
        )


if __name__ == "__main__":
    main()
