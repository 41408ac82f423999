"""Laws: one patient is one case however its files lie; names are unique and cannot escape."""

import shutil

import nibabel as nib
import numpy as np
import pytest
from dicom_factory import head, uid, write_enhanced, write_series

from strokediff.ct.discovery.cases import Case, Discovery
from strokediff.ct.discovery.discover import discover, load_case
from strokediff.errors import InputError


def write_nifti(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(head().transpose(2, 1, 0), np.diag([0.7, 0.9, 5, 1])), path)
    return path


def names(cases):
    return [c.name for c in cases]


@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz", "SCAN.NII.GZ"])
def test_a_nifti_file(tmp_path, name):
    path = write_nifti(tmp_path / "scan.nii")
    path = path.rename(tmp_path / name) if not name.lower().endswith("gz") else path
    if name.lower().endswith("gz"):
        path = tmp_path / name
        nib.save(nib.load(tmp_path / "scan.nii"), tmp_path / "t.nii.gz")
        shutil.move(tmp_path / "t.nii.gz", path)
    case = Case(name[:4], "nifti", path, shown_path=name, original=name[:4])
    assert discover(path) == Discovery([case], [])


def test_a_dicom_folder_of_one_patient_is_one_case(tmp_path):
    root = tmp_path / "Patient One"
    write_series(root / "CT" / "5mm")
    write_series(root / "CT" / "thin", series="thin", hu=head(50), z=2.0 * np.arange(50))
    write_series(root / "scout", series="scout", hu=head(1))
    (root / "LICENSE").write_text("text " * 100)
    (case,) = discover(root).cases
    assert (case.name, case.kind, case.path) == ("Patient One", "dicom", root)
    assert load_case(case).source.details["series_uid"] == uid("ncct")
    assert load_case(case, uid("thin")).source.details["series_uid"] == uid("thin")


def test_folders_of_several_patients(tmp_path):
    for p in ("a", "b"):
        write_series(tmp_path / p / "study" / "series", series=p, patient=p, study=p)
    write_nifti(tmp_path / "c" / "ct.nii.gz")
    write_nifti(tmp_path / "d.nii")
    cases = discover(tmp_path).cases
    assert names(cases) == ["a", "b", "c_ct", "d"]
    assert [c.kind for c in cases] == ["dicom", "dicom", "nifti", "nifti"]
    assert cases[0].path == tmp_path / "a"
    assert all(load_case(c).hu.shape[2] == 20 for c in cases)


def test_several_patients_in_one_flat_folder_are_told_apart(tmp_path):
    root = tmp_path / "flat"
    for p in ("a", "b"):
        write_series(root, series=p, patient=p, study=p, prefix=p)
    cases = discover(root).cases
    assert names(cases) == ["flat", "flat_2"]
    assert [load_case(c).source.details["study_uid"] for c in cases] == [uid("a"), uid("b")]


def test_the_patient_id_is_not_in_the_name(tmp_path):
    write_series(tmp_path / "x", patient="SECRET-4711")
    assert "4711" not in discover(tmp_path / "x").cases[0].name


def test_two_studies_of_one_patient_are_two_cases(tmp_path):
    for s in ("day1", "day2"):
        write_series(tmp_path / s, series=s, study=s)
    assert names(discover(tmp_path).cases) == ["day1", "day2"]


def test_a_study_without_plain_ct_is_left_out_beside_one_with_it(tmp_path):
    """Within one patient's folder, and said; folders of their own may be other patients'."""
    for p in ("p1", "p2"):
        write_series(tmp_path / p / "plain", patient=p, study=f"{p}n", series=f"{p}n")
    cta = {"patient": "p1", "series": "cta", "study": "cta", "description": "CTA"}
    write_series(tmp_path / "p1" / "cta", **cta)
    found = discover(tmp_path)
    assert names(found.cases) == ["p1", "p2"] and not found.failed
    assert load_case(found.cases[0]).source.details["series_uid"] == uid("p1n")
    (left,) = found.left_out
    assert left.path == tmp_path / "p1" / "cta" and "by its name 'CTA'" in left.reason
    inside = discover(tmp_path / "p1")
    assert names(inside.cases) == ["cta", "plain"] and not inside.left_out
    with pytest.raises(InputError, match="only contrast"):
        load_case(inside.cases[0])


def test_a_patients_folder_without_plain_ct_is_one_case_that_fails(tmp_path):
    for s in ("cta", "ctv"):
        write_series(tmp_path / "p" / s, series=s, study=s, description="CTA head")
    write_series(tmp_path / "q", series="q", study="q", patient="q")
    failing, _ = discover(tmp_path).cases
    assert failing.name == "p" and len(failing.files) == 40
    with pytest.raises(InputError, match="only contrast"):
        load_case(failing)


def test_one_bad_patient_is_still_a_case(tmp_path):
    write_series(tmp_path / "good", patient="g", series="g", study="g")
    write_series(tmp_path / "bad", patient="b", series="b", study="b")[7].unlink()
    good, bad = sorted(discover(tmp_path).cases, key=lambda c: c.name == "bad")
    assert load_case(good).hu.shape[2] == 20
    with pytest.raises(InputError, match="missing"):
        load_case(bad)


def test_the_series_option_keeps_the_case_that_has_it(tmp_path):
    for p in ("a", "b"):
        write_series(tmp_path / p, series=p, patient=p, study=p)
    (case,) = discover(tmp_path, uid("b")).cases
    assert load_case(case, uid("b")).source.details["series_uid"] == uid("b")
    with pytest.raises(InputError, match="--series is not there"):
        discover(tmp_path, "1.2.3")


def test_series_with_a_nifti_is_refused(tmp_path):
    with pytest.raises(InputError, match="the input is NIfTI"):
        discover(write_nifti(tmp_path / "a.nii"), "1.2.3")


def test_a_multi_frame_file_is_a_case(tmp_path):
    path = write_enhanced(tmp_path / "ct.dcm")
    (case,) = discover(path).cases
    assert (case.name, case.kind) == ("ct", "dicom")
    assert load_case(case).hu.shape[2] == 20


def test_own_output_and_hidden_files_are_not_input(tmp_path):
    write_nifti(tmp_path / "ct.nii.gz")
    write_nifti(tmp_path / "out" / "lesion_mask.nii.gz")
    write_nifti(tmp_path / "out" / "lesion_prob.nii.gz")
    write_nifti(tmp_path / ".cache" / "x.nii")
    assert names(discover(tmp_path).cases) == ["ct"]


def test_a_zero_byte_file_is_warned_of(tmp_path):
    write_series(tmp_path / "p")
    (tmp_path / "p" / "zero.dcm").touch()
    (case,) = discover(tmp_path / "p").cases
    assert any("zero.dcm" in w for w in load_case(case).warnings)


def test_links_in_a_circle_end(tmp_path):
    write_series(tmp_path / "p")
    (tmp_path / "p" / "again").symlink_to(tmp_path / "p")
    assert len(discover(tmp_path / "p").cases[0].files) == 20


def test_equal_names_get_numbers(tmp_path):
    for folder in ("A", "a b", "a_b"):
        write_nifti(tmp_path / folder / "ct.nii")
    cases = discover(tmp_path).cases
    assert len({n.lower() for n in names(cases)}) == 3


@pytest.mark.parametrize("what", ["missing", "empty", "foreign", "text"])
def test_nothing_to_segment(tmp_path, what):
    path = tmp_path / what
    if what in ("empty", "foreign"):
        path.mkdir()
    if what == "foreign":
        (path / "a.txt").write_text("x" * 200)
    if what == "text":
        path.write_text("x" * 200)
    message = {"missing": "no such file", "empty": "is empty"}.get(what, "none of 1 files is NIfTI")
    with pytest.raises(InputError, match=message):
        discover(path)
