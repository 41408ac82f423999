"""The folder that examples in docstrings run in: a scan, labelled scans, their cohort, a model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from strokediff.cohort.prepare import prepare_cohort
from strokediff.ct.nifti.images import save_like
from strokediff.ct.volume import CT
from strokediff.inference.estimation import Estimation
from strokediff.segmentation.patients.run import segment_folder
from strokediff.segmentation.segmenter import load
from strokediff.weights import model_path

LESIONS = ((0.35, 0.1), (-0.3, 0.2), (0.3, -0.2), (-0.35, -0.1))
"""Where each patient's lesion lies, x and y of [-1, 1]."""


def head(at: tuple[float, float], seed: int) -> tuple[CT, NDArray[np.bool_]]:
    """A brain of 35 HU in a skull of 900 HU, and a lesion of 18 HU and 30 mL in it."""
    x, y, z = np.ogrid[-1:1:72j, -1:1:72j, -1:1:14j]
    r = np.sqrt(x**2 + y**2 + z**2)
    lesion = (x - at[0]) ** 2 + (y - at[1]) ** 2 + z**2 < 0.2**2
    hu = np.select([lesion, r < 0.7, r < 0.8], [18.0, 35.0, 900.0], default=-1000.0)
    hu += np.random.default_rng(seed).normal(0, 2, hu.shape)
    return CT(hu, np.diag([3.0, 3.0, 12.0, 1.0])), lesion


def make(folder: Path) -> Path:
    """Write everything into `folder`.

    scan.nii.gz                  the head of patient p1
    patients                     those of p1 and p2
    scans/images, scans/labels   p1 to p4, what cohorts are prepared from
    masks                        somebody's masks of them, each a pixel too far to the right
    cohort                       of scans: one patient to train on, two to validate, one to test
    model                        the bundled model as if it had been trained on cohort
    result                       what it finds in scan.nii.gz
    """
    for number, at in enumerate(LESIONS, start=1):
        ct, lesion = head(at, number)
        for place, array, dtype in (
            ("scans/images", ct.hu, np.int16),
            ("scans/labels", lesion, np.uint8),
            ("masks", np.roll(lesion, 1, axis=0), np.uint8),
        ):
            save_like(ct, array, folder / place / f"p{number}.nii.gz", dtype=dtype)
    (folder / "patients").mkdir()
    for name, copy in (("p1", "scan"), ("p1", "patients/p1"), ("p2", "patients/p2")):
        shutil.copy(folder / f"scans/images/{name}.nii.gz", folder / f"{copy}.nii.gz")
    cohort = prepare_cohort(folder / "scans", folder / "cohort", val=0.5, test=0.25)
    shutil.copytree(model_path("phantom-stroke"), folder / "model")
    (folder / "model" / "split.json").write_text(json.dumps(cohort.split))
    model, how = load("phantom-stroke", device="cpu"), Estimation("avg")
    list(segment_folder(folder / "scan.nii.gz", folder / "result", model, how, pictures=False))
    return folder
