"""Law: the plain series is told from the enhanced one by what it says of itself; what only its
number decides is warned of."""

from pathlib import Path

import numpy as np
import pytest
from dicom_factory import N, head, headers, uid, write_series

from strokediff.ct.dicom.headers import scan
from strokediff.ct.dicom.read import read_dicom_series
from strokediff.ct.dicom.series import choose_series
from strokediff.ct.dicom.stacks import split_series
from strokediff.errors import InputError

PAIRS = {
    "French": ("Crane SANS INJ", "Crane APRES INJECTION"),
    "Spanish": ("CRANEO SIMPLE", "CRANEO CON CIV"),
    "Portuguese": ("CRANIO SEM CONTRASTE", "CRANIO C/C"),
    "Italian": ("Encefalo basale", "Encefalo mdc"),
    "German": ("Schädel nativ", "Schädel KM"),
    "Polish": ("Głowa bez kontrastu", "Głowa z kontrastem"),
    "Russian": ("Голова без контраста", "Голова с контрастом"),
    "Japanese": ("頭部単純", "頭部造影"),
    "Chinese": ("头颅平扫", "头颅增强"),
    "Korean": ("뇌 비조영", "뇌 조영"),
    "full width": ("ＨＥＡＤ Ｃ－", "ＨＥＡＤ Ｃ＋"),
    "post": ("HEAD", "HEAD POST"),
    "IV": ("HEAD", "HEAD IV"),
    "40 keV": ("HEAD Mixed", "HEAD MonoE 40 keV"),
    "virtual": ("HEAD", "HEAD VNC"),
    "plain beats silence": ("Head w/o", "Head"),
    "silence beats both": ("Head", "Head w/wo"),
    "silence beats 70 keV": ("Head", "Head MonoE 70 keV"),
}


def pick(plain, other):
    """The choice between two series; the other one has the lower number."""
    few = {"hu": head(8), "z": 12.0 * np.arange(8)}
    found = [
        *headers(series="p", SeriesNumber=3, **{**few, **plain}),
        *headers(series="o", SeriesNumber=2, prefix="o", **{**few, **other}),
    ]
    choice = choose_series(split_series(found), Path("in"))
    return choice.stack.head.series_uid, choice


@pytest.mark.parametrize("pair", PAIRS)
def test_the_wording_decides_not_the_number(pair):
    plain, other = PAIRS[pair]
    chosen, choice = pick({"description": plain}, {"description": other})
    assert chosen == uid("p")
    assert not any("nothing but" in w for w in choice.warnings)


@pytest.mark.parametrize(
    ("plain", "other"),
    [
        ({"ProtocolName": "Kopf nativ"}, {"ProtocolName": "Kopf KM"}),
        ({"ProtocolName": "Head"}, {"ProtocolName": "CTA Head"}),
        ({"StudyDescription": "CT sans injection"}, {"StudyDescription": "CT"}),
        ({"ContrastBolusAgent": "NONE"}, {"ContrastBolusAgent": "Iomeron"}),
        ({"ContrastBolusVolume": 0}, {"ContrastBolusVolume": 60}),
        ({"ContrastBolusAgent": "Iomeron", "ContrastBolusVolume": 0}, {"ContrastBolusVolume": 60}),
    ],
)
def test_other_elements_speak_where_the_description_is_silent(plain, other):
    assert pick(plain, other)[0] == uid("p")


@pytest.mark.parametrize(
    "agent", ["NON CONTRAST", "W/O", "-", "0 ml", "NIL", "kein", "sans", "none given", "無"]
)
def test_a_placeholder_for_an_agent_is_no_agent(agent):
    found = headers(ContrastBolusAgent=agent, SpecificCharacterSet="ISO_IR 192")
    assert choose_series(split_series(found), Path("in")).explanation == "the only series"


@pytest.mark.parametrize(
    "other", [{}, {"ConvolutionKernel": "H31s"}, {"description": "Head 5.0 H37s"}]
)
def test_a_tie_is_warned_of_with_the_other_series(other):
    chosen, choice = pick({}, other)
    rival = uid("p") if chosen == uid("o") else uid("o")
    assert any("nothing but" in w and f"--series {rival}" in w for w in choice.warnings)


@pytest.mark.parametrize("other", [{"description": "CTA"}, {"z": 1.5 * np.arange(N), "hu": head()}])
def test_what_is_no_tie_is_not_warned_of(other):
    assert not any("nothing but" in w for w in pick({}, other)[1].warnings)


def test_a_wording_of_both_is_warned_of():
    found = headers(description="HEAD W WO CONTRAST")
    warnings = choose_series(split_series(found), Path("in")).warnings
    assert any("speaks of a scan with and without contrast" in w for w in warnings)


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("ISO_IR 192", "Głowa 頭部単純"),
        ("GB18030", "头颅平扫"),
        ("ISO_IR 100", "Crâne après"),
        ("ISO_IR 144", "Голова без"),
        ("ISO_IR 126", "χωρίς"),
        (["ISO 2022 IR 6", "ISO 2022 IR 87"], "頭部単純"),
        (["ISO 2022 IR 6", "ISO 2022 IR 149"], "뇌 비조영"),
    ],
)
def test_the_character_set_is_honoured(tmp_path, charset, text):
    path = write_series(tmp_path, hu=head(1), SpecificCharacterSet=charset, SeriesDescription=text)[
        0
    ]
    assert scan([path]).slices[0].description == text


def test_text_of_a_character_set_that_was_not_declared(tmp_path):
    """UTF-8 without a SpecificCharacterSet: read as what it is."""
    for path in write_series(tmp_path, description="XXXXXXXXXXXXXXXXXXXX"):
        path.write_bytes(path.read_bytes().replace(b"X" * 20, "Tête après inj".encode() + b"    "))
    with pytest.raises(InputError, match="contrast or angiography by its name 'Tête après inj'"):
        read_dicom_series(tmp_path)
