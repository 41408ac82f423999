"""Laws of noise: a noisy scan has the quiet one's brain and says so; quiet ones stay the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from strokediff.ct.brain import extract_brain
from strokediff.ct.brain.quieten import quieten, slab_noise


def noisy(volume, sd, seed=0):
    noise = np.random.default_rng(seed).normal(0, sd, volume.hu.shape)
    return replace(volume, hu=(volume.hu + noise).astype(np.float32))


@pytest.mark.parametrize("sd", [25, 40, 60])
@pytest.mark.parametrize(
    "grid",
    [
        {"spacing_mm": 1.0, "slice_mm": 7.0},
        {"spacing_mm": 1.8},
        {"spacing_mm": 2.0, "slice_mm": 1.25, "z_mm": (-70.0, 70.0)},
    ],
    ids=["fine", "coarse", "thin"],
)
def test_a_noisy_scan_has_the_quiet_ones_brain(make_head, grid, sd):
    head = make_head(**grid)
    quiet, loud = extract_brain(head.volume), extract_brain(noisy(head.volume, sd))
    assert loud.volume_ml == pytest.approx(quiet.volume_ml, rel=0.03)
    dice = 2 * (loud.mask & quiet.mask).sum() / (loud.mask.sum() + quiet.mask.sum())
    assert dice > 0.97
    assert not loud.unusable
    assert not quiet.warnings
    assert sd == 25 or "so noisy" in " ".join(loud.warnings)


@pytest.mark.parametrize("sd", [3.0, 8.0, 20.0, 45.0])
def test_noise_is_measured(sd):
    """White noise on tissue, to a tenth; air and bone beside it do not count."""
    hu = np.full((200, 200), -1000.0)
    hu[20:180, 20:180] = 900.0
    hu[30:170, 30:170] = 34.0
    hu += np.random.default_rng(1).normal(0, sd, hu.shape)
    assert slab_noise(hu) == pytest.approx(sd, rel=0.1)


def test_no_tissue_no_noise():
    assert slab_noise(np.full((100, 100), -1000.0)) == 0.0


@pytest.mark.parametrize("loud", [(), (4,), (4, 5, 6), (0, 11)], ids=str)
def test_quiet_slabs_and_single_loud_ones_are_left_alone(loud):
    rng = np.random.default_rng(2)
    hu = rng.normal(34, 5, (80, 80, 12)).astype(np.float32)
    for k in loud:
        hu[:, :, k] += rng.normal(0, 40, (80, 80))
    quiet, which = quieten(hu)
    assert quiet is hu and which == frozenset()


def test_loud_slabs_are_smoothed_to_the_same_quiet():
    rng = np.random.default_rng(3)
    sd = np.linspace(20, 60, 12)
    hu = (34 + rng.normal(0, 1, (120, 120, 12)) * sd).astype(np.float32)
    quiet, which = quieten(hu)
    assert which == frozenset(range(12))
    assert quiet[10:-10, 10:-10].std(axis=(0, 1)) == pytest.approx(np.full(12, 8.0), abs=2.5)
