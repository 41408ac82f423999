"""What is measured of a mask: volumes, lesions, the interval, and what to be warned of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from strokediff.ct.brain import BrainMask
from strokediff.ct.nifti.images import mask_file_ml
from strokediff.ct.sides import right_half, side_of
from strokediff.ct.volume import CT
from strokediff.inference.estimation import Estimation
from strokediff.inference.estimator import LabelEstimate
from strokediff.result.figures import (
    Exceeds,
    Figures,
    InputRecord,
    KindFigures,
    Lesion,
    UnusableSlice,
)
from strokediff.segmentation.binned import BinnedCalibration
from strokediff.segmentation.decision import Decision
from strokediff.segmentation.intervals import Measured, spread_ml
from strokediff.segmentation.model import Model
from strokediff.segmentation.place import Place
from strokediff.segmentation.read_out import ReadOut
from strokediff.util.kinds import LESION
from strokediff.util.plaintext import escaped

CUT_OFF_WARNING = 0.01
UNDECIDED = {"threshold": None, "least_lesion_ml": None}
"""Of a mask that no threshold made, and of kinds of lesion that have several."""


@dataclass(frozen=True)
class Spread:
    """How unsure a volume is: the entropy over the brain, bit mL, and its interval, mL."""

    doubt_ml: float
    interval_ml: tuple[float, float] | None
    interval_kind: str
    exceeds: tuple[Exceeds, ...] = ()


def measure(
    ct: CT,
    found: ReadOut,
    decisions: Mapping[str, Decision | None],
    brain: BrainMask,
    spreads: Mapping[str, Spread],
) -> Figures:
    """The figures of the masks on the scan's own grid; slices are counted from 1 at the bottom.

    `decisions` are by kind of lesion, in order, None of a mask that was drawn; `spreads` by kind
    and, for all joined, "lesion".
    """
    mm3, every = ct.mask_volume_mm3(found.mask), spreads[LESION]
    file_ml, right = mask_file_ml(ct, found.mask), right_half(ct, brain.mask)
    lesions = tuple(
        Lesion(**described, kind=kind)
        for (kind, decision), own in zip(decisions.items(), found.kinds, strict=True)
        for described in own.lesions.describe(decision.least_lesion_ml if decision else 0.0)
    )
    return Figures(
        volume_ml=mm3 / 1000,
        volume_mm3=mm3,
        mask_file_volume_ml=file_ml,
        n_lesions=len(lesions),
        lesions=tuple(sorted(lesions, key=lambda lesion: -lesion.volume_ml)),
        kinds=tuple(
            _of_kind(ct, own.mask, right, kind, decision, lesions, spreads[kind])
            for (kind, decision), own in zip(decisions.items(), found.kinds, strict=True)
        ),
        brain_volume_ml=brain.volume_ml,
        spacing_mm=ct.spacing_mm,
        truncated=bool(brain.truncated or _touches_border(found.mask)),
        warnings=(*ct.warnings, *brain.warnings, *_in_the_file(mm3 / 1000, file_ml)),
        unusable_slices=tuple(
            UnusableSlice(slice=k + 1, why=why) for k, why in brain.unusable.items()
        ),
        input=input_record(ct),
        doubt_ml=every.doubt_ml,
        volume_interval_ml=every.interval_ml,
        volume_interval_kind=every.interval_kind,
        exceeds=every.exceeds,
    )


def _of_kind(
    ct: CT,
    mask: NDArray[np.bool_],
    right: NDArray[np.bool_],
    kind: str,
    decision: Decision | None,
    lesions: Sequence[Lesion],
    spread: Spread,
) -> KindFigures:
    return KindFigures(
        name=kind,
        volume_ml=ct.mask_volume_mm3(mask) / 1000,
        n_lesions=sum(lesion.kind == kind for lesion in lesions),
        **(decision.model_dump() if decision else UNDECIDED),
        doubt_ml=spread.doubt_ml,
        volume_interval_ml=spread.interval_ml,
        volume_interval_kind=spread.interval_kind,
        exceeds=spread.exceeds,
        side=side_of(mask, right, ct.voxel_volumes_mm3),
    )


def input_record(ct: CT) -> InputRecord:
    """The scan as its reader knows it; folders above it are nobody's business."""
    source = ct.source
    known = {
        "path": escaped(source.path.name),
        "kind": source.kind,
        "shape": source.shape,
        "uneven_slices": ct.uneven,
    }
    return InputRecord.model_validate({**known, **source.details})


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


def spread_of(
    kind: str,
    measured: Measured,
    brain_ml: float,
    estimate: LabelEstimate,
    place: Place,
    model: Model,
    estimation: Estimation,
) -> Spread:
    """How unsure the volume of a kind of lesion is; `kind` "lesion" is all joined."""
    interval, what = _interval(kind, measured, estimate, place, model, estimation)
    if interval is not None:
        interval = (interval[0], min(interval[1], brain_ml))
    calibration = model.calibrations.get(estimation.key, {}).get(kind)
    exceeds = calibration.exceeds(measured) if isinstance(calibration, BinnedCalibration) else ()
    return Spread(measured.doubt_ml, interval, what, tuple(exceeds))


def _interval(
    kind: str,
    measured: Measured,
    estimate: LabelEstimate,
    place: Place,
    model: Model,
    estimation: Estimation,
) -> tuple[tuple[float, float] | None, str]:
    """The volume's interval, and what kind of interval it is."""
    calibration = model.calibrations.get(estimation.key, {}).get(kind)
    if calibration is not None:
        return calibration.interval_ml(measured), calibration.kind
    at = -1 if kind == LESION else model.kinds.index(kind)
    draws, pixel_ml = estimate.tally.counts, place.slices.pixel_ml
    if estimate.between_ml2 is not None:
        ends = spread_ml(measured.volume_ml, float(estimate.between_ml2[at]))
        return ends, f"90% spread of {int(draws.max())} models, not calibrated"
    if pixel_ml is None or not len(draws) or int(draws.min()) < 2:
        return None, "none: one draw and no calibration for this preset and method"
    variance = estimate.tally.every_area_variance[:, at]
    low, high = spread_ml(measured.volume_ml, float((variance * pixel_ml.double() ** 2).sum()))
    return (low, high), f"90% spread of {int(draws.min())} draws or more a slice, not calibrated"
