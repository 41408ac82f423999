"""What reports on estimates share: patients of a cohort, spread over it, and the masks' worth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from strokediff.cohort.store import Cohort
from strokediff.evaluation.metrics import Confusion, volume_difference
from strokediff.inference.estimator import Slices
from strokediff.prediction.place import CohortPatient
from strokediff.segmentation.model import Model
from strokediff.util.files import write_json, write_text
from strokediff.util.machine import machine_name


@dataclass(frozen=True)
class Subject:
    """A patient on the model's grid: slices with brain, and the true lesion (S, 1, H, W) bool."""

    name: str
    slices: Slices
    truth: Tensor

    def mask(self, y_0: Tensor, threshold: float = 0.0) -> Tensor:
        """Where an estimate (S, K, H, W) is lesion of any kind; no filter and no least volume."""
        return (y_0.amax(dim=1, keepdim=True) >= threshold) & (self.slices.m > 0)

    def dice(self, mask: Tensor) -> float:
        """In 3D, over these slices."""
        return Confusion.of(mask.numpy(), self.truth.numpy()).dice

    def vdp(self, mask: Tensor) -> float:
        """|found - true| / true pixels; NaN without a lesion."""
        found, true = float(mask.sum()), float(self.truth.sum())
        vdp = volume_difference(volume_pred_ml=found, volume_true_ml=true)
        return np.nan if vdp is None else vdp


@dataclass(frozen=True)
class Subjects:
    """`most` patients of a cohort's split, evenly spaced: they are sorted by kind of lesion."""

    model: Model
    cohort: Cohort
    split: str
    most: int | None = None

    @property
    def names(self) -> Sequence[str]:
        """Those that are taken; all without `most`."""
        names = self.cohort.split[self.split]
        if self.most is None or not names:
            return names
        at = np.unique(np.linspace(0, len(names) - 1, self.most).round().astype(int))
        return [names[i] for i in at]

    def __iter__(self) -> Iterator[Subject]:
        for name in self.names:
            patient = self.cohort.read(name)
            slices = CohortPatient(self.cohort, patient, self.model.surroundings).slices
            truth = torch.from_numpy(patient.y[list(slices.keys)] > 0)[:, None]
            yield Subject(name, slices, truth)

    @property
    def about(self) -> str:
        """Whose figures they are, of which model, made where and when."""
        card, place = self.model.card, machine_name(self.model.compute.device)
        return (
            f"{len(self.names)} patients of {self.cohort.path.name} ({self.split}), model "
            f"{card.name} ({card.sha256[:12]}); {place}, {date.today()}"
        )


def write_figures(out: Path, name: str, lines: Sequence[str], content: Any) -> list[str]:
    """Write OUT/NAME.md and OUT/NAME.json, NaN as null; returns the lines."""
    write_text(out / f"{name}.md", "\n".join(lines) + "\n")
    write_json(out / f"{name}.json", _plain(content))
    return list(lines)


def _plain(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple | np.ndarray):
        return [_plain(value) for value in content]
    return None if isinstance(content, float) and np.isnan(content) else content
