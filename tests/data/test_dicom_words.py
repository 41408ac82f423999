"""Law: descriptions as scanners and radiographers write them are read the way a reader would."""

import pytest

from strokediff.data.dicom_words import (
    contrast_agent_given,
    is_elsewhere,
    is_localizer,
    is_projection,
    is_reformatted,
    is_sharp,
    says_contrast,
)


@pytest.mark.parametrize(
    "text",
    [
        "CTA Head",
        "CT Angio COW",
        "HEAD C+",
        "HEAD +C",
        "Head with contrast",
        "POST CONTRAST",
        "POST_C 5.0",
        "Schädel mit KM",
        "VPCT 4D",
        "Perfusion 10mm",
        "CAROTID 0.75",
        "DynMulti4D PREMONITORING",
        "CE ENHANCED",
        "HEAD W/ CON",
        "VNC 5.0",
        "Venous phase",
    ],
)
def test_contrast(text):
    assert says_contrast(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "HEAD",
        "Head 5.0 H30s",
        "CerebrumSeq  9.0  H30s",
        "STEREOTAXIS",
        "HEAD WITHOUT CONTRAST",
        "HEAD W/O CONTRAST",
        "Head w/o",
        "BRAIN WO CON",
        "HEAD NON CONTRAST",
        "NON-CONTRAST HEAD",
        "NONCON HEAD",
        "NCCT",
        "Head no contrast 5mm",
        "unenhanced brain",
        "HEAD C-",
        "Schädel nativ",
        "Schädel ohne KM",
        "PRE CONTRAST",
        "W/O IV CONTRAST",
        "POST CRANIOTOMY",
        "LOW DOSE HEAD",
        "C-SPINE",
        "Head 5.0 (enhanced conversion)",
        "ROUTINE HEAD 2.5MM",
    ],
)
def test_no_contrast(text):
    assert not says_contrast(text)


@pytest.mark.parametrize("agent", ["", "NONE", "none.", "No", " "])
def test_no_agent(agent):
    assert not contrast_agent_given(agent)


def test_agent():
    assert contrast_agent_given("OMNIPAQUE 350")


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
        ("", "", False),
    ],
)
def test_kernels(kernel, text, sharp):
    assert is_sharp(kernel, text) is sharp


def test_kinds_of_image():
    assert is_localizer(("ORIGINAL", "PRIMARY", "LOCALIZER"), "")
    assert is_localizer(("ORIGINAL", "PRIMARY"), "Topogram 0.6")
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
