"""A checkpoint with what was chosen for it on its validation patients."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from strokediff.cohort.prepare import LabelledScan, find_scans
from strokediff.cohort.sources import Sources
from strokediff.errors import InputError, UsageError
from strokediff.segmentation.calibrate.heads import Tuned
from strokediff.training.checkpoint import read_metrics, read_split
from strokediff.training.noise import FOLDER as NOISE
from strokediff.util.files import atomic_directory

FILES = ("config.json", "model.safetensors", "split.json")


def validation_patients(checkpoint: Path, source: Path) -> list[list[LabelledScan]]:
    """The scans of every patient that the checkpoint was validated on, found under `source`.

    Raises `UsageError` if it was trained without any, `InputError` if some are not there.
    """
    names = set(read_split(checkpoint).get("val", ()))
    if not names:
        raise UsageError(
            f"{checkpoint}: trained without validation patients, and what is chosen on patients "
            "that it was trained on does not hold. Prepare the cohort with --val above 0 and train."
        )
    scans = {scan.name: scan for scan in find_scans(source) if scan.name in names}
    missing = sorted(names - scans.keys())
    if missing:
        raise InputError(
            f"{source}: {len(missing)} of {len(names)} validation scans of {checkpoint} are not "
            f"there ({', '.join(missing[:5])}). Give the folder that its cohort was prepared from."
        )
    return [[scans[name] for name in own] for own in Sources.of(source).people(scans).values()]


def write_tuned(checkpoint: Path, out: Path, tuned: Mapping[str, Tuned]) -> None:
    """Copy the checkpoint to `out`, whole or not at all, with what was chosen in metrics.json.

    What had been chosen for other methods or presets is kept.
    """
    metrics = read_metrics(checkpoint)
    for key, own in tuned.items():
        metrics.setdefault("decision", {})[key] = own.after.decision.model_dump()
        metrics.setdefault("calibration", {})[key] = own.calibration.model_dump()
    with atomic_directory(out) as folder:
        for file in FILES:
            shutil.copyfile(checkpoint / file, folder / file)
        if (checkpoint / NOISE).is_dir():
            shutil.copytree(checkpoint / NOISE, folder / NOISE)
        (folder / "metrics.json").write_text(json.dumps(metrics, indent=1, allow_nan=False))
