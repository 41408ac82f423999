"""Segments cases one after the other and writes each patient's folder whole or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from strokediff import __version__
from strokediff.data.cases import Case
from strokediff.data.discover import load_case
from strokediff.data.files import write_json
from strokediff.data.nifti import save_like
from strokediff.data.volume import Volume
from strokediff.errors import InputError, StrokediffError, UsageError
from strokediff.inference.presets import Choice
from strokediff.model import Model
from strokediff.predict import Advance, Foresee, Segmentation, Stopwatch, segment_volume
from strokediff.resuming import DiskStore, forget


@dataclass(frozen=True)
class Job:
    """What all cases of a call share."""

    model: Model
    choice: Choice
    seed: int = 0
    threads: int | None = None
    series: str | None = None
    pictures: bool = True
    precision: str = "auto"
    uncertainty: bool = False


@dataclass(frozen=True)
class Outcome:
    """One case: its result.json, or why there is none."""

    case: str
    report: dict[str, Any]
    exception: StrokediffError | None = None

    @property
    def error(self) -> str:
        """Why it failed; empty if it did not."""
        return str(self.exception) if self.exception else ""


def segment_cases(
    cases: Sequence[Case],
    out: Path,
    job: Job,
    advance: Callable[[Case, int, int], None],
    foresee: Callable[[Case, int, float], None] = lambda case, evaluations, seconds: None,
) -> Iterator[Outcome]:
    """Segment case after case; one that fails does not stop the others.

    One case goes into `out` itself, several into `out`/NAME with `out`/summary.csv, which is
    brought up to date after each. `advance(case, done, total)` counts network evaluations,
    `foresee(case, evaluations, seconds)` is called before a case that will take long.
    """
    from strokediff.report.summary import write_summary_csv

    outcomes: list[Outcome] = []
    for case in cases:
        folder = out / case.name if len(cases) > 1 else out
        outcomes.append(_one(case, folder, job, partial(advance, case), partial(foresee, case)))
        if len(cases) > 1:
            rows = [{"case": o.case, **o.report, "error": o.error} for o in outcomes]
            write_summary_csv(out / "summary.csv", rows)
        yield outcomes[-1]


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


def _one(case: Case, folder: Path, job: Job, advance: Advance, foresee: Foresee) -> Outcome:
    try:
        report = segment_case(case, folder, job, advance, foresee)
    except UsageError:
        raise
    except StrokediffError as error:
        return Outcome(case.name, {}, error)
    except (MemoryError, RuntimeError, ValueError, OSError) as error:
        wrapped = InputError(
            f"{case.path}: could not be segmented ({type(error).__name__}: {error}). The other "
            "patients are not affected; please report this with the file's header."
        )
        wrapped.__cause__ = error
        return Outcome(case.name, {}, wrapped)
    return Outcome(case.name, report)


def segment_case(
    case: Case, folder: Path, job: Job, advance: Advance, foresee: Foresee
) -> dict[str, Any]:
    """Read, segment and write one case; returns result.json's content.

    Draws of a run that was stopped are kept in the folder, and taken up by the next.
    """
    watch = Stopwatch()
    with watch.stage("read"):
        volume = load_case(case, job.series)
    found = segment_volume(
        volume,
        job.model,
        job.choice,
        seed=job.seed,
        threads=job.threads,
        precision=job.precision,
        advance=advance,
        foresee=foresee,
        watch=watch,
        store=partial(DiskStore, folder),
    )
    report = {"case": case.name, **found.report}
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".writing-") as name:
        work = Path(name)
        with watch.stage("write"):
            _write_images(work, volume, found, job.uncertainty)
            if job.pictures:
                _write_pictures(work, volume, found, report)
        write_json(work / "result.json", report)
        # result.json goes last: where it is, everything is.
        for file in sorted(work.iterdir(), key=lambda p: p.name == "result.json"):
            file.replace(folder / file.name)
    forget(folder)
    return report


def _write_images(folder: Path, volume: Volume, found: Segmentation, uncertainty: bool) -> None:
    made = f"strokediff {__version__}"
    save_like(volume, found.mask, folder / "lesion_mask.nii.gz", dtype=np.uint8, description=made)
    maps = {"prob": found.prob}
    if uncertainty:
        maps |= {"entropy": found.entropy, "variance": found.variance}
    for name, values in maps.items():
        file = folder / f"lesion_{name}.nii.gz"
        save_like(volume, np.round(values, 3), file, dtype=np.float32, description=made)
    if volume.source.kind == "dicom":
        hu = np.round(volume.hu)
        save_like(volume, hu, folder / "ct.nii.gz", dtype=np.int16, description=made)


def _write_pictures(
    folder: Path, volume: Volume, found: Segmentation, report: dict[str, Any]
) -> None:
    from strokediff.report.figures import render_key_slice, write_preview
    from strokediff.report.html import ReportFigure, write_report

    depth = np.arange(found.mask.shape[2])
    middle = [(n - 1) / 2 for n in found.mask.shape[:2]]
    centres = np.column_stack([np.full((len(depth), 2), middle), depth])
    positions = volume.index_to_world(centres)[:, 2]
    png = write_preview(
        folder / "preview.png",
        volume.hu,
        found.mask,
        found.brain,
        pixel_spacing_mm=volume.pixel_spacing_mm,
        volume_ml=report["volume_ml"],
        title=report["case"],
        volume_interval_ml=report["volume_interval_ml"],
        slice_positions_mm=positions.tolist(),
        warning_lines=report["warnings"],
        note=f"model {report['model']['name']}, trained on {report['model']['trained_on']}",
    )
    sx, sy = volume.pixel_spacing_mm
    areas = found.mask.sum(axis=(0, 1)) * sx * sy
    key_slice = render_key_slice(
        volume.hu,
        found.mask,
        found.brain,
        {"Probability of lesion": found.prob, "Entropy, bits": found.entropy},
        pixel_spacing_mm=volume.pixel_spacing_mm,
    )
    caption = (
        "The slice with the largest area of lesion: plain, outlined, its probability, and its "
        "entropy: where the model is unsure."
    )
    write_report(
        folder / "report.html",
        report,
        png,
        figures=[ReportFigure(key_slice, caption)],
        slice_areas_mm2=areas.tolist(),
    )
