"""What to say of an image that is no head CT in Hounsfield units: what came, and the remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from strokediff.ct.arrays import AIR_BELOW_HU, Array
from strokediff.ct.checks.landmarks import Landmarks, brain_share, two_peaks
from strokediff.errors import InputError


def refusal(path: Path, values: Array, sample: Array, padding: tuple[float, ...]) -> InputError:
    """The error for `values`, of which `sample` lies within `padding`."""
    low, high = float(values.min()), float(values.max())
    came = f"the values run from {low:g} to {high:g}"
    if padding and padding[0] < low + 1 and sample.size:
        came += f" (without {low:g}, which surrounds the image, from {sample.min():g})"
    rest = np.concatenate([sample, [p for p in padding if AIR_BELOW_HU < p < 1e5]])
    guess = _what_it_looks_like(rest) if rest.size else "Nothing but constants is in it."
    if low > AIR_BELOW_HU:
        return InputError(
            f"{path}: not a whole head in Hounsfield units: {came}. Expected air near -1000 "
            f"around the head. {guess}"
        )
    return InputError(
        f"{path}: not a head CT in Hounsfield units: {came}, and {100 * brain_share(values):.1f} "
        f"% of the voxels lie between 0 and 100 HU. Expected air near -1000, brain at 20 to 45 "
        f"and bone above 300; check that this is the right image and its rescale slope. {guess}"
    )


def _what_it_looks_like(rest: Array) -> str:
    """What values without padding may be, and the remedy."""
    low, high = float(rest.min()), float(rest.max())
    if any(Landmarks.of(top - rest).all_three for top in (0, *_inverted_from(rest))):
        return "This looks inverted: air is bright and bone dark. Give the original CT."
    peaks = two_peaks(rest)
    for fits, text in _LOOKS:
        if fits(low, high):
            return text
    if _between(1000, 4095)(low, high):
        return f"{_STORED} {_from_peaks(peaks)}"
    marks = Landmarks.of(rest)
    if marks.air + marks.fat < 0.01 and marks.soft > 0.5:
        return _STRIPPED
    return _from_peaks(peaks)


def _from_peaks(peaks: tuple[float, float] | None) -> str:
    """How HU would be had if the two commonest values are air and soft tissue."""
    if peaks is None:
        return "Check the modality and the rescale slope and intercept; give the original CT."
    air, soft = peaks
    slope = 1033 / (soft - air)
    return (
        f"The two commonest values are {air:.4g} and {soft:.4g}; if they are air and soft tissue, "
        f"HU are {slope:.4g} x value {-1000 - slope * air:+.0f}. Check the modality and the "
        f"rescale slope and intercept; give the original CT."
    )


def _inverted_from(rest: Array) -> list[float]:
    """What an inverted image may have been subtracted from: its air is bright."""
    peaks = two_peaks(rest)
    return [] if peaks is None else [peaks[1] - 1000.0]


def _between(least: float, most: float, lowest: float = 0.0) -> Callable[[float, float], bool]:
    return lambda low, high: low >= lowest and least < high <= most


_STRIPPED = "This looks skull-stripped or windowed; give the head with skull and air."
_STORED = (
    "This looks like CT stored from 0 to 4095 without its rescale (often HU + 1024), Cormack "
    "units, or no CT. Subtract 1024, or set scl_inter = -1024, if that is how it was made."
)
_LOOKS: tuple[tuple[Callable[[float, float], bool], str], ...] = (
    (
        _between(-np.inf, 10, -10),
        "This looks like an image scaled to 0..1, or standardised; give the original HU.",
    ),
    (
        _between(10, 255),
        "This looks like an 8-bit picture of one window, or skull-stripped; its HU are lost. Give "
        "the CT.",
    ),
    (_between(-np.inf, 2000, -150.0), _STRIPPED),
)
