"""Laws: a mask is binary, finite and 3D, or it is refused with a sentence that names it."""

import nibabel as nib
import numpy as np
import pytest

from strokediff.data.masks import check_same_grid, read_mask, read_probability
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
