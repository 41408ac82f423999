"""Read a case that was found, out of its archive if it lies in one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from strokediff.ct.dicom.files import walk_files
from strokediff.ct.dicom.read import common_folder, read_chosen, read_dicom_series
from strokediff.ct.dicom.series import ChosenSeries
from strokediff.ct.dicom.source import SourceSeries, source_series
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
    with _opened(case, series_uid) as found:
        volume = _read(found)
    if found.place is None or case.archive is None:
        return volume
    place, name = str(found.place), case.archive.name
    warnings = [w.replace(place, name) for w in volume.warnings]
    if found.damaged:
        warnings.append(_listed(found.damaged, "files in the archive are damaged"))
    source = replace(volume.source, path=case.path)
    return replace(volume, source=source, warnings=tuple(warnings))


def load_source(case: Case, series_uid: str | None = None) -> SourceSeries:
    """The instances that `load_case` reads, without their pixels.

    Raises `InputError` for a NIfTI file, which has none, and as `load_case`.
    """
    if case.kind != "dicom":
        raise InputError(
            f"{case.path}: NIfTI has no patient, study or instances for DICOM objects to refer to. "
            "Give the DICOM series."
        )
    with _opened(case, series_uid) as found:
        return source_series(_chosen(found)[0])


@dataclass(frozen=True)
class _Opened:
    """A case where its files lie now: in the folder `place`, if in an archive.

    `known` is what discovery found of it, `asked` the series to read, `damaged` members are lost.
    """

    case: Case
    known: Judged | None
    asked: str | None
    place: Path | None = None
    damaged: Sequence[str] = ()


@contextmanager
def _opened(case: Case, series_uid: str | None) -> Iterator[_Opened]:
    archive = case.archive
    known = _known(case, series_uid)
    asked = series_uid if case.judged is None else series_uid or case.judged.asked
    if archive is None:
        yield _Opened(case, known, asked)
        return
    inside = [p.relative_to(archive) for p in (case.files or (case.path,))]
    with unpacked(archive, {p.as_posix() for p in inside}) as contents:
        place = contents.folder
        files = tuple(place / p for p in inside) if case.files else ()
        path = place / case.path.relative_to(archive)
        # A member that is cut off or fails its checksum has shown a sound header before.
        known = known.moved(archive, place) if known and not contents.damaged else None
        own = replace(case, path=path, files=files, archive=None)
        try:
            yield _Opened(own, known, asked, place, contents.damaged)
        except InputError as error:
            raise InputError(str(error).replace(str(place), str(archive))) from error


def _known(case: Case, series_uid: str | None) -> Judged | None:
    """What discovery found, if that series is wanted and the files are those that it saw."""
    found = case.judged
    if found is None or series_uid not in (None, found.asked):
        return None
    files = (case.archive,) if case.archive else case.files
    return found if found.stamps == stamps_of(files) else None


def _read(found: _Opened) -> CT:
    case = found.case
    if case.kind == "nifti":
        return read_nifti(case.path)
    if not case.files:
        return read_dicom_series(case.path, found.asked)
    chosen, misnamed = _chosen(found)
    volume = read_chosen(chosen)
    if not misnamed:
        return volume
    text = _listed(misnamed, "files are no DICOM, whatever their names say, and were left out")
    return replace(volume, warnings=(*volume.warnings, text))


def _chosen(found: _Opened) -> tuple[ChosenSeries, Sequence[str]]:
    """The series of a DICOM case, and the files that are none, whatever they are called."""
    files, known = found.case.files or tuple(walk_files(found.case.path)), found.known
    if known is None:
        tree = survey_files(common_folder(files), files)
        known = judged(files, tree.dicom.slices, tree, found.asked)
    if isinstance(known.series, InputError):
        raise known.series
    return known.series, known.misnamed


def _listed(names: Sequence[str], text: str) -> str:
    shown = ", ".join(visible(name) for name in names[:_SHOWN])
    return f"{len(names)} {text} ({shown}{' ...' if len(names) > _SHOWN else ''})"
