"""Laws: order and direction of axes are changed in one file; what it does is undone exactly."""

import ast
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest

import strokediff
from strokediff.ct import axes

ROOT = Path(strokediff.__file__).parent
PACKAGES = sorted({p.name for p in ROOT.iterdir() if p.is_dir()} - {"networks"})
"""Attention transposes features, not heads."""
OWNER = ROOT / "ct" / "axes.py"
WORDS = {"orientations", "aff2axcodes", "axcodes2ornt", "as_closest_canonical", "LPS_TO_RAS"}
MODULES = sorted(p for package in PACKAGES for p in (ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_axes_are_converted_in_one_file(path: Path) -> None:
    if path == OWNER:
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute):
            assert node.attr not in WORDS, node.lineno
        if isinstance(node, ast.ImportFrom):
            assert not WORDS & {alias.name for alias in node.names}, node.lineno
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert node.func.attr != "transpose", node.lineno


def _affine(order: tuple[int, ...], signs: tuple[int, ...]) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = np.diag([0.5, 0.7, 5.0])[:, order] * np.array(signs)
    affine[:3, 3] = (3, -4, 5)
    return affine


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("signs", list(product((1, -1), repeat=3)))
def test_canonical_is_undone_and_keeps_every_voxel_in_its_place(order, signs) -> None:
    affine = _affine(order, signs)
    array = np.arange(24).reshape(2, 3, 4)
    found, own = axes.canonical(array, affine), axes.canonical_affine(affine, array.shape)
    np.testing.assert_array_equal(axes.stored(found, affine), array)
    np.testing.assert_allclose(axes.stored_affine(own, affine, found.shape), affine)
    assert axes.codes(own) == "RAS"
    for index in np.ndindex(array.shape):
        world = affine @ [*index, 1]
        there = np.rint(np.linalg.solve(own, world))[:3].astype(int)
        assert found[tuple(there)] == array[index]


def test_the_axis_of_the_slices() -> None:
    assert axes.slice_axis(_affine((0, 1, 2), (1, 1, -1))) == (2, -1)
    assert axes.slice_axis(_affine((2, 0, 1), (1, -1, 1))) == (0, 1)
    assert axes.drops_an_axis(np.diag([1.0, 1.0, 0.0, 1.0]))
    assert not axes.drops_an_axis(np.eye(4))


def test_a_dicom_stack_in_ras() -> None:
    """Rows run to the left (+x of LPS), columns to the back (+y): both fall in RAS."""
    affine = axes.stack_affine(
        np.eye(3)[:2], (0.4, 0.6), np.array([0, 0, 5.0]), np.array([1, 2, 3])
    )
    expected = np.diag([-0.6, -0.4, 5.0, 1.0])
    expected[:3, 3] = (-1, -2, 3)
    np.testing.assert_array_equal(affine, expected)
    np.testing.assert_array_equal(axes.lps_points(np.array([[1.0, 2, 3]])), [[-1, -2, 3]])
    assert axes.codes(affine) == "LPS"


def test_slices_as_they_are_scanned() -> None:
    array = np.arange(24).reshape(2, 3, 4)
    slices = axes.as_scanned(array)
    assert slices.shape == (4, 3, 2)
    assert slices[1, 0, 0] == array[1, 2, 1], "the right front pixel comes first"
    np.testing.assert_array_equal(axes.transposed(axes.transposed(array)), array)
