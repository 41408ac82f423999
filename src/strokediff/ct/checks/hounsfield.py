"""Is it Hounsfield units? Decided from where air, soft tissue and bone lie, not from a minimum.

A head has three landmarks: air at -1000 HU, soft tissue (brain, muscle) at 20 to 45, bone above
200; and fat and the edge of the skin between the first two. Padding is left out before they are
looked for, as it may lie anywhere. Where all three lie 1024 (or another known offset) too high or
too low, the values are mended and it is said; anything else is refused.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from strokediff.ct.arrays import AIR_BELOW_HU, BONE_HU, FLOOR_HU, Array
from strokediff.ct.checks.landmarks import (
    AIR_RANGE_HU,
    BRAIN_HU,
    Landmarks,
    brain_share,
    commonest,
    sampled,
    thinned,
    two_peaks,
)
from strokediff.ct.checks.not_hounsfield import refusal
from strokediff.ct.checks.padding import fill_padding, padding_values, without_nan
from strokediff.errors import InputError

NOT_HU = "the values are not HU"
"""How the warning begins that says that values were mended."""
LIMITS_HU = (-32768.0, 65535.0)
"""What 16 bits can store, signed or not; metal reaches 30,000 HU where a scanner extends its
scale."""
MIN_BRAIN_FRACTION = 0.005
_OFFSETS = (1024.0, 1000.0, -1024.0, -1000.0, 2048.0, 8192.0, 32768.0)
"""What is added to HU when they are stored, or subtracted once too often."""
AIR_TOLERANCE, SOFT_TOLERANCE = 12.0, 20.0
"""How far air may lie from -1000 and soft tissue from 33 when an offset is told by both."""


def as_hounsfield(path: Path, values: Array) -> tuple[Array, list[str]]:
    """A whole head's voxels in HU, at least -1024, and warnings of what was done to have them.

    Takes `values` over: they are changed in place. Padding becomes air; an offset that all three
    landmarks agree on is taken off. Raises `InputError` that says what came and what to do where
    the values are not a whole head's HU.
    """
    low, high = float(values.min()), float(values.max())
    warnings = []
    if not np.isfinite([low, high]).all():
        warnings = without_nan(path, values)
        low, high = float(values.min()), float(values.max())
    padding = padding_values(values, high - low)
    _check_limits(path, values, padding, low, high)
    sample = sampled(values, padding)
    marks = Landmarks.of(sample)
    if _is_hu(values, sample, marks, low, high):
        warnings += _shifted(marks)
    else:
        mended = _mended(values, sample)
        if mended is None:
            raise refusal(path, values, sample, padding)
        warnings.append(mended)
        padding, low = padding_values(values, high - low), float(values.min())
    for value in padding:
        if value > AIR_RANGE_HU[1]:
            warnings += fill_padding(values, value)
    if low < FLOOR_HU:
        np.maximum(values, np.float32(FLOOR_HU), out=values)
        warnings.append(f"values below {FLOOR_HU:g} HU (padding) were raised to it")
    return values, warnings


def _check_limits(
    path: Path, values: Array, padding: tuple[float, ...], low: float, high: float
) -> None:
    if low >= LIMITS_HU[0] and high <= LIMITS_HU[1]:
        return
    beyond = (values < LIMITS_HU[0]) | (values > LIMITS_HU[1])
    beyond &= ~np.isin(values, np.array(padding, np.float32))
    if beyond.any():
        worst = float(values[beyond][0])
        raise InputError(
            f"{path}: {np.count_nonzero(beyond)} voxels lie beyond {LIMITS_HU[0]:g} to "
            f"{LIMITS_HU[1]:g}, such as {worst:g}. Expected Hounsfield units; metal reaches "
            f"30000. Check how the file was made, and clip it."
        )


def _is_hu(values: Array, sample: Array, marks: Landmarks, low: float, high: float) -> bool:
    """Whether the values are a whole head's HU as they are."""
    if high < 200 or brain_share(values) < MIN_BRAIN_FRACTION or not marks.could_be_hu:
        return False
    if low > AIR_BELOW_HU:  # air may have been set to a constant, or clipped above it
        return marks.fat >= 0.01 and marks.soft >= 0.2 and marks.bone >= 0.05
    if marks.air + marks.fat >= 0.01:
        return True
    # Neither air's noise nor fat around a constant: a head that was drawn, or restored from a
    # window, whose bone is one value; a skull with the brain in it; a brain alone.
    if not 8 <= marks.soft_mode <= 70 or _offset(sample) is not None:
        return False
    return (
        _constant_bone(sample)
        or (0.15 <= marks.bone < marks.soft and _in_a_skull(values))
        or (marks.soft >= 0.75 and commonest(sample) < 0.2)
    )


def _constant_bone(sample: Array) -> bool:
    tissue = sample[sample > -300]
    bone = tissue[tissue >= 300]
    return commonest(bone) * bone.size >= 0.01 * tissue.size > 0


def _in_a_skull(values: Array) -> bool:
    """Whether most soft tissue has bone on both sides, along two axes."""
    some = thinned(values)
    soft, bone = (some >= BRAIN_HU[0]) & (some <= BRAIN_HU[1]), some >= BONE_HU
    enclosed: list[float] = []
    for axis in range(some.ndim):
        sides = [np.logical_or.accumulate(bone, axis)]
        sides += [np.flip(np.logical_or.accumulate(np.flip(bone, axis), axis), axis)]
        enclosed.append(float(np.count_nonzero(soft & sides[0] & sides[1])))
    return sorted(enclosed)[-2] >= 0.5 * float(np.count_nonzero(soft))


def _mended(values: Array, sample: Array) -> str | None:
    """Mend the values in place if it is clear how; what was done, or None."""
    for wrap in (65536.0, 4096.0):
        limit = wrap / 2 if wrap > 5e4 else 3071.0
        if sample.size and sample.max() > limit and sample.min() >= 0:
            turned = np.where(sample > limit, sample - np.float32(wrap), sample)
            if Landmarks.of(turned).all_three:
                values[values > limit] -= np.float32(wrap)
                return (
                    f"{NOT_HU} but HU modulo {wrap:g}: air lies near {wrap - 1000:g}; "
                    f"{wrap:g} was taken off what is above {limit:g}"
                )
    offset = _offset(sample)
    if offset is None:
        return None
    air, soft = two_peaks(sample) or (0.0, 0.0)
    values -= np.float32(offset)
    done = f"{abs(offset):g} was {'subtracted' if offset > 0 else 'added'}"
    return (
        f"{NOT_HU} but HU {'+' if offset > 0 else '-'} {abs(offset):g}: air lies at "
        f"{air:.0f}, soft tissue at {soft:.0f}, bone above; {done} (check the rescale intercept)"
    )


def _offset(sample: Array) -> float | None:
    """The offset that air, soft tissue and bone agree on, if just one is."""
    peaks = two_peaks(sample)
    if peaks is None:
        return None
    air, soft = peaks
    fits = [
        b
        for b in _OFFSETS
        if abs(air + 1000 - b) <= AIR_TOLERANCE
        and abs(soft - 33 - b) <= SOFT_TOLERANCE
        and Landmarks.of(sample - np.float32(b)).all_three
    ]
    return fits[0] if len(fits) == 1 else None


def _shifted(marks: Landmarks) -> list[str]:
    """A warning where air and brain both lie too high, or both too low, by a little."""
    if marks.air < 0.02 or 12 <= marks.soft_mode <= 52:
        return []
    by = marks.dark_median + 1000
    if abs(by) < 18 or (by > 0) != (marks.soft_mode > 52):
        return []
    return [
        f"air lies at {marks.dark_median:.0f} HU and soft tissue at {marks.soft_mode:.0f}: all "
        f"values seem to be {abs(by):.0f} HU too {'high' if by > 0 else 'low'}; check the rescale "
        f"intercept (-1024 and -1000 are often mixed up)"
    ]
