"""Scores of made-up patients, whose figures are known."""

from __future__ import annotations

import numpy as np
import pytest

from strokediff.benchmark.scores import PatientScore, RowScore
from strokediff.evaluation.detection import detect
from strokediff.evaluation.metrics import evaluate_case

pytest.importorskip("zarr")
pytest.importorskip("lightning")
pytest.importorskip("monai")


def patient(name: str, found: int, true: int, whose: str = "") -> PatientScore:
    """Masks of that many voxels from the same corner: Dice = 2 min / (found + true)."""
    index = np.arange(1000).reshape(10, 10, 10)
    pred, truth = index < found, index < true
    return PatientScore(
        metrics=evaluate_case(
            name, mask_pred=pred, mask_true=truth, affine=np.diag([1.0, 1, 5, 1])
        ),
        detection=detect(mask_pred=pred, mask_true=truth),
        brier=0.1,
        ece=0.2,
        evaluations_a_slice=4.0,
        seconds=1.0,
        patient=whose or name,
    )


def row(name: str, seed: int, *sizes: tuple[int, int]) -> RowScore:
    """A row whose patients have (found, true) voxels."""
    costs = {"seconds": 60.0, "images": 32, "parameters": 1000, "gmacs": 0.5}
    training = {**costs, "machine": "a processor"}
    patients = [patient(f"p{i:02d}", *size) for i, size in enumerate(sizes)]
    return RowScore(name, seed, training, patients)
