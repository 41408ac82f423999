"""What the free text of a CT series says: kernel, kind of image, part of the body.

Descriptions are written by hand and in several languages. These rules only decide between
series; the user sees the reason and can overrule it by naming a series. Contrast has a module of
its own, `wording`.
"""

from __future__ import annotations

import re

from strokediff.ct.dicom import language as language
from strokediff.ct.dicom.wording import folded

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
_SHARP_TEXT = re.compile(folded(language.SHARP))
_SHARP_NAMES = re.compile(r"BONE|EDGE|LUNG|SHARP|^DETAIL$")
_SHARP_PHILIPS = {"D", "E", "L", "YA", "YB", "YC", "YD", "YE"}
_SIEMENS = re.compile(r"^[A-Z]{1,2}[A-Z]?(\d{2})[A-Z]?")
_CANON = re.compile(r"^FC(\d{2})")
_LOCALIZER_TEXT = re.compile(folded(language.LOCALIZER))
_ELSEWHERE = re.compile(
    r"CHEST|THORAX|ABDOM|PELVIS|SPINE|NECK|LUMBAR|EXTREM|KNEE|HIP\b|SHOULDER|HEART|SINUS|ORBIT|FACE"
)
SIEMENS_SHARP_FROM = 50


def is_localizer(image_type: tuple[str, ...], text: str) -> bool:
    """Whether the image is a scout view used to plan the scan."""
    words = " ".join(image_type).upper()
    return bool(re.search(r"LOCALIZER|SCOUT", words) or _LOCALIZER_TEXT.search(folded(text)))


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
    if _SHARP_TEXT.search(folded(text)) or _SHARP_NAMES.search(name) or name in _SHARP_PHILIPS:
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
