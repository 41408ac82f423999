"""Read a case that was found, out of its archive if it lies in one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from strokediff.ct.dicom.read import read_dicom_series
from strokediff.ct.discovery.archives import unpacked
from strokediff.ct.discovery.cases import Case
from strokediff.ct.discovery.formats import Kind, format_of
from strokediff.ct.nifti.images import read_nifti
from strokediff.ct.volume import CT
from strokediff.errors import InputError
from strokediff.util.names import DICOM
from strokediff.util.plaintext import visible

SHOWN = 3


def load_case(case: Case, series_uid: str | None = None) -> CT:
    """Read a case; see `read_nifti` and `read_dicom_series` for what is refused.

    Of an archive only the case's own members are unpacked, and gone again afterwards; messages and
    `CT.source` name the archive. See `archives.unpacked` for what is refused there.
    """
    archive = case.archive
    if archive is None:
        return _read(case, series_uid)
    inside = [p.relative_to(archive) for p in (case.files or (case.path,))]
    with unpacked(archive, {p.as_posix() for p in inside}) as contents:
        place = contents.folder
        files = tuple(place / p for p in inside) if case.files else ()
        path = place / case.path.relative_to(archive)
        try:
            volume = _read(replace(case, path=path, files=files, archive=None), series_uid)
        except InputError as error:
            raise InputError(str(error).replace(str(place), str(archive))) from error
    warnings = [w.replace(str(place), archive.name) for w in volume.warnings]
    if contents.damaged:
        warnings.append(_listed(contents.damaged, "files in the archive are damaged"))
    source = replace(volume.source, path=case.path)
    return replace(volume, source=source, warnings=tuple(warnings))


def _read(case: Case, series_uid: str | None) -> CT:
    if case.kind == "nifti":
        return read_nifti(case.path)
    volume = read_dicom_series(case.files or case.path, series_uid)
    misnamed = [f.name for f in case.files if _is_misnamed(f)]
    if not misnamed:
        return volume
    text = _listed(misnamed, "files are no DICOM, whatever their names say, and were left out")
    return replace(volume, warnings=(*volume.warnings, text))


def _is_misnamed(path: Path) -> bool:
    if not path.name.lower().endswith(DICOM):
        return False
    with path.open("rb") as stream:
        start = stream.read(132)
    dicom = start[128:] == b"DICM" or start[:1] in (b"\x02", b"\x08")
    return bool(start) and not dicom and format_of(path).kind is Kind.DAMAGED


def _listed(names: list[str], text: str) -> str:
    shown = ", ".join(visible(name) for name in names[:SHOWN])
    return f"{len(names)} {text} ({shown}{' ...' if len(names) > SHOWN else ''})"
