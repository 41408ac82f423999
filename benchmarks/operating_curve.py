"""Does a method lead wherever it is cut? Every row of a benchmark at many cuts of its probability.

    python benchmarks/operating_curve.py PREDICTIONS -o DIR [--rows unet sdpm-avg ...] [--seeds 0 1]

PREDICTIONS is the `predictions` of `strokediff benchmark`. Dice, VC and VDP hang on where the
probability is cut, and a network that is less sure of itself is not a worse one: so this draws, for
each row, mean Dice against mean VDP over all cuts (patients with a lesion, in 3D, the mean over the
seeds that are there). It shows which rows lead at every operating point; no cut is chosen by it,
since these are the test patients. SDPM's probabilities have lost their lone pixels at one half.
Writes DIR/operating_curve.md and .png.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
from cuts import HEAD, RULE, Figures, at_cuts, table
from matplotlib.colors import TABLEAU_COLORS
from matplotlib.figure import Figure

from strokediff.benchmark.arms import ARMS
from strokediff.benchmark.figures import save
from strokediff.benchmark.report import titles_of
from strokediff.benchmark.runner import rows_of
from strokediff.ct.nifti.masks import read_mask, read_probability
from strokediff.errors import InputError
from strokediff.util.files import write_text

MARKED = "0.5"
"""The cut of the benchmark's tables."""


def folders(predictions: Path, seeds: Sequence[int]) -> Iterator[tuple[str, str, Path]]:
    """Row, its title, and the folder of each of its `seeds`, of all if none are named."""
    wanted = [f"seed-{seed}" for seed in seeds]
    for name, arm in ARMS.items():
        for row, method in rows_of(arm).items():
            for seed in sorted(predictions.glob(f"{name}/seed-*")):
                if seeds and seed.name not in wanted:
                    continue
                if (seed / method / "masks").is_dir():
                    yield row, arm.rows[method], seed / method


def curve(folder: Path) -> list[Figures]:
    """A row of the table for each cut."""
    found, true = [], []
    for file in sorted((folder.parent / "truth").glob("*.nii.gz")):
        y = read_mask(file).array > 0
        if y.any():
            found.append(at_cuts(read_probability(folder / "probabilities" / file.name).array, y))
            true.append(int(y.sum()))
    return table(found, np.array(true, dtype=np.float64))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("predictions", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--rows", nargs="+", default=[])
    parser.add_argument("--seeds", type=int, nargs="+", default=[])
    args = parser.parse_args()
    curves: dict[str, list[list[Figures]]] = {}
    patients: set[str] = set()
    for row, title, folder in folders(args.predictions, args.seeds):
        if not args.rows or row in args.rows:
            names = {file.name for file in (folder.parent / "truth").glob("*.nii.gz")}
            patients = patients or names
            if names != patients:
                raise InputError(f"{folder.parent}: of other patients than the rows before it.")
            curves.setdefault(title, []).append(curve(folder))
    if not curves:
        raise InputError(f"{args.predictions}: no predictions of a benchmark's rows in it.")
    means = {
        title: [mean(points) for points in zip(*own, strict=True)] for title, own in curves.items()
    }
    args.out.mkdir(parents=True, exist_ok=True)
    lines = [f"| method {HEAD}", f"| --- {RULE}"]
    lines += [f"| {title} {point.line()}" for title, points in means.items() for point in points]
    write_text(args.out / "operating_curve.md", "\n".join(lines) + "\n")
    save(drawn(means), args.out / "operating_curve.png")


def mean(points: Sequence[Figures]) -> Figures:
    """One cut, the mean over seeds."""
    names = [field.name for field in fields(Figures) if field.name != "cut"]
    values = {name: float(np.mean([getattr(p, name) for p in points])) for name in names}
    return Figures(points[0].cut, **values)


def drawn(curves: Mapping[str, Sequence[Figures]]) -> Figure:
    """Dice against VDP: up and to the left is better; a dot where the tables cut; ours solid."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    colours = [*TABLEAU_COLORS, "black", "gold", "navy", "lime", "salmon", "teal"]
    ours = {title for arm in ARMS.values() if arm.ours for title in titles_of([arm]).values()}
    for number, (title, points) in enumerate(curves.items()):
        own = [point for point in points if point.cut != "expected"]
        style, colour = "-" if title in ours else "--", colours[number % len(colours)]
        axes.plot([p.vdp for p in own], [p.dice for p in own], style, color=colour, label=title)
        (marked,) = (point for point in own if point.cut == MARKED)
        axes.plot(marked.vdp, marked.dice, "o", color=colour)
    axes.set(xlabel="mean VDP", ylabel="mean Dice")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


if __name__ == "__main__":
    main()
