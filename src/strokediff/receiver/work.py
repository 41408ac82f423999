"""What is made of one study: the same as `strokediff segment --dicom seg,sr,sc` makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from strokediff.errors import InputError, StrokediffError
from strokediff.inference.estimation import Estimation
from strokediff.result.record import Record
from strokediff.segmentation.folder import ResultFolder
from strokediff.segmentation.model import Model
from strokediff.segmentation.outputs import DICOM
from strokediff.segmentation.patients import Outcome, segment_folder


@dataclass(frozen=True)
class Work:
    """How studies are segmented: models, method, and what a result's folder has beside the objects.

    `device` and the rest of `compute` are as in `load_ensemble`.
    """

    models: tuple[str, ...]
    estimation: Estimation
    device: str = "auto"
    precision: str = "auto"
    threads: int | None = None
    seed: int = 0
    pictures: bool = True
    viewer: bool | None = None
    objects: tuple[str, ...] = tuple(DICOM)


@dataclass(frozen=True)
class Verdict:
    """What came of a study: a line for each result, and why there is none of the others."""

    found: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def segmented(source: Path, out: Path, model: Model, work: Work) -> Verdict:
    """Segment a study's images into `out`; whatever is wrong with them is said in the verdict."""
    notes: list[str] = []
    try:
        outcomes = list(
            segment_folder(
                source,
                out,
                model,
                work.estimation,
                seed=work.seed,
                pictures=work.pictures,
                viewer=work.viewer,
                dicom=work.objects,
                tell=notes.append,
            )
        )
    except StrokediffError as error:
        return Verdict(failed=(_without(str(error), source),), notes=tuple(notes))
    except Exception as error:  # one study must not end the listener
        return Verdict(failed=(f"{type(error).__name__}: {error}",), notes=tuple(notes))
    found = [_line(one.record) for one in outcomes if one.record]
    failed = [_why(one, source) for one in outcomes if not one.record]
    notes += [text for one in outcomes if one.record for text in one.record.warnings]
    return Verdict(tuple(found), tuple(failed), tuple(notes))


def objects_of(results: Path) -> list[Path]:
    """The DICOM objects of a study's results, segmentation first: the others refer to it.

    Raises `InputError` if there is no result, or none that is whole.
    """
    inner = sorted(p for p in results.glob("[!.]*") if p.is_dir()) if results.is_dir() else []
    whole = [folder for folder in (results, *inner) if ResultFolder(folder).is_whole()]
    if not whole:
        raise InputError("its result is not there any more, or was changed. Ask for it again.")
    records = [(folder, ResultFolder(folder).record()) for folder in whole]
    return [
        folder / name
        for folder, record in records
        for name in DICOM.values()
        if record is not None and name in record.files
    ]


def _line(record: Record) -> str:
    kinds = [f"{own.name} {own.volume_ml:.1f} mL" for own in record.kinds]
    distrust = "" if record.trust is None or record.trust.ok else ", do not rely on it"
    return f"{', '.join(kinds) or f'{record.volume_ml:.1f} mL'}{distrust}"


def _why(outcome: Outcome, source: Path) -> str:
    return _without(outcome.error, source)


def _without(text: str, source: Path) -> str:
    """A sentence without the folder in which the study happened to lie."""
    return text.replace(f"{source}: ", "").replace(f"{source}/", "")


def lines(verdict: Verdict) -> Sequence[str]:
    """What the terminal shows of a verdict."""
    return [*verdict.found, *(f"failed: {why}" for why in verdict.failed)]
