"""Laws: a zip or tar is read like the folder in it; nothing leads out, nothing swells, all goes."""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from dicom_factory import head, uid, write_series

from strokediff.ct.discovery import archive_members, archives
from strokediff.ct.discovery.discover import discover, load_case
from strokediff.errors import InputError

HU = head(6)
Pack = Callable[[Path, Path], Path]


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place of its own to unpack to, which must be empty again after every test."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    yield place
    assert not list(place.iterdir())


@pytest.fixture
def patient(tmp_path: Path) -> Path:
    write_series(tmp_path / "src" / "CT" / "SE1", hu=HU)
    (tmp_path / "src" / "README.txt").write_text("exported")
    return tmp_path / "src"


def as_zip(folder: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            packed.write(file, file.relative_to(folder))
    return path


def as_tar(folder: Path, path: Path) -> Path:
    kind = {".tar": "w", ".tgz": "w:gz", ".gz": "w:gz", ".xz": "w:xz", ".bz2": "w:bz2"}[path.suffix]
    with tarfile.open(path, kind) as packed:  # type: ignore[call-overload]
        packed.add(folder, "export")
    return path


def as_windows(folder: Path, path: Path) -> Path:
    """Backslashes between folders, as some writers leave them."""
    with zipfile.ZipFile(path, "w") as packed:
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            info = zipfile.ZipInfo("x")
            info.filename = str(file.relative_to(folder)).replace("/", "\\")
            packed.writestr(info, file.read_bytes())
    return path


def nifti(path: Path, extra: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(HU.transpose(2, 1, 0) + extra, np.diag([0.7, 0.9, 5, 1])), path)
    return path


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("P4.zip", as_zip),
        ("P4.ZIP", as_windows),
        ("P4.tar", as_tar),
        ("P4.tar.gz", as_tar),
        ("P4.tgz", as_tar),
        ("P4.tar.xz", as_tar),
        ("P4.tar.bz2", as_tar),
    ],
)
def test_dicom_in_an_archive_is_a_case(
    tmp_path: Path, patient: Path, name: str, pack: Pack
) -> None:
    archive = pack(patient, tmp_path / name)
    shutil.rmtree(patient)
    (case,) = discover(archive).cases
    assert (case.name, case.archive, case.original) == ("P4", archive, "P4")
    assert case.shown_path.startswith(name) and str(tmp_path) not in case.shown_path
    volume = load_case(case)
    assert volume.hu.max() == HU.max() and volume.hu.shape[2] == 6
    assert archive in (volume.source.path, *volume.source.path.parents)
    assert load_case(case, uid("ncct")).source.details["n_files"] == 6


def test_a_folder_of_archives(tmp_path: Path, patient: Path) -> None:
    root = tmp_path / "cohort"
    for p in ("p1", "p2", "张伟"):
        (root / p).mkdir(parents=True)
    as_zip(patient, root / "p1" / "ct.zip")
    nifti(tmp_path / "n" / "scan.nii.gz")
    as_zip(tmp_path / "n", root / "p2.zip")
    as_tar(tmp_path / "n", root / "张伟.tgz")
    many = tmp_path / "many"
    for k in range(2):
        nifti(many / f"m{k}.nii.gz", k)
    (many / "bad.mha").touch()
    as_zip(many, root / "many.zip")
    for p in ("p2", "张伟"):
        (root / p).rmdir()
    found = discover(root)
    assert [c.name for c in found.cases] == ["many_m0", "many_m1", "p1_ct", "p2", "张伟"]
    assert [left.name for left in found.failed] == ["many_bad"]
    assert all(load_case(c).hu.shape[2] == 6 for c in found.cases)
    assert found.cases[1].original == "many/m1" and found.cases[4].original == "张伟"
    assert found.cases[1].shown_path == "many.zip/m1.nii.gz"
    (root / "p9").mkdir()
    as_zip(root, tmp_path / "outer.zip")
    found = discover(tmp_path / "outer.zip")
    reasons = [left.reason for left in found.failed]
    assert not found.cases and len(reasons) == 4
    assert all("an archive in an archive" in reason for reason in reasons)


def test_what_lies_both_packed_and_unpacked_is_one_case(tmp_path: Path, patient: Path) -> None:
    root = tmp_path / "cohort"
    for p in ("p1", "p2"):
        write_series(root / p, hu=HU, patient=p, study=p, series=p)
    as_zip(root / "p1", root / "p1.zip")
    as_zip(root / "p2", root / "p2" / "backup.zip")
    found = discover(root)
    assert [c.name for c in found.cases] == ["p1", "p2"] and not found.failed
    assert [left.path.name for left in found.left_out] == ["p1.zip", "backup.zip"]


def with_member(name: str, **attributes: object) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as packed:
            info = zipfile.ZipInfo("x")
            info.filename = name
            for key, value in attributes.items():
                setattr(info, key, value)
            packed.writestr(info, b"x")

    return make


def encrypted(path: Path) -> None:
    with_member("ct.dcm")(path)
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.rfind(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)


def unknown_method(path: Path) -> None:
    with_member("ct.dcm")(path)
    content = bytearray(path.read_bytes())
    content[8] = content[content.rfind(b"PK\1\2") + 10] = 99
    path.write_bytes(content)


def bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for k in range(3):
            packed.writestr(f"{k}.nii", bytes(1 << 20))


def many(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as packed:
        for k in range(40):
            packed.writestr(f"{k}.dcm", b"")


def long_names(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as packed:
        for k in range(12):
            packed.writestr(f"{k}" + "n" * 1000, b"")


def a_long_part(path: Path) -> None:
    with_member("n" * 300 + ".dcm")(path)


HOSTILE: dict[str, tuple[Callable[[Path], None], str]] = {
    "upwards": (with_member("../../evil.dcm"), "leads out of it"),
    "upwards inside": (with_member("a/../../evil.dcm"), "leads out of it"),
    "absolute": (with_member("/etc/evil.dcm"), "leads out of it"),
    "windows upwards": (with_member("..\\evil.dcm"), "leads out of it"),
    "drive": (with_member("C:\\evil.dcm"), "leads out of it"),
    "share": (with_member("\\\\host\\evil.dcm"), "leads out of it"),
    "encrypted": (encrypted, "is encrypted"),
    "unknown method": (unknown_method, "packed in a way that is not read"),
    "bomb": (bomb, "unpacks to more than 2 times its size"),
    "many entries": (many, "more than 30 entries"),
    "large directory": (long_names, "more than 30 entries, or very long names"),
    "long name": (a_long_part, "cannot be unpacked"),
    "empty": (lambda path: path.touch(), "is empty"),
    "text": (lambda path: path.write_text("no zip " * 50), "damaged or no archive"),
    "only texts": (with_member("a.txt"), "neither NIfTI nor DICOM"),
}


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bounds, small enough to meet them here."""
    for module in (archives, archive_members):
        for name, value in (("MAX_RATIO", 2), ("FREE_RATIO_BYTES", 1 << 16)):
            monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(archive_members, "MAX_MEMBERS", 30)
    monkeypatch.setattr(archive_members, "MAX_DIRECTORY_BYTES", 10_000)


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_or_broken_archive_is_that_patients_failure(
    tmp_path: Path, patient: Path, kind: str
) -> None:
    make, reason = HOSTILE[kind]
    root = tmp_path / "cohort"
    shutil.move(patient, root / "good")
    (root / "p").mkdir()
    make(root / "p" / "p.zip")
    before = sorted(tmp_path.rglob("*"))
    found = discover(root)
    assert [case.name for case in found.cases] == ["good"]
    (left,) = found.failed
    assert left.name == "p_p" and str(tmp_path / "temporary") not in left.reason
    with pytest.raises(InputError, match=reason):
        discover(root / "p" / "p.zip")
    assert sorted(tmp_path.rglob("*")) == before


def entry(name: str, **attributes: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for key, value in attributes.items():
        setattr(info, key, value)
    return info


def test_links_and_devices_in_archives_are_left_out(tmp_path: Path, patient: Path) -> None:
    """They name files of this machine; the slices beside them are read."""
    secret = nifti(tmp_path / "secret" / "scan.nii")
    archive = as_tar(patient, tmp_path / "p.tar")
    with tarfile.open(archive, "a") as packed:
        packed.addfile(entry("link.nii", type=tarfile.SYMTYPE, linkname=str(secret)))
        packed.addfile(entry("hard.nii", type=tarfile.LNKTYPE, linkname=str(secret)))
        packed.addfile(entry("folder", type=tarfile.SYMTYPE, linkname=str(secret.parent)))
        packed.addfile(entry("null.dcm", type=tarfile.CHRTYPE, devmajor=1, devminor=3))
        packed.addfile(entry("pipe.dcm", type=tarfile.FIFOTYPE))
    zipped = as_zip(patient, tmp_path / "q.zip")
    with zipfile.ZipFile(zipped, "a") as packed:
        info = zipfile.ZipInfo("link.nii")
        info.external_attr = 0o120777 << 16
        packed.writestr(info, str(secret))
    for path in (archive, zipped):
        (case,) = discover(path).cases
        assert case.kind == "dicom" and len(case.files) == 6


@pytest.mark.parametrize("name", ["../evil.nii", "/evil.nii", "a/../../evil.nii"])
def test_no_path_of_a_tar_leads_out(tmp_path: Path, name: str) -> None:
    with tarfile.open(tmp_path / "p.tar", "w") as packed:
        packed.addfile(entry(name, size=3), io.BytesIO(b"abc"))
    with pytest.raises(InputError, match="leads out of it"):
        discover(tmp_path / "p.tar")
    assert not list(tmp_path.rglob("evil.nii"))


@pytest.mark.usefixtures("strict")
def test_tars_are_not_believed(tmp_path: Path) -> None:
    """A member that swells while it is passed over, and a header of gigabytes."""
    swelling, header = tmp_path / "a.tgz", tmp_path / "b.tgz"
    with tarfile.open(swelling, "w:gz") as packed:
        packed.addfile(entry("pipe", type=tarfile.SYMTYPE, linkname="x"))
        packed.addfile(entry("a.nii", size=1 << 20), io.BytesIO(bytes(1 << 20)))
        packed.addfile(entry("b.nii", size=3), io.BytesIO(b"abc"))
    with pytest.raises(InputError, match="unpacks to more than"):
        discover(swelling)
    claim = entry("x", type=tarfile.XHDTYPE, size=5 << 30).tobuf(tarfile.PAX_FORMAT)
    header.write_bytes(gzip.compress(claim + bytes(4096)))
    with pytest.raises(InputError, match="damaged or no archive"):
        discover(header)


def test_a_damaged_member_costs_itself(tmp_path: Path, patient: Path) -> None:
    write_series(patient / "CT" / "SE1", hu=head(7))
    archive = as_zip(patient, tmp_path / "p.zip")
    with zipfile.ZipFile(archive) as packed:
        last = packed.getinfo("CT/SE1/006.dcm")
    content = bytearray(archive.read_bytes())
    content[last.header_offset + 200] ^= 0xFF
    archive.write_bytes(content)
    (case,) = discover(archive).cases
    volume = load_case(case)
    assert volume.hu.shape[2] == 6
    assert any("files in the archive are damaged (CT/SE1/006.dcm)" in w for w in volume.warnings)


def test_a_cut_archive_is_a_failure(tmp_path: Path, patient: Path) -> None:
    for archive in (as_zip(patient, tmp_path / "p.zip"), as_tar(patient, tmp_path / "p.tgz")):
        archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
        with pytest.raises(InputError, match=rf"{archive.name}: is damaged or no archive"):
            discover(archive)


def test_a_case_that_fails_names_the_archive_and_leaves_nothing(tmp_path: Path) -> None:
    write_series(tmp_path / "src" / "SE1", hu=HU)[3].unlink()
    archive = as_zip(tmp_path / "src", tmp_path / "p.zip")
    (case,) = discover(archive).cases
    with pytest.raises(InputError, match=r"p\.zip.*missing") as caught:
        load_case(case)
    assert str(tmp_path / "temporary") not in str(caught.value)


def test_headers_longer_than_what_is_looked_at_first_are_read_whole(
    tmp_path: Path, patient: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = as_zip(patient, tmp_path / "p.zip")
    for module in ("archives", "finding"):
        monkeypatch.setattr(f"strokediff.ct.discovery.{module}.HEAD_BYTES", 200)
    assert load_case(discover(archive).cases[0]).hu.shape[2] == 6


def test_results_in_an_archive_are_no_input(tmp_path: Path) -> None:
    nifti(tmp_path / "src" / "lesion_mask.nii.gz")
    nifti(tmp_path / "src" / "ct" / "ct.nii.gz")
    archive = as_zip(tmp_path / "src", tmp_path / "p.zip")
    assert [c.shown_path for c in discover(archive).cases] == ["p.zip/ct/ct.nii.gz"]
