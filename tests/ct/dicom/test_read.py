"""Laws: HU, place and order of a series come out right whatever the files' order, tilt or
compression; what cannot be one volume is refused with a sentence."""

import json
import shutil

import nibabel as nib
import numpy as np
import pydicom
import pytest
from dicom_factory import (
    AXIAL,
    COLUMNS,
    MARKER,
    MARKER_HU,
    ROWS,
    SPACING,
    N,
    head,
    tilted,
    uid,
    write_enhanced,
    write_series,
)

from strokediff.ct.dicom.read import read_dicom_series
from strokediff.ct.nifti.images import read_nifti, save_like
from strokediff.errors import InputError

GE_HEAD = [*np.arange(0, 21, 4.0), 21.1, *np.arange(28, 57, 7.0)]
"""Two zones like a GE head's: 4 mm, one short step, then 7 mm."""


def marker_ras(z, corner=(-20.0, -30.0), orientation=AXIAL):
    """Where the marker lies, from the definition in PS3.3 C.7.6.2.1.1."""
    column, row, k = MARKER
    lps = np.array([*corner, z[k]])
    lps += np.array(orientation[:3]) * SPACING[1] * column
    lps += np.array(orientation[3:]) * SPACING[0] * row
    return lps * [-1, -1, 1]


def found_marker(volume):
    return volume.index_to_world(np.argwhere(volume.hu == MARKER_HU)[0])


def canonical(hu):
    """(slice, row, column) in LPS axes to RAS axes (x, y, z)."""
    return hu.transpose(2, 1, 0)[::-1, ::-1]


def test_voxels_and_places(tmp_path):
    write_series(tmp_path)
    volume = read_dicom_series(tmp_path)
    np.testing.assert_array_equal(volume.hu, canonical(head()))
    np.testing.assert_allclose(found_marker(volume), marker_ras(5.0 * np.arange(N)), atol=1e-6)
    np.testing.assert_allclose(volume.spacing_mm, (SPACING[1], SPACING[0], 5.0))
    assert volume.warnings == ()
    assert not volume.uneven


def test_details_are_plain_json_without_the_patient(tmp_path):
    write_series(tmp_path, patient="id-4711")
    volume = read_dicom_series(tmp_path)
    text = json.dumps(volume.source.details)
    assert "Secret" not in text
    assert "4711" not in text
    details = volume.source.details
    assert details["series_uid"] == uid("ncct")
    assert details["n_files"] == N
    assert details["transfer_syntax"] == "Explicit VR Little Endian"
    assert details["series_explanation"] == "the only series"


def test_file_names_and_numbers_do_not_matter(tmp_path):
    rng = np.random.default_rng(1)
    written = write_series(tmp_path / "a", numbers=[int(n) for n in rng.permutation(N)])
    for i, source in enumerate(written):
        target = tmp_path / "b" / f"d{i % 3}" / f"{rng.integers(1 << 30):x}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    np.testing.assert_array_equal(read_dicom_series(tmp_path / "b").hu, canonical(head()))


@pytest.mark.parametrize("degrees", [-18.5, -6.0, 0.0, 18.5, 30.0])
@pytest.mark.parametrize("downwards", [False, True])
def test_tilt_both_ways(tmp_path, degrees, downwards):
    """The affine is sheared by the tilt, found from positions; GantryDetectorTilt is a decoy."""
    z = 5.0 * np.arange(N) * (-1 if downwards else 1)
    write_series(tmp_path, orientation=tilted(degrees), z=z)
    volume = read_dicom_series(tmp_path)
    place = marker_ras(z, orientation=tilted(degrees))
    np.testing.assert_allclose(found_marker(volume), place, atol=1e-6)
    assert volume.source.details["tilt_deg"] == pytest.approx(degrees, abs=0.01)
    assert volume.spacing_mm[2] == pytest.approx(5.0 * np.cos(np.radians(degrees)))
    voxel = abs(np.linalg.det(volume.affine))
    assert volume.mask_volume_mm3(volume.hu > 500) == pytest.approx(voxel * (volume.hu > 500).sum())


def test_oblique_stack_without_shear_has_no_tilt(tmp_path):
    orientation = tilted(15.0)
    normal = np.cross(orientation[:3], orientation[3:])
    paths = write_series(tmp_path, orientation=orientation)
    for k, path in enumerate(paths):
        ds = pydicom.dcmread(path)
        ds.ImagePositionPatient = list(np.array([-20.0, -30.0, 0.0]) + 5.0 * k * normal)
        ds.save_as(path)
    volume = read_dicom_series(tmp_path)
    assert volume.source.details["tilt_deg"] == 0.0
    assert volume.source.details["oblique_deg"] == pytest.approx(15.0, abs=0.01)
    assert volume.spacing_mm[2] == pytest.approx(5.0)


@pytest.mark.parametrize(
    "orientation",
    [(-1, 0, 0, 0, -1, 0), (1, 0, 0, 0, -1, 0), (-1, 0, 0, 0, 1, 0), (0, 1, 0, 1, 0, 0)],
)
def test_flipped_and_turned_slices(tmp_path, orientation):
    """Prone, feet-first and transposed storage keep the marker's place; masks come back."""
    z = 5.0 * np.arange(N)
    write_series(tmp_path, orientation=tuple(map(float, orientation)))
    volume = read_dicom_series(tmp_path)
    place = marker_ras(z, orientation=orientation)
    np.testing.assert_allclose(found_marker(volume), place, atol=1e-6)
    assert volume.affine[2, 2] > 0
    assert volume.to_source(volume.hu).shape == (COLUMNS, ROWS, N)


def test_rescale_is_that_of_each_slice(tmp_path):
    rescale = [(1.0 + 0.5 * (k % 2), -1024.0 - 3 * k) for k in range(N)]
    hu = head()
    write_series(tmp_path, rescale=rescale)
    volume = read_dicom_series(tmp_path)
    np.testing.assert_allclose(volume.hu, canonical(hu), atol=0.75)
    even = np.arange(N) % 2 == 0
    np.testing.assert_array_equal(volume.hu[..., even], canonical(hu)[..., even])


def test_padding_becomes_air(tmp_path):
    hu = head()
    hu[:, :3] = -2000
    write_series(tmp_path, hu=hu, rescale=(1.0, 0.0), PixelPaddingValue=-2000)
    assert read_dicom_series(tmp_path).hu.min() == -1024


def test_a_padding_value_that_is_tissue_is_left_alone(tmp_path):
    write_series(tmp_path, rescale=(1.0, 0.0), PixelPaddingValue=30)
    np.testing.assert_array_equal(read_dicom_series(tmp_path).hu, canonical(head()))


def test_no_rescale_is_warned_of(tmp_path):
    write_series(tmp_path, rescale=(1.0, 0.0), RescaleSlope=None, RescaleIntercept=None)
    volume = read_dicom_series(tmp_path)
    np.testing.assert_array_equal(volume.hu, canonical(head()))
    assert any("no RescaleSlope" in w for w in volume.warnings)


def test_rescale_in_some_slices_only_is_refused(tmp_path):
    path = write_series(tmp_path)[4]
    ds = pydicom.dcmread(path)
    del ds.RescaleIntercept
    ds.save_as(path)
    with pytest.raises(InputError, match=r"004\.dcm: has no RescaleSlope .* all or none"):
        read_dicom_series(tmp_path)


def test_rescale_that_is_no_number_is_refused(tmp_path):
    path = write_series(tmp_path)[4]
    path.write_bytes(path.read_bytes().replace(b"-1024.0", b"-1x24.0"))
    with pytest.raises(InputError, match=r"004\.dcm: .*RescaleIntercept that are numbers"):
        read_dicom_series(tmp_path)


def test_damaged_rle_that_makes_its_decoder_panic_is_refused(tmp_path):
    """The Rust decoder's panic is no `Exception`; it must not end the program."""
    path = write_series(tmp_path, compress=pydicom.uid.RLELossless)[4]
    raw = path.read_bytes()
    start = raw.index(b"\xfe\xff\x00\xe0", raw.index(b"\xe0\x7f\x10\x00") + 16) + 8 + 64
    path.write_bytes(raw[:start] + b"\x7f" * 40 + raw[start + 40 :])
    with pytest.raises(InputError, match=r"004\.dcm: the pixels cannot be decoded"):
        read_dicom_series(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "RLELossless",
        "JPEG2000Lossless",
        "JPEGLSLossless",
        "DeflatedExplicitVRLittleEndian",
        "ImplicitVRLittleEndian",
        "ExplicitVRBigEndian",
    ],
)
def test_transfer_syntaxes(tmp_path, name):
    syntax = getattr(pydicom.uid, name)
    if syntax.is_compressed and syntax.is_encapsulated:
        encoder = pydicom.pixels.get_encoder(syntax)
        if not encoder.is_available:
            pytest.skip(f"no encoder for {name}")
        write_series(tmp_path, compress=syntax)
    else:
        for path in write_series(tmp_path):
            ds = pydicom.dcmread(path)
            if name == "ExplicitVRBigEndian":
                ds.PixelData = ds.pixel_array.astype(">i2").tobytes()
            ds.file_meta.TransferSyntaxUID = syntax
            pydicom.dcmwrite(path, ds, enforce_file_format=True)
    volume = read_dicom_series(tmp_path)
    np.testing.assert_array_equal(volume.hu, canonical(head()))
    assert volume.source.details["transfer_syntax"] == syntax.name


def test_files_without_the_preamble(tmp_path):
    for path in write_series(tmp_path):
        ds = pydicom.dcmread(path)
        del ds.file_meta
        path.unlink()
        pydicom.dcmwrite(path, ds, implicit_vr=True, little_endian=True)
    np.testing.assert_array_equal(read_dicom_series(tmp_path).hu, canonical(head()))


def test_enhanced_multiframe(tmp_path):
    """Frames in any order, each with its own intercept; geometry from the functional groups."""
    write_enhanced(tmp_path / "enhanced.dcm")
    volume = read_dicom_series(tmp_path)
    np.testing.assert_array_equal(volume.hu, canonical(head()))
    np.testing.assert_allclose(found_marker(volume), marker_ras(4.0 * np.arange(N)), atol=1e-6)
    assert volume.source.details["n_files"] == 1
    assert volume.source.details["n_slices"] == N


def test_uneven_zones_are_kept_with_their_own_increments(tmp_path):
    hu = head(len(GE_HEAD))
    write_series(tmp_path, hu=hu, z=GE_HEAD, orientation=tilted(18.5))
    volume = read_dicom_series(tmp_path)
    cosine = np.cos(np.radians(18.5))
    assert volume.uneven
    assert any("uneven" in w for w in volume.warnings)
    np.testing.assert_allclose(volume.slice_increments_mm[:3], 4.0 * cosine)
    np.testing.assert_allclose(volume.slice_increments_mm[-3:], 7.0 * cosine)
    np.testing.assert_allclose(
        found_marker(volume), marker_ras(GE_HEAD, orientation=tilted(18.5)), atol=1e-6
    )
    mask = np.zeros(hu.shape, bool)
    mask[:, 10, 10] = True
    area = SPACING[0] * SPACING[1]
    tissue = (GE_HEAD[-1] - GE_HEAD[0] + 2.0 + 3.5) * cosine * area
    assert volume.mask_volume_mm3(canonical(mask)) == pytest.approx(tissue)


@pytest.mark.parametrize("downwards", [False, True])
def test_uneven_output_is_a_regular_grid_in_the_right_place(tmp_path, downwards):
    hu = head(len(GE_HEAD))
    z = -np.array(GE_HEAD) if downwards else np.array(GE_HEAD)
    orientation = (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0) if downwards else tilted(12.0)
    write_series(tmp_path / "in", hu=hu, z=z, orientation=orientation)
    volume = read_dicom_series(tmp_path / "in")
    mask = volume.hu > 500
    path = save_like(volume, mask, tmp_path / "m.nii.gz", dtype=np.uint8, description="mask")
    image = nib.load(path)
    assert "regular grid" in image.header["descrip"].item().decode()
    regular = abs(np.linalg.det(image.affine)) * image.get_fdata().sum()
    assert regular == pytest.approx(volume.mask_volume_mm3(mask), rel=0.02)
    again = read_nifti(
        save_like(volume, volume.hu, tmp_path / "hu.nii", dtype="i2", description="")
    )
    where = volume.index_to_world(np.argwhere(volume.hu == MARKER_HU)[0])
    near = again.index_to_world(np.argwhere(again.hu == again.hu.max()))
    steps = np.linalg.norm(near - where, axis=1)
    assert steps.min() <= 0.75 * again.spacing_mm[2]


def test_small_jitter_of_positions_is_even(tmp_path):
    """A Siemens head: 9.0 and 8.95 mm in turn."""
    z = np.cumsum([0, *[9.05, 8.95] * 10])[:N]
    write_series(tmp_path, z=z)
    volume = read_dicom_series(tmp_path)
    assert not volume.uneven
    assert volume.spacing_mm[2] == pytest.approx(np.diff(z).mean())


@pytest.mark.parametrize(
    ("missing", "count"), [([5], 1), ([5, 6], 2), ([3, 7], 2), ([3, 5], 2), ([N - 2], 1), ([1], 1)]
)
def test_missing_slices_are_refused(tmp_path, missing, count):
    paths = write_series(tmp_path)
    for k in missing:
        paths[k].unlink()
    with pytest.raises(InputError, match=f"about {count} slices are missing.*complete series"):
        read_dicom_series(tmp_path)


def test_a_hole_between_two_zones_is_refused(tmp_path):
    z = [*np.arange(0, 16, 2.5), *np.arange(25, 46, 5.0)]
    write_series(tmp_path, hu=head(len(z)), z=z)
    with pytest.raises(InputError, match=r"missing.*10\.00 mm"):
        read_dicom_series(tmp_path)


def test_three_zones_are_not_a_hole(tmp_path):
    z = np.cumsum([0, *[2.5] * 4, *[5.0] * 5, *[2.5] * 4])
    write_series(tmp_path, hu=head(len(z)), z=z)
    assert read_dicom_series(tmp_path).uneven


def test_a_far_away_slice_is_refused(tmp_path):
    z = [*5.0 * np.arange(N - 1), 118.3]
    write_series(tmp_path, z=z)
    with pytest.raises(InputError, match=r"28\.3 mm apart"):
        read_dicom_series(tmp_path)


def test_identical_duplicates_are_dropped_with_a_warning(tmp_path):
    paths = write_series(tmp_path)
    shutil.copy(paths[4], tmp_path / "copy.dcm")
    volume = read_dicom_series(tmp_path)
    np.testing.assert_array_equal(volume.hu, canonical(head()))
    assert any("1 duplicate slices" in w for w in volume.warnings)


def test_different_slices_at_one_position_are_refused(tmp_path):
    write_series(tmp_path)
    write_series(tmp_path, hu=head(seed=9)[:1], prefix="again")
    with pytest.raises(InputError, match=r"same position as .* pixels differ"):
        read_dicom_series(tmp_path)


def test_slices_that_do_not_line_up_are_refused(tmp_path):
    write_series(tmp_path, hu=head()[:6])
    write_series(
        tmp_path, hu=head()[6:], z=30 + 5.0 * np.arange(N - 6), corner=(-5.0, -30.0), prefix="b"
    )
    with pytest.raises(InputError, match="do not line up"):
        read_dicom_series(tmp_path)


def test_all_at_one_position_is_refused(tmp_path):
    write_series(tmp_path, z=np.full(N, 61.5))
    with pytest.raises(InputError, match="all slices of a series lie at one position"):
        read_dicom_series(tmp_path)


def test_impossible_spacing_is_refused(tmp_path):
    write_series(tmp_path, spacing=(0.05, 0.05))
    with pytest.raises(InputError, match=r"pixels of 0\.2 to 3\.0 mm"):
        read_dicom_series(tmp_path)


def test_blank_pixels_are_refused(tmp_path):
    write_series(tmp_path, hu=np.full((N, ROWS, COLUMNS), -1000, np.int16))
    with pytest.raises(InputError, match="not a head CT in Hounsfield units"):
        read_dicom_series(tmp_path)


def test_zero_byte_and_damaged_files_beside_the_series_are_warned_of(tmp_path):
    paths = write_series(tmp_path)
    (tmp_path / "zero.dcm").touch()
    (tmp_path / "head.dcm").write_bytes(paths[0].read_bytes()[:200])
    volume = read_dicom_series(tmp_path)
    assert any(w.startswith("2 empty or damaged") and "zero.dcm" in w for w in volume.warnings)


def test_a_zero_byte_file_inside_the_series_is_a_missing_slice(tmp_path):
    write_series(tmp_path)[6].write_bytes(b"")
    with pytest.raises(InputError, match="slices are missing"):
        read_dicom_series(tmp_path)


def test_only_zero_byte_files(tmp_path):
    for path in write_series(tmp_path):
        path.write_bytes(b"")
    with pytest.raises(InputError, match=rf"{N} empty or damaged .*000\.dcm: the file is empty"):
        read_dicom_series(tmp_path)


@pytest.mark.parametrize("compress", [None, "1.2.840.10008.1.2.5"])
def test_truncated_pixels_name_the_file(tmp_path, compress):
    path = write_series(tmp_path, compress=compress)[3]
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(InputError, match=r"003\.dcm: .*(cannot be decoded|cut off)"):
        read_dicom_series(tmp_path)


def test_no_pixel_data_names_the_file(tmp_path):
    path = write_series(tmp_path)[3]
    ds = pydicom.dcmread(path)
    del ds.PixelData
    ds.save_as(path)
    with pytest.raises(InputError, match=r"003\.dcm: .* no pixel data"):
        read_dicom_series(tmp_path)


def test_other_files_are_ignored(tmp_path):
    write_series(tmp_path)
    for name in ("LICENSE", "README.md", "DICOMDIR", "notes", ".hidden.dcm"):
        (tmp_path / name).write_text("not DICOM " * 40)
    assert read_dicom_series(tmp_path).warnings == ()


def test_empty_missing_and_foreign_folders(tmp_path):
    with pytest.raises(InputError, match="the folder is empty"):
        read_dicom_series(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        read_dicom_series(tmp_path / "gone")
    (tmp_path / "a.txt").write_text("x" * 500)
    with pytest.raises(InputError, match="none of its 1 files is DICOM"):
        read_dicom_series(tmp_path)


def test_several_patients_in_one_folder_are_refused(tmp_path):
    write_series(tmp_path / "a", patient="a", series="a")
    write_series(tmp_path / "b", patient="b", series="b")
    with pytest.raises(InputError, match="2 patients"):
        read_dicom_series(tmp_path)
    assert read_dicom_series(tmp_path, uid("b")).source.details["series_uid"] == uid("b")


def test_nonsense_in_optional_elements_does_no_harm(tmp_path):
    for path in write_series(tmp_path):
        raw = path.read_bytes()
        path.write_bytes(raw.replace(b"77.0", b"7x.0").replace(b"IS\x02\x001 ", b"IS\x02\x00zz"))
    np.testing.assert_array_equal(read_dicom_series(tmp_path).hu, canonical(head()))
