"""What the names of files in BIDS say: entities such as space-ncct, and a suffix such as ct.

Written as data sets in use write them, not only as the standard does: ISLES'24 ends its masks in
_lesion-msk, others in _label-lesion_roi, _desc-lesion_mask or _lesion_mask, in any letter case.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from strokediff.cohort.importing.names import composed_stem

CT_SUFFIXES = {"ct", "ncct", "nct"}
MASK_SUFFIXES = {"mask", "msk", "dseg", "roi", "seg", "lesion", "lesionmask"}
LESIONS = re.compile(
    "lesion|infarct|stroke|isch|core|penumbra|h[ae]*morr?h|ich|bleed|hematoma|haematoma|o?edema"
)
ANATOMY = re.compile(
    "brain|skull|head|bone|face|deface|scalp|tissue|csf|ventric|lvo|cow|vessel|arter|thromb|clot"
    "|gm|wm|lobe|atlas|territor|aspects|hemisphere|cerebell|air|background"
)
_ENHANCED = re.compile("cta|ctp|ctv|angio|perf|contrast|venous|arterial|enh|post(?!op|er)")
_PLAIN = re.compile("non|without|plain|pre|ncct|nect|noce")


@dataclass(frozen=True)
class BidsName:
    """A file by its name: `words` are the entities by key, `suffix` what comes last, lower case."""

    path: Path
    words: Mapping[str, str]
    suffix: str

    @property
    def about(self) -> str:
        """What a mask is of, as far as its name tells."""
        return " ".join(self.words.get(key, "") for key in ("label", "desc", "of")).strip()

    @property
    def says_lesion(self) -> bool:
        """Whether the name says that it is a lesion's."""
        return bool(LESIONS.search(self.about))

    @property
    def in_ct_space(self) -> bool:
        """Whether the name says that it lies on the grid of a plain CT."""
        return self.words.get("space", "") in CT_SUFFIXES


def named(path: Path) -> BidsName:
    """Take a name apart: sub-01_ses-02_space-ncct_lesion-msk -> space: ncct, of: lesion, msk.

    A part without a dash before a mask's suffix (_lesion_mask) says what it is of.
    """
    *parts, last = composed_stem(path).lower().split("_")
    words = dict(part.split("-", 1) for part in parts if "-" in part)
    plain = [part for part in parts if "-" not in part]
    of, _, suffix = last.rpartition("-")
    if suffix in MASK_SUFFIXES:
        words["of"] = " ".join([*plain, of, suffix if "lesion" in suffix else ""]).strip()
    return BidsName(path, words, suffix if of else last)


def names_plain_ct(found: BidsName) -> bool:
    """Whether a file is a CT without contrast, as far as its name tells."""
    told = " ".join(found.words.get(key, "") for key in ("acq", "desc", "task"))
    enhanced = _ENHANCED.search(told) and not _PLAIN.search(told)
    return found.suffix in CT_SUFFIXES and not enhanced and "ce" not in found.words


def is_lesion_mask(found: BidsName) -> bool:
    """Whether a file is a mask, and not one of anatomy."""
    if found.suffix not in MASK_SUFFIXES:
        return False
    return found.says_lesion or not ANATOMY.search(found.about)
