"""Slices for fitting: all that show brain, once, in order; resampling keeps the brain's values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from strokediff.cohort.brain_slices import BrainSlices, resample
from strokediff.cohort.store import Cohort, CohortWriter, Patient, open_cohort
from strokediff.ct.grid import GridConfig
from strokediff.errors import InputError

pytest.importorskip("zarr")
SIDE = 32


def make(folder: Path, *, brain: bool = True) -> Cohort:
    """Patient i has i + 2 slices with brain, of value i + 0.1 k on slice k, and an empty one."""
    folder.mkdir()
    writer = CohortWriter(folder, GridConfig(size=SIDE, spacing_mm=6.0))
    for i in range(3):
        m = np.zeros((i + 3, SIDE, SIDE), np.uint8)
        if brain:
            m[1:, 8:24, 6:26] = 1
        x = ((i + 0.1 * np.arange(i + 3))[:, None, None] * m).astype(np.float16)
        writer.add(Patient(f"p{i}", x, np.zeros_like(m), m))
    writer.finish(split={"train": ["p0", "p1", "p2"], "val": [], "test": []}, origin={})
    return open_cohort(folder)


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    return make(tmp_path / "cohort")


def test_every_brain_slice_comes_once_and_again(cohort: Cohort) -> None:
    slices = BrainSlices(cohort, cohort.split["train"], batch=2)
    assert len(slices) == 2 + 3 + 4
    for _ in range(2):
        x, m = (torch.cat(parts) for parts in zip(*slices(), strict=True))
        expected = [i + 0.1 * k for i in range(3) for k in range(1, i + 3)]
        assert x.amax(dim=(1, 2)).tolist() == pytest.approx(expected, abs=1e-3)
        assert not x[m == 0].any()
        assert x.dtype == m.dtype == torch.float32


def test_only_the_named_patients_are_read(cohort: Cohort) -> None:
    assert len(BrainSlices(cohort, ["p2"])) == 4


@pytest.mark.parametrize("most", [1, 4, 9, 100])
def test_a_sample_spreads_over_all_slices(cohort: Cohort, most: int) -> None:
    slices = BrainSlices(cohort, cohort.split["train"])
    x, m = slices.sample(most)
    everything = torch.cat([x for x, _ in slices()])
    wanted = np.linspace(0, 8, min(most, 9)).round().astype(int)
    assert torch.equal(x, everything[wanted])
    assert len(m) == len(x)


@pytest.mark.parametrize("size", [16, 32, 48, 100])
def test_resampling_keeps_values_up_to_the_edge(size: int) -> None:
    m = torch.zeros(1, SIDE, SIDE)
    m[:, 8:24, 6:26] = 1
    x, inside = resample(0.7 * m + 5.0 * (1 - m), m, size)
    assert x.shape == inside.shape == (1, size, size)
    assert torch.allclose(x[inside > 0], torch.tensor(0.7), atol=1e-5)
    assert not x[inside == 0].any()
    share = float(inside.mean()) / float(m.mean())
    assert share == pytest.approx(1.0, abs=4 / size)


def test_no_brain_at_all_is_refused(tmp_path: Path) -> None:
    empty = make(tmp_path / "empty", brain=False)
    with pytest.raises(InputError, match="no slice of its 3 patients to fit on shows brain"):
        BrainSlices(empty, empty.split["train"])
