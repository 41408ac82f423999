"""What result.json says of a mask: volumes, lesions, the interval, and what to be warned of."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from strokediff.ct.brain import BrainMask
from strokediff.ct.nifti.images import mask_file_ml
from strokediff.ct.volume import CT
from strokediff.inference.estimator import LabelEstimate, Slices
from strokediff.inference.presets import Choice
from strokediff.segmentation.intervals import Measured, spread_ml
from strokediff.segmentation.model import Model
from strokediff.util.plaintext import escaped

CUT_OFF_WARNING = 0.01


def measure(
    volume: CT, mask: NDArray[np.bool_], lesions: list[dict[str, Any]], brain: BrainMask
) -> dict[str, Any]:
    """The figures of the mask on the volume's own grid; slices are counted from 1 at the bottom."""
    mm3 = volume.mask_volume_mm3(mask)
    file_ml = mask_file_ml(volume, mask)
    warnings = [*volume.warnings, *brain.warnings, *_in_the_file(mm3 / 1000, file_ml)]
    cut = brain.truncated or _touches_border(mask)
    return {
        "volume_ml": mm3 / 1000,
        "volume_mm3": mm3,
        "mask_file_volume_ml": file_ml,
        "n_lesions": len(lesions),
        "lesions": lesions,
        "brain_volume_ml": brain.volume_ml,
        "spacing_mm": list(volume.spacing_mm),
        "truncated": bool(cut),
        "warnings": warnings,
        "unusable_slices": [{"slice": k + 1, "why": why} for k, why in brain.unusable.items()],
        "input": {
            "path": escaped(volume.source.path.name),  # folders above it are nobody's business
            "kind": volume.source.kind,
            "shape": list(volume.source.shape),
            "uneven_slices": volume.uneven,
            **volume.source.details,
        },
    }


def _in_the_file(volume_ml: float, file_ml: float) -> list[str]:
    """A warning where the mask file measures another volume, by more than is rounded away."""
    if abs(file_ml - volume_ml) < 0.005:
        return []
    return [
        f"measured in its file, the mask has {file_ml:.2f} mL (mask_file_volume_ml): the file has "
        f"even slices, the scan has not. volume_ml, {volume_ml:.2f} mL, counts each slice of the "
        f"scan with its own thickness and is the one to report"
    ]


def _touches_border(mask: NDArray[np.bool_]) -> bool:
    faces = (mask[0], mask[-1], mask[:, 0], mask[:, -1], mask[:, :, 0], mask[:, :, -1])
    return any(bool(face.any()) for face in faces)


def cut_off(fraction: float) -> list[str]:
    """A warning if that share of the brain lies outside the network's grid."""
    if fraction < CUT_OFF_WARNING:
        return []
    return [
        f"{fraction:.1%} of the brain lies outside the network's grid and was not searched for "
        "lesions; a model with a larger grid is needed"
    ]


def volume_interval(
    report: dict[str, Any], estimate: LabelEstimate, slices: Slices, model: Model, choice: Choice
) -> tuple[list[float] | None, str]:
    """The volume's interval, and what kind of interval it is."""
    calibration = model.calibrations.get(choice.key)
    if calibration is not None:
        measured = Measured(report["volume_ml"], report["doubt_ml"])
        low, high = calibration.interval_ml(measured)
        return [low, min(high, report["brain_volume_ml"])], calibration.kind
    draws = estimate.tally.counts
    if slices.pixel_ml is None or not len(draws) or int(draws.min()) < 2:
        return None, "none: one draw and no calibration for this preset and method"
    variance = float((estimate.tally.area_variance * slices.pixel_ml.double() ** 2).sum())
    low, high = spread_ml(report["volume_ml"], variance)
    return (
        [low, min(high, report["brain_volume_ml"])],
        f"90% spread of {int(draws.min())} draws or more a slice, not calibrated",
    )
