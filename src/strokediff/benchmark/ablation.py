"""`python -m strokediff.benchmark.ablation`: the same training with one thing changed an arm.

Same network, samples, seeds and budget in every arm. The runner is that of `strokediff benchmark`,
on a cohort that is prepared and split already: OUT has what a benchmark's folder has, finished
trainings are kept and interrupted ones go on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from strokediff.benchmark.arms import PRINTED_NOISE, Arm, DiffusionArm, FineTunedArm
from strokediff.benchmark.budgets import Budget
from strokediff.benchmark.crossed import CROSSED
from strokediff.benchmark.folds import Fold, HeldOut
from strokediff.benchmark.report import tabled, write_benchmark
from strokediff.benchmark.reports.reading import names_in
from strokediff.benchmark.results import mean_of_scans, values_of_scans
from strokediff.benchmark.runner import Benchmark, rows_of
from strokediff.benchmark.scores import RowScore, RowScores
from strokediff.benchmark.suites import Progress
from strokediff.benchmark.tables import ruled, told
from strokediff.cohort.store import Cohort, open_cohort
from strokediff.errors import UsageError
from strokediff.evaluation.bootstrap import bootstrap
from strokediff.inference.estimation import METHODS
from strokediff.training.config import NoiseConfig, training_preset
from strokediff.util.files import write_text


def _arm(name: str, *settings: str, noise: NoiseConfig | None = None) -> DiffusionArm:
    methods = ("avg",) if "time_sampler=clean" in settings else METHODS
    return DiffusionArm(name, name, methods, noise=noise or NoiseConfig(), settings=settings)


def _low_rank(shrinkage: float) -> DiffusionArm:
    noise = NoiseConfig(name="low-rank", rank=256, shrinkage=shrinkage)
    return _arm(f"low-rank-{shrinkage}", noise=noise)


_NOISE: tuple[Arm, ...] = (
    _arm("no-noise", "time_sampler=clean"),
    _arm("sdpm"),
    _arm("sadpm", noise=PRINTED_NOISE),
    _arm("calibrated", noise=NoiseConfig(name="calibrated")),
    *(_low_rank(shrinkage) for shrinkage in (0.1, 0.5, 0.9)),
)
_NEIGHBOURS, _PHANTOMS = ("network.neighbours=1",), "from-phantoms-neighbours"
_OPTIONS: tuple[Arm, ...] = (
    _arm("sdpm"),
    FineTunedArm("from-phantoms", "from-phantoms"),
    FineTunedArm(_PHANTOMS, _PHANTOMS, settings=_NEIGHBOURS),
    _arm("neighbours", *_NEIGHBOURS),
    _arm("mirror", "network.mirror=true"),
    _arm("mirror-neighbours", "network.mirror=true", *_NEIGHBOURS),
    _arm("clean-only", "time_sampler=clean"),
    _arm("clean-only-dice", "time_sampler=clean", "loss.dice=5"),
    _arm("clean-only-max", "time_sampler=clean", "network.pooling=max"),
    _arm("max-pooling", "network.pooling=max"),
    _arm("uniform-times", "time_sampler=uniform"),
    _arm("more-lesion", "lesion_share=0.75"),
    _arm("wider", "network.base=24"),
)
ABLATIONS: dict[str, dict[str, Arm]] = {
    "noise": {arm.name: arm for arm in _NOISE},
    "options": {arm.name: arm for arm in _OPTIONS},
    "network-or-loss": {arm.name: arm for arm in CROSSED},
}
FIGURES_OF_ARM = {"dice": "Dice", "vc": "VC", "vdp": "VDP", "hd95_mm": "HD95"}


@dataclass(frozen=True)
class PreparedSuite:
    """A cohort that `strokediff prepare` made and split."""

    name: str
    synthetic: bool = False
    about: str = "a prepared cohort"

    def cohort(
        self,
        folder: Path,
        given: Path | None,
        budget: Budget,
        jobs: int,
        advance: Progress,
        kinds: Sequence[str] | None = None,
    ) -> Cohort:
        """The one that is given, with its own kinds of lesion."""
        if given is None:
            raise UsageError("an ablation needs --data: a prepared cohort.")
        return open_cohort(given)

    def scans(self, folder: Path, given: Path | None) -> Path:
        """Raises `UsageError`: a prepared cohort does not say where its scans are."""
        raise UsageError("a prepared cohort has no scans of its own grids to compare on.")


def chosen_arms(
    ablation: str, names: Sequence[str], methods: Sequence[str], settings: Sequence[str]
) -> list[Arm]:
    """The arms of those names (all if none), each with those of `methods` that it can give.

    `settings` change every arm. Raises `UsageError` for names that there are not.
    """
    if ablation not in ABLATIONS:
        raise UsageError(f"no ablation '{ablation}'; expected one of: {', '.join(ABLATIONS)}")
    every = ABLATIONS[ablation]
    unknown = [name for name in names if name not in every]
    if unknown:
        raise UsageError(f"no arm '{unknown[0]}'; expected one of: {', '.join(every)}")
    arms = [_told(every[name], methods, settings) for name in names or every]
    return [arm for arm in arms if arm.rows]


def _told(arm: Arm, methods: Sequence[str], settings: Sequence[str]) -> Arm:
    if isinstance(arm, DiffusionArm | FineTunedArm):
        own = [method for method in arm.methods if method in methods]
        return replace(arm, methods=own, settings=(*settings, *arm.settings))
    return arm


def differences(scores: RowScores, arms: Sequence[Arm], reference: str) -> list[str]:
    """A table for each method: every arm's figures, and its Dice less that of the reference.

    Each patient's figure is the mean over the seeds; brackets are 95 % bootstrap intervals over
    patients, and differences are paired. Distances are in the cohort's unit.
    """
    rows = {row.name: row for row in tabled(scores, arms)}
    lines: list[str] = []
    for method, names in _by_method(arms).items():
        base = scores.get(names.get(reference, ""), ())
        cells = []
        for arm, name in names.items():
            if name in rows:
                figures = [told(rows[name].figures[key], _digits(key)) for key in FIGURES_OF_ARM]
                seeds = ", ".join(f"{_dice(seed):.3f}" for seed in scores[name])
                apart = _apart(scores[name], base) if arm != reference else "-"
                cells.append([arm, *figures, apart, seeds])
        columns = ("arm", *FIGURES_OF_ARM.values(), f"Dice - that of {reference}", "Dice by seed")
        lines += ["", *([f"`{method}`:", ""] if method else []), *ruled(columns, cells)]
    return lines[1:]


def _by_method(arms: Sequence[Arm]) -> dict[str, dict[str, str]]:
    """Method -> arm -> row."""
    found: dict[str, dict[str, str]] = {}
    for arm in arms:
        for row, method in rows_of(arm).items():
            found.setdefault(method if method in METHODS else "", {})[arm.name] = row
    return found


def _digits(figure: str) -> int:
    return 1 if figure == "hd95_mm" else 3


def _dice(seed: RowScore) -> float:
    return float(np.mean([scan.metrics.dice for scan in seed.patients]))


def _apart(own: Sequence[RowScore], base: Sequence[RowScore]) -> str:
    """By the seeds that both have."""
    shared = {seed.seed for seed in own} & {seed.seed for seed in base}
    if not shared:
        return "-"
    values = [
        values_of_scans([seed for seed in of if seed.seed in shared], "dice") for of in (own, base)
    ]
    whose = [scan.patient for scan in own[0].patients]
    return told(bootstrap(mean_of_scans(values[0] - values[1]), len(whose), of_patient=whose))


def run(
    benchmark: Benchmark, arms: Sequence[Arm], seeds: Sequence[int], reference: str
) -> Iterator[str]:
    """Train and score every arm at every seed, and write OUT/ablation.md; yields its lines.

    Seed by seed, so that a stopped ablation compares whole seeds. Raises `UsageError` where an arm
    failed, with the reason.
    """
    failed = benchmark.run(arms, seeds)
    if failed:
        raise UsageError("; ".join(f"{name}: {why}" for name, why in failed.items()))
    scores = {row: own for row, own in benchmark.scores().items() if own}
    write_benchmark([benchmark], benchmark.undivided())
    lines = differences(scores, arms, reference)
    write_text(benchmark.out / "ablation.md", "\n".join(lines) + "\n")
    yield from lines


def main(
    ablation: Annotated[str, typer.Argument(help=f"{', '.join(ABLATIONS)}.")],
    data: Annotated[Path, typer.Option(help="A prepared cohort.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the ablation.")],
    hold_out: Annotated[
        float | None,
        typer.Option(help="Score that share of those who are not there to test."),
    ] = None,
    arms: Annotated[str, typer.Option(help="Names with commas; all if not given.")] = "",
    methods: Annotated[str, typer.Option(help="Estimates, with commas.")] = ",".join(METHODS),
    reference: Annotated[str, typer.Option(help="What differences are from.")] = "",
    preset: Annotated[str, typer.Option(help="tiny, small or paper.")] = "tiny",
    steps: Annotated[int | None, typer.Option(min=1)] = None,
    batch_size: Annotated[int | None, typer.Option(min=1)] = None,
    patch: Annotated[int | None, typer.Option(min=1, help="Pixels folded into channels.")] = None,
    precision: Annotated[str, typer.Option(help="32 or bf16.")] = "",
    seeds: Annotated[str, typer.Option(help="With commas.")] = "0,1,2",
    device: str = "cpu",
) -> None:
    """Train every arm on the same patients and samples; a table of their differences."""
    settings = [f'precision="{precision}"'] if precision else []
    settings += [f"network.patch={patch}"] if patch else []
    chosen = chosen_arms(ablation, names_in(arms), names_in(methods), settings)
    budget = Budget(preset, preset, "small", steps or training_preset(preset).training.steps)
    what = [preset, f"{budget.steps} steps", *settings]
    what += [f"batches of {batch_size}"] if batch_size else []
    what += [f"hold-out {hold_out}"] if hold_out else []
    budget = replace(budget, name=", ".join(what), batch_size=batch_size)
    fold = Fold() if hold_out is None else HeldOut(share=hold_out)
    benchmark = Benchmark(
        *(PreparedSuite(f"ablation of {ablation}"), budget, out, data, device),
        advance=_Every(500),
        tell=lambda line: print(line, flush=True),
        fold=fold,
        known=chosen,
    )
    against = reference or next((a.name for a in chosen if a.name == "sdpm"), chosen[0].name)
    print("\n".join(run(benchmark, chosen, [int(seed) for seed in names_in(seeds)], against)))


@dataclass(frozen=True)
class _Every:
    """A line every so many steps."""

    steps: int

    def __call__(self, done: int, total: int, what: str) -> None:
        if done % self.steps == 0 or done == total:
            print(f"{what}, {done} of {total}", flush=True)


if __name__ == "__main__":
    typer.run(main)
