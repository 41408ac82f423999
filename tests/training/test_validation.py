"""Laws of validation: the figures of `evaluation`, a patient at a time, and what has none."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from strokediff.cohort.store import Patient
from strokediff.training.validation import validate

CPU = torch.device("cpu")


class Answers:
    """A task whose label is lesion where the image is bright."""

    def label(self, module: nn.Module, x_0: Tensor, m: Tensor) -> Tensor:
        return torch.where(x_0[:, :1] > 0.5, 1.0, -1.0) * m


def figures(found: Mapping[str, Any], truth: Mapping[str, Any]) -> tuple[dict[str, float], Any]:
    """Of patients whose found and true lesions are these numbers of pixels of one slice."""
    patients = {}
    for name, pixels in found.items():
        x, y = np.zeros((2, 40, 4, 4), np.float32)
        x[3].flat[:pixels] = 1.0
        y[3].flat[: truth[name]] = 1
        patients[name] = Patient(name, x, y.astype(np.uint8), np.ones(y.shape, np.uint8))
    cohort: Any = SimpleNamespace(
        kinds=("lesion",),
        split={"val": list(found)},
        read=patients.get,
        slice_spacing_mm=lambda name: None,
    )
    result = validate(Answers(), nn.Identity(), cohort, CPU)  # type: ignore[arg-type]
    return result.figures, result.picture


def test_figures_are_means_over_patients_by_hand() -> None:
    """Dice 2 * 4 / (4 + 8) and 2 * 2 / (6 + 2); VDP 4 / 8 and 4 / 2."""
    found, picture = figures({"a": 4, "b": 6}, {"a": 8, "b": 2})
    assert found == pytest.approx({"dice": (2 / 3 + 1 / 2) / 2, "vdp": (0.5 + 2.0) / 2})
    assert picture.shape == (4, 12)


def test_patients_without_lesion_count_in_dice_alone() -> None:
    found, _ = figures({"a": 4, "empty": 0, "false": 3}, {"a": 4, "empty": 0, "false": 0})
    assert found == pytest.approx({"dice": (1 + 1 + 0) / 3, "vdp": 0.0})
    found, picture = figures({"empty": 0}, {"empty": 0})
    assert found == {"dice": 1.0} and not picture.size
