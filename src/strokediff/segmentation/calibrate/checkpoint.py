"""A checkpoint with what was chosen for it on patients that it was not trained on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from strokediff.cohort.labelled import LabelledScan, find_scans
from strokediff.cohort.sources import Sources
from strokediff.errors import InputError, UsageError
from strokediff.segmentation.chosen import CALIBRATION, DECISION
from strokediff.segmentation.decision import Decision
from strokediff.training.checkpoint import read_config, read_metrics, read_split
from strokediff.training.noise import FOLDER as NOISE
from strokediff.util.files import atomic_directory
from strokediff.util.kinds import LESION

FILES = ("config.json", "model.safetensors", "split.json")
SPLITS = {"val": "validation", "test": "test"}
"""Parts of a checkpoint's own split that may be asked for, and what they are called."""
UNSEEN = "unseen"
"""In place of a part: every scan of a folder, none of which the model was made with."""


def patients_of(
    checkpoint: Path, source: Path, split: str = "val"
) -> Mapping[str, list[LabelledScan]]:
    """The scans of every patient that the checkpoint was validated (or tested) on, by patient.

    `UNSEEN` is all under `source`. Raises `UsageError` if there are none or no such split,
    `InputError` if some are not there.
    """
    if split not in (*SPLITS, UNSEEN):
        raise UsageError(f"no split '{split}'; expected one of: {', '.join((*SPLITS, UNSEEN))}")
    if split == UNSEEN:
        return _by_patient(source, {scan.name: scan for scan in find_scans(source)})
    what = SPLITS[split]
    names = set(read_split(checkpoint).get(split, ()))
    if not names:
        raise UsageError(
            f"{checkpoint}: trained without {what} patients, and what is chosen on patients "
            f"that it was trained on does not hold. Prepare the cohort with --{split} above 0 and "
            "train."
        )
    scans = {scan.name: scan for scan in find_scans(source) if scan.name in names}
    missing = sorted(names - scans.keys())
    if missing:
        raise InputError(
            f"{source}: {len(missing)} of {len(names)} {what} scans of {checkpoint} are not "
            f"there ({', '.join(missing[:5])}). Give the folder that its cohort was prepared from."
        )
    return _by_patient(source, scans)


def _by_patient(
    source: Path, scans: Mapping[str, LabelledScan]
) -> Mapping[str, list[LabelledScan]]:
    people = Sources.of(source).people(scans)
    return {person: [scans[name] for name in own] for person, own in people.items()}


def write_chosen(
    checkpoint: Path,
    out: Path,
    *,
    decisions: Mapping[str, Any],
    calibrations: Mapping[str, Any],
    more: Mapping[str, Any],
) -> None:
    """Copy the checkpoint to `out`, whole or not at all, with what was chosen in metrics.json.

    What had been chosen for other methods, presets or kinds is kept, but for the interval of all
    kinds joined where another decision was made for one of them. `more` are other entries.
    """
    metrics = read_metrics(checkpoint)
    kinds = read_config(checkpoint).training.network.kinds
    undecided = {kind: Decision().model_dump() for kind in kinds}
    for what, chosen, before in ((DECISION, decisions, undecided), (CALIBRATION, calibrations, {})):
        entries = metrics.setdefault(what, {})
        for key, own in chosen.items():
            entries[key] = {**entries.get(key, before), **own} if len(kinds) > 1 else own
    for key in decisions:
        if LESION not in calibrations[key] and len(kinds) > 1:
            metrics[CALIBRATION][key].pop(LESION, None)
    metrics.update(more)
    kept = {key: value for key, value in metrics.items() if value != {}}
    with atomic_directory(out) as folder:
        for file in FILES:
            shutil.copyfile(checkpoint / file, folder / file)
        if (checkpoint / NOISE).is_dir():
            shutil.copytree(checkpoint / NOISE, folder / NOISE)
        (folder / "metrics.json").write_text(json.dumps(kept, indent=1, allow_nan=False))
