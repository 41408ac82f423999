"""`strokediff demo`: a phantom patient as a DICOM series, segmented as any other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

SERIES = "phantom-patient"

if TYPE_CHECKING:
    from strokediff.phantom.make import Phantom


def demo(
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for series and results.")],
    kind: Annotated[str, typer.Option(help="infarct or hemorrhage.")] = "hemorrhage",
    seed: Annotated[int, typer.Option(min=0, help="Which phantom patient.")] = 0,
    model: Annotated[str, typer.Option(help="Bundled model or checkpoint folder.")] = (
        "phantom-stroke"
    ),
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    """Make a phantom patient with a lesion of known volume and segment it like a real one."""
    import time

    import numpy as np
    from rich.console import Console

    from strokediff.cli.segment import segment
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
    segment(out / SERIES, out, model=model, quiet=quiet)
    report, dice = _compare(out, patient, np)
    _print_table(console, out, patient, report, dice, time.perf_counter() - started)


def _names() -> set[str]:
    """Of all files that a phantom's series may have."""
    return {"SC_0001.dcm", *(f"CT_{k:04d}.dcm" for k in range(1, 1000))}


def _compare(out: Path, patient: Phantom, np: Any) -> tuple[dict[str, Any], float]:
    """result.json, and the Dice of the written mask against the truth, in the patient's space."""
    import json

    import nibabel as nib

    report = json.loads((out / "result.json").read_text("utf-8"))
    image = nib.load(out / "lesion_mask.nii.gz")
    found = nib.as_closest_canonical(image)
    mask = np.asarray(found.dataobj) > 0
    if mask.shape != patient.lesion.shape:
        raise AssertionError(f"mask of shape {mask.shape} for a patient of {patient.lesion.shape}")
    total = int(mask.sum() + patient.lesion.sum())
    return report, 2.0 * int((mask & patient.lesion).sum()) / total if total else 1.0


def _print_table(
    console: Any,
    out: Path,
    patient: Phantom,
    report: dict[str, Any],
    dice: float,
    seconds: float,
) -> None:
    import numpy as np
    from rich.table import Table

    from strokediff.util.plaintext import visible

    voxel_ml = abs(float(np.linalg.det(patient.affine[:3, :3]))) / 1000
    interval = report["volume_interval_ml"]
    spread = f"  ({interval[0]:.1f} to {interval[1]:.1f})" if interval else ""
    table = Table(title="strokediff demo", show_header=False)
    table.add_row("lesion volume found", f"{report['volume_ml']:.1f} mL{spread}")
    table.add_row("true volume", f"{float(patient.lesion.sum()) * voxel_ml:.1f} mL")
    table.add_row("Dice", f"{dice:.3f}")
    table.add_row("brain volume", f"{report['brain_volume_ml']:.0f} mL")
    table.add_row("network evaluations", f"{report['network_evaluations']}")
    table.add_row("seconds", f"{seconds:.1f}")
    console.print(table)
    console.print(f"Interval: {report['volume_interval_kind']}.", soft_wrap=True)
    there = [out / name for name in ("report.html", "preview.png") if (out / name).exists()]
    look = f"Look at {' and '.join(str(path) for path in there or [out])}. "
    console.print(
        visible(look) + "A phantom, and a model trained on phantoms: research use only.",
        soft_wrap=True,
        markup=False,
        highlight=False,
    )
