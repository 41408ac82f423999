"""What lies beside a slice: as far apart in mm on any scan, nothing beyond the ends, mirrored."""

import numpy as np
import pytest

from strokediff.ct.surroundings import (
    ALONE,
    Surroundings,
    neighbour_offsets,
    neighbour_step,
)

X = np.arange(1, 6, dtype=np.float32)[:, None, None] * np.ones((1, 2, 2), np.float32) / 10
M = np.ones((5, 2, 2), np.uint8)


@pytest.mark.parametrize(
    ("slice_mm", "step"), [(5.0, 1), (2.5, 2), (0.625, 8), (7.0, 1), (12.0, 1), (None, 1)]
)
def test_neighbours_are_about_5_mm_away(slice_mm: float | None, step: int) -> None:
    assert neighbour_step(slice_mm) == step


def test_offsets_are_nearest_first() -> None:
    assert neighbour_offsets(2, 3) == [-3, 3, -6, 6]
    assert neighbour_offsets(0, 3) == []


def test_neighbours_and_the_ends() -> None:
    seen = Surroundings(neighbours=1).seen(X, M, slice_mm=2.5)[:, :, 0, 0] * 10
    np.testing.assert_allclose(
        seen, [[1, 0, 3], [2, 0, 4], [3, 1, 5], [4, 2, 0], [5, 3, 0]], atol=1e-6
    )


@pytest.mark.parametrize(("slices", "slice_mm"), [(1, 5.0), (1, None), (4, 1.0)])
def test_in_a_slab_without_neighbours_a_slice_is_its_own(
    slices: int, slice_mm: float | None
) -> None:
    x, m = X[:slices], M[:slices]
    seen = Surroundings(neighbours=1, mirror=True).seen(x, m, slice_mm)
    np.testing.assert_array_equal(seen[:, 1:3], np.repeat(x[:, None], 2, axis=1))


def test_alone_there_is_the_slice_in_its_mask_only() -> None:
    m = M.copy()
    m[:, 0] = 0
    np.testing.assert_array_equal(ALONE.seen(X, m, 5.0), (X * m)[:, None])
    assert not ALONE and Surroundings(mirror=True) and Surroundings(neighbours=1)
    assert ALONE.seen(X[:0], M[:0], None).shape == (0, 1, 2, 2)


def test_everything_lies_in_its_own_mask() -> None:
    """A head of two halves, the left one brighter, whose last row is masked on the left only."""
    x = np.full((3, 16, 16), 0.2, np.float32)
    x[:, :, :8] = 0.3
    m = np.zeros((3, 16, 16), np.uint8)
    m[:, 3:13, 3:13] = 1
    m[1, 12, 3:8] = 0
    around = Surroundings(neighbours=1, mirror=True)
    seen = around.seen(x, m, slice_mm=5.0)
    assert seen.shape == (3, 4, 16, 16)
    np.testing.assert_array_equal(seen[1, 0], x[1] * m[1])
    np.testing.assert_array_equal(seen[1, 1:3], x[[0, 2]] * m[[0, 2]])
    mirror = seen[1, 3]
    assert mirror[6, 4] == pytest.approx(0.2, abs=0.02)
    assert mirror[6, 11] == pytest.approx(0.3, abs=0.02)
    assert mirror[12, 4] != 0 and mirror[12, 11] == 0
