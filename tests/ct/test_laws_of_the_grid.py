"""Laws of the way to the network's grid that a smooth head cannot show."""

from __future__ import annotations

import numpy as np
import pytest

from strokediff.ct.grid import GridConfig, SliceGrid
from strokediff.ct.volume import CT


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("spacing_mm", [2.0, 3.7])
def test_what_is_finer_than_the_grid_is_averaged_and_never_aliased(
    axis: int, spacing_mm: float
) -> None:
    """Stripes of 0.5 mm, by turns 20 and 60 HU: a grid of 2 mm sees their mean, 40 HU."""
    index = np.indices((160, 160, 1))[axis]
    hu = np.where(index % 2, 60.0, 20.0)
    brain = np.ones(hu.shape, dtype=bool)
    grid = SliceGrid(
        GridConfig(size=64, spacing_mm=spacing_mm),
        CT(hu, np.diag([0.5, 0.5, 5.0, 1.0])),
        brain,
    )
    slices = grid.image(hu.astype(np.float32))
    whole = grid.mask[0].copy()
    whole[:-1] &= whole[1:]
    whole[1:] &= whole[:-1]
    whole[:, :-1] &= whole[:, 1:]
    whole[:, 1:] &= whole[:, :-1]
    assert whole.sum() > 200
    assert np.abs(slices.x[0][whole]).max() < 0.02


def test_the_grid_is_centred_on_the_box_of_the_brain_whatever_lies_in_it() -> None:
    """A large part and a small one: their common box counts, not where most of the brain is."""
    brain = np.zeros((60, 60, 1), dtype=bool)
    brain[10:30, 20:40] = True
    brain[48:50, 20:40] = True  # the box is 10..49 along x
    ct = CT(np.zeros(brain.shape), np.diag([1.0, 1.0, 5.0, 1.0]))
    mask = SliceGrid(GridConfig(size=64, spacing_mm=1.0), ct, brain).mask[0]
    rows, columns = np.nonzero(mask)
    assert (columns.min(), columns.max()) == (12, 51)
    assert (rows.min(), rows.max()) == (22, 41)
