"""Figures on the validation patients while training: the direct estimate, per patient in 3D."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from strokediff.cohort.store import Cohort, Patient, by_kind
from strokediff.ct.surroundings import ALONE, Surroundings
from strokediff.evaluation.metrics import Confusion
from strokediff.training.tasks import Task

PIXELS = 32 * 96**2
"""Of the slices that go through the network at once: 32 of the preset `tiny`, one of `paper`."""


@dataclass(frozen=True)
class Validation:
    """Mean figures over patients, and one slice (image, truth, y_0) to look at."""

    figures: dict[str, float]
    picture: NDArray[np.float32]


@torch.inference_mode()
def validate(
    task: Task,
    module: nn.Module,
    cohort: Cohort,
    device: torch.device,
    surroundings: Surroundings = ALONE,
) -> Validation:
    """Mean Dice and volume error of the validation patients, one or more, on the network's grid.

    Both empty gives Dice 1; patients without lesion are left out of vdp. Of several kinds of
    lesion "dice" is the mean over kinds, each told too, and vdp is of all joined.
    """
    vdp, picture = [], np.zeros((0, 0), dtype=np.float32)
    dice: dict[str, list[float]] = {kind: [] for kind in cohort.kinds}
    for name in cohort.split["val"]:
        patient = cohort.read(name)
        x, m = network_sees(patient, surroundings, cohort.slice_spacing_mm(name))
        y_0 = torch.cat([_label(task, module, a, b, device) for a, b in _batches(x, m)])
        truth = patient.y > 0
        y = y_0.amax(dim=1)
        counts = Confusion.of((y > 0).numpy(), truth)
        for kind, found, true in zip(
            cohort.kinds, y_0.movedim(1, 0), by_kind(patient.y, len(dice)), strict=True
        ):
            dice[kind].append(Confusion.of((found > 0).numpy(), true).dice)
        if counts.vdp is not None:
            vdp.append(counts.vdp)
            if not picture.size:
                k = int(truth.sum(axis=(1, 2)).argmax())
                shown = [patient.x[k], 2.0 * truth[k] - 1.0, y[k].clamp(-1, 1).numpy()]
                picture = np.concatenate([a.astype(np.float32) for a in shown], axis=1)
    means = {kind: float(np.mean(own)) for kind, own in dice.items()}
    figures = {"dice": float(np.mean(list(means.values())))}
    if len(means) > 1:
        figures |= {f"dice_{kind}": value for kind, value in means.items()}
    if vdp:
        figures["vdp"] = float(np.mean(vdp))
    return Validation(figures, picture)


def network_sees(
    patient: Patient, surroundings: Surroundings, slice_mm: float | None
) -> tuple[Tensor, Tensor]:
    """Every slice and what lies beside it (Z, C, S, S), masked; m (Z, 1, S, S)."""
    seen = surroundings.seen(patient.x, patient.m, slice_mm, patient.midline)
    return torch.from_numpy(seen), torch.from_numpy(patient.m.astype(np.float32))[:, None]


def _batches(x: Tensor, m: Tensor) -> list[tuple[Tensor, Tensor]]:
    size = max(1, PIXELS // x[0, 0].numel())
    return [(x[i : i + size], m[i : i + size]) for i in range(0, len(x), size)]


def _label(task: Task, module: nn.Module, x: Tensor, m: Tensor, device: torch.device) -> Tensor:
    return task.label(module, x.to(device), m.to(device)).float().cpu()
