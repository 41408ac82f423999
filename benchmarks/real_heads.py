"""Trains on real heads, phantoms and lesions in real backgrounds together, in folds by patient.

    python benchmarks/real_heads.py COHORT OUT --fold 0 --from MODEL --steps 3000

COHORT is prepared from a folder of folders of scans; `--real` names the one with real patients.
They are dealt out to the folds by the volume of their lesions, each with all scans that show the
same head: a background with a lesion put into it is on the side of its patient. OUT/model has never
seen a patient of the fold, and its split names them as test. `--fold all` trains on everybody.

`--method unet` (or any other that the benchmark compares with) trains that one on the same samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from strokediff.benchmark.budgets import Budget
from strokediff.benchmark.peer_arm import PeerArm
from strokediff.cli.lists import listed
from strokediff.cohort.store import Cohort, open_cohort
from strokediff.errors import UsageError
from strokediff.training.config import with_settings
from strokediff.training.loop import StepReport
from strokediff.training.start import StartModel
from strokediff.training.train import configuration, of_kinds, train

EVERYBODY = "all"


def folds(cohort: Cohort, real: str, of: int) -> list[list[str]]:
    """The real patients of each fold: of every volume alike, those without a lesion too."""
    volumes: dict[str, float] = {}
    for name, known in cohort.patients.items():
        if cohort.source_of(name) == real:
            person = cohort.patient_of(name)
            volumes[person] = volumes.get(person, 0.0) + float(known["volume_ml"])
    if len(volumes) < of:
        raise UsageError(f"{cohort.path}: {len(volumes)} patients of '{real}' for {of} folds.")
    shuffled = [sorted(volumes)[i] for i in np.random.default_rng(0).permutation(len(volumes))]
    order = sorted(shuffled, key=lambda person: volumes[person])
    return [order[k::of] for k in range(of)]


def split(
    cohort: Cohort, real: str, tested: Sequence[str], leave_out: Sequence[str]
) -> dict[str, list[str]]:
    """Test: the real scans of the patients `tested`; train: whoever shows nobody of them."""
    held = {*tested}
    ours = [name for name in cohort.patients if cohort.source_of(name) not in leave_out]
    return {
        "train": sorted(name for name in ours if cohort.patient_of(name) not in held),
        "val": [],
        "test": sorted(
            name
            for name in cohort.patients
            if cohort.source_of(name) == real and cohort.patient_of(name) in held
        ),
    }


def main(
    cohort: Annotated[Path, typer.Argument(help="Prepared from a folder of folders of scans.")],
    out: Annotated[Path, typer.Argument(help="Folder of the run.")],
    fold: Annotated[str, typer.Option(help="0, 1, ... or 'all'.")] = EVERYBODY,
    of: Annotated[int, typer.Option(min=2, help="How many folds.")] = 5,
    real: Annotated[str, typer.Option(help="The source whose patients are tested.")] = "ctich",
    leave_out: Annotated[str, typer.Option(help="Sources not to train on, by comma.")] = "",
    start: Annotated[str, typer.Option("--from", help="The model to start from.")] = "",
    preset: Annotated[str, typer.Option(help="Without --from.")] = "stroke",
    settings: Annotated[list[str] | None, typer.Option("--set", help="As in train.")] = None,
    steps: Annotated[int | None, typer.Option(help="Training steps.")] = None,
    method: Annotated[str, typer.Option(help="In place of ours: unet, nnunet, ...")] = "",
    resume: Annotated[bool, typer.Option("--resume", help="Go on.")] = False,
    workers: Annotated[int, typer.Option(help="Processes that make samples.")] = 0,
) -> None:
    """Train one fold."""
    opened = open_cohort(cohort)
    if fold not in (EVERYBODY, *map(str, range(of))):
        raise UsageError(f"--fold {fold}: expected 0 to {of - 1}, or {EVERYBODY}.")
    tested = [] if fold == EVERYBODY else folds(opened, real, of)[int(fold)]
    own = replace(opened, split=split(opened, real, tested, listed([leave_out])))
    if method and start:
        raise UsageError(f"--method {method} starts from random weights: leave --from out.")
    given = StartModel.of(start) if start else None
    config = configuration(own, None if given else preset, start=given)
    config = with_settings(config, [*(settings or ()), *([f"steps={steps}"] if steps else ())])
    print(f"{len(own.split['train'])} scans to train on, {len(own.split['test'])} to test")
    sums: dict[str, float] = {}

    def report(done: StepReport) -> None:
        for key, value in done.losses.items():
            sums[key] = sums.get(key, 0.0) + value / 100
        if done.step % 100 == 0:
            told = " ".join(f"{key} {value:.3f}" for key, value in sums.items())
            print(f"step {done.step} {told}", flush=True)
            sums.clear()

    if method:
        budget = Budget("real heads", preset=preset, scale="small")
        run = PeerArm(method).run(out, own, budget, config.seed, "cpu")
        run = replace(run, config=of_kinds(config, own), workers=workers)
        for done in run.train(resume=resume):
            report(done)
    else:
        train(own, out, config, start=given, resume=resume, workers=workers, on_step=report)


if __name__ == "__main__":
    typer.run(main)
