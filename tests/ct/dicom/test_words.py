"""Law: descriptions as scanners and radiographers write them are read the way a reader would."""

import pytest

from strokediff.ct.dicom.words import (
    is_elsewhere,
    is_localizer,
    is_projection,
    is_reformatted,
    is_sharp,
)


@pytest.mark.parametrize(
    ("kernel", "text", "sharp"),
    [
        ("H30s", "", False),
        ("H60s", "", True),
        ("Hr40f\\3", "", False),
        ("Hr64h", "", True),
        ("J70h", "", True),
        ("STANDARD", "", False),
        ("STD+", "", False),
        ("BONEPLUS", "", True),
        ("EDGE", "", True),
        ("SOFT", "", False),
        ("UB", "", False),
        ("YB", "", True),
        ("FC21", "", False),
        ("FC30", "", True),
        ("FC81", "", True),
        ("", "HEAD BONE 2.0", True),
        ("", "Crâne os", True),
        ("", "Schädel Knochenfenster", True),
        ("", "Craneo hueso", True),
        ("", "头颅 骨窗", True),
        ("", "Encefalo osso", True),
        ("", "Temporal lobe", False),
        ("", "", False),
    ],
)
def test_kernels(kernel, text, sharp):
    assert is_sharp(kernel, text) is sharp


def test_kinds_of_image():
    assert is_localizer(("ORIGINAL", "PRIMARY", "LOCALIZER"), "")
    assert is_localizer(("ORIGINAL", "PRIMARY"), "Topogram 0.6")
    assert is_localizer(("ORIGINAL", "PRIMARY"), "定位像")
    assert is_localizer(("ORIGINAL", "PRIMARY"), "Localizador")
    assert not is_localizer(("ORIGINAL", "PRIMARY", "AXIAL"), "Head")
    assert is_projection(("DERIVED", "SECONDARY", "MIP"), "")
    assert is_projection((), "Dose Report")
    assert not is_projection(("ORIGINAL", "PRIMARY", "AXIAL"), "LOW DOSE HEAD")
    assert is_reformatted(("DERIVED", "SECONDARY"), "")
    assert not is_reformatted(("ORIGINAL", "SECONDARY", "AXIAL"), "")


def test_parts_of_the_body():
    assert is_elsewhere("CHEST", "")
    assert not is_elsewhere("NECK", "Head and neck")
    assert not is_elsewhere("", "Routine")
