"""The slices beside a slice: as far apart in mm on any scan, nothing beyond the ends."""

import numpy as np
import pytest

from strokediff.data.neighbours import beside, neighbour_offsets, neighbour_step

X = np.arange(1, 6, dtype=np.float32)[:, None, None] * np.ones((1, 2, 2), np.float32)


@pytest.mark.parametrize(
    ("slice_mm", "step"), [(5.0, 1), (2.5, 2), (0.625, 8), (7.0, 1), (12.0, 1), (None, 1)]
)
def test_neighbours_are_about_5_mm_away(slice_mm: float | None, step: int) -> None:
    assert neighbour_step(slice_mm) == step


def test_offsets_are_nearest_first() -> None:
    assert neighbour_offsets(2, 3) == [-3, 3, -6, 6]
    assert neighbour_offsets(0, 3) == []


def test_neighbours_and_the_ends() -> None:
    found = beside(X, 1, 2)[:, :, 0, 0]
    assert found.tolist() == [[0, 3], [0, 4], [1, 5], [2, 0], [3, 0]]
    assert beside(X, 0, 1).shape == (5, 0, 2, 2)
    assert not beside(X[:1], 2, 1).any()
