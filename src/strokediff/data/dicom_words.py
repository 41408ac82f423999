"""What the free text of a CT series says: contrast, kernel, kind of image, part of the body.

Descriptions are written by hand and in several languages. These rules only decide between
series; the user sees the reason and can overrule it by naming a series.
"""

from __future__ import annotations

import re

_NEGATED = re.compile(
    r"\b(?:NON?|NOT|PRE|W/?O(?:UT)?|WITHOUT|OHNE|SANS|SENZA|SIN)[\s_\-]*(?:IV[\s_\-]*)?"
    r"(?:CONTRAST\w*|CON\b|ENHANCED?|C\b|KM\b|IV\b|MDC\b)"
    r"|\bENHANCED\s(?:CONVERSION|MULTI)|\bUNENHANCED\b|\bNCCT\b|\bNECT\b|\bC\s?-(?!\w)|-C\b|\bNATIV\w*|\bPLAIN\b"
)
_CONTRAST = re.compile(
    r"CTA\b|CTP\b|CTV\b|\bANGIO|\bPERF|VPCT|\bCONTRAST|ENHANCED|\bCECT|\bPOST[\s_\-]?(?:C\b|CON|IV\b|KM)"
    r"|\bC\s?\+|\+\s?C\b|\bWITH\s+(?:C\b|CON|IV\b)|\bMIT\s+KM|\bKM\b|\bCAROTI|\bWILLIS|\bCOW\b|\bARTERIAL"
    r"|\bVENOUS|\bVENOGR|\bBOLUS|\bTEST\s?INJ|\bMONITORING|\bPREMON|\bDYNAMIC|\bVNC\b|\bVIRTUAL|\bW/\s?(?:CON|IV)"
)
_PROJECTED = (
    "MIP",
    "MINIP",
    "VRT",
    "SSD",
    "PROJECTION IMAGE",
    "IODINE",
    "CBF",
    "CBV",
    "MTT",
    "TTP",
)
_PROJECTED_TEXT = re.compile(
    r"\bMIPS?\b|\bMINIP|\bVRT?\b|\bSSD\b|\bDOSE\s?(?:REP|INF|REC|SHEET)|PATIENT PROTOCOL|\bIODINE"
)
_REFORMATTED = ("DERIVED", "MPR", "REFORMATTED", "CSA MPR", "AVERAGE")
_REFORMATTED_TEXT = re.compile(r"\bMPR\b|\bREFORMAT|\bRECON\s?(?:COR|SAG)|\bCORONAL|\bSAGIT")
_SHARP_TEXT = re.compile(r"BONE|\bSHARP|\bEDGE\b|\bLUNG|KNOCHEN|\bOSSEO|\bOS\b|\bHUESO|TEMPORAL")
_SHARP_NAMES = re.compile(r"BONE|EDGE|LUNG|SHARP|^DETAIL$")
_SHARP_PHILIPS = {"D", "E", "L", "YA", "YB", "YC", "YD", "YE"}
_SIEMENS = re.compile(r"^[A-Z]{1,2}[A-Z]?(\d{2})[A-Z]?")
_CANON = re.compile(r"^FC(\d{2})")
_ELSEWHERE = re.compile(
    r"CHEST|THORAX|ABDOM|PELVIS|SPINE|NECK|LUMBAR|EXTREM|KNEE|HIP\b|SHOULDER|HEART|SINUS|ORBIT|FACE"
)
_NO_AGENT = {"", "NO", "NONE", "N", "0", "NA", "N/A", "NO CONTRAST", "WITHOUT", "WITHOUT CONTRAST"}
SIEMENS_SHARP_FROM = 50


def contrast_agent_given(agent: str) -> bool:
    """Whether the ContrastBolusAgent field names an agent (some scanners write NONE)."""
    return agent.upper().strip(" .") not in _NO_AGENT


def says_contrast(text: str) -> bool:
    """Whether a description speaks of contrast, angiography or perfusion, and not of its absence.

    >>> says_contrast("CTA head"), says_contrast("Head w/o contrast"), says_contrast("HEAD C+")
    (True, False, True)
    """
    return bool(_CONTRAST.search(_NEGATED.sub(" ", text.upper().replace("_", " "))))


def is_localizer(image_type: tuple[str, ...], text: str) -> bool:
    """Whether the image is a scout view used to plan the scan."""
    words = " ".join(image_type).upper()
    return bool(
        re.search(r"LOCALIZER|SCOUT", words)
        or re.search(r"\bSCOUT|TOPOGRAM|SURVIEW|LOCALI[SZ]ER|SCANOGRAM", text.upper())
    )


def is_projection(image_type: tuple[str, ...], text: str) -> bool:
    """Whether voxels are not HU of tissue: projections, renderings, dose sheets, maps."""
    values = {v.upper() for v in image_type}
    return bool(values.intersection(_PROJECTED)) or bool(_PROJECTED_TEXT.search(text.upper()))


def is_reformatted(image_type: tuple[str, ...], text: str) -> bool:
    """Whether the series was computed from another one (still HU, but resampled)."""
    values = {v.upper() for v in image_type}
    return bool(values.intersection(_REFORMATTED)) or bool(_REFORMATTED_TEXT.search(text.upper()))


def is_sharp(kernel: str, text: str) -> bool:
    """Whether the reconstruction kernel is made for bone: noisy brain with overshoot.

    Known names: Siemens H30s / Hr40 / J60 (sharp from 50), GE STANDARD / BONE / EDGE / DETAIL,
    Philips UB / D / YB, Canon FC (30-39, 50-59, 80-89 sharp).
    """
    name = kernel.upper().split("\\")[0].strip()
    if _SHARP_TEXT.search(text.upper()) or _SHARP_NAMES.search(name) or name in _SHARP_PHILIPS:
        return True
    if canon := _CANON.match(name):
        return int(canon.group(1)) // 10 in (3, 5, 8)
    siemens = _SIEMENS.match(name)
    return bool(siemens) and int(siemens.group(1)) >= SIEMENS_SHARP_FROM if siemens else False


def is_elsewhere(body_part: str, text: str) -> bool:
    """Whether the series names another part of the body and not the head or brain."""
    words = f"{body_part} {text}".upper()
    if re.search(r"HEAD|BRAIN|SKULL|CEREBR|CRAN|KOPF|SCHÄDEL|SCHAEDEL|ENCEPH", words):
        return False
    return bool(_ELSEWHERE.search(words))
