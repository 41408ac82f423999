"""Laws: a mask lies on the input in every orientation; what is no head CT in HU is refused."""

import gzip
from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strokediff.ct.nifti.images import read_nifti, save_like, shear_deg
from strokediff.errors import InputError

SHAPE = (24, 20, 18)
MARKER = (3, 7, 11)
ORIENTATIONS = ["".join(c) for p in permutations(["RL", "AP", "SI"]) for c in product(*p)]


def head(seed=0):
    """HU on RAS axes, asymmetric along each: air, skull, brain, one marker."""
    hu = np.full(SHAPE, -1000, dtype=np.int16)
    hu[2:-4, 3:-2, 1:-3] = 700
    inside = (slice(4, -6), slice(5, -4), slice(3, -5))
    hu[inside] = np.random.default_rng(seed).integers(20, 45, hu[inside].shape)
    hu[MARKER] = 1500
    return hu


def affine_ras(spacing=(0.9, 1.1, 2.5), origin=(-10.0, 5.0, 20.0)):
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = origin
    return affine


def rotation(x, y, z):
    """Rotation by angles in degrees about the three axes."""
    out = np.eye(4)
    for axis, degrees in enumerate((x, y, z)):
        a = np.radians(degrees)
        turn = np.eye(4)
        i, j = [k for k in range(3) if k != axis]
        turn[i, i] = turn[j, j] = np.cos(a)
        turn[i, j], turn[j, i] = -np.sin(a), np.sin(a)
        out = turn @ out
    return out


def reoriented(hu, affine, codes):
    """The same head stored with other axes."""
    order = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(codes)
    )
    stored = nib.orientations.apply_orientation(hu, order)
    return stored, affine @ nib.orientations.inv_ornt_aff(order, hu.shape)


def save(path, array, affine):
    nib.save(nib.Nifti1Image(array, affine), path)
    return path


def assert_on_the_same_grid(path, written):
    source, out = nib.load(path), nib.load(written)
    assert out.shape == source.shape
    np.testing.assert_allclose(out.affine, source.affine, atol=1e-4)
    assert int(out.header["sform_code"]) == 1


def test_there_are_48_orientations():
    assert len(set(ORIENTATIONS)) == 48


@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_round_trip_in_every_orientation(tmp_path, codes):
    hu, affine = head(), affine_ras()
    stored, stored_affine = reoriented(hu, affine, codes)
    path = save(tmp_path / "in.nii", stored, stored_affine)
    volume = read_nifti(path)
    np.testing.assert_array_equal(volume.hu, hu)
    np.testing.assert_allclose(volume.affine, affine, atol=1e-5)
    np.testing.assert_allclose(volume.index_to_world(MARKER), (affine @ [*MARKER, 1])[:3])
    np.testing.assert_allclose(volume.spacing_mm, (0.9, 1.1, 2.5), rtol=1e-5)
    written = save_like(volume, volume.hu > 1000, tmp_path / "m.nii.gz", dtype="u1", description="")
    assert_on_the_same_grid(path, written)
    np.testing.assert_array_equal(np.asarray(nib.load(written).dataobj), stored > 1000)
    assert int(nib.load(written).header["qform_code"]) == 1


@settings(
    derandomize=True,
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    codes=st.sampled_from(ORIENTATIONS),
    turn=st.tuples(*[st.floats(-25, 25)] * 3),
    shear=st.floats(-0.4, 0.4),
    spacing=st.tuples(st.floats(0.4, 1.5), st.floats(0.4, 1.5), st.floats(0.6, 6.0)),
)
def test_oblique_and_sheared_grids_come_back(tmp_path, codes, turn, shear, spacing):
    """The marker's world position and the mask's grid and volume survive any affine."""
    affine = affine_ras(spacing)
    affine[1, 2] = shear * spacing[2]
    affine = rotation(*turn) @ affine
    hu = head()
    stored, stored_affine = reoriented(hu, affine, codes)
    path = save(tmp_path / "in.nii", stored, stored_affine)
    volume = read_nifti(path)
    marker = np.argwhere(volume.hu == 1500)[0]
    where = nib.affines.apply_affine(nib.load(path).affine, np.argwhere(stored == 1500)[0])
    np.testing.assert_allclose(volume.index_to_world(marker), where, atol=1e-3)
    mask = volume.hu > 500
    written = save_like(volume, mask, tmp_path / "m.nii", dtype=np.uint8, description="")
    assert_on_the_same_grid(path, written)
    np.testing.assert_array_equal(np.asarray(nib.load(written).dataobj), stored > 500)
    voxel = abs(np.linalg.det(nib.load(path).affine))
    assert volume.mask_volume_mm3(mask) == pytest.approx(mask.sum() * voxel, rel=1e-5)
    sheared = shear_deg(nib.load(path).affine) > 0
    assert any("sheared" in w for w in volume.warnings) == sheared
    assert int(nib.load(written).header["qform_code"]) == (0 if sheared else 1)


def test_volume_does_not_depend_on_the_orientation(tmp_path):
    volumes = set()
    for codes in ORIENTATIONS[::5]:
        volume = read_nifti(save(tmp_path / "a.nii", *reoriented(head(), affine_ras(), codes)))
        volumes.add(round(volume.mask_volume_mm3(volume.hu > 500), 3))
    assert len(volumes) == 1


@pytest.mark.parametrize("dtype", ["int16", "int32", "float32", "float64"])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_stored_types_and_trailing_dimension(tmp_path, dtype, suffix):
    path = save(tmp_path / f"a{suffix}", head().astype(dtype)[..., None], affine_ras())
    volume = read_nifti(path)
    np.testing.assert_array_equal(volume.hu, head())
    assert volume.hu.dtype == np.float32
    written = save_like(volume, volume.hu, tmp_path / "o.nii.gz", dtype="f4", description="hu")
    assert nib.load(written).shape == SHAPE


def test_rescale_slope_is_applied(tmp_path):
    image = nib.Nifti1Image((head() + 1024).astype(np.uint16), affine_ras())
    image.header.set_slope_inter(1, -1024)
    nib.save(image, tmp_path / "a.nii")
    assert nib.load(tmp_path / "a.nii").dataobj.get_unscaled().min() == 24
    np.testing.assert_array_equal(read_nifti(tmp_path / "a.nii").hu, head())


def test_float_output_is_rounded_and_clipped_to_the_integer_type(tmp_path):
    volume = read_nifti(save(tmp_path / "a.nii", head(), affine_ras()))
    array = np.full(SHAPE, 1.6)
    array[0, 0, 0] = 1e6
    out = nib.load(save_like(volume, array, tmp_path / "o.nii", dtype="i2", description=""))
    assert np.asarray(out.dataobj)[1, 1, 1] == 2
    assert np.asarray(out.dataobj)[0, 0, 0] == 32767


def test_same_content_gives_the_same_bytes(tmp_path):
    volume = read_nifti(save(tmp_path / "a.nii", head(), affine_ras()))
    files = [tmp_path / f"{n}.nii.gz" for n in "xy"]
    for file in files:
        save_like(volume, volume.hu > 0, file, dtype=np.uint8, description="mask")
    assert files[0].read_bytes() == files[1].read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.nii", "x.nii.gz", "y.nii.gz"]


def test_sform_wins_over_a_different_qform_with_a_warning(tmp_path):
    image = nib.Nifti1Image(head(), affine_ras())
    image.set_sform(affine_ras(origin=(0, 0, 0)), code=1)
    mirrored = affine_ras()
    mirrored[0] *= -1
    image.set_qform(mirrored, code=1)
    nib.save(image, tmp_path / "a.nii")
    volume = read_nifti(tmp_path / "a.nii")
    np.testing.assert_allclose(volume.affine, affine_ras(origin=(0, 0, 0)), atol=1e-5)
    assert any("disagree" in w and "mirrors" in w for w in volume.warnings)
    assert volume.source.details["affine_from"] == "sform"


def test_qform_is_used_where_the_sform_has_no_code(tmp_path):
    image = nib.Nifti1Image(head(), affine_ras())
    image.set_sform(affine_ras(origin=(0, 0, 0)), code=0)
    image.set_qform(affine_ras(), code=1)
    nib.save(image, tmp_path / "a.nii")
    volume = read_nifti(tmp_path / "a.nii")
    np.testing.assert_allclose(volume.affine, affine_ras(), atol=1e-5)
    assert volume.warnings == ()


def test_no_orientation_at_all_is_warned_of(tmp_path):
    image = nib.Nifti1Image(head(), None)
    image.header.set_zooms((1, 1, 2))
    image.header["qform_code"] = image.header["sform_code"] = 0
    nib.save(image, tmp_path / "a.nii")
    assert any("neither sform nor qform" in w for w in read_nifti(tmp_path / "a.nii").warnings)


def test_padding_below_air_is_raised_with_a_warning(tmp_path):
    hu = head()
    hu[0] = -3024
    volume = read_nifti(save(tmp_path / "a.nii", hu, affine_ras()))
    assert volume.hu.min() == -1024
    assert any("padding" in w for w in volume.warnings)


def with_nan(hu):
    hu = hu.astype(np.float32)
    hu[3, 3, 3] = np.nan
    return hu


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (with_nan, "1 of 8640 voxels are NaN"),
        (lambda hu: np.where(hu == 1500, np.inf, hu), "NaN or infinite"),
        (lambda hu: np.stack([hu, hu], -1), "4 dimensions .* a time series"),
        (lambda hu: hu[:, :, 5], "2 dimensions .* a single slice"),
        (lambda hu: hu[:, :, :3], "at least 5 axial slices, got 3"),
        (lambda hu: hu[:9], "16 to 2048 pixels"),
        (lambda hu: hu + 1024, "0 to 4095 without its rescale"),
        (lambda hu: np.clip(hu * 3, 0, 255).astype(np.uint8), "8-bit picture"),
        (lambda hu: np.clip(hu / 80, 0, 1).astype(np.float32), r"scaled to 0\.\.1"),
        (lambda hu: np.clip(hu, -20, 90), "skull-stripped or windowed"),
        (lambda hu: np.full_like(hu, -1024), "between 0 and 100 HU"),
        (lambda hu: hu.astype(np.complex64), "one number a voxel"),
    ],
)
def test_what_is_no_head_ct_is_refused(tmp_path, change, message):
    path = save(tmp_path / "bad.nii", change(head()), affine_ras())
    with pytest.raises(InputError, match=message) as caught:
        read_nifti(path)
    assert str(path) in str(caught.value)
    assert caught.value.exit_code == 3


def test_colour_is_refused(tmp_path):
    colour = np.zeros(SHAPE, dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    with pytest.raises(InputError, match="one number a voxel"):
        read_nifti(save(tmp_path / "a.nii", colour, affine_ras()))


@pytest.mark.parametrize(
    ("spacing", "message"),
    [
        ((0.9, 1.1, 0.0), "degenerate"),
        ((0.05, 1.1, 2.5), r"pixels of 0\.2 to 3\.0 mm"),
        ((0.9, 9.0, 2.5), r"pixels of 0\.2 to 3\.0 mm"),
        ((0.9, 1.1, 40.0), r"slices 0\.3 to 15\.0 mm apart"),
        ((0.9, np.nan, 2.5), "NaN or infinity"),
    ],
)
def test_impossible_spacing_is_refused(tmp_path, spacing, message):
    image = nib.Nifti1Image(head(), np.eye(4))
    affine = np.diag([*spacing, 1.0])
    for row, name in enumerate(("srow_x", "srow_y", "srow_z")):
        image.header[name] = affine[row]
    path = tmp_path / "a.nii"
    nib.save(image, path)
    raw = bytearray(path.read_bytes())
    raw[252:256] = np.array([0, 1], "<i2").tobytes()
    raw[280:328] = affine[:3].astype("<f4").tobytes()
    path.write_bytes(bytes(raw))
    with pytest.raises(InputError, match=message):
        read_nifti(path)


def with_pixdim(path, sizes, codes):
    """Overwrite the stored voxel size and the (qform, sform) codes."""
    raw = bytearray(path.read_bytes())
    raw[252:256] = np.array(codes, "<i2").tobytes()
    raw[80:92] = np.array(sizes, "<f4").tobytes()
    path.write_bytes(bytes(raw))
    return path


@pytest.mark.parametrize("sizes", [(0, 0, 0), (0.9, 1.1, 0), (0.9, 1.1, -2.5)])
@pytest.mark.parametrize("codes", [(1, 0), (0, 0)])
def test_zero_or_negative_pixdim_is_refused_without_an_sform(tmp_path, sizes, codes):
    path = with_pixdim(save(tmp_path / "a.nii", head(), affine_ras()), sizes, codes)
    with pytest.raises(InputError, match="not a positive spacing"):
        read_nifti(path)


def test_zero_pixdim_is_warned_of_where_the_sform_holds(tmp_path):
    path = with_pixdim(save(tmp_path / "a.nii", head(), affine_ras()), (0, 1.1, 2.5), (0, 2))
    volume = read_nifti(path)
    np.testing.assert_allclose(volume.spacing_mm, (0.9, 1.1, 2.5), rtol=1e-5)
    assert any("sform's spacing is used" in w for w in volume.warnings)


def test_missing_path_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"gone\.nii: no such file"):
        read_nifti(tmp_path / "gone.nii")


@pytest.mark.parametrize("keep", [0, 10, 200, 348, 1000, -40000, -3000, -9, -1])
def test_truncated_gz_is_refused(tmp_path, keep):
    raw = nib.Nifti1Image(head(), affine_ras()).to_bytes()
    noise = np.random.default_rng(0).integers(0, 256, 50000, dtype=np.uint8).tobytes()
    whole = gzip.compress(raw + noise)
    path = tmp_path / "a.nii.gz"
    path.write_bytes(whole[:keep])
    with pytest.raises(InputError, match="truncated, damaged or of another format"):
        read_nifti(path)


@pytest.mark.parametrize("keep", [0, 100, 348, 400, 5000])
def test_truncated_nii_is_refused(tmp_path, keep):
    path = save(tmp_path / "a.nii", head(), affine_ras())
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match="truncated, damaged or of another format"):
        read_nifti(path)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.txt", "a.mgz"])
def test_other_formats_are_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"not an image, just text " * 50)
    with pytest.raises(InputError, match="expected a"):
        read_nifti(tmp_path / name)


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    volume = read_nifti(save(tmp_path / "a.nii", head(), affine_ras()))

    def half(image, path):
        path.write_bytes(b"half")
        raise RuntimeError("killed")

    monkeypatch.setattr(nib, "save", half)
    with pytest.raises(RuntimeError, match="killed"):
        save_like(volume, volume.hu, tmp_path / "o.nii.gz", dtype="f4", description="")
    assert [p.name for p in tmp_path.iterdir()] == ["a.nii"]


def test_an_array_of_another_shape_is_refused(tmp_path):
    volume = read_nifti(save(tmp_path / "a.nii", head(), affine_ras()))
    with pytest.raises(ValueError, match="expected an array of shape"):
        save_like(volume, np.zeros((2, 2, 2)), tmp_path / "o.nii", dtype="u1", description="")


@pytest.mark.parametrize("codes", ["RAS", "LPS", "SAL"])
def test_several_maps_lie_in_one_file_as_each_would_in_its_own(tmp_path, codes):
    hu, affine = reoriented(head(), affine_ras(), codes)
    nib.save(nib.Nifti1Image(hu, affine), tmp_path / "in.nii.gz")
    volume = read_nifti(tmp_path / "in.nii.gz")
    maps = np.random.default_rng(0).random((*volume.hu.shape, 2)).astype(np.float32)
    together = nib.load(save_like(volume, maps, tmp_path / "all.nii.gz", dtype=np.float32))
    for k in range(2):
        own = save_like(volume, maps[..., k], tmp_path / "own.nii.gz", dtype=np.float32)
        np.testing.assert_array_equal(together.get_fdata()[..., k], nib.load(own).get_fdata())
    np.testing.assert_allclose(together.affine, affine)
    with pytest.raises(ValueError, match="expected an array of shape"):
        save_like(volume, maps[None], tmp_path / "no.nii.gz", dtype=np.float32)
