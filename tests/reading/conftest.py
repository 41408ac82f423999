"""A head with two kinds of lesion as NIfTI, and what a model found in it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import two_kinds

from strokediff.ct.nifti.images import save_like
from strokediff.ct.read import read_ct


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reading")
    ct, _ = two_kinds.head()
    save_like(ct, ct.hu, folder / "scan.nii.gz", dtype=np.int16)
    scan = read_ct(folder / "scan.nii.gz")
    two_kinds.model().segment(scan, method="avg").save(folder / "result", pictures=False)
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """scan.nii.gz and result/, a copy of one's own."""
    shutil.copytree(made, tmp_path / "place")
    return tmp_path / "place"
