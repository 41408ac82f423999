"""Cases one after the other: one into a folder itself, several into a folder each and a table."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from strokediff.ct.discovery.cases import Case, LeftOut
from strokediff.errors import InputError, StrokediffError, UsageError
from strokediff.report.summary import write_summary_csv
from strokediff.segmentation.patients.case import outcome_of
from strokediff.segmentation.patients.earlier import SUMMARY, make_room
from strokediff.segmentation.patients.job import Job, Outcome
from strokediff.util.files import sole

WHAT = "segment"
UNFINISHED = {"status": "unfinished", "error": "not segmented: the run was stopped or is at it"}

Told = Callable[[str], None]


def segment_cases(
    cases: Sequence[Case],
    out: Path,
    job: Job,
    advance: Callable[[Case, int, int], None],
    foresee: Callable[[Case, int, float], None] = lambda case, evaluations, seconds: None,
    *,
    left_out: Sequence[LeftOut] = (),
    tell: Told = lambda line: None,
) -> Generator[Outcome, None, None]:
    """Segment case after case; one that fails does not stop the others.

    One case goes into `out` itself, several into `out`/NAME with `out`/summary.csv, which has a
    row for each from the start and is brought up to date after each. What is `left_out` has a row
    too: patients as failed ones, a study beside a usable one as left out. A case whose result is
    there already, of the same input and `job`, is not done again. What earlier runs left that is
    none of this run's is set aside, and told with `tell`.

    `advance(case, done, total)` counts network evaluations, `foresee(case, evaluations, seconds)`
    is called before a case that will take long. Raises `UsageError` if another run is at work in
    `out`, and for what every case would fail at.
    """
    patients = [left for left in left_out if left.is_patient]
    failed = [Outcome(left.name, None, InputError(_why(left))) for left in patients]
    several = len(cases) + len(failed) > 1
    with sole(out, WHAT):
        names = {case.name for case in cases} if several else None
        make_room(out, names, job, tell, failed={left.name for left in left_out})
        table = _Table(out / SUMMARY if several else None, cases, left_out, job.model.kinds)
        for outcome in failed:
            table.enter(outcome)
            yield outcome
        for case in cases:
            work = partial(
                outcome_of, case, job=job, advance=partial(advance, case),
                foresee=partial(foresee, case),
            )  # fmt: skip
            with table.entering(case.name):
                outcome = _alone(case.name, out / case.name, work) if several else work(out)
            table.enter(outcome)
            yield outcome


def _alone(name: str, folder: Path, work: Callable[[Path], Outcome]) -> Outcome:
    """`work(folder)`, while no other run writes there; if one does, this case has failed."""
    with ExitStack() as stack:
        try:
            stack.enter_context(sole(folder, WHAT))
        except UsageError as error:
            return Outcome(name, None, error)
        return work(folder)


class _Table:
    """summary.csv of several patients, with a row for each from the start; none for one."""

    def __init__(
        self,
        path: Path | None,
        cases: Sequence[Case],
        left_out: Sequence[LeftOut],
        kinds: Sequence[str],
    ) -> None:
        self.path, self.kinds = path, kinds
        rows: dict[str, dict[str, Any]] = {left.name: _row_of(left) for left in left_out}
        rows |= {case.name: {"case": case.name, **UNFINISHED} for case in cases}
        everybody: list[Case | LeftOut] = [*cases, *left_out]
        order = sorted(everybody, key=lambda each: str(each.path))
        self.rows = {each.name: rows[each.name] for each in order}
        self._write()

    def enter(self, outcome: Outcome) -> None:
        """Bring the row of that patient up to date."""
        found = outcome.record.content() if outcome.record else {}
        row = {**found, "case": outcome.case, "error": outcome.error}
        self.rows[outcome.case] = row
        self._write()

    @contextmanager
    def entering(self, name: str) -> Iterator[None]:
        """Enter also what ends the whole run, if the table can still be written."""
        try:
            yield
        except StrokediffError as error:
            with suppress(StrokediffError, OSError):
                self.enter(Outcome(name, None, error))
            raise

    def _write(self) -> None:
        if self.path is not None:
            write_summary_csv(self.path, list(self.rows.values()), self.kinds)


def _row_of(left: LeftOut) -> dict[str, Any]:
    """A row for what is no case; `enter` replaces that of a failed patient."""
    return {"case": left.name, "status": "left out", "error": _why(left)}


def _why(left: LeftOut) -> str:
    told = str(left.path) in left.reason
    return left.reason if told else f"{left.path}: {left.reason}"


def check_writable(out: Path) -> None:
    """Refuse an output folder that cannot be written before hours are spent."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise UsageError(
            f"{out}: cannot write there ({error.strerror}). Choose another folder with -o."
        ) from None
