"""Law: a header that says two things about the voxel size is never followed silently."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from small_head import AFFINE, SPACING_MM, small_head

from strokediff.cohort.masks import MaskReader
from strokediff.ct.checks.head_size import HeadSize, implausible_size
from strokediff.ct.nifti.images import read_nifti, save_like
from strokediff.ct.nifti.masks import check_same_grid, read_mask
from strokediff.ct.volume import CT, Source
from strokediff.errors import InputError

HU = np.round(small_head()).astype(np.int16)
TRUE = np.array(SPACING_MM)
TURN = nib.affines.from_matvec(nib.eulerangles.euler2mat(0.1, 0.05, -0.1))
ML = np.prod(TRUE) / 1000


def written(
    path: Path,
    sform: np.ndarray | None = None,
    pixdim: np.ndarray | None = None,
    codes: tuple[int, int] = (2, 0),
    units: int = 2,
    turn: np.ndarray = np.eye(4),  # noqa: B008
) -> Path:
    """A file with any voxel size in its sform and pixdim; codes are (sform, qform)."""
    affines = [turn @ np.diag([*(TRUE if s is None else s), 1.0]) for s in (sform, pixdim)]
    image = nib.Nifti1Image(HU, affines[0])
    image.set_qform(affines[1], codes[1])
    image.set_sform(affines[0], codes[0])
    nib.save(image, path)
    raw = bytearray(path.read_bytes())
    raw[80:92] = np.array(TRUE if pixdim is None else pixdim, "<f4").tobytes()
    raw[123] = units
    raw[252:256] = np.array([codes[1], codes[0]], "<i2").tobytes()
    path.write_bytes(bytes(raw))
    return path


def said(volume: CT, *words: str) -> bool:
    return any(all(word in w for word in words) for w in volume.warnings)


WRONG = {
    "1 mm cubes": (1, 1, 1),
    "half the slice distance": (2.8, 2.8, 3.5),
    "double": (2.8, 2.8, 15),
    "one axis": (1.2, 2.8, 8),
    "the other axis": (2.8, 1.1, 8),
    "all a third": (1, 1, 8 / 3),
    "in metres": (0.0028, 0.0028, 0.008),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("qform", [0, 1], ids=["no qform", "qform"])
@pytest.mark.parametrize("turn", [np.eye(4), TURN], ids=["straight", "oblique"])
def test_the_size_that_makes_a_head_is_used_and_said(
    tmp_path: Path, wrong: tuple, qform: int, turn: np.ndarray
) -> None:
    sizes = np.array(wrong, float)
    volume = read_nifti(written(tmp_path / "a.nii", sform=sizes, codes=(2, qform), turn=turn))
    np.testing.assert_allclose(volume.spacing_mm, TRUE, rtol=1e-4)
    assert volume.mask_volume_mm3(HU > 500) == pytest.approx((HU > 500).sum() * ML * 1000, rel=1e-3)
    assert said(volume, "contradicts itself", "pixdim is used", "no human head")
    assert volume.source.details["affine_from"] == "pixdim"
    np.testing.assert_allclose(volume.affine[:3, :3] / TRUE, (turn @ np.eye(4))[:3, :3], atol=1e-4)
    # The other way round the sform is right, and used, and the contradiction told.
    volume = read_nifti(written(tmp_path / "b.nii", pixdim=sizes, codes=(2, qform), turn=turn))
    np.testing.assert_allclose(volume.spacing_mm, TRUE, rtol=1e-4)
    assert said(volume, "contradicts itself", "the sform is used, as with pixdim")
    assert implausible_size(volume) == []


def test_masks_of_such_a_file_find_their_place(tmp_path: Path) -> None:
    """A truth beside it has the same header; what is written has the size that was used."""
    wrong = np.array([1.0, 1.0, 1.0])
    volume = read_nifti(written(tmp_path / "a.nii", sform=wrong))
    truth = nib.load(tmp_path / "a.nii")
    nib.save(nib.Nifti1Image((HU > 500).astype(np.uint8), truth.affine), tmp_path / "t.nii")
    np.testing.assert_array_equal(MaskReader().on(tmp_path / "t.nii", volume)[0], HU > 500)
    made = save_like(volume, volume.hu > 500, tmp_path / "m.nii", dtype=np.uint8, description="")
    voxel_ml = abs(np.linalg.det(nib.load(made).affine)) / 1000
    assert voxel_ml == pytest.approx(ML, rel=1e-4)
    with pytest.raises(InputError, match="the same voxel lies up to"):
        check_same_grid(read_mask(made), read_mask(tmp_path / "t.nii"))


@pytest.mark.parametrize(
    ("sform", "pixdim", "words"),
    [
        ((2.8, 2.8, 8), (2.6, 2.6, 7.5), ("the sform is used", "both make a possible head")),
        ((2.8, 2.8, 8), (2.8, 2.8, 7), ("the sform is used", "both make a possible head")),
        ((1, 1, 1), (2, 2, 1), ("no human head has the size that either gives",)),
    ],
)
def test_where_the_head_cannot_decide_it_is_said(
    tmp_path: Path, sform: tuple, pixdim: tuple, words: tuple
) -> None:
    path = written(tmp_path / "a.nii", np.array(sform, float), np.array(pixdim, float))
    volume = read_nifti(path)
    np.testing.assert_allclose(volume.spacing_mm, sform, rtol=1e-4)
    assert said(volume, "contradicts itself", *words)


@pytest.mark.parametrize("codes", [(2, 0), (2, 1), (0, 1), (1, 2)])
@pytest.mark.parametrize("turn", [np.eye(4), TURN], ids=["straight", "oblique"])
def test_a_header_that_agrees_with_itself_is_not_spoken_of(
    tmp_path: Path, codes: tuple, turn: np.ndarray
) -> None:
    rounded = TRUE * 1.002
    volume = read_nifti(written(tmp_path / "a.nii", pixdim=rounded, codes=codes, turn=turn))
    assert volume.warnings == ()
    assert implausible_size(volume) == []


def test_a_sheared_stack_may_give_the_distance_of_its_planes(tmp_path: Path) -> None:
    sheared = AFFINE.copy()
    sheared[1, 2] = np.tan(np.radians(20)) * 8
    nib.save(nib.Nifti1Image(HU, sheared), tmp_path / "a.nii")
    raw = bytearray((tmp_path / "a.nii").read_bytes())
    raw[80:92] = TRUE.astype("<f4").tobytes()
    (tmp_path / "a.nii").write_bytes(bytes(raw))
    volume = read_nifti(tmp_path / "a.nii")
    assert not said(volume, "contradicts")
    assert volume.spacing_mm == pytest.approx(tuple(TRUE))


@pytest.mark.parametrize(("unit", "name", "factor"), [(1, "metres", 1e-3), (3, "micro", 1e3)])
@pytest.mark.parametrize("codes", [(2, 0), (0, 1), (2, 1), (0, 0)])
def test_other_units_of_length_become_millimetres(
    tmp_path: Path, unit: int, name: str, factor: float, codes: tuple
) -> None:
    sizes = TRUE * factor
    volume = read_nifti(written(tmp_path / "a.nii", sizes, sizes, codes, unit))
    np.testing.assert_allclose(volume.spacing_mm, TRUE, rtol=1e-4)
    assert said(volume, name, "converted to mm")


@pytest.mark.parametrize(("unit", "name"), [(1, "metres"), (3, "micrometres")])
def test_a_unit_that_the_numbers_gainsay_is_told(tmp_path: Path, unit: int, name: str) -> None:
    volume = read_nifti(written(tmp_path / "a.nii", units=unit))
    np.testing.assert_allclose(volume.spacing_mm, TRUE, rtol=1e-4)
    assert said(volume, name, "read as mm")


def sized(spacing: tuple[float, ...], hu: np.ndarray = HU) -> CT:
    affine = np.diag([*spacing, 1.0])
    return CT.from_source_array(hu, Source(Path("x"), "array", hu.shape, affine))


@pytest.mark.parametrize(
    "spacing",
    [(1, 1, 1), (3, 3, 2), (3, 3, 15), (6, 6, 8), (1, 3, 8), (3, 1.3, 8), (6, 6, 16), (1, 1, 2.7)],
)
def test_a_head_of_an_impossible_size_is_never_silent(spacing: tuple) -> None:
    (warning,) = implausible_size(sized(spacing))
    assert "no human head" in warning and "voxel size" in warning


@pytest.mark.parametrize(
    "spacing", [(3, 3, 8), (2, 2, 5.5), (2.6, 3.2, 7), (3.3, 3.3, 9), (1.8, 1.8, 4.5)]
)
def test_heads_of_newborns_and_adults_are_plausible(spacing: tuple) -> None:
    assert implausible_size(sized(spacing)) == []


def test_what_is_cut_or_missing_is_not_measured() -> None:
    """Below the vertex no height is told; blank slices are none; without a head nothing is."""
    cut = HeadSize.of(sized(SPACING_MM, HU[:, :, :9]))
    assert cut is not None and cut.vault_mm is None and cut.plausible
    blank = np.concatenate([HU[:, :, :9], np.full_like(HU[:, :, :4], -1000)], axis=2)
    assert HeadSize.of(sized(SPACING_MM, blank)) == cut
    assert HeadSize.of(sized(SPACING_MM, np.full_like(HU, -1000))) is None
    for value in (0, -1024, 3071):
        blank = HU.copy()
        blank[:, :, 6] = value
        assert implausible_size(sized(SPACING_MM, blank)) == [], value
    assert implausible_size(sized(SPACING_MM, np.full_like(HU, -1000))) == []


def test_the_size_is_that_of_the_ellipsoid() -> None:
    size = HeadSize.of(sized(SPACING_MM))
    assert size is not None
    assert size.breadth_mm == pytest.approx(2 * 23 * 2.8, rel=0.05)
    assert size.length_mm == pytest.approx(2 * 28 * 2.8, rel=0.05)
    assert size.vault_mm == pytest.approx(10 * 8.0, rel=0.1)
