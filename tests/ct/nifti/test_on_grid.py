"""Laws: a mask that was drawn on a scan's file comes back on the scan's own slices."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from dicom_factory import tilted, write_series

from strokediff.ct.nifti.images import save_like
from strokediff.ct.nifti.masks import read_labels
from strokediff.ct.nifti.on_grid import labels_on
from strokediff.ct.read import read_ct
from strokediff.errors import InputError

UNEVEN = np.concatenate([np.arange(10) * 4.0, 36.0 + 7.0 * np.arange(1, 11)])
SERIES = {"even": {}, "tilted": {"orientation": tilted(15)}, "uneven": {"z": UNEVEN}}


@pytest.mark.parametrize("kind", SERIES)
def test_what_is_saved_on_the_scan_s_grid_comes_back(kind: str, tmp_path: Path) -> None:
    write_series(tmp_path / "scan", **SERIES[kind])
    ct = read_ct(tmp_path / "scan")
    labels = np.zeros(ct.hu.shape, np.uint8)
    labels[8:14, 12:20, 4:8], labels[18:21, 14:17, 9:12] = 1, 2
    save_like(ct, labels, tmp_path / "mask.nii.gz", dtype=np.uint8)
    found = labels_on(ct, read_labels(tmp_path / "mask.nii.gz"))
    np.testing.assert_array_equal(found, labels)


def test_of_uneven_slices_a_mask_on_the_slices_themselves_is_refused(tmp_path: Path) -> None:
    """NIfTI has one distance for all: such a file would not lie where it says."""
    write_series(tmp_path / "scan", z=UNEVEN)
    ct = read_ct(tmp_path / "scan")
    even = np.zeros(ct.hu.shape, np.uint8)
    nib.save(nib.Nifti1Image(even, ct.affine), tmp_path / "mask.nii.gz")
    with pytest.raises(InputError, match=r"mask\.nii\.gz: expected"):
        labels_on(ct, read_labels(tmp_path / "mask.nii.gz"))
