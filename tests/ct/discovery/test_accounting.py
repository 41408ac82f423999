"""Laws: nobody vanishes. Whatever lies in a folder of patients is a case, failed, or told."""

from __future__ import annotations

import gzip
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from dicom_factory import head, write_series

from strokediff.ct.discovery.cases import Discovery
from strokediff.ct.discovery.discover import discover, load_case
from strokediff.errors import InputError

Make = Callable[[Path], object]
SLICES = head(6)


def dicom(folder: Path, who: str = "p") -> list[Path]:
    return write_series(folder, hu=SLICES, patient=who, study=who, series=who)


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("scan") / "scan.nii"
    nib.save(nib.Nifti1Image(SLICES.transpose(2, 1, 0), np.diag([0.7, 0.9, 5, 1])), path)
    return path.read_bytes()


@pytest.fixture
def cohort(tmp_path: Path, scan: bytes) -> Path:
    """Two good patients, one of each kind, and what no patient is."""
    root = tmp_path / "cohort"
    dicom(root / "p1", "p1")
    (root / "p2").mkdir()
    (root / "p2" / "ct.nii").write_bytes(scan)
    (root / "README.md").write_text("about")
    (root / "participants.csv").write_text("id,age")
    (root / ".DS_Store").write_bytes(b"\0")
    (root / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
    (root / "p2" / "ct.json").write_text("{}")
    return root


def write(name: str, content: bytes = b"x" * 200) -> Make:
    def make(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    return make


def cut(folder: Path) -> None:
    for path in dicom(folder, "bad"):
        path.write_bytes(path.read_bytes()[:400])


def zero_bytes(folder: Path) -> None:
    for path in dicom(folder / "series", "bad"):
        path.write_bytes(b"")


def zero_filled(folder: Path) -> None:
    for path in dicom(folder, "bad"):
        path.write_bytes(bytes(path.stat().st_size))


def without_endings(folder: Path) -> None:
    for path in dicom(folder / "IMAGES", "bad"):
        path.with_suffix("").touch()
        path.unlink()


def link(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "scan").symlink_to("../.git/annex/objects/gone")


def analyze(folder: Path) -> None:
    write("ct.hdr", b"\x5c\1\0\0" + bytes(344))(folder)
    write("ct.img")(folder)


def empty(folder: Path) -> None:
    (folder / "ses-01" / "ct").mkdir(parents=True)


def bad_zip(folder: Path) -> None:
    write("p.zip", b"PK\3\4" + b"x" * 300)(folder)


def foreign_in_zip(folder: Path) -> None:
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "p.zip", "w") as packed:
        packed.writestr("ct.mha", "ObjectType = Image")


def pictures(folder: Path) -> None:
    for k in range(3):
        write(f"{k:03}.jpg", b"\xff\xd8\xff\xe0" + b"x" * 99)(folder)


LOST: dict[str, tuple[Make, str]] = {
    "cut within the header": (cut, "6 files are empty or damaged"),
    "zero bytes": (zero_bytes, "the file is empty"),
    "zero-filled": (zero_filled, "no DICOM file, whatever its name says"),
    "zero bytes without endings": (without_endings, "an empty file"),
    "a link that leads nowhere": (link, "a link that leads nowhere"),
    "an empty folder": (empty, "the folder is empty"),
    "nrrd": (write("ct.nrrd", b"NRRD0004\n"), "an NRRD image"),
    "mha": (write("sub/ct.MHA"), "a MetaImage"),
    "mgz": (write("ct.mgz"), "a FreeSurfer image"),
    "analyze": (analyze, "an Analyze image"),
    "nifti without its ending": (write("ct", bytes(344) + b"n+1\0" + bytes(99)), "without the end"),
    "rar": (write("p.rar", b"Rar!\x1a\7\0"), "a RAR archive"),
    "7z": (write("p.7z"), "a 7z archive"),
    "zip without its ending": (write("p", b"PK\3\4" + bytes(99)), "a zip archive without"),
    "one gzipped dicom": (write("ct.dcm.gz", gzip.compress(b"x")), "a compressed DICOM"),
    "unfinished download": (write("ct.nii.gz.part"), "an unfinished download"),
    "damaged zip": (bad_zip, "is damaged or no archive"),
    "foreign in a zip": (foreign_in_zip, "a MetaImage"),
    "pictures": (pictures, "only 3 pictures"),
    "pdf": (write("report.pdf", b"%PDF-1.7"), "none of 1 files is NIfTI or DICOM"),
    "text": (write("notes.txt"), "notes.txt"),
}


def failed(found: Discovery) -> dict[str, str]:
    return {left.name: left.reason for left in found.failed}


def readable(found: Discovery) -> list[str]:
    for case in found.cases:
        load_case(case)
    return [case.name for case in found.cases]


@pytest.mark.parametrize("kind", LOST)
def test_a_patient_who_cannot_be_read_is_a_failed_patient(cohort: Path, kind: str) -> None:
    make, reason = LOST[kind]
    make(cohort / "p3")
    found = discover(cohort)
    assert [case.name for case in found.cases] == ["p1", "p2_ct"]
    (name,) = failed(found)
    assert name.startswith("p3") and reason in failed(found)[name]
    assert found.ignored == 4 and found.n_patients == 3


def test_all_of_them_in_one_cohort_and_one_level_deeper(cohort: Path) -> None:
    for k, (make, _) in enumerate(LOST.values(), 3):
        make(cohort / f"p{k}")
    found = discover(cohort)
    assert readable(found) == ["p1", "p2_ct"] and len(found.failed) == len(LOST)
    starts = {name.split("_")[0] for name in failed(found)}
    assert starts == {f"p{k}" for k in range(3, 3 + len(LOST))}
    outer = discover(cohort.parent)
    assert readable(outer) == ["cohort_p1", "cohort_p2_ct"]
    assert set(failed(outer)) == {f"cohort_{name}" for name in failed(found)}


@pytest.mark.parametrize("kind", LOST)
def test_a_patient_alone_who_cannot_be_read_is_an_error_that_says_why(
    tmp_path: Path, kind: str
) -> None:
    make, reason = LOST[kind]
    make(tmp_path / "p3")
    reason = {"pictures": "none of 3 files", "text": "none of 1 files"}.get(kind, reason)
    with pytest.raises(InputError, match=reason):
        discover(tmp_path / "p3")


def test_patients_who_all_fail_are_all_named(tmp_path: Path) -> None:
    cut(tmp_path / "p1")
    LOST["nrrd"][0](tmp_path / "p2")
    LOST["pictures"][0](tmp_path / "p3")
    found = discover(tmp_path)
    assert not found.cases and list(failed(found)) == ["p1", "p2", "p3"]


def test_patients_without_any_image_do_not_hide_each_other(tmp_path: Path) -> None:
    zero_bytes(tmp_path / "cohort" / "p1" / "deep")
    for name in ("p2/report.pdf", "p3/sub/notes.txt"):
        write(name)(tmp_path / "cohort")
    names = list(failed(discover(tmp_path)))
    assert [name[:9] for name in names] == ["cohort_p1", "cohort_p2", "cohort_p3"]


def test_single_files_side_by_side_are_patients(tmp_path: Path, scan: bytes) -> None:
    for name, content in {
        "a.nii": scan,
        "b.nrrd": b"NRRD0004",
        "c.mha": b"",
        "d.hdr": b"",
        "d.img": b"",
        "e.rar": b"Rar!",
        "a.nrrd": b"NRRD0004",
        "f.zip": b"",
        "logo.png": b"",
        "README": b"about these",
    }.items():
        (tmp_path / name).write_bytes(content)
    found = discover(tmp_path)
    assert readable(found) == ["a"] and list(failed(found)) == ["b", "c", "d", "e", "f"]
    (told,) = [left for left in found.left_out if not left.is_patient]
    assert told.path.name == "a.nrrd" and found.ignored == 3


def test_what_lies_beside_a_patients_dicom_is_told_and_is_no_patient(tmp_path: Path) -> None:
    """Segmentations, a screenshot, an old archive: the patient was read."""
    dicom(tmp_path / "p1", "p1")
    dicom(tmp_path / "p2" / "SE1", "p2")
    for name in ("seg.nrrd", "shot.png", "old.rar", "notes.txt"):
        write(name)(tmp_path / "p1")
    (tmp_path / "p2" / "SE1" / "tmp-empty").mkdir()
    found = discover(tmp_path)
    assert readable(found) == ["p1", "p2"] and not found.failed
    assert sorted(left.path.name for left in found.left_out) == ["old.rar", "seg.nrrd"]
    assert found.ignored == 2


def test_a_medium_with_its_viewer_is_one_patient(tmp_path: Path) -> None:
    dicom(tmp_path / "DICOM" / "PAT0" / "SE0")
    for name in ("VIEWER/viewer.exe", "VIEWER/help/logo.png", "AUTORUN.INF", "docs/manual.pdf"):
        write(name)(tmp_path)
    found = discover(tmp_path)
    assert len(found.cases) == 1 and not found.left_out and found.ignored == 4
    assert found.cases[0].name == tmp_path.name


def test_damaged_files_beside_good_ones_are_warned_of_where_they_lie(tmp_path: Path) -> None:
    for p in ("p1", "p2"):
        dicom(tmp_path / p / "series", p)
    (tmp_path / "p1" / "series" / "zz.dcm").write_bytes(b"")
    (tmp_path / "p1" / "series" / "no.dcm").write_text("not DICOM at all " * 20)
    (tmp_path / "p1" / "stray.dcm").write_bytes(b"")
    found = discover(tmp_path)
    one, two = (load_case(case).warnings for case in found.cases)
    assert not found.left_out and len(one) == len(two) + 2
    assert "2 empty or damaged" in one[0] and "stray.dcm" in one[0] and "zz.dcm" in one[0]
    assert "1 files are no DICOM" in one[-1] and "no.dcm" in one[-1]


def test_a_bad_session_or_site_is_not_hidden_by_a_good_one(tmp_path: Path) -> None:
    dicom(tmp_path / "sub-1" / "ses-1", "a")
    zero_bytes(tmp_path / "sub-1" / "ses-2")
    dicom(tmp_path / "site" / "p1", "b")
    dicom(tmp_path / "site" / "p2", "c")
    cut(tmp_path / "site" / "p3")
    empty(tmp_path / "site" / "p4")
    found = discover(tmp_path)
    assert readable(found) == ["site_p1", "site_p2", "sub-1_ses-1"]
    assert list(failed(found)) == ["site_p3", "site_p4", "sub-1_ses-2"]


def test_a_folder_that_cannot_be_listed_is_a_failed_patient(
    cohort: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dicom(cohort / "p3", "p3")
    real = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("p3"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert "cannot be listed (Permission denied)" in failed(discover(cohort))["p3"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_a_pipe_does_not_hang(cohort: Path) -> None:
    os.mkfifo(cohort / "p1" / "pipe.dcm")
    os.mkfifo(cohort / "p2" / "pipe.nii.gz")
    assert readable(discover(cohort)) == ["p1", "p2_ct"]


@pytest.mark.parametrize("name", ["ct.nrrd", "p.rar", "x.jpg", "scan.mgz", "x.dcm", "p.7z"])
def test_one_foreign_file_is_named_for_what_it_is(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"something else" * 20)
    with pytest.raises(InputError, match=rf"{name}: .*(image|archive|picture|no DICOM)"):
        discover(tmp_path / name)
