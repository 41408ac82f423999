"""Which fusion of the three estimates is best, and does one that is learned beat the fixed ones?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from strokediff.benchmark.reports.estimates import Subject, Subjects
from strokediff.benchmark.results import mean_of_scans
from strokediff.benchmark.tables import ruled
from strokediff.evaluation.bootstrap import bootstrap
from strokediff.inference.estimation import FUSIONS, Estimation
from strokediff.inference.fusion import Fusion

PARTS = ("avg", "sal", "infer")
THRESHOLDS = np.round(np.arange(-0.8, 0.81, 0.2), 1)
UNTOUCHED = int(np.flatnonzero(THRESHOLDS == 0)[0])
PIXELS = 20_000
"""Pixels of a patient that the regression is fitted to."""


@dataclass(frozen=True)
class Estimated:
    """A patient with the estimates `PARTS`, (3, S, 1, H, W)."""

    subject: Subject
    labels: Tensor


Fuse = Callable[[Estimated], Tensor]


def fusions(
    subjects: Subjects, kept: Path, folds: int = 5
) -> tuple[dict[str, NDArray[np.float64]], list[str]]:
    """Every row's Dice and VDP at its threshold and at 0, a line a patient; and the table.

    The estimates of `fast` are drawn once a patient and kept in `kept`. Every row's threshold, and
    `learned`, are chosen on the other folds, by Dice, so that no patient is scored by what was
    fitted to him. Differences from `union`, the paper's, are paired, with 95 % bootstrap intervals
    over patients.
    """
    place = kept / subjects.model.card.sha256[:12]
    every = [Estimated(own, _labels(subjects, own, place)) for own in subjects]
    parts = [every[k::folds] for k in range(folds)]
    ways = {part: _part(i) for i, part in enumerate(PARTS)}
    ways |= {name: _fixed(fuse) for name, fuse in FUSIONS.items()}
    rows = {way: _scored(parts, _whoever(fuse)) for way, fuse in ways.items()}
    rows["learned"] = _scored(parts, learned)
    return rows, [f"{subjects.about}, {folds} folds", "", *_table(rows)]


def _labels(subjects: Subjects, own: Subject, place: Path) -> Tensor:
    file = place / f"{own.name}.safetensors"
    if not file.is_file():
        with subjects.model.estimating() as context:
            T = context.process.T
            found = [Estimation(part).estimator(T).estimate(own.slices, context) for part in PARTS]
        place.mkdir(parents=True, exist_ok=True)
        joined = [estimate.y_0.amax(dim=1, keepdim=True) for estimate in found]
        save_file({"labels": torch.stack(joined)}, file)
    return load_file(file)["labels"]


def _part(i: int) -> Fuse:
    return lambda own: own.labels[i]


def _fixed(fuse: Fusion) -> Fuse:
    return lambda own: fuse(own.labels, own.subject.slices.m)


def _whoever(fuse: Fuse) -> Callable[[Sequence[Estimated]], Fuse]:
    """A fusion that learns nothing from others."""
    return lambda others: fuse


def learned(others: Sequence[Estimated]) -> Fuse:
    """y_0 = tanh(l / 2), l = w . (logits, 1), the likeliest w on pixels of the brains of others.

    The logits of an estimate are 2 artanh(y_0).
    """
    g = torch.Generator().manual_seed(0)
    x, y = [], []
    for own in others:
        m = own.subject.slices.m > 0
        inside = _logits(own)[:, m].T
        picked = torch.randperm(len(inside), generator=g)[:PIXELS]
        x.append(inside[picked])
        y.append(own.subject.truth[m][picked].float())
    seen, wanted = torch.cat(x), torch.cat(y)
    w = torch.tensor([0.0, 1.0, 0.0, 0.0], requires_grad=True)
    optimizer = torch.optim.LBFGS([w], max_iter=100)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(seen @ w, wanted)
        loss.backward()
        return loss

    optimizer.step(closure)
    found = w.detach()
    return lambda own: torch.tanh(torch.einsum("kshwx,k->shwx", _logits(own), found) / 2)


def _logits(own: Estimated) -> Tensor:
    """(4, S, 1, H, W): the estimates' logits, and 1."""
    found = 2 * torch.atanh(own.labels.clamp(-0.9999, 0.9999))
    return torch.cat([found, torch.ones_like(found[:1])])


def _scored(
    folds: Sequence[Sequence[Estimated]], fit: Callable[[Sequence[Estimated]], Fuse]
) -> NDArray[np.float64]:
    """Dice and VDP at the chosen threshold, and both at 0, of every patient: (patients, 4)."""
    found = []
    for k, held_out in enumerate(folds):
        others = [own for j, fold in enumerate(folds) if j != k for own in fold]
        fuse = fit(others)
        best = int(np.mean([_at_thresholds(fuse, own)[:, 0] for own in others], axis=0).argmax())
        at = [_at_thresholds(fuse, own) for own in held_out]
        found += [[*own[best], *own[UNTOUCHED]] for own in at]
    return np.array(found)


def _at_thresholds(fuse: Fuse, own: Estimated) -> NDArray[np.float64]:
    """Dice and VDP (NaN without lesion) at every threshold, (THRESHOLDS, 2)."""
    y_0, subject = fuse(own), own.subject
    masks = [subject.mask(y_0, float(threshold)) for threshold in THRESHOLDS]
    return np.array([(subject.dice(mask), subject.vdp(mask)) for mask in masks])


def _table(rows: Mapping[str, NDArray[np.float64]]) -> list[str]:
    cells = []
    for name, found in rows.items():
        apart = found[:, 0] - rows["union"][:, 0]
        own = bootstrap(mean_of_scans(apart), len(apart))
        dice, vdp, dice_at_0, vdp_at_0 = (f"{mean:.3f}" for mean in np.nanmean(found, axis=0))
        span = f"{own.value:+.3f} [{own.low:+.3f}, {own.high:+.3f}]"
        cells.append([name, dice, vdp, span, dice_at_0, vdp_at_0])
    return ruled(("fusion", "Dice", "VDP", "Dice - union's", "Dice at 0", "VDP at 0"), cells)
