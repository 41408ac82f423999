"""A lesion-free phantom stands for a real head, alone and as a folder of labelled scans."""

import json

import nibabel as nib
import numpy as np
import pytest

from strokediff.phantom import make_phantom
from strokediff.phantom.backgrounds import find_head

MATRIX = 96


@pytest.fixture(scope="session")
def healthy():
    """A head without a lesion, 2.5 mm pixels."""
    return make_phantom("infarct", (4, 7), matrix=MATRIX, empty_fraction=1.0)


@pytest.fixture(scope="session")
def head(healthy):
    return find_head(healthy.ct())


@pytest.fixture(scope="session")
def folder(healthy, tmp_path_factory):
    """Two lesion-free scans of one patient and one with a lesion, as `import` writes them."""
    out = tmp_path_factory.mktemp("scans")
    people = {}
    for part in ("images", "labels"):
        (out / part).mkdir()
    for name, label in (("a", False), ("b", False), ("ill", True)):
        mask = np.zeros(healthy.hu.shape, dtype=np.uint8)
        mask[40, 40, 10] = label
        for part, array in (("images", healthy.hu), ("labels", mask)):
            nib.save(nib.Nifti1Image(array, healthy.affine), out / part / f"{name}.nii.gz")
        people[name] = {"patient": "person"}
    record = {"description": "heads", "licence": "CC BY 4.0", "patients": people}
    (out / "cohort.json").write_text(json.dumps(record))
    return out
