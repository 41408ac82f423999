"""Brain volumes of real heads, as they are and with slices ruined in turn.

    python benchmarks/real_brains.py SCANS [SCANS ...] [--every N | --middle] [--run N] [-o CSV]

SCANS is whatever `strokediff segment` takes: a file, a series, a folder of them. In each head
every slice (or every Nth, or the middle one only) that shows at least 20 cm² of brain is ruined
in turn, with `--run` slices in a row, in each of the ways below. Printed is by how much the
brain's volume then differs from that of the scan as it is, how often the ruined slices are named
unusable, how often there is a warning that the scan as it is does not have, and how many other
slices are named.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from strokediff.ct.brain import BrainMask, extract_brain
from strokediff.ct.discovery.discover import discover, load_case
from strokediff.ct.volume import CT
from strokediff.errors import StrokediffError

Array = NDArray[np.float32]
Ruin = Callable[[Array, int, NDArray[np.bool_]], Array]
"""(hu (X, Y, Z), slice, brain (X, Y) of it) to the ruined slice (X, Y)."""

LEAST_MM2 = 2000.0


def blank(hu: Array, k: int, brain: NDArray[np.bool_]) -> Array:
    """Lost in transfer: air."""
    return np.full_like(hu[:, :, k], -1024.0)


def zero(hu: Array, k: int, brain: NDArray[np.bool_]) -> Array:
    """Zero-filled."""
    return np.zeros_like(hu[:, :, k])


def half(hu: Array, k: int, brain: NDArray[np.bool_]) -> Array:
    """A stream cut off: the rear half of the brain is air."""
    ruined = hu[:, :, k].copy()
    ruined[:, : int(np.nonzero(brain)[1].mean())] = -1024.0
    return ruined


def third(hu: Array, k: int, brain: NDArray[np.bool_]) -> Array:
    """The front third of the brain is air."""
    ruined = hu[:, :, k].copy()
    y = np.nonzero(brain)[1]
    ruined[:, int(y.max() - (y.max() - y.min()) / 3) :] = -1024.0
    return ruined


def streaks(hu: Array, k: int, brain: NDArray[np.bool_]) -> Array:
    """An aneurysm clip a little off the middle, with its rays."""
    x, y = np.indices(brain.shape)
    cx, cy = (float(c.mean()) for c in np.nonzero(brain))
    size = np.sqrt(brain.sum() / np.pi)
    radius = np.hypot(x - cx + 0.3 * size, y - cy - 0.15 * size)
    angle = np.arctan2(y - cy - 0.15 * size, x - cx + 0.3 * size)
    ruined = hu[:, :, k] + 200 * np.sin(9 * angle) * np.exp(-radius / size)
    ruined[radius < 0.08 * size] = 3071.0
    return ruined.astype(np.float32)


def noise(hu: Array, k: int, brain: NDArray[np.bool_]) -> Array:
    """Noise of 60 HU in each pixel."""
    return hu[:, :, k] + np.random.default_rng(k).normal(0, 60, brain.shape).astype(np.float32)


def motion(hu: Array, k: int, brain: NDArray[np.bool_]) -> Array:
    """The head seen twice, a tenth of the brain's width apart."""
    width = int(np.ptp(np.nonzero(brain)[0]) / 10)
    return np.float32(0.5) * (hu[:, :, k] + np.roll(hu[:, :, k], width, axis=0))


RUINS: dict[str, Ruin] = {f.__name__: f for f in (blank, zero, half, third, streaks, noise, motion)}


@dataclass(frozen=True)
class Trial:
    """One head with slices ruined in one way: what came of it."""

    head: str
    ruin: str
    slice: int
    whole_ml: float
    ruined_ml: float
    named: bool
    told: bool
    others: int

    @property
    def change(self) -> float:
        """Relative change of the brain's volume."""
        return self.ruined_ml / self.whole_ml - 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scans", nargs="+", type=Path)
    parser.add_argument("--every", type=int, default=1, help="ruin every Nth slice only")
    parser.add_argument("--middle", action="store_true", help="ruin the middle slice only")
    parser.add_argument("--run", type=int, default=1, help="how many slices in a row are ruined")
    parser.add_argument("-o", "--out", type=Path, help="CSV of every trial")
    options = parser.parse_args()
    trials: list[Trial] = []
    for path in options.scans:
        for case in discover(path).cases:
            try:
                volume = load_case(case)
                whole = extract_brain(volume)
            except StrokediffError as error:
                print(f"{case.name}: {error}", file=sys.stderr)
                continue
            print(f"{case.name}: {whole.volume_ml:.0f} mL", *whole.warnings, flush=True)
            ks = enough(volume, whole)
            ks = ks[len(ks) // 2 :][:1] if options.middle else ks[:: options.every]
            trials += ruined(case.name, volume, whole, ks, options.run)
    Console(width=110).print(table(trials))
    if options.out:
        write_csv(options.out, trials)


def enough(volume: CT, whole: BrainMask) -> list[int]:
    """Slices that show at least LEAST_MM2 of brain."""
    area = np.count_nonzero(whole.mask, axis=(0, 1)) * np.prod(volume.pixel_spacing_mm)
    return [int(k) for k in np.flatnonzero(area > LEAST_MM2)]


def ruined(name: str, volume: CT, whole: BrainMask, ks: list[int], run: int = 1) -> Iterator[Trial]:
    """Ruin `run` slices from each of `ks` on, and extract the brain anew."""
    usable = enough(volume, whole)
    for k in ks:
        slices = [j for j in range(k, k + run) if j in usable]
        for kind, ruin in RUINS.items():
            hu = volume.hu.copy()
            for j in slices:
                hu[:, :, j] = ruin(volume.hu, j, whole.mask[:, :, j])
            found = extract_brain(replace(volume, hu=hu))
            new = set(found.unusable) - set(whole.unusable)
            named, others = set(slices) <= set(found.unusable), len(new - set(slices))
            told = bool(set(found.warnings) - set(whole.warnings))
            yield Trial(name, kind, k, whole.volume_ml, found.volume_ml, named, told, others)


def table(trials: list[Trial]) -> Table:
    """A row a way of ruining: how far the volume moves, and which slices are named."""
    shown = Table("ruined", "heads", "trials", "median", "worst", "within 2 %", "named", "warned")
    shown.add_column("others named")
    for kind in RUINS:
        rows = [t for t in trials if t.ruin == kind]
        if rows:
            change = np.abs([t.change for t in rows])
            shown.add_row(
                kind,
                str(len({t.head for t in rows})),
                str(len(rows)),
                f"{np.median(change):.2%}",
                f"{change.max():.2%}",
                f"{np.mean(change <= 0.02):.1%}",
                f"{np.mean([t.named for t in rows]):.1%}",
                f"{np.mean([t.told for t in rows]):.1%}",
                str(sum(t.others for t in rows)),
            )
    return shown


def write_csv(path: Path, trials: list[Trial]) -> None:
    """Every trial; slices are counted from 1 at the bottom."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(
            ["head", "ruined", "slice", "whole_ml", "ruined_ml", "named", "warned", "others"]
        )
        for t in trials:
            volumes = f"{t.whole_ml:.1f}", f"{t.ruined_ml:.1f}"
            writer.writerow([t.head, t.ruin, t.slice + 1, *volumes, t.named, t.told, t.others])


if __name__ == "__main__":
    main()
