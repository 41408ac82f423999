"""The cohorts that methods are compared on, each split by patient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from strokediff.benchmark.budgets import Budget
from strokediff.cohort.prepare import find_scans, prepare
from strokediff.cohort.store import Cohort, open_cohort
from strokediff.ct.grid import GridConfig
from strokediff.errors import UsageError
from strokediff.phantom.cohort import write_cohort

Advance = Callable[[int, int, str], None]
"""Called with (done, total, what)."""


class Suite(Protocol):
    """Patients to train on and patients to test on."""

    @property
    def name(self) -> str:
        """What `--suite` calls it."""
        ...

    @property
    def about(self) -> str:
        """One line for `--list`."""
        ...

    @property
    def synthetic(self) -> bool:
        """Whether its patients are phantoms."""
        ...

    def source(
        self, folder: Path, given: Path | None, budget: Budget, jobs: int, advance: Advance
    ) -> Path:
        """The folder of labelled scans: made in `folder`, or the one given."""
        ...

    def test_share(self, budget: Budget) -> float:
        """Which share of the patients is held out, unless the source says who."""
        ...


@dataclass(frozen=True)
class PhantomSuite:
    """Synthetic heads with one kind of lesion."""

    name: str
    kind: Literal["infarct", "hemorrhage"]
    train: int
    test: int
    seed: int
    synthetic: bool = True

    @property
    def about(self) -> str:
        """One line for `--list`."""
        return f"phantoms with {self.kind}: {self.train} to train on, {self.test} to test"

    def source(
        self, folder: Path, given: Path | None, budget: Budget, jobs: int, advance: Advance
    ) -> Path:
        """Make the phantoms; finished ones are kept."""
        out, n = folder / "phantoms", sum(self._numbers(budget))
        done = 0

        def on_case(name: str, made: bool) -> None:
            nonlocal done
            done += 1
            advance(done, n, name)

        settings: dict[str, Any] = dict(budget.acquisition)
        write_cohort(n, self.kind, out, self.seed, jobs=jobs, on_case=on_case, **settings)
        return out

    def test_share(self, budget: Budget) -> float:
        """The share that gives the suite's number of test phantoms."""
        train, test = self._numbers(budget)
        return test / (train + test)

    def _numbers(self, budget: Budget) -> tuple[int, int]:
        return budget.phantoms or (self.train, self.test)


@dataclass(frozen=True)
class GivenSuite:
    """Real patients that the user has, as `strokediff import` wrote them."""

    name: str
    about: str
    share: float = 0.25
    synthetic: bool = False

    def source(
        self, folder: Path, given: Path | None, budget: Budget, jobs: int, advance: Advance
    ) -> Path:
        """The folder that the user gave."""
        if given is None:
            raise UsageError(
                f"suite '{self.name}' needs --data: the folder that 'strokediff import {self.name} "
                "SRC DST' wrote."
            )
        return given

    def test_share(self, budget: Budget) -> float:
        """As a share of all patients."""
        return self.share


_ALL: tuple[Suite, ...] = (
    PhantomSuite("phantom-infarct", "infarct", train=273, test=80, seed=21_000),
    PhantomSuite("phantom-hemorrhage", "hemorrhage", train=241, test=90, seed=22_000),
    GivenSuite("phe-sich", "95 real patients, oedema of a haemorrhage: --data (by patient)"),
    GivenSuite(
        "aisd", "AISD, for those who have it: --data (its own test patients, or 23 %)", 0.23
    ),
)
SUITES = {suite.name: suite for suite in _ALL}


def suite(name: str) -> Suite:
    """The suite of that name, or `UsageError` naming them all."""
    if name not in SUITES:
        raise UsageError(f"no suite '{name}'; expected one of: {', '.join(SUITES)}")
    return SUITES[name]


def cohort_of(
    chosen: Suite, folder: Path, given: Path | None, budget: Budget, jobs: int, advance: Advance
) -> Cohort:
    """The suite's cohort in `folder`, made if it is not there; no patients for validation.

    Raises `UsageError` if it is there and `given` holds other scans, or if nothing can be given.
    """
    if chosen.synthetic and given is not None:
        raise UsageError(f"suite '{chosen.name}' makes its own phantoms: leave --data out.")
    place = folder / "cohort"
    if (place / "cohort.json").is_file():
        _check_given(open_cohort(place), given)
    else:
        grid = GridConfig(size=budget.grid.size, spacing_mm=budget.grid.spacing_mm)
        source = chosen.source(folder, given, budget, jobs, advance)
        share = chosen.test_share(budget)
        prepare(source, place, grid, val=0.0, test=share, jobs=jobs, progress=advance)
    cohort = open_cohort(place)
    for part in ("train", "test"):
        if not cohort.split[part]:
            raise UsageError(f"{place}: no patients in '{part}'. Give a larger --data.")
    return cohort


def _check_given(cohort: Cohort, given: Path | None) -> None:
    if given is None:
        return
    names = {scan.name for scan in find_scans(given)}
    if names != cohort.patients.keys():
        raise UsageError(
            f"{given}: holds other scans ({len(names)}) than {cohort.path} was prepared from "
            f"({len(cohort.patients)}). Give the --data of the first call, or leave it out, or "
            "choose another folder with -o."
        )
