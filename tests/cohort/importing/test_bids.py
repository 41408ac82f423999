"""Laws: names that data sets use are read, a mask finds its scan, and nothing else is taken."""

from __future__ import annotations

from pathlib import Path

import layout_factory as make
import numpy as np
import pytest

from strokediff.cohort.importing.base import Listing
from strokediff.cohort.importing.bids_names import is_lesion_mask, named, names_plain_ct
from strokediff.cohort.importing.registry import open_layout
from strokediff.cohort.importing.survey import survey
from strokediff.errors import InputError

SUBJECT = "sub-stroke0001"


def listed(source: Path) -> Listing:
    return open_layout("bids", source).list_cases()


def isles(
    root: Path, *, raw: str = "raw_data", sessions: tuple[str, str] = ("ses-01", "ses-02")
) -> Path:
    """ISLES'24 of one subject: raw scans, and derivatives on the plain CT's grid."""
    first, second = sessions
    scans = root / raw / SUBJECT / first
    make.nifti(scans / f"{SUBJECT}_{first}_ncct.nii.gz", make.hounsfield())
    for other in ("cta", "ctp"):
        make.nifti(scans / f"{SUBJECT}_{first}_{other}.nii.gz", make.hounsfield(1))
    make.nifti(scans / "perfusion-maps" / f"{SUBJECT}_{first}_tmax.nii.gz", make.labels())
    later = root / raw / SUBJECT / second
    make.nifti(later / f"{SUBJECT}_{second}_dwi.nii.gz", make.hounsfield(2))
    derived = root / "derivatives" / SUBJECT
    for name in ("space-ncct_cta", "space-ncct_lvo-msk", "space-ncct_cow-msk"):
        make.nifti(derived / first / f"{SUBJECT}_{first}_{name}.nii.gz", make.labels())
    for name in ("space-ncct_dwi", "space-ncct_lesion-msk"):
        make.nifti(derived / second / f"{SUBJECT}_{second}_{name}.nii.gz", make.labels())
    (root / "phenotype" / SUBJECT).mkdir(parents=True)
    return root


@pytest.mark.parametrize("raw", ["raw_data", "rawdata", "Raw_Data", "."])
@pytest.mark.parametrize("sessions", [("ses-01", "ses-02"), ("ses-0001", "ses-0002")])
def test_isles_24_is_read_as_it_is_published(
    tmp_path: Path, raw: str, sessions: tuple[str, str]
) -> None:
    (case,) = listed(isles(tmp_path, raw=raw, sessions=sessions)).cases
    assert case.name == f"{SUBJECT}_{sessions[0]}" and case.patient == SUBJECT
    (pair,) = case.pairs
    assert pair.image.name.endswith("_ncct.nii.gz")
    assert pair.mask is not None and pair.mask.name.endswith("space-ncct_lesion-msk.nii.gz")


def test_isles_24_goes_all_the_way(tmp_path: Path, imported) -> None:
    made = imported("bids", isles(tmp_path / "src"))
    assert made.names == [f"{SUBJECT}_ses-01"]
    np.testing.assert_array_equal(made.mask(made.names[0]), make.labels())


def test_a_native_mask_beside_one_in_ct_space_is_not_taken(tmp_path: Path) -> None:
    """As subject 0142 of the published training set has it."""
    source = isles(tmp_path)
    folder = source / "derivatives" / SUBJECT / "ses-02"
    make.nifti(folder / f"{SUBJECT}_ses-02_lesion-msk.nii", make.labels()[:, :, :3])
    (case,) = listed(source).cases
    assert case.pairs[0].mask is not None and "space-ncct" in case.pairs[0].mask.name


def test_a_mask_of_another_session_on_another_grid_is_refused_with_a_remedy(tmp_path: Path) -> None:
    source = isles(tmp_path)
    folder = source / "derivatives" / SUBJECT / "ses-02"
    (folder / f"{SUBJECT}_ses-02_space-ncct_lesion-msk.nii.gz").unlink()
    make.nifti(folder / f"{SUBJECT}_ses-02_lesion-msk.nii.gz", make.labels()[:, :, :4])
    with pytest.raises(InputError, match=r"(?s)grids differ.*shape.*\(96, 96, 4\).*Resample it"):
        survey(open_layout("bids", source)).require_sound()


@pytest.mark.parametrize(
    "name",
    ["_ct", "_CT", "_ncct", "_NCCT", "_acq-noncontrast_ct", "_rec-soft_run-1_ct", "_acq-plain_ct"],
)
@pytest.mark.parametrize("folder", ["anat", "ct", "CT", "."])
def test_a_plain_ct_is_found_by_its_name(tmp_path: Path, name: str, folder: str) -> None:
    scans = tmp_path / "sub-01" / folder
    make.nifti(scans / f"sub-01{name}.nii.gz", make.hounsfield())
    for other in ("_cta", "_ce-iodine_ct", "_acq-angio_ct", "_acq-perfusion_ct", "_T1w", "_dwi"):
        make.nifti(scans / f"sub-01{other}.nii.gz", make.hounsfield(1))
    (case,) = listed(tmp_path).cases
    assert case.pairs[0].image.name == f"sub-01{name}.nii.gz"


MASKS = [
    "label-lesion_mask",
    "desc-lesion_mask",
    "label-lesion_roi",
    "space-CT_desc-lesion_dseg",
    "label-Infarct_mask",
    "lesion_mask",
    "lesion-msk",
    "lesion",
    "desc-haemorrhage_seg",
    "label-L_desc-T1lesion_mask",
]


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize(
    "place", ["derivatives/manual/sub-01/anat", "derivatives/sub-01", "sub-01"]
)
def test_a_lesions_mask_is_found_by_its_name(tmp_path: Path, name: str, place: str) -> None:
    make.nifti(tmp_path / "sub-01" / "anat" / "sub-01_ct.nii.gz", make.hounsfield())
    make.nifti(tmp_path / place / f"sub-01_{name}.nii.gz", make.labels())
    for other in ("desc-brain_mask", "label-brain_dseg", "lvo-msk", "label-CSF_mask", "mask"):
        make.nifti(tmp_path / place / f"sub-01_{other}.nii.gz", make.labels())
    (case,) = listed(tmp_path).cases
    assert case.pairs[0].mask is not None
    assert case.pairs[0].mask.name == f"sub-01_{name}.nii.gz"


def test_a_mask_that_says_nothing_is_taken_where_it_is_the_only_one(tmp_path: Path) -> None:
    make.nifti(tmp_path / "sub-01" / "anat" / "sub-01_ct.nii.gz", make.hounsfield())
    mask = make.nifti(
        tmp_path / "derivatives" / "m" / "sub-01" / "sub-01_mask.nii.gz", make.labels()
    )
    assert listed(tmp_path).cases[0].pairs[0].mask == mask


def test_masks_of_a_later_session_do_not_replace_the_scans_own(tmp_path: Path) -> None:
    source = make.bids(tmp_path)
    later = source / "derivatives" / "manual" / "sub-02" / "ses-09"
    make.nifti(later / "sub-02_ses-09_space-dwi_label-lesion_mask.nii.gz", make.labels())
    found = listed(source)
    assert len(found.cases) == 3 and not found.stray_masks
    assert found.notes == (
        "1 session(s) whose masks are not read, as they have no plain CT: sub-02_ses-09",
    )
    assert all("ses-09" not in str(case.pairs[0].mask) for case in found.cases)


def test_of_two_scans_of_a_subject_each_needs_its_own_mask(tmp_path: Path) -> None:
    source = make.bids(tmp_path)
    for path in source.glob("derivatives/manual/sub-01/ses-01/anat/*"):
        path.unlink()
    with pytest.raises(InputError, match=r"without a mask: sub-01/ses-01/anat/sub-01_ses-01_ct"):
        survey(open_layout("bids", source)).require_sound()


def test_subjects_without_a_plain_ct_are_named(tmp_path: Path) -> None:
    source = make.bids(tmp_path)
    make.nifti(source / "sub-07" / "anat" / "sub-07_cta.nii.gz", make.hounsfield())
    (source / "sub-08").mkdir()
    assert listed(source).notes == ("2 subject(s) without a plain CT: sub-07, sub-08",)
    make.nifti(source / "derivatives" / "m" / "sub-07" / "sub-07_lesion_mask.nii.gz", make.labels())
    assert [p.name for p in listed(source).stray_masks] == ["sub-07_lesion_mask.nii.gz"]


def test_names_are_taken_apart() -> None:
    found = named(Path("sub-1_ses-2_space-NCCT_lesion-msk.nii.gz"))
    assert (found.suffix, found.about, found.in_ct_space) == ("msk", "lesion", True)
    assert is_lesion_mask(found) and not names_plain_ct(found)
    for name in ("sub-1_cow-msk", "sub-1_label-vessel_mask", "sub-1_desc-skull_mask", "sub-1_bold"):
        assert not is_lesion_mask(named(Path(f"{name}.nii.gz")))
    for name in ("sub-1_cta", "sub-1_ctp", "sub-1_acq-postcontrast_ct", "sub-1_ce-x_ncct"):
        assert not names_plain_ct(named(Path(f"{name}.nii")))
    assert names_plain_ct(named(Path("sub-1_acq-postop_ct.nii")))
