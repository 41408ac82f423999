"""Law: what is no measurement becomes air, in whatever convention a scanner marks it; what is one
stays, to the bit."""

import numpy as np
import pydicom
import pytest
from dicom_factory import COLUMNS, ROWS, head, write_series

from strokediff.ct.dicom.headers import scan
from strokediff.ct.dicom.padding import LARGEST_HU
from strokediff.ct.dicom.pixels import PixelReader
from strokediff.ct.dicom.read import read_dicom_series

HU = head(1)[0].astype(int)
OUTSIDE = np.add.outer((np.arange(ROWS) - 19.5) ** 2, (np.arange(COLUMNS) - 15.5) ** 2) > 21**2
"""The corners outside of the reconstructed circle."""
EXPECTED = np.where(OUTSIDE, -1024, HU)


def write(path, stored, **attributes):
    """One slice of these stored values, 16 bits a pixel; signed unless told otherwise."""
    ds = pydicom.dcmread(write_series(path.parent, hu=HU[None], prefix="made")[0])
    ds.PixelData = np.asarray(stored).astype("<i8").astype("<u2").tobytes()
    ds.RescaleSlope, ds.RescaleIntercept = attributes.pop("rescale", (1, 0))
    vr = "US" if attributes.get("PixelRepresentation", 1) == 0 else "SS"
    for name, value in attributes.items():
        if name.startswith("PixelPadding"):
            own = value if isinstance(value, tuple) else (vr, value)
            ds[name] = pydicom.DataElement(pydicom.tag.Tag(name), *own)
        else:
            setattr(ds, name, value)
    ds.save_as(path)
    return path


def read(path):
    reader = PixelReader()
    hu = reader.hu(scan([path]).slices[0])
    return hu, reader


def padded(value):
    return np.where(OUTSIDE, value, HU)


UNSIGNED = {"PixelRepresentation": 0, "rescale": (1, -1024)}
CONVENTIONS = {
    "declared": (padded(-2000), {"PixelPaddingValue": -2000}),
    "declared above -1024": (padded(-900), {"PixelPaddingValue": -900}),
    "declared without sign": (padded(-2000), {"PixelPaddingValue": ("US", 63536)}),
    "a range": (
        np.where(OUTSIDE, -1400 - np.arange(COLUMNS), HU),
        {"PixelPaddingValue": -1500, "PixelPaddingRangeLimit": -1400},
    ),
    "a range, upside down, above -1024": (
        np.where(OUTSIDE, -990 + np.arange(COLUMNS), HU),
        {"PixelPaddingValue": -950, "PixelPaddingRangeLimit": -990, "rescale": (1, 0)},
    ),
    "a range that runs into tissue": (
        padded(-2000),
        {"PixelPaddingValue": -2000, "PixelPaddingRangeLimit": 3000},
    ),
    "not declared": (padded(-2000), {}),
    "not declared, -3024": (padded(-3024), {}),
    "the smallest number": (padded(-32768), {}),
    "-1 as stored": (np.where(OUTSIDE, -1, HU + 1024), {"rescale": (1, -1024)}),
    "0 in a head of HU, declared": (padded(0), {"PixelPaddingValue": 0}),
    "bright, declared": (padded(3071), {"PixelPaddingValue": 3071}),
    "unsigned": (np.where(OUTSIDE, 0, HU + 1024), UNSIGNED),
    "unsigned, wrapped": (np.where(OUTSIDE, -2000, HU + 1024), UNSIGNED),
    "unsigned, wrapped and declared": (
        np.where(OUTSIDE, -2000, HU + 1024),
        {**UNSIGNED, "PixelPaddingValue": 63536},
    ),
    "unsigned, declared with sign": (
        np.where(OUTSIDE, -2000, HU + 1024),
        {**UNSIGNED, "PixelPaddingValue": ("SS", -2000)},
    ),
    "in 12 bits, beyond them": (
        np.where(OUTSIDE, -2000, HU + 1024),
        {**UNSIGNED, "BitsStored": 12, "HighBit": 11},
    ),
    "in 12 bits with sign, beyond them": (
        padded(-3024),
        {"BitsStored": 12, "HighBit": 11, "PixelPaddingValue": -3024},
    ),
    "with a slope": (
        np.where(OUTSIDE, -3000, 2 * HU),
        {"rescale": (0.5, 0), "PixelPaddingValue": -3000},
    ),
}


@pytest.mark.parametrize("kind", CONVENTIONS)
def test_padding_becomes_air_and_nothing_else_does(tmp_path, kind):
    stored, attributes = CONVENTIONS[kind]
    hu, reader = read(write(tmp_path / "x.dcm", stored, **attributes))
    np.testing.assert_array_equal(hu, EXPECTED)
    assert not reader.unsigned


@pytest.mark.parametrize("value", [30, 0, 800, -150])
def test_a_declared_value_that_is_also_tissue_is_left_alone(tmp_path, value):
    """Voxels of that value lie within the head, and do not fill the corners."""
    stored = HU.copy()
    stored[10:14, 10:14] = value
    hu, _ = read(write(tmp_path / "x.dcm", stored, PixelPaddingValue=value))
    np.testing.assert_array_equal(hu, stored)


def test_padding_of_a_tissue_value_is_only_taken_from_the_border(tmp_path):
    stored = padded(0)
    stored[10:14, 10:14] = 0
    expected = EXPECTED.copy()
    expected[10:14, 10:14] = 0
    hu, _ = read(write(tmp_path / "x.dcm", stored, PixelPaddingValue=0))
    np.testing.assert_array_equal(hu, expected)


@pytest.mark.parametrize("intercept", [0, -20, 24])
def test_negative_numbers_that_were_declared_to_have_no_sign(tmp_path, intercept):
    """Air at -1000 stored as 64536: a head in HU, which the header denies."""
    hu, reader = read(
        write(
            tmp_path / "x.dcm",
            HU - intercept,
            PixelRepresentation=0,
            rescale=(1, intercept),
        )
    )
    np.testing.assert_array_equal(hu, HU)
    assert reader.unsigned == {tmp_path / "x.dcm"}


def test_the_restored_sign_is_warned_of(tmp_path):
    write_series(tmp_path, rescale=(1, 0), PixelRepresentation=0)
    volume = read_dicom_series(tmp_path)
    assert volume.hu.min() == -1000
    assert any("their sign was restored" in w for w in volume.warnings)


def test_high_but_true_values_stay(tmp_path):
    """Metal in the extended scale, and a small slope whose stored numbers pass 32767."""
    metal = HU.copy()
    metal[20, 16] = 30_000
    hu, _ = read(write(tmp_path / "a.dcm", metal + 1024, **UNSIGNED))
    np.testing.assert_array_equal(hu, metal)
    fine = (HU + 1024) * 20
    hu, _ = read(write(tmp_path / "b.dcm", fine, PixelRepresentation=0, rescale=(0.05, -1024)))
    np.testing.assert_allclose(hu, HU, atol=1e-3)
    assert LARGEST_HU > 30_710  # the largest of the extended scale


def test_overlays_in_unused_bits_are_no_values(tmp_path):
    stored = HU + 1024
    stored[5:9, 5:9] |= 1 << 12
    hu, _ = read(write(tmp_path / "x.dcm", stored, BitsStored=12, HighBit=11, **UNSIGNED))
    np.testing.assert_array_equal(hu, HU)


@pytest.mark.parametrize(("slope", "intercept"), [("1,0", "-1024,0"), ("1", "-1024,00")])
def test_a_rescale_with_decimal_commas(tmp_path, slope, intercept):
    path = write_series(tmp_path, hu=HU[None], rescale=(1, -1024))[0]
    raw = path.read_bytes()
    for tag, text in ((b"\x28\x00\x53\x10DS", slope), (b"\x28\x00\x52\x10DS", intercept)):
        at = raw.index(tag)
        end = at + 8 + raw[at + 6]
        value = text.encode() + b" " * (len(text) % 2)
        raw = raw[: at + 6] + bytes([len(value), 0]) + value + raw[end:]
    path.write_bytes(raw)
    np.testing.assert_array_equal(read(path)[0], HU)
