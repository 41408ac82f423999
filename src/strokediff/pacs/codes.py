"""The codes of what is found and measured: SNOMED CT, DICOM, UCUM, LOINC, and a few of our own."""

from __future__ import annotations

from highdicom.sr import CodedConcept

ABNORMAL = CodedConcept("49755003", "SCT", "Morphologically Abnormal Structure")
BRAIN = CodedConcept("12738006", "SCT", "Brain")
SIDES = {
    "left": CodedConcept("7771000", "SCT", "Left"),
    "right": CodedConcept("24028007", "SCT", "Right"),
    "both": CodedConcept("51440002", "SCT", "Right and left"),
}
KINDS = {
    "infarct": CodedConcept("55641003", "SCT", "Infarct"),
    "haemorrhage": CodedConcept("50960005", "SCT", "Hemorrhage"),
}
LESION = CodedConcept("52988006", "SCT", "Lesion")
COLOURS = {"infarct": (86, 180, 233), "haemorrhage": (255, 93, 58)}
"""sRGB, as in our pictures."""
OTHER_COLOUR = (255, 160, 0)

VOLUME = CodedConcept("118565006", "SCT", "Volume")
AREA = CodedConcept("42798000", "SCT", "Area")
MILLILITRE = CodedConcept("mL", "UCUM", "milliliter")
SQUARE_MM = CodedConcept("mm2", "UCUM", "square millimeter")
CT_HEAD = CodedConcept("30799-1", "LN", "CT Head WO contrast")
ARTIFICIAL_INTELLIGENCE = CodedConcept("123110", "DCM", "Artificial Intelligence")
COMMENT = CodedConcept("121106", "DCM", "Comment")

OURS = "99STROKEDIFF"
LOWER = CodedConcept("VOL-LOW", OURS, "Lower end of the volume's interval")
UPPER = CodedConcept("VOL-HIGH", OURS, "Upper end of the volume's interval")
PERCENT = CodedConcept("%", "UCUM", "percent")


def at_least(volume_ml: float) -> CodedConcept:
    """The probability that the volume is so large, or larger."""
    return CodedConcept(
        f"P-VOL-{volume_ml:g}", OURS, f"Probability of a volume of {volume_ml:g} mL or more"
    )


def finding(kind: str) -> CodedConcept:
    """What a kind of lesion is; "Lesion" for one that has no code here."""
    return KINDS.get(kind, LESION)
