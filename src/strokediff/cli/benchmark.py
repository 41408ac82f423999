"""`strokediff benchmark`: every method on the same patients, in one table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer


def benchmark(
    suite: Annotated[str, typer.Option(help="Cohort to compare on; see --list.")] = "",
    budget: Annotated[str, typer.Option(help="tiny (minutes), small (hours) or full.")] = "small",
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Folder of the suite.")] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder that 'strokediff import' wrote, for real patients.")
    ] = None,
    methods: Annotated[
        list[str] | None,
        typer.Option(
            help="A method, or several with commas; may be repeated. All but nnU-Net "
            "itself if not given."
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many trainings of each method.")] = 1,
    folds: Annotated[
        int, typer.Option(min=1, help="Test every patient once, by that many trainings.")
    ] = 1,
    from_: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="MODEL",
            help="Start from a bundled model, a checkpoint, or the folder of a benchmark that "
            "trained the same methods; may be repeated.",
        ),
    ] = None,
    kinds: Annotated[
        str, typer.Option(help="Kinds of lesion to tell apart, or lesion to join them.")
    ] = "",
    own_grids: Annotated[
        bool,
        typer.Option(
            "--own-grids", help="Compare on the scans' own grids too: tables in own-grids/."
        ),
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=1, help="Scans read at once.")] = 1,
    list_: Annotated[bool, typer.Option("--list", help="Name suites, budgets, methods.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Train, predict and score every method on one suite, with the same images seen.

    --methods and --seeds say what is trained now; the table is of all that is there. With --folds
    the suite's own split is the first fold, and the others lie in -o/fold-K-of-N; the table of all
    patients is in -o/folds-N. With --own-grids masks are compared not only on the network's grid,
    where every method sees the same pixels, but also on the scans' own, as users have them. With
    --from the methods named, or all that a model is given for, start from it and are called
    METHOD-pretrained. Goes on where it was stopped; several processes may share -o. A method that
    fails does not lose the others: it is named at the end, with exit code 4, and tried again by
    the next call.
    """
    from strokediff.benchmark.arms import arms as chosen_arms
    from strokediff.benchmark.arms import pretrained_arms
    from strokediff.benchmark.budgets import budget as chosen_budget
    from strokediff.benchmark.folds import Fold
    from strokediff.benchmark.report import write_benchmark
    from strokediff.benchmark.runner import Benchmark
    from strokediff.benchmark.starting import Starts
    from strokediff.benchmark.suites import suite as chosen_suite
    from strokediff.cli.lists import listed
    from strokediff.cli.progress import progress_bar
    from strokediff.errors import PartialFailure, UsageError
    from strokediff.inference.compute import resolve_device
    from strokediff.training.trouble import explained

    if list_:
        _print_list()
        return
    if not suite or out is None:
        raise UsageError("give --suite and -o (or --list to see what there is).")
    names = listed(methods)
    on, at = chosen_suite(suite), chosen_budget(budget)
    starts = Starts(tuple(from_ or ()))
    arms = pretrained_arms(names, starts, on, at) if from_ else chosen_arms(names, on, at)
    told = tuple(listed([kinds])) if kinds else None
    resolve_device(device)  # refused before anything is made
    wanted = list(range(seeds))
    stopped = explained(
        f"{out}: stopped", then=lambda: "The same command goes on where it stopped."
    )
    with stopped, progress_bar(quiet) as bar:
        task = bar.add_task(suite, total=None)

        def advance(done: int, total: int, what: str) -> None:
            bar.update(task, description=what, completed=done, total=total)

        def tell(line: str) -> None:
            if not quiet:
                bar.console.print(line, markup=False, highlight=False, soft_wrap=True)

        def warn(line: str) -> None:
            typer.echo(f"strokediff: warning: {line}", err=True)

        made = [
            Benchmark(on, at, out, data, device, jobs, advance, tell, Fold(k, folds), kinds=told)
            for k in range(folds)
        ]
        grids = [made, [replace(fold, own_grids=True) for fold in made]] if own_grids else [made]
        for arm in arms:
            grids[-1][0].check(arm)
        # Every fold's cohort first: too few patients are refused before anything trains.
        cohort, *_ = [fold.cohort() for fold in made]
        failed = {
            name: why
            for several in grids
            for fold in several
            for name, why in fold.run([a for a in arms if fold.compares(a)], wanted).items()
        }
        tables = [write_benchmark(several, cohort, warn) for several in grids]
    for table in tables:
        if table and not quiet:
            typer.echo((table / "benchmark.md").read_text())
    if failed:
        told_each = "".join(f"\n  {name}: {why}" for name, why in failed.items())
        raise PartialFailure(
            f"{len(failed)} of {len(arms) * len(wanted) * folds} trainings failed; the others are "
            f"in {out}. Tracebacks lie in its 'failed'; the same command tries again.{told_each}"
        )


def _print_list() -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from strokediff.benchmark.arms import ARMS
    from strokediff.benchmark.budgets import BUDGETS
    from strokediff.benchmark.nnunet.arm import NNUNetArm
    from strokediff.benchmark.suites import SUITES

    console = Console()
    suites, methods, budgets = Table("suite", "patients"), Table("method", "rows"), Table("budget")
    for suite in SUITES.values():
        suites.add_row(suite.name, suite.about)
    for arm in ARMS.values():
        rows = ", ".join(arm.rows.values())
        methods.add_row(arm.name, escape(arm.about) if isinstance(arm, NNUNetArm) else rows)
    budgets.add_column("grid")
    budgets.add_column("steps")
    for b in BUDGETS.values():
        size, pixel = b.grid.size, b.grid.spacing_mm
        steps = b.steps or b.grid.training.steps
        budgets.add_row(b.name, f"{size} x {size} of {pixel} mm", f"{steps:,}")
    for table in (suites, methods, budgets):
        console.print(table)
