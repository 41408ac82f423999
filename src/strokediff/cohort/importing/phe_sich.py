"""PHE-SICH-CT-IDS: pictures of spontaneous intracerebral haemorrhage, perihematomal oedema drawn.

    images/PPPP_SS.png   slice SS of patient PPPP, 8-bit, the brain window 0 to 80 HU
    masks/PPPP_SS.png    0 and 255; the oedema only, not the haematoma

Stored turned by 90 degrees, the patient's front to the left; whether left and right are swapped
cannot be told from them. Slices run from foot to head. The split of the published copy is by
slice, so patients lie on both sides of it; it is not used.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strokediff.cohort.importing.base import ListedScan, Listing
from strokediff.cohort.importing.kinds import OEDEMA
from strokediff.cohort.importing.names import entries
from strokediff.cohort.importing.pictures import (
    SUFFIXES,
    PictureLayout,
    numbers_of,
    paired,
    read_grey,
    unread_in,
)
from strokediff.errors import InputError

SLICE_NAME = re.compile(r"([0-9]{1,8})_([0-9]{1,4})\.[a-zA-Z]+")


class PheSich(PictureLayout):
    """Patients are the numbers before the underscore."""

    name = "phe-sich"
    title = "PHE-SICH-CT-IDS, spontaneous intracerebral haemorrhage"
    licence = "non-commercial (arXiv 2308.10521); copies disagree, so the strictest is taken"
    expected = "images/PPPP_SS.png and masks/PPPP_SS.png"
    needed = ("images", "masks")
    kind = OEDEMA
    labels: Mapping[str, tuple[int, ...]] | None = {"oedema": (255,)}

    def list_cases(self) -> Listing:
        """Group slices by patient."""
        images, masks = (self._by_patient(folder) for folder in ("images", "masks"))
        cases, stray = [], []
        for patient in sorted({*images, *masks}):
            pairs, left = paired(images[patient], masks[patient])
            stray += left
            if pairs:
                cases.append(
                    ListedScan(f"phe_{patient}", patient, pairs, numbers=numbers_of(pairs))
                )
        unread = unread_in(self.source, "images", "masks")
        return Listing(tuple(cases), tuple(stray), unread=unread)

    def read_classes(self, path: Path) -> NDArray[np.int32]:
        """The stored grey values."""
        return read_grey(path).astype(np.int32)

    def turned(self, picture: NDArray[Any]) -> NDArray[Any]:
        """Turned clockwise, so that the front is up."""
        return super().turned(np.rot90(picture, -1))

    def _by_patient(self, folder: str) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = defaultdict(list)
        for path in entries(self.source / folder, self.source, *SUFFIXES):
            match = SLICE_NAME.fullmatch(path.name)
            if not match:
                raise InputError(
                    f"{path}: expected a name such as 0001_05.png, patient and slice. Rename the "
                    "file, or take it out."
                )
            found[match[1]].append(path)
        return found
