"""`strokediff demo`: a phantom patient as a DICOM series, segmented as any other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from strokediff.cli.segment import segment_shown
from strokediff.weights import DEFAULT

SERIES = "phantom-patient"

if TYPE_CHECKING:
    from rich.console import Console

    from strokediff.evaluation.metrics import CaseMetrics
    from strokediff.result.record import Record


def demo(
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for series and results.")],
    kind: Annotated[str, typer.Option(help="infarct or hemorrhage.")] = "hemorrhage",
    seed: Annotated[int, typer.Option(min=0, help="Which phantom patient.")] = 0,
    model: Annotated[str, typer.Option(help="Bundled model or checkpoint folder.")] = DEFAULT,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    """Make a phantom patient with a lesion of known volume and segment it like a real one."""
    import time

    from rich.console import Console

    from strokediff.ct.axes import canonical
    from strokediff.ct.nifti.masks import read_labels
    from strokediff.evaluation.metrics import evaluate
    from strokediff.phantom.dicom import write_dicom_series
    from strokediff.phantom.make import make_phantom
    from strokediff.segmentation.patients import check_writable
    from strokediff.util.files import atomic_directory, refuse_others

    started = time.perf_counter()
    console = Console()
    check_writable(out)
    if not quiet:
        console.print("Making a phantom patient (a synthetic head CT with a known lesion) ...")
    patient = make_phantom(kind, seed)  # type: ignore[arg-type]
    refuse_others(out / SERIES, _names(), "phantom patient")
    with atomic_directory(out / SERIES) as folder:  # never slices of two patients
        write_dicom_series(patient, folder)
    record = segment_shown(out / SERIES, out, model=[model], quiet=quiet)[0].record
    assert record is not None  # what fails is raised
    written = read_labels(out / "lesion_mask.nii.gz")
    mask = canonical(written.array > 0, written.affine)  # the phantom's axes are closest to RAS+
    scores = evaluate(mask, patient.lesion, affine=patient.affine)
    _print_table(console, out, record, scores, time.perf_counter() - started)


def _names() -> set[str]:
    """Of all files that a phantom's series may have."""
    return {"SC_0001.dcm", *(f"CT_{k:04d}.dcm" for k in range(1, 1000))}


def _print_table(
    console: Console, out: Path, record: Record, scores: CaseMetrics, seconds: float
) -> None:
    from rich.table import Table

    from strokediff.report.sentences import only_phantoms
    from strokediff.util.plaintext import visible

    interval = record.volume_interval_ml
    spread = f"  ({interval[0]:.1f} to {interval[1]:.1f})" if interval else ""
    table = Table(title="strokediff demo", show_header=False)
    table.add_row("lesion volume found", f"{record.volume_ml:.1f} mL{spread}")
    for own in record.kinds if len(record.kinds) > 1 else ():
        table.add_row(f"of it {own.name}", f"{own.volume_ml:.1f} mL")
    table.add_row("true volume", f"{scores.volume_true_ml:.1f} mL")
    table.add_row("Dice", f"{scores.dice:.3f}")
    table.add_row("brain volume", f"{record.brain_volume_ml:.0f} mL")
    table.add_row("network evaluations", f"{record.network_evaluations}")
    table.add_row("seconds", f"{seconds:.1f}")
    console.print(table)
    console.print(f"Interval: {record.volume_interval_kind}.", soft_wrap=True)
    there = [out / name for name in ("viewer.html", "report.html") if (out / name).exists()]
    look = f"Look at {' and '.join(str(path) for path in there or [out])}. "
    trained = ", and a model trained on phantoms" if only_phantoms(record.model) else ""
    console.print(
        visible(look) + f"A phantom{trained}: research use only.",
        soft_wrap=True,
        markup=False,
        highlight=False,
    )
