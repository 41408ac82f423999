"""Laws: a mask is binary, finite and 3D, or it is refused with a sentence that names it."""

import re

import nibabel as nib
import numpy as np
import pytest

from strokediff.ct.nifti.masks import (
    check_same_grid,
    read_labels,
    read_mask,
    read_probabilities,
    read_probability,
)
from strokediff.errors import InputError

AFFINE = np.diag([-0.5, -0.5, 5.0, 1.0])
MASK = np.zeros((6, 7, 4), dtype=np.uint8)
MASK[1:3, 2:5, 1] = 1


def save(path, array, affine=AFFINE, **kwargs):
    nib.save(nib.Nifti1Image(array, affine, **kwargs), path)
    return path


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
@pytest.mark.parametrize("high", [1, 255])
def test_both_codings_of_binary_are_read(tmp_path, dtype, high):
    grid = read_mask(save(tmp_path / "a.nii.gz", (MASK * high).astype(dtype)))
    np.testing.assert_array_equal(grid.array, MASK.astype(bool))
    np.testing.assert_allclose(grid.affine, AFFINE)


def test_empty_full_and_trailing_axes_are_masks(tmp_path):
    assert not read_mask(save(tmp_path / "a.nii.gz", MASK * 0)).array.any()
    assert read_mask(save(tmp_path / "b.nii.gz", MASK * 0 + 255)).array.all()
    assert read_mask(save(tmp_path / "c.nii.gz", MASK[..., None])).array.shape == MASK.shape


@pytest.mark.parametrize(
    ("array", "match"),
    [
        pytest.param(MASK * 2, "values 0 and 1 .* got 2 values: 0, 2", id="label-2"),
        pytest.param(MASK + np.arange(4, dtype=np.uint8), "got 4 values: 0, 1, 2, 3", id="labels"),
        pytest.param(MASK * np.float32(0.5), "got 2 values: 0, 0.5", id="half"),
        pytest.param(np.where(MASK, np.nan, 0).astype("f4"), "6 voxels are NaN", id="nan"),
        pytest.param(np.stack([MASK] * 2, -1), r"3D image, got shape \(6, 7, 4, 2\)", id="4d"),
        pytest.param(MASK[:, :, 0], r"3D image, got shape \(6, 7\)", id="2d"),
    ],
)
def test_what_is_not_a_mask_is_refused(tmp_path, array, match):
    with pytest.raises(InputError, match=r"odd\.nii\.gz: .*" + match):
        read_mask(save(tmp_path / "odd.nii.gz", array))


def test_files_that_are_not_nifti_are_refused(tmp_path):
    whole = save(tmp_path / "a.nii.gz", np.random.default_rng(0).integers(0, 2, (40, 40, 9), "u1"))
    cut = tmp_path / "cut.nii.gz"
    cut.write_bytes(whole.read_bytes()[:-600])
    text = tmp_path / "text.nii.gz"
    text.write_text("not an image")
    for path in (cut, text, tmp_path / "missing.nii.gz"):
        with pytest.raises(InputError, match=rf"{path.name}: expected a NIfTI file"):
            read_mask(path)


def test_probabilities_lie_between_0_and_1(tmp_path):
    prob = MASK * np.float32(0.7)
    assert read_probability(save(tmp_path / "p.nii.gz", prob)).array.max() == np.float32(0.7)
    with pytest.raises(InputError, match="from 0 to 1, got values from 0 to 70"):
        read_probability(save(tmp_path / "q.nii.gz", prob * 100))


def test_grids_match_up_to_rounding(tmp_path):
    one = read_mask(save(tmp_path / "a.nii.gz", MASK))
    near = AFFINE.copy()
    near[0, 3] += 0.01
    check_same_grid(read_mask(save(tmp_path / "b.nii.gz", MASK, near)), one)
    far = AFFINE.copy()
    far[2, 3] += 1.0
    with pytest.raises(InputError, match=r"c\.nii\.gz: expected the grid .* 1 mm apart"):
        check_same_grid(read_mask(save(tmp_path / "c.nii.gz", MASK, far)), one)
    with pytest.raises(InputError, match=r"axes RPS and LPS"):
        flipped = np.diag([0.5, -0.5, 5.0, 1.0])
        check_same_grid(read_mask(save(tmp_path / "d.nii.gz", MASK, flipped)), one)
    with pytest.raises(InputError, match=r"got shape \(5, 7, 4\)"):
        check_same_grid(read_mask(save(tmp_path / "e.nii.gz", MASK[1:])), one)


SCALED = {
    "slope 1/255": (np.uint8, 255, 1 / 255, 0.0),
    "slope 1/1000": (np.int16, 1000, 1 / 1000, 0.0),
    "slope and intercept": (np.int16, 32767, 1 / 65535, 32768 / 65535),
    "slope 1/3": (np.int32, 3, 1 / 3, 0.0),
    "255 by slope": (np.uint8, 1, 255.0, 0.0),
    "255 by a rounded slope": (np.int16, 30000, 255 / 30000, 0.0),
}


def save_scaled(path, stored, slope, inter):
    """Integers as they are, with a slope and an intercept in the header."""
    image = nib.Nifti1Image(stored, AFFINE)
    nib.save(image, path)
    raw = bytearray(path.read_bytes())
    raw[112:120] = np.array([slope, inter], "<f4").tobytes()
    path.write_bytes(bytes(raw))
    return path


@pytest.mark.parametrize(("dtype", "high", "slope", "inter"), SCALED.values(), ids=SCALED)
def test_scaled_integers_are_binary_up_to_rounding(tmp_path, dtype, high, slope, inter):
    low = round(-inter / slope)
    stored = np.where(MASK, high, low).astype(dtype)
    path = save_scaled(tmp_path / "a.nii", stored, slope, inter)
    np.testing.assert_array_equal(read_mask(path).array, MASK.astype(bool))
    labels = read_labels(path)
    assert labels.array.dtype == np.int32
    np.testing.assert_array_equal(labels.array > 0, MASK.astype(bool))


@pytest.mark.parametrize("low", [0.0, 2.98e-8, -1e-6, 5e-5])
@pytest.mark.parametrize("high", [1.0, 0.99999, 1.0000001, 0.99995, 255.0, 254.999])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_are_binary_up_to_rounding(tmp_path, low, high, dtype):
    mixed = np.where(MASK, high, low).astype(dtype)
    mixed[2, 2, 1] = round(high)  # some exact, some not
    path = save(tmp_path / "a.nii.gz", mixed)
    np.testing.assert_array_equal(read_mask(path).array, MASK.astype(bool))
    np.testing.assert_array_equal(read_labels(path).array > 0, MASK.astype(bool))


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ((0, 0.9), "0, 0.9"),
        ((0, 0.999), "0, 0.999"),
        ((0.001, 1), "0.001, 1"),
        ((0, 1, 1.001), "0, 1, 1.001"),
        ((0, 1, 1 + 1e-3), "0, 1, 1.001"),
        ((0, 1, 0.5), "0, 0.5, 1"),
        ((0, 2), "0, 2"),
        ((0, 1, 2), "0, 1, 2"),
        ((0, 1000), "0, 1000"),
        ((0, 1, 255), "0, 1, 255"),
        ((-1, 1), "-1, 1"),
        ((0, 254), "0, 254"),
        ((0, 1, 0.9998), "0, 0.9998, 1"),
        ((0, 1e-3, 1e-3 + 2e-10), "0, 0.001, 0.0010000002"),
        ((0, 1e30), "0, 1e+30"),
    ],
)
def test_the_values_that_are_shown_differ(tmp_path, values, shown):
    array = np.zeros(MASK.shape, np.float32)
    array.flat[: len(values)] = values
    array.flat[len(values) :] = values[0]
    with pytest.raises(InputError, match=re.escape(f"{len(values)} values: {shown}. ")) as caught:
        read_mask(save(tmp_path / "a.nii.gz", array))
    parts = str(caught.value).split("values: ")[1].split(". Choose")[0].split(", ")
    assert len(set(parts)) == len(parts)


def test_probabilities_are_neither_mask_nor_labels(tmp_path):
    path = save(tmp_path / "p.nii.gz", np.random.default_rng(0).random((40, 40, 9), "f4"))
    with pytest.raises(InputError, match="got at least 1000 values"):
        read_mask(path)
    with pytest.raises(InputError, match=r"whole numbers, one a class, got values such as 0\.\d+"):
        read_labels(path)


@pytest.mark.parametrize("label", [3e9, -3e9, 1e30])
def test_labels_are_whole_numbers_of_32_bits(tmp_path, label):
    with pytest.raises(InputError, match="got values such as -?[13]e?"):
        read_labels(save(tmp_path / "a.nii", MASK * np.float64(label)))


def test_probabilities_of_several_kinds_are_the_channels_of_one_file(tmp_path):
    maps = np.random.default_rng(0).random((6, 7, 4, 3)).astype(np.float32)
    path = save(tmp_path / "a.nii.gz", maps)
    found = read_probabilities(path, 3)
    for k, own in enumerate(found):
        np.testing.assert_array_equal(own.array, maps[..., k])
        check_same_grid(own, read_mask(save(tmp_path / "m.nii.gz", MASK)))
    for kinds, shape in ((2, r"\(X, Y, Z, 2\), got shape \(6, 7, 4, 3\)"), (1, "3D image")):
        with pytest.raises(InputError, match=rf"a\.nii\.gz: expected .*{shape}"):
            read_probabilities(path, kinds)
    with pytest.raises(InputError, match="expected a map of 2 channels"):
        read_probabilities(save(tmp_path / "b.nii.gz", maps[..., 0]), 2)
