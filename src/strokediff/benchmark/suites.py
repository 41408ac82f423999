"""The cohorts that methods are compared on, each split by patient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from strokediff.benchmark.budgets import Budget
from strokediff.cohort.prepare import find_scans, prepare_cohort
from strokediff.cohort.store import Cohort, open_cohort
from strokediff.ct.grid import GridConfig
from strokediff.errors import UsageError
from strokediff.phantom.cohort import write_cohort

Progress = Callable[[int, int, str], None]
"""Called with (done, total, what is going on)."""


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

    def cohort(
        self,
        folder: Path,
        given: Path | None,
        budget: Budget,
        jobs: int,
        advance: Progress,
        kinds: Sequence[str] | None = None,
    ) -> Cohort:
        """The patients in `folder`, made there or of what is `given`; none for validation.

        `kinds` are the kinds of lesion to tell apart; by default those that the scans declare.
        Raises `UsageError` if `given` is missing, not wanted, or holds other scans than are there.
        """
        ...

    def scans(self, folder: Path, given: Path | None) -> Path:
        """The folder of scans that the cohort was prepared from; raises as `cohort`."""
        ...


Kind = Literal["infarct", "hemorrhage"]


@dataclass(frozen=True)
class PhantomSuite:
    """Synthetic heads with a lesion of one kind each, of several kinds as many of each."""

    name: str
    kinds: tuple[Kind, ...]
    train: int
    test: int
    seed: int
    synthetic: bool = True

    @property
    def about(self) -> str:
        """One line for `--list`."""
        of = " or ".join(self.kinds)
        return f"phantoms with {of}: {self.train} to train on, {self.test} to test"

    def cohort(
        self,
        folder: Path,
        given: Path | None,
        budget: Budget,
        jobs: int,
        advance: Progress,
        kinds: Sequence[str] | None = None,
    ) -> Cohort:
        """Make the phantoms; finished ones are kept."""
        if given is not None:
            raise UsageError(f"suite '{self.name}' makes its own phantoms: leave --data out.")
        train, test = budget.phantoms or (self.train, self.test)
        share = test / (train + test)
        return _prepared(
            lambda: self._made(folder / PHANTOMS, train + test, budget, jobs, advance),
            *(folder / "cohort", share, budget, jobs, advance, kinds),
        )

    def scans(self, folder: Path, given: Path | None) -> Path:
        """The phantoms."""
        return folder / PHANTOMS

    def _made(self, out: Path, n: int, budget: Budget, jobs: int, advance: Progress) -> Path:
        done = 0

        def on_case(name: str, made: bool) -> None:
            nonlocal done
            done += 1
            advance(done, n, name)

        settings: dict[str, Any] = dict(budget.acquisition)
        for kind in self.kinds:
            place = out / kind if len(self.kinds) > 1 else out
            share = n // len(self.kinds)
            write_cohort(share, kind, place, self.seed, jobs=jobs, on_case=on_case, **settings)
        return out


@dataclass(frozen=True)
class GivenSuite:
    """Real patients that the user has, as `strokediff import` wrote them."""

    name: str
    about: str
    share: float = 0.25
    layout: str = ""
    """What `strokediff import` calls it, if not by its name."""
    wanted: str = ""
    """What --data is, where that is not what `strokediff import` wrote."""
    synthetic: bool = False

    def cohort(
        self,
        folder: Path,
        given: Path | None,
        budget: Budget,
        jobs: int,
        advance: Progress,
        kinds: Sequence[str] | None = None,
    ) -> Cohort:
        """Prepared from the folder that the user gave, if it is not there."""

        cohort = _prepared(
            lambda: self.scans(folder, given),
            *(folder / "cohort", self.share, budget, jobs, advance, kinds),
        )
        if given is not None:
            _check_given(cohort, given)
        return cohort

    def scans(self, folder: Path, given: Path | None) -> Path:
        """The folder that the user gave."""
        if given is None:
            made = f"the folder that 'strokediff import {self.layout or self.name} SRC DST' wrote"
            raise UsageError(f"suite '{self.name}' needs --data: {self.wanted or made}.")
        return given


PHANTOMS = "phantoms"
"""Where a suite makes them, in its folder."""

_ALL: tuple[Suite, ...] = (
    PhantomSuite("phantom-infarct", ("infarct",), train=273, test=80, seed=21_000),
    PhantomSuite("phantom-hemorrhage", ("hemorrhage",), train=241, test=90, seed=22_000),
    PhantomSuite("phantom-kinds", ("infarct", "hemorrhage"), train=240, test=80, seed=23_000),
    GivenSuite("phe-sich", "95 real patients, oedema of a haemorrhage: --data (by patient)"),
    GivenSuite(
        "ct-ich",
        "CT-ICH, real patients with trauma, half with a haemorrhage: --data (by patient)",
        0.2,
        layout="ctich",
    ),
    GivenSuite(
        "aisd", "AISD, for those who have it: --data (its own test patients, or 23 %)", 0.23
    ),
    GivenSuite(
        "own",
        "scans of your own, with masks: --data (by patient)",
        wanted="a folder of scans with masks, as 'strokediff prepare' takes it",
    ),
)
SUITES = {suite.name: suite for suite in _ALL}


def suite(name: str) -> Suite:
    """The suite of that name, or `UsageError` naming them all."""
    if name not in SUITES:
        raise UsageError(f"no suite '{name}'; expected one of: {', '.join(SUITES)}")
    return SUITES[name]


def _prepared(
    source: Callable[[], Path],
    place: Path,
    share: float,
    budget: Budget,
    jobs: int,
    advance: Progress,
    kinds: Sequence[str] | None,
) -> Cohort:
    """The cohort in `place`, prepared from `source` if it is not there, `share` of it to test."""
    if not (place / "cohort.json").is_file():
        grid = GridConfig(size=budget.grid.size, spacing_mm=budget.grid.spacing_mm)
        prepare_cohort(
            *(source(), place, grid),
            val=0.0,
            test=share,
            kinds=kinds,
            jobs=jobs,
            progress=advance,
        )
    cohort = open_cohort(place)
    for part in ("train", "test"):
        if not cohort.split[part]:
            raise UsageError(f"{place}: no patients in '{part}'. Give a larger --data.")
    return cohort


def _check_given(cohort: Cohort, given: Path) -> None:
    names = {scan.name for scan in find_scans(given)}
    if names != cohort.patients.keys() | cohort.left_out.keys():
        raise UsageError(
            f"{given}: holds other scans ({len(names)}) than {cohort.path} was prepared from "
            f"({len(cohort.patients)}). Give the --data of the first call, or leave it out, or "
            "choose another folder with -o."
        )
