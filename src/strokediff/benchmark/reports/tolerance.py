"""What `--tolerance-ml` spends, and whether it keeps what it says, patient by patient."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor

from strokediff.benchmark.reports.estimates import Subject, Subjects
from strokediff.benchmark.tables import ruled
from strokediff.errors import UsageError
from strokediff.inference.estimation import Estimation, Limits
from strokediff.inference.estimator import Context, Slices

REFERENCE = "reference"
Spent = dict[str, float]


def spent(
    subjects: Subjects, tolerances: Sequence[float], most: int
) -> tuple[dict[str, list[Spent]], list[str]]:
    """The salient estimate of `fast` for whole heads: as it is, and with every tolerance in mL.

    The reference has `most` evaluations a slice, which no tolerance exceeds, from another seed.
    "kept" is the share of patients whose mean volume over draws is within the tolerance of the
    reference's: 90 % is promised where `most` is not reached. Returns every patient's figures and
    the table's lines. Raises `UsageError` without a known spacing.
    """
    limits = {f"+- {x:g} mL": Limits(x, most) for x in tolerances}
    found: dict[str, list[Spent]] = {}
    with subjects.model.estimating() as context:
        for subject in subjects:
            for way, own in _of_one(subject, context, limits, most):
                found.setdefault(way, []).append(own)
    return found, [subjects.about, "", *_table(found, dict(zip(limits, tolerances, strict=True)))]


def _of_one(
    subject: Subject, context: Context, limits: Mapping[str, Limits], most: int
) -> Iterator[tuple[str, Spent]]:
    """Every way's figures for one patient; the reference comes first."""
    slices = subject.slices
    pixel_ml = _pixel_ml(slices, subject.name)
    reference_ml, true_ml = 0.0, _volume_ml(subject.truth, pixel_ml)
    ways = {REFERENCE: Limits(max_evaluations=most), "preset": Limits(), **limits}
    for way, limit in ways.items():
        seen = replace(slices, seed=slices.seed + 1) if way == REFERENCE else slices
        chosen = Estimation("sal", limits=limit).estimator(context.process.T)
        estimate = chosen.estimate(seen, context)
        mean_ml = float((estimate.tally.joined_area * pixel_ml).sum())
        reference_ml = mean_ml if way == REFERENCE else reference_ml
        mask = subject.mask(estimate.y_0)
        yield (
            way,
            {
                "evaluations": estimate.evaluations / len(slices.keys),
                "apart": abs(mean_ml - reference_ml),
                "dice": subject.dice(mask),
                "error": abs(_volume_ml(mask, pixel_ml) - true_ml),
            },
        )


def _pixel_ml(slices: Slices, name: str) -> Tensor:
    if slices.pixel_ml is None:
        raise UsageError(
            f"{name}: a tolerance in mL needs a known spacing. Give a cohort that has one."
        )
    return slices.pixel_ml.double()


def _volume_ml(mask: Tensor, pixel_ml: Tensor) -> float:
    return float((mask.flatten(1).sum(1).double() * pixel_ml).sum())


def _table(found: Mapping[str, list[Spent]], tolerances: Mapping[str, float]) -> list[str]:
    cells = []
    for way, rows in found.items():
        of = {key: np.array([row[key] for row in rows]) for key in rows[0]}
        n, apart = of["evaluations"], of["apart"]
        kept = f"{np.mean(apart <= tolerances[way]):.0%}" if way in tolerances else "-"
        asked = f"{n.mean():.1f} ({n.min():.0f} to {n.max():.0f})"
        worth = f"{of['dice'].mean():.3f}", f"{of['error'].mean():.2f}"
        cells.append([way, asked, f"{apart.mean():.2f}", kept, *worth])
    apart_from = "apart from the reference, mL"
    return ruled(("draws", "evaluations a slice", apart_from, "kept", "Dice", "error, mL"), cells)
