"""AISD: non-contrast CT of acute ischaemic stroke, outlined with the diffusion MRI at hand.

    image/PATIENT/000.png   8-bit pictures of a brain window
    mask/PATIENT/000.png    0 background, 1 remote, 2 clear acute, 3 blurred acute,
                            4 invisible on CT, 5 infarct

The authors count classes 1, 2, 3 and 5 as the lesion and leave 4 out: the default. The window is
not documented with the data; 0 to 80 HU is assumed, and slices to run from foot to head. The 52
test patients are not marked in the folders; name them with a list, one a line.

Copies of single slices (images/NAME.png, masks/NAME.png) hold one class, near white.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from strokediff.cohort.importing.base import ListedScan, Listing
from strokediff.cohort.importing.names import composed, entries
from strokediff.cohort.importing.pictures import (
    SUFFIXES,
    PictureLayout,
    SinglePictures,
    numbers_of,
    paired,
    read_grey,
    read_values,
    unread_in,
)
from strokediff.util.kinds import INFARCT
from strokediff.util.names import safe_name

_TITLE = "AISD, acute ischaemic stroke"
_LICENCE = "non-commercial (terms of the AISD authors)"
_CLASSES = {"remote": 1, "clear": 2, "blurred": 3, "invisible": 4, "infarct": 5}
NEAR_WHITE = 250


class Aisd(PictureLayout):
    """Patients are folders."""

    name = "aisd"
    title = _TITLE
    kind = INFARCT
    licence = _LICENCE
    expected = "image/PATIENT/000.png and mask/PATIENT/000.png"
    needed = ("image", "mask")
    labels: Mapping[str, tuple[int, ...]] | None = {
        name: (value,) for name, value in _CLASSES.items()
    }
    default_labels = ("remote", "clear", "blurred", "infarct")

    def list_cases(self) -> Listing:
        """One case a folder of image/."""
        names = {
            folder.name: folder
            for part in ("image", "mask")
            for folder in entries(self.source / part, self.source)
        }
        cases: list[ListedScan] = []
        stray, empty = [], []
        unread: list[Path] = []
        for patient, folder in sorted(names.items()):
            images, masks = (
                entries(self.source / part / patient, self.source, *SUFFIXES)
                for part in ("image", "mask")
            )
            pairs, left = paired(images, masks)
            stray += left
            unread += unread_in(self.source, f"image/{patient}", f"mask/{patient}")
            if pairs:
                name = safe_name(f"aisd_{patient}")
                cases.append(ListedScan(name, composed(patient), pairs, numbers=numbers_of(pairs)))
            elif not left:
                empty.append(folder)
        return Listing(tuple(cases), tuple(stray), tuple(empty), tuple(unread))

    def read_classes(self, path: Path) -> NDArray[np.int32]:
        """The stored values are the classes, as grey or as a palette's index."""
        return read_values(path)


class AisdPictures(SinglePictures):
    """Single slices whose classes were merged."""

    name = "aisd"
    prefix = "aisd"
    title = f"{_TITLE}, single slices with merged classes"
    licence = _LICENCE
    kind = INFARCT
    labels: Mapping[str, tuple[int, ...]] | None = {"lesion": (255,)}

    def read_classes(self, path: Path) -> NDArray[np.int32]:
        """Near white is the lesion: such copies hold 252 to 255."""
        grey = read_grey(path).astype(np.int32)
        return np.where(grey >= NEAR_WHITE, 255, grey)
