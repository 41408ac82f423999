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
