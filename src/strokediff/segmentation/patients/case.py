"""One case: read, segmented, and written as a result folder, or taken as it is there already."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from strokediff import __version__
from strokediff.ct.discovery.cases import Case
from strokediff.ct.discovery.discover import load_case
from strokediff.ct.nifti.images import save_like
from strokediff.ct.volume import CT
from strokediff.errors import InputError, StrokediffError, UsageError
from strokediff.segmentation.patients.folder import ASIDE, ResultFolder
from strokediff.segmentation.patients.job import FINGERPRINT, Job, Outcome, input_digest
from strokediff.segmentation.patients.pictures import drop_pictures, write_pictures
from strokediff.segmentation.pipeline import (
    Advance,
    Foresee,
    Segmentation,
    Stopwatch,
    segment_volume,
)
from strokediff.segmentation.unfinished import DiskStore, forget
from strokediff.training.trouble import trouble_of


class OccupiedError(UsageError):
    """Files of somebody else, or a result changed by hand, lie where this case's would go."""


def outcome_of(case: Case, folder: Path, job: Job, advance: Advance, foresee: Foresee) -> Outcome:
    """What came of one case; whatever is wrong with it is an outcome, and the others go on.

    Raises `UsageError` for what every other case would fail at too: options, a full disk.
    """
    place = ResultFolder(folder)
    try:
        return _segmented_or_kept(case, place, job, advance, foresee)
    except OccupiedError as error:
        return Outcome(case.name, {}, error)
    except UsageError:
        raise
    except StrokediffError as error:
        return Outcome(case.name, {}, type(error)(f"{error}{_older(place)}"))
    except Exception as error:
        wrapped = InputError(
            f"{case.path}: could not be segmented ({type(error).__name__}: {error}). "
            f"{_advice(error)}{_older(place)}"
        )
        wrapped.__cause__ = error
        return Outcome(case.name, {}, wrapped)


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
    wanted = {"run": job.fingerprint(), "input": input_digest(case)}
    folder.tidy()
    if not job.redo:
        _refuse_changed(folder)
        if not _is_of(folder, wanted) and _is_of(folder.older, wanted):
            folder.take_back()
        if _is_of(folder, wanted):
            return Outcome(case.name, folder.result() or {}, kept=True)
    _refuse_foreign(folder, job, case.kind)
    # From here on, a run that fails or is stopped leaves no older result to be taken for its own.
    folder.set_aside()
    return Outcome(case.name, _segment(case, folder, job, wanted, advance, foresee))


def _is_of(folder: ResultFolder, wanted: dict[str, str]) -> bool:
    found = folder.result()
    return found is not None and found.get(FINGERPRINT) == wanted and folder.is_whole()


def _refuse_changed(folder: ResultFolder) -> None:
    changed = folder.changed()
    if changed:
        raise OccupiedError(
            f"{folder.path}: {', '.join(changed)} was changed after it was written, so it is not "
            "replaced. Move it elsewhere or choose another folder; --redo replaces it."
        )


def _refuse_foreign(folder: ResultFolder, job: Job, kind: str) -> None:
    names = ["lesion_mask.nii.gz", "lesion_prob.nii.gz"]
    names += ["ct.nii.gz"] if kind == "dicom" else []
    names += ["lesion_entropy.nii.gz", "lesion_variance.nii.gz"] if job.uncertainty else []
    names += ["preview.png", "report.html"] if job.pictures else []
    foreign = folder.foreign(names)
    if foreign:
        raise OccupiedError(
            f"{folder.path}: holds {', '.join(foreign)}, which no result.json of strokediff "
            "accounts for, so it is not replaced. Move it elsewhere, or choose another folder."
        )


def _segment(
    case: Case,
    folder: ResultFolder,
    job: Job,
    fingerprint: dict[str, str],
    advance: Advance,
    foresee: Foresee,
) -> dict[str, Any]:
    """Read, segment and write one case; returns result.json's content.

    Draws of a run that was stopped are kept in the folder, and taken up by the next.
    """
    watch = Stopwatch()
    unkept: list[str] = []
    with watch.stage("read"):
        volume = load_case(case, job.series)
    found = segment_volume(
        volume,
        job.model,
        job.choice,
        seed=job.seed,
        threads=job.threads,
        precision=job.precision,
        advance=advance,
        foresee=foresee,
        watch=watch,
        store=partial(DiskStore, folder.path, warnings=unkept),
    )
    report = {"case": case.name, **found.report, FINGERPRINT: fingerprint}
    report["input"] |= _names(case)
    report["warnings"] += unkept
    with folder.being_written() as work:
        with watch.stage("write"):
            _write_images(work, volume, found, job.uncertainty)
            if job.pictures:
                write_pictures(work, volume, found, report)
        try:
            folder.publish(work, report)
        except UsageError as error:  # the pictures took the disk's last room
            drop_pictures(work, report, error)
            folder.publish(work, report)
    forget(folder.path)
    return report


def _names(case: Case) -> dict[str, str]:
    """What the input is called on disk, without the folders above it: nobody's business."""
    found = {"path": case.shown_path, "original_name": case.original}
    return {key: value for key, value in found.items() if value}


def _write_images(folder: Path, volume: CT, found: Segmentation, uncertainty: bool) -> None:
    made = f"strokediff {__version__}"
    save_like(volume, found.mask, folder / "lesion_mask.nii.gz", dtype=np.uint8, description=made)
    maps = {"prob": found.prob}
    if uncertainty:
        maps |= {"entropy": found.entropy, "variance": found.variance}
    for name, values in maps.items():
        file = folder / f"lesion_{name}.nii.gz"
        save_like(volume, np.round(values, 3), file, dtype=np.float32, description=made)
    if volume.source.kind == "dicom":
        hu = np.round(volume.hu)
        save_like(volume, hu, folder / "ct.nii.gz", dtype=np.int16, description=made)
