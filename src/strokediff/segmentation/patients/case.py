"""One case: read, segmented, and written as a result folder, or taken as it is there already."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from strokediff.ct.discovery.cases import Case
from strokediff.ct.discovery.discover import load_case
from strokediff.ct.discovery.loading import load_source
from strokediff.errors import InputError, StrokediffError, UsageError
from strokediff.result.figures import Fingerprint
from strokediff.result.record import Record
from strokediff.segmentation.files import (
    OccupiedError,
    Wanted,
    refuse_changed,
    refuse_foreign,
    write,
)
from strokediff.segmentation.folder import ASIDE, ResultFolder
from strokediff.segmentation.model import Advance, Foresee
from strokediff.segmentation.objects import DicomObjects
from strokediff.segmentation.outputs import maps_of
from strokediff.segmentation.patients.job import Job, Outcome, input_digest
from strokediff.segmentation.pipeline import Stopwatch, segment_ct
from strokediff.segmentation.unfinished import DiskStore, forget
from strokediff.training.trouble import trouble_of


def outcome_of(case: Case, folder: Path, job: Job, advance: Advance, foresee: Foresee) -> Outcome:
    """What came of one case; whatever is wrong with it is an outcome, and the others go on.

    Raises `UsageError` for what every other case would fail at too: options, a full disk.
    """
    place = ResultFolder(folder)
    try:
        return _segmented_or_kept(case, place, job, advance, foresee)
    except OccupiedError as error:
        return Outcome(case.name, None, error)
    except UsageError:
        raise
    except StrokediffError as error:
        return Outcome(case.name, None, type(error)(f"{error}{_older(place)}"))
    except Exception as error:
        wrapped = InputError(
            f"{case.path}: could not be segmented ({type(error).__name__}: {error}). "
            f"{_advice(error)}{_older(place)}"
        )
        wrapped.__cause__ = error
        return Outcome(case.name, None, wrapped)


def _older(place: ResultFolder) -> str:
    """What is to be known of an older result there, which does not count any more."""
    if place.older.result() is None:
        return ""
    return f" The older result was set aside ({ASIDE}); the command that made it takes it back."


def _advice(error: Exception) -> str:
    trouble = trouble_of(error)
    if trouble is not None:
        return f"{trouble.remedy} The same command goes on from there."
    return "The other patients are not affected; please report this with the file's header."


def _segmented_or_kept(
    case: Case, folder: ResultFolder, job: Job, advance: Advance, foresee: Foresee
) -> Outcome:
    wanted = Fingerprint(run=job.fingerprint(), input=input_digest(case))
    folder.tidy()
    if not job.redo:
        refuse_changed(folder)
        if not _is_of(folder, wanted) and _is_of(folder.older, wanted):
            folder.take_back()
        if _is_of(folder, wanted):
            return Outcome(case.name, folder.record(), kept=True)
    files = Wanted(job.pictures, job.viewer, maps_of(job.uncertainty), _objects(case, job))
    refuse_foreign(folder, case.kind, files)
    # From here on, a run that fails or is stopped leaves no older result to be taken for its own.
    folder.set_aside()
    return Outcome(case.name, _segment(case, folder, job, files, wanted, advance, foresee))


def _objects(case: Case, job: Job) -> DicomObjects | None:
    """Headers are read before the network runs: what refuses there should not cost its time."""
    return DicomObjects(job.dicom, load_source(case, job.series)) if job.dicom else None


def _is_of(folder: ResultFolder, wanted: Fingerprint) -> bool:
    found = folder.record()
    return found is not None and found.fingerprint == wanted and folder.is_whole()


def _segment(
    case: Case,
    folder: ResultFolder,
    job: Job,
    files: Wanted,
    fingerprint: Fingerprint,
    advance: Advance,
    foresee: Foresee,
) -> Record:
    """Read, segment and write one case.

    Draws of a run that was stopped are kept in the folder, and taken up by the next.
    """
    watch = Stopwatch()
    unkept: list[str] = []
    with watch.stage("read"):
        ct = load_case(case, job.series)
    found = segment_ct(
        ct,
        job.model,
        job.estimation,
        seed=job.seed,
        advance=advance,
        foresee=foresee,
        watch=watch,
        store=partial(DiskStore, folder.path, warnings=unkept),
    )
    known = {"path": case.shown_path, "original_name": case.original}
    source = found.record.input.model_copy(update={k: v for k, v in known.items() if v})
    named = {"case": case.name, "input": source, "fingerprint": fingerprint}
    record = found.record.model_copy(update=named).told(*unkept)
    record = write(found, record, folder, files)
    forget(folder.path)
    return record
