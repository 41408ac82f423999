"""`python -m strokediff.benchmark.reports REPORT ...`: figures of what was trained and scored.

SCORES is the `scores` of `strokediff benchmark`, or published ones (docs/benchmark/SUITE/scores);
PREDICTIONS its `predictions`, or those of an ablation. Lists are given with commas.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from strokediff.benchmark.reports.reading import names_in

if TYPE_CHECKING:
    from strokediff.benchmark.reports.estimates import Subjects

app = typer.Typer(help=__doc__, no_args_is_help=True)

ScoresPath = Annotated[Path, typer.Argument(metavar="SCORES")]
ScoresPaths = Annotated[list[Path], typer.Argument(metavar="SCORES...")]
PredictionsPath = Annotated[Path, typer.Argument(metavar="PREDICTIONS")]
Rows = Annotated[str, typer.Option(help="These rows alone.")]
Seeds = Annotated[str, typer.Option(help="These seeds alone.")]
Kind = Annotated[str, typer.Option(help="Of that kind of lesion; all joined if not given.")]
Out = Annotated[Path, typer.Option("-o", "--out", help="Folder for table and figures.")]
ModelPath = Annotated[Path, typer.Argument(metavar="MODEL", help="A model's folder.")]
Data = Annotated[Path, typer.Option(help="A prepared cohort.")]
SplitName = Annotated[str, typer.Option(help="train, val or test.")]
Most = Annotated[int | None, typer.Option("--patients", min=1, help="That many, evenly spaced.")]


@app.command()
def by_size(scores: ScoresPath, rows: Rows = "", seeds: Seeds = "", kind: Kind = "") -> None:
    """Dice of every row by the size of the lesion; what is missed or invented."""
    from strokediff.benchmark.reports.by_size import by_size
    from strokediff.benchmark.reports.reading import read_scores

    _print(by_size(read_scores([scores], names_in(rows), _numbers(seeds), kind)))


@app.command()
def between_seeds(scores: ScoresPaths) -> None:
    """How often two trainings of one method differ by the test that tells methods apart."""
    from strokediff.benchmark.reports.between_seeds import between_seeds
    from strokediff.benchmark.reports.reading import read_scores

    _print(between_seeds({str(own.resolve().parent.name): read_scores([own]) for own in scores}))


@app.command()
def patients(
    scores: ScoresPaths,
    metric: str = "dice",
    reference: str = "unet",
    rows: Rows = "",
    seeds: Seeds = "",
    kind: Kind = "",
) -> None:
    """Whether methods differ or patients do; differences from a row, and what could be found."""
    from strokediff.benchmark.reports.patients import patients_or_methods
    from strokediff.benchmark.reports.reading import read_scores

    found = read_scores(scores, names_in(rows), _numbers(seeds), kind)
    _print(patients_or_methods(found, metric, reference))


@app.command()
def crossfitted(
    answers: Annotated[
        list[Path], typer.Argument(metavar="ANSWERS...", help="A file a fold, or a folder of them.")
    ],
    out: Out,
    estimation: Annotated[str, typer.Option(help="PRESET/METHOD.")] = "fast/sal",
    spare: Annotated[float | None, typer.Option(help="As in calibrate.")] = None,
    group: Annotated[str, typer.Option(help="Report on the scans of this folder alone.")] = "",
) -> None:
    """Figures on the scans' own grids of the models of several folds: OUT/scans.csv and figures.md.

    ANSWERS are what `strokediff calibrate --answers` wrote of each fold's model on that fold's
    patients.
    """
    from strokediff.benchmark.reports import crossfitted as report
    from strokediff.segmentation.calibrate.answers import Sheet
    from strokediff.segmentation.calibrate.rules import NEARLY_BEST_DICE, Sparing
    from strokediff.util.files import write_text

    rule = NEARLY_BEST_DICE if spare is None else Sparing(spare)
    folds = [[*sorted(path.glob("*.json"))] if path.is_dir() else [path] for path in answers]
    rows = report.judged([Sheet.read(own) for own in folds], estimation, rule)
    rows = report.of_group(rows, group) if group else rows
    lines = report.summary(rows)
    write_text(out / "scans.csv", report.as_csv(rows))
    write_text(out / "figures.md", "\n".join(lines) + "\n")
    _print(lines)


@app.command()
def cuts(predictions: PredictionsPath, out: Out, rows: Rows = "", seeds: Seeds = "") -> None:
    """Every row at many cuts of its probability: OUT/cuts.md and cuts.png."""
    from strokediff.benchmark.figures import png
    from strokediff.benchmark.reports import cuts as report
    from strokediff.util.files import write_bytes, write_text

    curves = report.cut_curves(predictions, names_in(rows), _numbers(seeds))
    lines = report.cuts_table(curves)
    write_text(out / "cuts.md", "\n".join(lines) + "\n")
    write_bytes(out / "cuts.png", png(report.cuts_figure(curves)))
    _print(lines)


@app.command()
def labels(cohort: Annotated[Path, typer.Argument(metavar="COHORT")]) -> None:
    """How fine a cohort's labels are for its grid."""
    from strokediff.benchmark.reports.labels import label_fineness
    from strokediff.cohort.store import open_cohort

    _print(label_fineness(open_cohort(cohort)))


@app.command()
def curves(
    model: ModelPath,
    data: Data,
    out: Out,
    split: SplitName = "test",
    most: Most = 20,
    slices: Annotated[int, typer.Option(min=0, help="Of each patient; 0: all.")] = 8,
    reference_draws: int = 4,
    device: str = "cpu",
) -> None:
    """What every estimate is worth for its evaluations: OUT/curves.md, .json and .png.

    What was estimated is kept in OUT/patients: the same command goes on where it was stopped.
    """
    from strokediff.benchmark.figures import png
    from strokediff.benchmark.reports import curves as report
    from strokediff.benchmark.reports.estimates import write_figures
    from strokediff.util.files import write_bytes

    subjects = _subjects(model, data, split, most, device)
    chosen = report.curves(subjects.model.process.T, reference_draws)
    table, lines = report.worth(subjects, chosen, slices, out / "patients")
    _print(write_figures(out, "curves", lines, table))
    write_bytes(out / "curves.png", png(report.curves_figure(table)))


@app.command()
def tolerance(
    model: ModelPath,
    data: Data,
    out: Out,
    split: SplitName = "val",
    most: Most = 10,
    tolerances: Annotated[str, typer.Option(help="mL.")] = "4,2,1",
    evaluations: Annotated[int, typer.Option("--most", help="Evaluations a slice.")] = 128,
    device: str = "cpu",
) -> None:
    """What --tolerance-ml spends, and whether it keeps what it says: OUT/tolerance.md and .json."""
    from strokediff.benchmark.reports.estimates import write_figures
    from strokediff.benchmark.reports.tolerance import spent

    subjects = _subjects(model, data, split, most, device)
    found, lines = spent(subjects, [float(x) for x in names_in(tolerances)], evaluations)
    _print(write_figures(out, "tolerance", lines, found))


@app.command()
def fusion(
    model: ModelPath,
    data: Data,
    out: Out,
    split: SplitName = "val",
    folds: Annotated[int, typer.Option(min=2)] = 5,
    device: str = "cpu",
) -> None:
    """Which fusion of the three estimates is best: OUT/fusion.md and .json."""
    from strokediff.benchmark.reports.estimates import write_figures
    from strokediff.benchmark.reports.fusion import fusions

    subjects = _subjects(model, data, split, None, device)
    rows, lines = fusions(subjects, out / "estimates", folds)
    _print(write_figures(out, "fusion", lines, rows))


@app.command()
def training_speed(
    budget: str = "full", device: str = "auto", steps: int = 10, methods: str = ""
) -> None:
    """Seconds a training step of every method at a budget, and what all would take."""
    from strokediff.benchmark.budgets import budget as chosen_budget
    from strokediff.benchmark.reports import training_speed as report
    from strokediff.benchmark.tables import ruled
    from strokediff.inference.compute import resolve_device
    from strokediff.util.machine import machine_name

    at, where = chosen_budget(budget), resolve_device(device)
    config = at.training(seed=0)
    print(f"{machine_name(where)}; {config.steps:,} steps of {config.batch_size} slices\n")
    _print(ruled(report.COLUMNS, report.training_speed(at, where, names_in(methods), steps)))


@app.command()
def inference_speed(
    sizes: str = "224,448",
    networks: Annotated[str, typer.Option(help="Training presets.")] = "tiny,paper",
    device: str = "cpu",
    precision: str = "auto",
    compiled: Annotated[bool, typer.Option("--compile")] = False,
    most_seconds: Annotated[float, typer.Option(help="Longer rows are computed.")] = 60,
    plain_malloc: Annotated[bool, typer.Option(help="Leave the C library as it is.")] = False,
    only: Annotated[str, typer.Option(help="e.g. fast/sal,fast/all")] = "",
) -> None:
    """Seconds a head of 30 slices for every way to ask the same network."""
    from strokediff.benchmark.reports import inference_speed as report
    from strokediff.benchmark.tables import ruled
    from strokediff.inference.compute import Compute
    from strokediff.util.allocator import keep_freed_memory
    from strokediff.util.machine import machine_name

    if not plain_malloc:
        keep_freed_memory()  # as the command line does
    compute = Compute.of(device, precision)
    rows = [
        row
        for network in names_in(networks)
        for size in _numbers(sizes)
        for row in report.inference_speed(
            network,
            size,
            compute,
            compiled=compiled,
            most_seconds=most_seconds,
            only=names_in(only),
        )
    ]
    print(f"{machine_name(compute.device)}, {compute.precision}\n")
    _print(ruled(report.COLUMNS, rows))


def _subjects(model: Path, data: Path, split: str, most: int | None, device: str) -> Subjects:
    from strokediff.benchmark.reports.estimates import Subjects
    from strokediff.cohort.store import open_cohort
    from strokediff.inference.compute import Compute
    from strokediff.segmentation.model import load_model

    return Subjects(load_model(model, Compute.of(device)), open_cohort(data), split, most)


def _numbers(text: str) -> list[int]:
    return [int(number) for number in names_in(text)]


def _print(lines: Iterable[str]) -> None:
    print("\n".join(lines))


if __name__ == "__main__":
    app()
