"""`segment_folder`: a file, a series or a folder of patients in, a folder of results out."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from strokediff.ct.discovery.cases import Case, Discovery
from strokediff.ct.discovery.discover import discover
from strokediff.errors import InputError
from strokediff.inference.estimation import Estimation
from strokediff.segmentation.folder import ASIDE, ResultFolder
from strokediff.segmentation.model import Model
from strokediff.segmentation.objects import wanted_objects
from strokediff.segmentation.patients.cases import check_writable, segment_cases
from strokediff.segmentation.patients.job import Job, Outcome
from strokediff.util.locks import sole


def segment_folder(
    source: str | Path,
    out: str | Path,
    model: Model,
    estimation: Estimation | None = None,
    *,
    seed: int = 0,
    series: str | None = None,
    pictures: bool = True,
    viewer: bool | None = None,
    uncertainty: bool = False,
    dicom: Sequence[str] = (),
    redo: bool = False,
    found: Callable[[Discovery], object] = lambda discovery: None,
    advance: Callable[[Case, int, int], None] = lambda case, done, total: None,
    foresee: Callable[[Case, int, float], None] = lambda case, evaluations, seconds: None,
    tell: Callable[[str], None] = lambda line: None,
) -> Generator[Outcome, None, None]:
    """Segment every head CT in `source`, yielding what came of each patient as it is done.

    One patient goes into `out` itself, several into `out`/NAME with `out`/summary.csv. A patient
    who fails has an `Outcome` with its exception, and the others go on; a result that is there
    already, of the same input and settings, is kept unless `redo` is given. `series` names the
    DICOM series to use; `pictures` writes preview.png and report.html, `viewer` (None: as those)
    viewer.html, `uncertainty` the maps of entropy and variance, `dicom` the objects of those names
    (seg, sr, sc), where the input is DICOM. `found` is called with what was found,
    `advance(case, done, total)` counts network evaluations, `foresee(case, evaluations, seconds)`
    is called before a case that takes long, `tell` is given notes for the user. Raises
    `InputError` where there is nothing to segment, `UsageError` for what every patient would fail
    at.

    >>> model, how = load("phantom-stroke", device="cpu"), Estimation("avg")
    >>> for outcome in segment_folder("patients", "results", model, how, pictures=False):
    ...     print(outcome.case, outcome.error or round(outcome.record.volume_ml, -1))
    p1 30.0
    p2 30.0
    """
    source, out = Path(source), Path(out)
    job = Job(
        model=model,
        estimation=estimation or Estimation(),
        seed=seed,
        series=series,
        pictures=pictures,
        viewer=viewer,
        uncertainty=uncertainty,
        dicom=wanted_objects(dicom),
        redo=redo,
    )
    job.estimation.estimator(model.process.T)  # limits that allow no draw, before a scan is read
    with _older_does_not_count(out):
        discovery = discover(source, series, out)
    check_writable(out)
    found(discovery)
    for note in discovery.notes:
        tell(note)
    yield from segment_cases(
        discovery.cases, out, job, advance, foresee, left_out=discovery.left_out, tell=tell
    )


@contextmanager
def _older_does_not_count(out: Path) -> Iterator[None]:
    """A run that finds nothing to segment leaves no older result in `out` as if it were its own."""
    try:
        yield
    except InputError as error:
        older = ResultFolder(out)
        if older.result() is None or older.changed():
            raise
        with sole(out, "segment"):
            older.tidy()
            older.set_aside()
        raise InputError(f"{error} The older result in {out} was set aside ({ASIDE}).") from error
