"""What an estimate is worth for its network evaluations: the curve of every method.

    python benchmarks/inference.py MODEL --data COHORT -o DIR [--patients 20] [--slices 8]
                                   [--reference-draws 4] [--split test]

Patients of COHORT's split, evenly spread over it, go through every method at many costs, from one
evaluation a slice to the paper's sums over every t, on the network's grid. `--slices` evenly
spaced slices with brain are used of each (0: all), since the reference takes 250 evaluations a
draw. Each method's reference has `--reference-draws` draws of the paper's 100 or 50. Dice, VDP and
the volume's error are means over patients, VC is Pearson's r of the volumes; lesion is y_0 >= 0.

Writes DIR/inference.json, DIR/inference.md and DIR/inference.png. What was estimated is kept by
patient in DIR/patients and not again, so the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch

from strokediff.cohort.store import Cohort, Patient, open_cohort
from strokediff.evaluation.metrics import Confusion, volume_difference
from strokediff.evaluation.summary import volume_correlation
from strokediff.inference.algorithm1 import Algorithm1
from strokediff.inference.direct import Direct
from strokediff.inference.estimator import Context, Estimator, Slices
from strokediff.inference.executor import denoiser_on
from strokediff.inference.fusion import Fused
from strokediff.inference.mirrored import Mirrored
from strokediff.inference.once import shared
from strokediff.inference.presets import METHODS, Choice
from strokediff.inference.repeated import Repeated
from strokediff.inference.salient import Salient, Stratified
from strokediff.prediction.diffusion import slices_of
from strokediff.segmentation.model import Model, load_model
from strokediff.util.files import write_json, write_text
from strokediff.util.machine import machine_name

AIM_DIFFERENCE, AIM_EVALUATIONS = 0.005, 64


@dataclass(frozen=True)
class Curve:
    """Estimators of one quantity, by cost; `reference` is the paper's own sum."""

    name: str
    points: tuple[Estimator, ...]
    reference: Estimator | None = None


def curves(T: int, draws: int) -> list[Curve]:
    """Every method as printed, cheaper, and as the preset `fast` has it."""
    half, near, chain = T // 2, round(T * 0.1), round(T * 0.05)
    direct = Repeated(Direct())

    def salient(T_i: int, mirrored: bool) -> tuple[Estimator, ...]:
        found = []
        for points, repeats in ((1, 1), (2, 1), (4, 1), (4, 2), (4, 4), (8, 4), (8, 8)):
            sampler = Stratified(T_i, points)
            found.append(Repeated(Mirrored(sampler) if mirrored else sampler, repeats))
        return tuple(found)

    def markov(T_i: int) -> tuple[Estimator, ...]:
        visits = [v for v in (2, 4, 8, 16, 32, 64) if v < T_i]
        return tuple(Repeated(Algorithm1(T_i, stride=max(1, T_i // v))) for v in visits)

    short = Algorithm1(chain, stride=max(1, chain // 2))

    def union(sal: tuple[Estimator, ...], inf: tuple[Estimator, ...]) -> tuple[Estimator, ...]:
        return tuple(Fused([direct, a, b]) for a, b in zip(sal, inf, strict=False))

    sal_ref = Repeated(Salient(half), draws)
    inf_ref = Repeated(Algorithm1(half), draws)
    chain_ref = Repeated(Algorithm1(chain), draws)
    return [
        Curve("avg", (direct, Repeated(Mirrored(Direct()), 2)), direct),
        Curve("sal, T_i = T/2", salient(half, mirrored=False), sal_ref),
        Curve("sal, T_i = T/10", salient(near, mirrored=False), Repeated(Salient(near), draws)),
        Curve("sal, T_i = T/10, mirrored", salient(near, mirrored=True)),
        Curve("infer, T_i = T/2", markov(half), inf_ref),
        Curve("infer, T_i = T/20", markov(chain), chain_ref),
        Curve(
            "infer, T_i = T/20, 3 each", tuple(Repeated(short, n) for n in (1, 2, 4, 8)), chain_ref
        ),
        Curve(
            "all, T_i = T/2",
            union(salient(half, mirrored=False), markov(half)),
            Fused([direct, sal_ref, inf_ref]),
        ),
        Curve("fast", tuple(Choice(method).estimator(T) for method in METHODS)),
    ]


def main() -> None:
    args = arguments()
    model, cohort = load_model(args.model, torch.device(args.device)), open_cohort(args.data)
    names = spread(cohort.split[args.split], args.patients)
    chosen = curves(model.process.T, args.reference_draws)
    points = {label: e for curve in chosen for label, e in labelled(curve)}
    rows: dict[str, list[dict[str, float]]] = {}
    for name in names:
        found = estimated(args, model, cohort, name, points.values())
        for label, estimator in points.items():
            rows.setdefault(label, []).append(found[described(estimator)])
        print(name, {k: round(v[-1]["dice"], 3) for k, v in rows.items()}, flush=True)
    write(args, model, chosen, rows, len(names))


def estimated(
    args: argparse.Namespace,
    model: Model,
    cohort: Cohort,
    name: str,
    estimators: Iterable[Estimator],
) -> dict[str, dict[str, float]]:
    """A patient's figures by estimator; what an earlier run kept is not estimated again."""
    file = args.out / "patients" / f"{name}.json"
    key = {"sha256": model.card["sha256"], "slices": args.slices}
    kept = json.loads(file.read_text()) if file.is_file() else {}
    found: dict[str, dict[str, float]] = kept["found"] if kept.get("key") == key else {}
    missing = {described(e): e for e in estimators if described(e) not in found}
    if missing:
        patient = cohort.read(name)
        slices, truth = some_slices(patient, slices_of(cohort, patient, model), args.slices)
        found |= dict(scored(model, missing, slices, truth))
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, {"key": key, "found": found})
    return found


def described(estimator: Estimator) -> str:
    """What it is, in words that are the same in another run: without functions' addresses."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(estimator))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="test")
    parser.add_argument("--patients", type=int, default=20)
    parser.add_argument("--slices", type=int, default=8)
    parser.add_argument("--reference-draws", type=int, default=4)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("-o", "--out", type=Path, required=True)
    return parser.parse_args()


def spread(names: list[str], n: int) -> list[str]:
    """n of the names, evenly spaced: they are sorted by kind of lesion."""
    at = np.unique(np.linspace(0, len(names) - 1, n).round().astype(int)) if names else []
    return [names[i] for i in at]


def some_slices(patient: Patient, slices: Slices, n: int) -> tuple[Slices, np.ndarray]:
    """n evenly spaced slices with brain (0: all of them), and their true lesion."""
    if n and n < len(slices.keys):
        index = np.linspace(0, len(slices.keys) - 1, n + 2)[1:-1].round().astype(int).tolist()
        slices = replace(slices.rows(index, [0] * n), draws=())
    return slices, patient.y[list(slices.keys)] > 0


def scored(
    model: Model, points: dict[str, Estimator], slices: Slices, truth: np.ndarray
) -> Iterator[tuple[str, dict[str, float]]]:
    """The figures of every estimator for one patient; equal parts of them are run once."""
    with denoiser_on(model.network, model.device) as network:
        context = Context(network, model.process, model.noise)
        for key, estimator in shared(points).items():
            y_0 = estimator.estimate(slices, context).y_0
            mask = ((y_0 >= 0) & (slices.m > 0))[:, 0].numpy()
            figures = {
                "dice": Confusion.of(mask, truth).dice,
                "found": int(mask.sum()),
                "true": int(truth.sum()),
                "seconds": estimator.seconds,
            }
            yield key, figures


def labelled(curve: Curve) -> Iterator[tuple[str, Estimator]]:
    """Every point of a curve with a name of its own; the reference comes last."""
    for n, estimator in enumerate(curve.points):
        yield f"{curve.name} #{n}", estimator
    if curve.reference:
        yield f"{curve.name} reference", curve.reference


def figures(patients: list[dict[str, float]]) -> dict[str, float | None]:
    """Means over patients; VDP where there is a lesion, VC where volumes vary."""
    found, true = (np.array([p[k] for p in patients]) for k in ("found", "true"))
    vdp = [
        volume_difference(volume_pred_ml=f, volume_true_ml=t)
        for f, t in zip(found, true, strict=True)
    ]
    vc = volume_correlation(found.tolist(), true.tolist())[0]
    return {
        "dice": float(np.mean([p["dice"] for p in patients])),
        "vdp": float(np.mean([v for v in vdp if v is not None])),
        "vc": vc,
        "error": float(np.mean(np.abs(found - true))),
        "seconds": float(np.mean([p["seconds"] for p in patients])),
    }


def write(
    args: argparse.Namespace,
    model: Model,
    chosen: list[Curve],
    rows: dict[str, list[dict[str, float]]],
    n: int,
) -> None:
    lines = [
        f"{n} patients of {args.data.name} ({args.split}), {args.slices or 'all'} slices each, "
        f"model {model.card['name']} ({model.card['sha256'][:12]}), "
        f"{args.reference_draws} draws in a reference.",
        f"{machine_name(args.device)}, {date.today()}.",
        "",
        "| method | evaluations a slice | Dice | VDP | VC | volume error, pixels | s a patient |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    table: dict[str, list[dict[str, Any]]] = {}
    for curve in chosen:
        for label, estimator in labelled(curve):
            row = {"evaluations": estimator.evaluations(), **figures(rows[label])}
            row["reference"] = label.endswith("reference")
            table.setdefault(curve.name, []).append(row)
            mark = " (reference)" if row["reference"] else ""
            vc = "-" if row["vc"] is None else f"{row['vc']:.3f}"
            lines.append(
                f"| {curve.name}{mark} | {row['evaluations']:,} | {row['dice']:.3f} | "
                f"{row['vdp']:.3f} | {vc} | {row['error']:.1f} | {row['seconds']:.2f} |"
            )
    lines += ["", *verdicts(table)]
    write_json(args.out / "inference.json", table)
    write_text(args.out / "inference.md", "\n".join(lines) + "\n")
    draw(table, args.out / "inference.png")
    print("\n".join(lines))


def verdicts(table: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    """How near each curve comes to its reference within the aimed cost, and from where it stays."""
    for name, points in table.items():
        reference = next((p for p in points if p["reference"]), None)
        cheap = sorted((p for p in points if not p["reference"]), key=lambda p: p["evaluations"])
        cheap = [p for p in cheap if p["evaluations"] <= AIM_EVALUATIONS]
        if reference is None or reference["evaluations"] <= 1:
            continue
        said = [
            f"{title} {apart(cheap[-1], reference, key)}, {stays(cheap, reference, key)}"
            for key, title in (("dice", "Dice"), ("vc", "VC"))
        ]
        spent = f"{cheap[-1]['evaluations']} against {reference['evaluations']:,} evaluations"
        yield f"- {name}, {spent}: {'; '.join(said)}"


def apart(point: dict[str, Any], reference: dict[str, Any], key: str) -> str:
    """The difference of a figure from the reference's."""
    pair = (point[key], reference[key])
    return "-" if None in pair else f"{pair[0] - pair[1]:+.3f}"


def stays(cheap: list[dict[str, Any]], reference: dict[str, Any], key: str) -> str:
    """From which of the points on a figure stays as near the reference's as aimed."""
    near: int | None = None
    for point in cheap:
        pair = (point[key], reference[key])
        within = None not in pair and abs(pair[0] - pair[1]) <= AIM_DIFFERENCE
        near = (near or point["evaluations"]) if within else None
    return f"within {AIM_DIFFERENCE} from {near} on" if near else f"not within {AIM_DIFFERENCE}"


def draw(table: dict[str, list[dict[str, Any]]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(13, 4.6), layout="constrained")
    for axis, (key, title) in zip(
        axes, (("dice", "Dice"), ("vdp", "VDP"), ("error", "volume error, pixels")), strict=True
    ):
        for k, (name, points) in enumerate(table.items()):
            ordered = sorted(points, key=lambda p: p["evaluations"])
            x, y = ([p[key] for p in ordered] for key in ("evaluations", key))
            style = "D" if name == "fast" else ".-"
            axis.plot(x, y, style, color=f"C{k}", label=name)
            for p in (p for p in points if p["reference"]):
                axis.plot(p["evaluations"], p[key], "s", color=f"C{k}", markersize=7)
        axis.set(xscale="log", xlabel="network evaluations a slice", title=title)
        axis.grid(alpha=0.3)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, fontsize=8)
    figure.savefig(path, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main()
