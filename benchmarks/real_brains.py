"""Brain volumes of real heads, as they are and with slices ruined in turn.

    python benchmarks/real_brains.py SCANS [SCANS ...] [--every N | --middle] [--run N]

SCANS is whatever `strokediff segment` takes: a file, a series, a folder of them. In each head
every slice (or every Nth, or the middle one only) that shows at least 20 cm² of brain is ruined
in turn, with `--run` slices in a row, in each of the ways below. Printed is by how much the
brain's volume then differs from that of the scan as it is, how often the ruined slices are named
unusable, how often there is a warning that the scan as it is does not have, and how many other
slices are named.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from strokediff.benchmark.tables import ruled as ruled_table
from strokediff.ct.brain import BrainMask, extract_brain
from strokediff.ct.discovery.discover import discover, load_case
from strokediff.ct.volume import CT
from strokediff.errors import StrokediffError

Slice = NDArray[np.float32]
Mask = NDArray[np.bool_]
LEAST_MM2 = 2000.0
AIR_HU = -1024.0
COLUMNS = ("ruined", "heads", "trials", "median", "worst", "within 2 %", "named", "warned")


def _half(hu: Slice, brain: Mask) -> Slice:
    """A stream cut off: the rear half of the brain is air."""
    ruined = hu.copy()
    ruined[:, : int(np.nonzero(brain)[1].mean())] = AIR_HU
    return ruined


def _third(hu: Slice, brain: Mask) -> Slice:
    """The front third of the brain is air."""
    ruined = hu.copy()
    y = np.nonzero(brain)[1]
    ruined[:, int(y.max() - (y.max() - y.min()) / 3) :] = AIR_HU
    return ruined


def _streaks(hu: Slice, brain: Mask) -> Slice:
    """An aneurysm clip a little off the middle, with its rays."""
    x, y = np.indices(brain.shape)
    cx, cy = (float(c.mean()) for c in np.nonzero(brain))
    size = np.sqrt(brain.sum() / np.pi)
    dx, dy = x - cx + 0.3 * size, y - cy - 0.15 * size
    radius, angle = np.hypot(dx, dy), np.arctan2(dy, dx)
    ruined: Slice = (hu + 200 * np.sin(9 * angle) * np.exp(-radius / size)).astype(np.float32)
    ruined[radius < 0.08 * size] = 3071.0
    return ruined


def _motion(hu: Slice, brain: Mask) -> Slice:
    """The head seen twice, a tenth of the brain's width apart."""
    width = int(np.ptp(np.nonzero(brain)[0]) / 10)
    return np.float32(0.5) * (hu + np.roll(hu, width, axis=0))


def _noise(hu: Slice, k: int) -> Slice:
    """Noise of 60 HU in each pixel."""
    return hu + np.random.default_rng(k).normal(0, 60, hu.shape).astype(np.float32)


RUINS: dict[str, Callable[[Slice, Mask, int], Slice]] = {
    "blank": lambda hu, brain, k: np.full_like(hu, AIR_HU),
    "zero": lambda hu, brain, k: np.zeros_like(hu),
    "half": lambda hu, brain, k: _half(hu, brain),
    "third": lambda hu, brain, k: _third(hu, brain),
    "streaks": lambda hu, brain, k: _streaks(hu, brain),
    "noise": lambda hu, brain, k: _noise(hu, k),
    "motion": lambda hu, brain, k: _motion(hu, brain),
}
"""A slice (X, Y) in HU, the brain in it and its number, to what is left of it."""


@dataclass(frozen=True)
class Trial:
    """One head with a slice or more ruined in one way."""

    head: str
    ruined: str
    whole_ml: float
    ruined_ml: float
    named: bool
    warned: bool
    others: int


def main(
    scans: list[Path],
    every: Annotated[int, typer.Option(help="Ruin every Nth slice only.")] = 1,
    middle: Annotated[bool, typer.Option(help="Ruin the middle slice only.")] = False,
    run: Annotated[int, typer.Option(help="How many slices in a row are ruined.")] = 1,
) -> None:
    trials: list[Trial] = []
    for path in scans:
        for case in discover(path).cases:
            try:
                ct = load_case(case)
                whole = extract_brain(ct)
            except StrokediffError as error:
                print(f"{case.name}: {error}", file=sys.stderr)
                continue
            print(f"{case.name}: {whole.volume_ml:.0f} mL", *whole.warnings, flush=True)
            ks = enough(ct, whole)
            ks = ks[len(ks) // 2 :][:1] if middle else ks[::every]
            trials += ruined(case.name, ct, whole, ks, run)
    print("\n".join(table(trials)))


def enough(ct: CT, whole: BrainMask) -> list[int]:
    """Slices that show at least LEAST_MM2 of brain."""
    area = np.count_nonzero(whole.mask, axis=(0, 1)) * np.prod(ct.pixel_spacing_mm)
    return [int(k) for k in np.flatnonzero(area > LEAST_MM2)]


def ruined(name: str, ct: CT, whole: BrainMask, ks: Sequence[int], run: int = 1) -> Iterator[Trial]:
    """Ruin `run` slices from each of `ks` on, and extract the brain anew."""
    usable = enough(ct, whole)
    for k in ks:
        slices = [j for j in range(k, k + run) if j in usable]
        for kind, ruin in RUINS.items():
            hu = ct.hu.copy()
            for j in slices:
                hu[:, :, j] = ruin(ct.hu[:, :, j], whole.mask[:, :, j], j)
            found = extract_brain(replace(ct, hu=hu))
            others = set(found.unusable) - set(whole.unusable) - set(slices)
            named = set(slices) <= set(found.unusable)
            warned = bool(set(found.warnings) - set(whole.warnings))
            yield Trial(name, kind, whole.volume_ml, found.volume_ml, named, warned, len(others))


def table(trials: Sequence[Trial]) -> list[str]:
    """A row a way of ruining: how far the volume moves, and which slices are named."""
    cells = []
    for kind in RUINS:
        rows = [t for t in trials if t.ruined == kind]
        if rows:
            change = np.abs([t.ruined_ml / t.whole_ml - 1 for t in rows])
            told, warned = (np.mean([getattr(t, key) for t in rows]) for key in ("named", "warned"))
            counts = str(len({t.head for t in rows})), str(len(rows))
            moved = (
                f"{np.median(change):.2%}",
                f"{change.max():.2%}",
                f"{np.mean(change <= 0.02):.1%}",
            )
            others = str(sum(t.others for t in rows))
            cells.append([kind, *counts, *moved, f"{told:.1%}", f"{warned:.1%}", others])
    return ruled_table([*COLUMNS, "others named"], cells)


if __name__ == "__main__":
    typer.run(main)
