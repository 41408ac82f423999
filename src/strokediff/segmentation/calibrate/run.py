"""`calibrate`: a checkpoint and its validation patients in, a calibrated model out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from strokediff.errors import UsageError
from strokediff.inference.compute import ON_CPU, Compute
from strokediff.inference.estimation import METHODS, Estimation
from strokediff.segmentation.calibrate.checkpoint import validation_patients, write_tuned
from strokediff.segmentation.calibrate.heads import Tuned, tune
from strokediff.segmentation.model import load_model
from strokediff.training.trouble import explained
from strokediff.util.files import refuse_here
from strokediff.util.locks import LOCK_NAME, sole

ALL = tuple(map(Estimation, METHODS))


def calibrate(
    model: str | Path,
    data: str | Path,
    out: str | Path,
    estimations: Sequence[Estimation] = ALL,
    *,
    population: str = "patients",
    compute: Compute = ON_CPU,
    begun: Callable[[list[list[str]]], object] = lambda patients: None,
    on_head: Callable[[str], None] = lambda name: None,
) -> Mapping[str, Tuned]:
    """Choose what counts as a lesion and calibrate the volume's interval, for each estimation.

    The validation patients of the checkpoint `model` (split.json), found in `data`, the folder
    that its cohort was prepared from, go through what `segment` does. Every other one serves the
    decision: of those with nearly the best mean Dice the one with the least volume error is kept.
    The others serve the interval. Test patients are not read. `out` becomes a model as any other.

    `population` says in reports who the patients are. `begun` is called with the scans of each
    patient, `on_head` after each scan. Returns what was chosen by `Estimation.key`. Raises
    `UsageError` for a folder that is in use or a model without validation patients, `InputError`
    where scans are missing.

    >>> tuned = calibrate("model", "scans", "calibrated", [Estimation("avg")])
    >>> round(tuned["fast/avg"].after.dice, 1), tuned["fast/avg"].calibration.n
    (1.0, 1)
    >>> load("calibrated", device="cpu").decision(Estimation("avg")).least_lesion_ml
    0.0
    """
    model, out = Path(model), Path(out)
    refuse_here(out)
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: a file. Choose a new folder for the calibrated model.")
    if out.exists() and any(p.name != LOCK_NAME for p in out.iterdir()):
        raise UsageError(f"{out}: not empty. Choose a new folder for the calibrated model.")
    with explained(f"{out}: calibration stopped"):
        loaded = load_model(model, compute)
        patients = validation_patients(model, Path(data))
        begun([[scan.name for scan in scans] for scans in patients])
        # Let go of before the folder is put in place: Windows renames none that holds an open file.
        with sole(out, "calibrate"):
            found = tune(loaded, patients, estimations, population, on_head)
        write_tuned(model, out, found)
    return found
