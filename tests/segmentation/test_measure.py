"""Law: two volumes of one mask are both given, and told apart, or they are one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from strokediff.ct.brain import BrainMask
from strokediff.ct.lesions import Lesions
from strokediff.ct.volume import CT, Source
from strokediff.segmentation.decision import Decision
from strokediff.segmentation.measure import Spread, measure
from strokediff.segmentation.read_out import OneKind, ReadOut


def volume_of(z: np.ndarray) -> CT:
    origins = np.stack([np.zeros(len(z)), np.zeros(len(z)), z], axis=1)
    steps = np.diff(z)
    padded = np.concatenate([steps[:1], steps, steps[-1:]])
    shape, even = (40, 40, len(z)), np.allclose(steps, steps[0])
    affine = np.diag([1.0, 1.0, float(np.median(steps)), 1.0])
    return CT.from_source_array(
        np.zeros(shape, np.float32),
        Source(Path("scan"), "dicom", shape, affine),
        slice_increments_mm=None if even else (padded[1:] + padded[:-1]) / 2,
        slice_origins_mm=None if even else origins,
    )


@pytest.mark.parametrize(
    ("z", "differs"),
    [
        (np.arange(10) * 5.0, False),
        (np.array([0, 4, 8, 12, 13.1, 20.1, 27.1, 34.1]), True),
        (np.array([0, 2.5, 5, 7.5, 13.5, 19.5, 25.5]), True),
        (np.array([0, 5, 10, 15, 20.001, 25.001]), False),
    ],
    ids=["even", "two zones", "thin base", "rounded"],
)
def test_the_volume_of_the_mask_and_of_its_file(z: np.ndarray, differs: bool) -> None:
    volume = volume_of(z)
    mask = np.zeros(volume.hu.shape, bool)
    mask[10:30, 10:30, 2:5] = True
    brain = BrainMask(np.ones_like(mask), 1400.0, (), False)
    read = ReadOut((OneKind(mask.astype(np.float32), mask, Lesions(volume, mask)),))
    found = measure(volume, read, {"lesion": Decision()}, brain, {"lesion": Spread(1.5, None, "")})
    own = volume.mask_volume_mm3(mask) / 1000
    assert found.volume_ml == pytest.approx(own)
    assert (abs(found.mask_file_volume_ml - own) > 0.005) == differs
    told = [w for w in found.warnings if "mask_file_volume_ml" in w]
    assert bool(told) == differs
    if differs:
        assert f"{found.mask_file_volume_ml:.2f} mL" in told[0] and f"{own:.2f} mL" in told[0]
