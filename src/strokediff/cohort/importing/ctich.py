"""CT-ICH of PhysioNet: head CT of traumatic brain injury, haemorrhage outlined.

    ct_scans/NNN.nii, masks/NNN.nii     NIfTI in HU, as PhysioNet publishes versions 1.1 to 1.3

Patient demographics and diagnoses lie beside them in CSV files, which are not read. Also read:
single slices (images/NAME.jpg, masks/NAME.png with haemorrhage in orange), as copies of version
1.0 are found, in its window of -20 to 100 HU; and version 1.0.0 itself, see `ctich_folders`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from strokediff.cohort.importing.base import ListedScan, Listing, MaskedImage
from strokediff.cohort.importing.names import by_stem, composed_stem, entries
from strokediff.cohort.importing.pictures import SinglePictures, read_colour
from strokediff.cohort.importing.volumes import VolumeLayout
from strokediff.util.kinds import HAEMORRHAGE
from strokediff.util.names import NIFTI, safe_name

_ORANGE, _WHITE = 0xD25000, 0xFFFFFF


class CtIch(VolumeLayout):
    """One NIfTI a patient."""

    name = "ctich"
    title = "CT-ICH (PhysioNet), intracranial haemorrhage"
    licence = "CC BY 4.0 for version 1.0; version 1.3.1 is under PhysioNet's restricted licence"
    expected = "ct_scans/NNN.nii and masks/NNN.nii"
    needed = ("ct_scans", "masks")
    kind = HAEMORRHAGE
    labels: Mapping[str, tuple[int, ...]] | None = {"haemorrhage": (1, 255)}

    def list_cases(self) -> Listing:
        """Match scans and masks by name."""
        masks = by_stem(entries(self.source / "masks", self.source, *NIFTI))
        scans = entries(self.source / "ct_scans", self.source, *NIFTI)
        cases = tuple(
            ListedScan(
                safe_name(f"ctich_{composed_stem(p)}"),
                composed_stem(p),
                (MaskedImage(p, masks.get(composed_stem(p))),),
            )
            for p in scans
        )
        names = {composed_stem(p) for p in scans}
        return Listing(cases, tuple(p for name, p in masks.items() if name not in names))


class CtIchPictures(SinglePictures):
    """Single slices, haemorrhage in orange."""

    name = "ctich"
    prefix = "ctich"
    title = f"{CtIch.title}, single slices"
    licence = "CC BY 4.0 (version 1.0)"
    window_hu = (-20.0, 100.0)
    kind = HAEMORRHAGE
    labels: Mapping[str, tuple[int, ...]] | None = {"haemorrhage": (_ORANGE, _WHITE)}

    def read_classes(self, path: Path) -> NDArray[np.int32]:
        """The stored colours."""
        return read_colour(path)

    def shown(self, value: int) -> str:
        """As in HTML."""
        return f"#{value:06x}"
