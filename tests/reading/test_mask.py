"""Laws: whose mask it is and what its values are is taken from what lies beside it."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from strokediff.ct.read import read_ct
from strokediff.errors import InputError, UsageError
from strokediff.reading.mask import UNNAMED, read_drawn, way
from strokediff.util.kinds import STROKE


def changed(path: Path, out: Path, by: int = 1) -> Path:
    """A copy with `by` more on one voxel."""
    image = nib.load(path)
    array = np.asarray(image.dataobj).copy()
    array[0, 0, 0] += by
    nib.save(nib.Nifti1Image(array, image.affine, image.header), out)
    return out


def test_a_result_s_own_mask_is_the_model_s(place: Path) -> None:
    ct = read_ct(place / "scan.nii.gz")
    found = read_drawn(place / "result" / "lesion_mask.nii.gz", ct)
    assert found.kinds == STROKE and found.labels.max() == 2
    assert found.reader.how == "automatic" and "phantom-stroke" in found.reader.name


def test_one_that_was_changed_in_place_corrects_the_model_s(place: Path) -> None:
    mask = place / "result" / "lesion_mask.nii.gz"
    changed(mask, mask)
    found = read_drawn(mask, read_ct(place / "scan.nii.gz"), by="B. Reader")
    assert found.reader.name == "B. Reader" and found.reader.how == "corrected"
    assert found.reader.corrects is not None
    assert found.reader.corrects.model == "phantom-stroke"


def test_a_mask_from_elsewhere_is_of_one_kind_unless_it_is_said(place: Path) -> None:
    ct = read_ct(place / "scan.nii.gz")
    mask = changed(place / "result" / "lesion_mask.nii.gz", place / "theirs.nii.gz")
    with pytest.raises(InputError, match=r"expected a binary mask.*--labels"):
        read_drawn(mask, ct)
    found = read_drawn(mask, ct, labels={"haemorrhage": (2,), "infarct": (1,)}, how="automatic")
    assert found.kinds == ("haemorrhage", "infarct")
    assert found.labels[0, 0, 0] == 2 and found.reader.name == UNNAMED
    (place / "cohort.json").write_text(json.dumps({"labels": {"oedema": 1, "haemorrhage": 2}}))
    assert read_drawn(mask, ct).kinds == ("oedema", "haemorrhage")


def test_flipped_and_turned_files_are_the_same_mask(place: Path) -> None:
    ct = read_ct(place / "scan.nii.gz")
    own = place / "result" / "lesion_mask.nii.gz"
    image = nib.load(own)
    turned = image.as_reoriented(nib.orientations.axcodes2ornt(("P", "S", "L")))
    (place / "elsewhere").mkdir()
    nib.save(turned, place / "elsewhere" / "mask.nii.gz")
    labels = {"infarct": (1,), "haemorrhage": (2,)}
    found = read_drawn(place / "elsewhere" / "mask.nii.gz", ct, labels=labels)
    np.testing.assert_array_equal(found.labels, read_drawn(own, ct).labels)


def test_another_grid_shared_values_and_odd_names_are_refused(place: Path) -> None:
    ct = read_ct(place / "scan.nii.gz")
    image = nib.load(place / "result" / "lesion_mask.nii.gz")
    affine = image.affine.copy()
    affine[2, 3] += 6
    moved = nib.Nifti1Image((np.asarray(image.dataobj) > 0).astype(np.uint8), affine)
    nib.save(moved, place / "moved.nii.gz")
    with pytest.raises(InputError, match=r"moved\.nii\.gz: expected the grid of .*scan\.nii\.gz"):
        read_drawn(place / "moved.nii.gz", ct)
    with pytest.raises(UsageError, match="share the value 1"):
        read_drawn(place / "moved.nii.gz", ct, labels={"infarct": (1,), "haemorrhage": (1, 2)})
    with pytest.raises(UsageError, match="1 to 64 letters"):
        read_drawn(place / "result" / "lesion_mask.nii.gz", ct, by=" ")
    with pytest.raises(UsageError, match="--how drawn: expected one of manual"):
        way("drawn")
    assert way(None) is None
