"""Read a case that was found, out of its archive if it lies in one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from strokediff.ct.dicom.read import common_folder, read_chosen, read_dicom_series
from strokediff.ct.discovery.archives import unpacked
from strokediff.ct.discovery.cases import Case
from strokediff.ct.discovery.judging import Judged, judged, stamps_of
from strokediff.ct.discovery.tree import survey_files
from strokediff.ct.nifti.images import read_nifti
from strokediff.ct.volume import CT
from strokediff.errors import InputError
from strokediff.util.plaintext import visible

_SHOWN = 3


def load_case(case: Case, series_uid: str | None = None) -> CT:
    """Read a case; see `read_nifti` and `read_dicom_series` for what is refused.

    The series that `discover` chose is read, and no header of another file; where files have
    changed since, or `series_uid` names another series, headers are read and judged anew. Of an
    archive only the case's own members are unpacked, and gone again afterwards; messages and
    `CT.source` name the archive. See `archives.unpacked` for what is refused there.
    """
    archive = case.archive
    known = _known(case, series_uid)
    asked = series_uid if case.judged is None else series_uid or case.judged.asked
    if archive is None:
        return _read(case, known, asked)
    inside = [p.relative_to(archive) for p in (case.files or (case.path,))]
    with unpacked(archive, {p.as_posix() for p in inside}) as contents:
        place = contents.folder
        files = tuple(place / p for p in inside) if case.files else ()
        path = place / case.path.relative_to(archive)
        # A member that is cut off or fails its checksum has shown a sound header before.
        known = known.moved(archive, place) if known and not contents.damaged else None
        try:
            volume = _read(replace(case, path=path, files=files, archive=None), known, asked)
        except InputError as error:
            raise InputError(str(error).replace(str(place), str(archive))) from error
    warnings = [w.replace(str(place), archive.name) for w in volume.warnings]
    if contents.damaged:
        warnings.append(_listed(contents.damaged, "files in the archive are damaged"))
    source = replace(volume.source, path=case.path)
    return replace(volume, source=source, warnings=tuple(warnings))


def _known(case: Case, series_uid: str | None) -> Judged | None:
    """What discovery found, if that series is wanted and the files are those that it saw."""
    found = case.judged
    if found is None or series_uid not in (None, found.asked):
        return None
    files = (case.archive,) if case.archive else case.files
    return found if found.stamps == stamps_of(files) else None


def _read(case: Case, known: Judged | None, series_uid: str | None) -> CT:
    if case.kind == "nifti":
        return read_nifti(case.path)
    if not case.files:
        return read_dicom_series(case.path, series_uid)
    if known is None:
        tree = survey_files(common_folder(case.files), case.files)
        known = judged(case.files, tree.dicom.slices, tree, series_uid)
    if isinstance(known.series, InputError):
        raise known.series
    volume = read_chosen(known.series)
    if not known.misnamed:
        return volume
    text = _listed(
        known.misnamed, "files are no DICOM, whatever their names say, and were left out"
    )
    return replace(volume, warnings=(*volume.warnings, text))


def _listed(names: Sequence[str], text: str) -> str:
    shown = ", ".join(visible(name) for name in names[:_SHOWN])
    return f"{len(names)} {text} ({shown}{' ...' if len(names) > _SHOWN else ''})"
