"""Trains, predicts and scores every method of a suite; goes on where it was stopped.

    OUT/benchmark.json             suite, budget, version: what may be mixed in this folder
    OUT/cohort                     the patients, with their split
    OUT/runs/METHOD/seed-K         the training
    OUT/predictions/METHOD/seed-K  masks, probabilities and truth of the test patients
    OUT/scores/ROW/seed-K.json     every patient's figures
    OUT/scores/ROW/KIND/seed-K.json  the same of each kind of lesion, where they are told apart
    OUT/failed/METHOD-seed-K.txt   why a method failed; it is tried again by the next run
    OUT/fold-K-of-N/               the same (but for benchmark.json and cohort) for another fold
    OUT/own-grids/                 predictions and scores on the scans' own grids

Several processes may share OUT: each claims one method and seed at a time.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from pydantic import BaseModel, Field, ValidationError

from strokediff.benchmark.arms import ARMS, Arm
from strokediff.benchmark.budgets import Budget
from strokediff.benchmark.folds import Fold
from strokediff.benchmark.nnunet.arm import NNUNetArm
from strokediff.benchmark.of_cohort import OfCohort
from strokediff.benchmark.scores import RowScore, score_patients
from strokediff.benchmark.starting import CLAIM
from strokediff.benchmark.suites import Progress, Suite
from strokediff.cohort.store import Cohort
from strokediff.errors import InputError, StrokediffError, UsageError
from strokediff.evaluation.unit import Unit
from strokediff.inference.compute import Compute, resolve_device
from strokediff.prediction.folder import predict_cohort, read_record
from strokediff.prediction.head import Heads, OnOwnGrids, on_networks_grid
from strokediff.prediction.labels import several
from strokediff.training.loop import Run
from strokediff.training.trouble import explained
from strokediff.util.files import sole, writable, write_json, write_text
from strokediff.util.jsonfile import read_json
from strokediff.util.kinds import LESION
from strokediff.util.machine import machine_name
from strokediff.version import __version__

OWN_GRIDS = "own-grids"

Tell = Callable[[str], None]
"""Called with a line to keep: a model was trained, a row was scored."""


@dataclass(frozen=True)
class Benchmark:
    """A suite at a budget, in the folder `out`; one fold of it. `known` are all arms it may hold.

    `data` is the folder of a suite that has no phantoms. Masks are compared on the network's grid,
    or with `own_grids` on those of the scans, by the same trainings. `kinds` are the kinds of
    lesion to tell apart, by default those that the scans declare. `advance` and `tell` are called
    as it goes on. Raises `UsageError` where `out` holds another suite, budget, version or kinds.

    >>> from pathlib import Path
    >>> from strokediff.benchmark.arms import ARMS
    >>> from strokediff.benchmark.budgets import budget
    >>> from strokediff.benchmark.suites import GivenSuite
    >>> suite, scans = GivenSuite("own", "our own patients"), Path("scans")
    >>> benchmark = Benchmark(suite, budget("tiny"), Path("out"), data=scans, device="cpu")
    >>> benchmark.run([ARMS["unet"]], seeds=[0])
    {}
    >>> [patient.metrics.case for patient in benchmark.scores()["unet"][0].patients]
    ['p3']
    """

    suite: Suite
    budget: Budget
    out: Path
    data: Path | None = None
    device: str = "auto"
    jobs: int = 1
    advance: Progress = lambda done, total, what: None
    tell: Tell = lambda line: None
    fold: Fold = field(default_factory=Fold)
    known: Sequence[Arm] = tuple(ARMS.values())
    own_grids: bool = False
    kinds: tuple[str, ...] | None = None

    @property
    def place(self) -> Path:
        """Where this fold's trainings lie."""
        return self.out / self.fold.folder

    @property
    def scored(self) -> Path:
        """Where its predictions and scores lie."""
        return self.place / self.part

    @property
    def part(self) -> str:
        """The folder of the grids that masks are compared on."""
        return OWN_GRIDS if self.own_grids else ""

    def cohort(self) -> Cohort:
        """The suite's cohort, split as this fold has it."""
        cohort = self.undivided()
        return replace(cohort, split=self.fold.split(cohort))

    def undivided(self) -> Cohort:
        """The suite's cohort with the suite's own split.

        It is made by the first process and waited for by the others.
        """
        with _locked(self.out / "locks" / "cohort", wait=True):
            self._check_folder()
            cohort = self.suite.cohort(
                self.out,
                self.data,
                self.budget,
                self.jobs,
                lambda done, total, name: self.advance(done, total, f"cohort {name}"),
                self.kinds,
            )
            write_json(self.out / CLAIM, self._contents)
        return cohort

    def run(self, arms: Sequence[Arm], seeds: Sequence[int]) -> dict[str, str]:
        """Every arm at every seed, seed by seed; returns what failed, and why."""
        cohort = self.cohort()
        failed: dict[str, str] = {}
        for seed in seeds:
            for arm in arms:
                name = f"{arm.name}-seed-{seed}"
                note = self.place / "failed" / f"{name}.txt"
                with _locked(self.place / "locks" / name, wait=False) as mine:
                    if not mine:
                        continue
                    try:
                        with explained(f"{self.place}: {name} stopped"):
                            self._arm(arm, seed, cohort)
                        with suppress(OSError):
                            note.unlink()
                    except Exception as error:  # one method must not lose the others
                        named = str(Path(self.fold.folder) / name)
                        own = isinstance(error, StrokediffError)
                        failed[named] = str(error) if own else f"{type(error).__name__}: {error}"
                        self.tell(f"{named} failed: {failed[named]}")
                        self._keep(note, traceback.format_exc())
        return failed

    def _keep(self, note: Path, text: str) -> None:
        """Why a method failed; where the disk is full, that is all that is lost."""
        try:
            write_text(note, text)
        except (UsageError, OSError) as error:
            self.tell(f"{note}: not written ({error})")

    def score_file(self, row: str, seed: int, kind: str = LESION) -> Path:
        """Where a row's scores lie, those of a kind of lesion below those of all joined."""
        part = "" if kind == LESION else kind
        return self.scored / "scores" / row / part / f"seed-{seed}.json"

    def scores(self, kind: str = LESION) -> dict[str, list[RowScore]]:
        """What is done so far: every row with all its seeds, in the order of the arms."""
        found: dict[str, list[RowScore]] = {}
        for arm in self.known:
            for row in rows_of(arm):
                files = self.score_file(row, 0, kind).parent.glob("seed-*.json")
                done = [RowScore.read(file) for file in files]
                if done:
                    found[row] = sorted(done, key=lambda own: own.seed)
        return found

    def predictions(self, arm: Arm, seed: int) -> Path:
        """Where an arm's predictions lie."""
        return self.scored / "predictions" / arm.name / f"seed-{seed}"

    def _arm(self, arm: Arm, seed: int, cohort: Cohort) -> None:
        rows = rows_of(arm)
        kinds = [LESION, *(cohort.kinds if several(cohort.kinds) else ())]
        if all(self.score_file(row, seed, kind).is_file() for row in rows for kind in kinds):
            return
        folder = self.place / "runs" / arm.name / f"seed-{seed}"
        training = self._train(arm, folder, cohort, seed)
        minutes = training["seconds"] / 60
        self.tell(f"{arm.name} seed {seed}: trained, {minutes:.1f} min on {training['machine']}")
        names, out = cohort.split["test"], self.predictions(arm, seed)
        predictor = arm.predictor(folder / "model", Compute.of(self.device), self.budget)
        done = iter(range(1, len(names) + 1))

        def on_patient(name: str) -> None:
            self.advance(next(done), len(names), f"{arm.name} seed {seed}: {name}")

        heads = self._heads()
        predict_cohort(cohort, names, predictor, list(rows.values()), out, on_patient, heads)
        unit = Unit.MM if cohort.spacing_known else Unit.PX
        patient_of = {name: cohort.patient_of(name) for name in names}
        for row, method in rows.items():
            took = read_record(out / method)["patients"]
            found = score_patients(out / method, out / "truth", patient_of, took, unit)
            for kind, patients in found.items():
                apart = cohort.kinds if kind == LESION and several(cohort.kinds) else ()
                scored = RowScore(row, seed, training, patients, apart)
                scored.write(self.score_file(row, seed, kind))
                dice = sum(p.metrics.dice for p in patients) / len(patients)
                of = f" of {kind}" if several(cohort.kinds) else ""
                self.tell(
                    f"{row} seed {seed}: Dice{of} {dice:.3f}, the mean of {len(patients)} patients"
                )

    def _heads(self) -> Heads:
        if not self.own_grids:
            return on_networks_grid
        return OnOwnGrids(self.suite.scans(self.out, self.data))

    def _train(self, arm: Arm, folder: Path, cohort: Cohort, seed: int) -> dict[str, Any]:
        """Train to the end; what it took, and where, is kept beside the model."""
        clock = folder / "clock.json"
        kept = _read_clock(clock)
        spent, here = kept.seconds, machine_name(resolve_device(self.device))
        machines = [*dict.fromkeys([*kept.machines, here])]
        made = self._ready(arm).run(folder, cohort, self.budget, seed, self.device)
        training = OfCohort(made) if isinstance(made, Run) else made
        if not training.finished():
            start = time.perf_counter()
            with sole(folder, "benchmark"):
                for step in training.train():
                    self.advance(step.done, step.total, f"{arm.name} seed {seed}: training")
                    if step.kept:
                        now = spent + time.perf_counter() - start
                        write_json(clock, {"seconds": now, "machines": machines})
            spent += time.perf_counter() - start
            write_json(clock, {"seconds": spent, "machines": machines})
        return {"seconds": spent, "machine": ", then ".join(machines), **training.costs()}

    def compares(self, arm: Arm) -> bool:
        """Whether that arm's masks are compared on these grids."""
        return self.own_grids or not isinstance(arm, NNUNetArm)

    def check(self, arm: Arm) -> None:
        """`UsageError` for an arm that is not compared on these grids."""
        if not self.compares(arm):
            raise UsageError(
                f"method '{arm.name}' is compared on the scans' own grids alone: add --own-grids."
            )

    def _ready(self, arm: Arm) -> Arm:
        """The arm, with the suite's scans if it trains on them."""
        self.check(arm)
        if not isinstance(arm, NNUNetArm):
            return arm
        scans = self.suite.scans(self.out, self.data)
        return replace(arm, source=scans, processes=self.jobs)

    @property
    def _contents(self) -> dict[str, Any]:
        """What may be mixed in the folder."""
        told = {"kinds": list(self.kinds)} if self.kinds else {}
        own = {"suite": self.suite.name, "budget": self.budget.name, "version": __version__}
        return {**own, **told}

    def _check_folder(self) -> None:
        """Refuse a folder of another suite, budget or version."""
        kept = read_claim(self.out) if (self.out / CLAIM).is_file() else self._contents
        if kept != self._contents:
            raise UsageError(
                f"{self.out}: holds a benchmark of {kept}, and this is {self._contents}. Choose "
                "another folder with -o."
            )


class _Clock(BaseModel):
    """What a training took until now, and on which machines."""

    seconds: float = Field(0.0, ge=0)
    machines: list[str] = []


def _read_clock(file: Path) -> _Clock:
    if not file.exists():
        return _Clock()
    remedy = "Remove it: the time is counted from here on."
    try:
        return _Clock.model_validate(read_json(file, "a training's time", remedy=remedy))
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            f"{file}: '{'.'.join(map(str, first['loc']))}': {first['msg']}. {remedy}"
        ) from None


def read_claim(out: Path) -> dict[str, Any]:
    """Suite, budget and version of a benchmark's folder; `UsageError` if it is none."""
    remedy = "Give the -o of 'strokediff benchmark', or choose a new folder."
    try:
        return read_json(out / CLAIM, "what the folder holds", remedy=remedy)
    except InputError as error:
        raise UsageError(f"{out}: does not say what it holds. {error}") from None


def rows_of(arm: Arm) -> dict[str, str]:
    """Folder of a row's scores -> the name its predictor gives it."""
    several = len(arm.rows) > 1
    return {f"{arm.name}-{method}" if several else arm.name: method for method in arm.rows}


@contextmanager
def _locked(file: Path, *, wait: bool) -> Iterator[bool]:
    """Hold a lock that the system lets go of when the process ends, however it ends."""
    lock = FileLock(file)
    try:
        with writable(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire(blocking=wait)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
