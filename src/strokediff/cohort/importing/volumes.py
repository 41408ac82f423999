"""Sets of whole heads in NIfTI: images are copied byte for byte, so their grid is kept."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

from strokediff.cohort.importing.base import Classes, Layout, ListedScan, SizeError
from strokediff.ct.nifti.file import open_nifti
from strokediff.ct.nifti.images import read_nifti
from strokediff.ct.nifti.masks import check_same_grid, read_labels
from strokediff.ct.volume import CT
from strokediff.errors import InputError


class VolumeLayout(Layout):
    """A layout whose cases are one NIfTI image and one NIfTI mask."""

    def classes(self, case: ListedScan) -> Classes:
        """As `Layout.classes`; image and mask must place their voxels alike."""
        (pair,) = case.pairs
        assert pair.mask is not None, "checked by check_listing"
        mask = read_labels(pair.mask)
        image = open_nifti(pair.image)
        try:
            check_same_grid(mask, image)
        except InputError as error:
            raise SizeError(str(error)) from None
        return Classes(mask.array, image.affine, spacing_known=True)

    def image(self, case: ListedScan) -> CT:
        """As `Layout.image`, after the checks that `segment` makes of an image."""
        return read_nifti(case.pairs[0].image, min_slices=1)  # few slices are warned of

    def write_image(self, case: ListedScan, path: Path) -> None:
        """As `Layout.write_image`: the file's own bytes."""
        copy_gzipped(case.pairs[0].image, path)


def copy_gzipped(source: Path, target: Path) -> None:
    """Copy .nii.gz as it is, .nii compressed; the image's bytes stay the same."""
    if source.name.lower().endswith(".gz"):
        shutil.copyfile(source, target)
        return
    with source.open("rb") as plain, gzip.GzipFile(target, "wb", mtime=0) as packed:
        shutil.copyfileobj(plain, packed)
