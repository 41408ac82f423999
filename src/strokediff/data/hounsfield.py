"""Is it Hounsfield units? Decided from where air, soft tissue and bone lie, not from a minimum.

A head has three landmarks: air at -1000 HU, soft tissue (brain, muscle) at 20 to 45, bone above
200; and fat and the edge of the skin between the first two. Padding is left out before they are
looked for, as it may lie anywhere. Where all three lie 1024 (or another known offset) too high or
too low, the values are mended and it is said; anything else is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from strokediff.data.padding import Values, fill, padding_values, without_nan
from strokediff.data.sanity import AIR_BELOW_HU, AIR_HU
from strokediff.errors import InputError

LIMITS_HU = (-32768.0, 65535.0)
"""What 16 bits can store, signed or not; metal reaches 30,000 HU where a scanner extends its
scale."""
BRAIN_HU = (0.0, 100.0)
MIN_BRAIN_FRACTION = 0.005
BONE_HU = 150.0
AIR_RANGE_HU = (-1150.0, -800.0)
"""Where air lies, of whatever kernel and calibration: half of all that is darker than fat."""
IMPOSSIBLE_HU = -1300.0
"""Below it not even a bone kernel's noise puts much air."""
SOFT_MODE_HU = (-20.0, 100.0)
"""Where the commonest of the values from -200 to 300 lies: in brain, CSF, muscle or blood."""
FAT_BELOW_HU = -60.0
OFFSETS = (1024.0, 1000.0, -1024.0, -1000.0, 2048.0, 8192.0, 32768.0)
"""What is added to HU when they are stored, or subtracted once too often."""
AIR_TOLERANCE, SOFT_TOLERANCE = 12.0, 20.0
"""How far air may lie from -1000 and soft tissue from 33 when an offset is told by both."""
SAMPLE = 400_000


@dataclass(frozen=True)
class Landmarks:
    """Shares of a sample of voxels without padding, as HU.

    `air`, `fat` (with the skin's edge) and `impossible` are shares of all; `soft` and `bone` of
    what is denser than fat's edge to air; `soft_mode` the commonest value from -200 to 300.
    """

    air: float
    dark: float
    dark_median: float
    fat: float
    impossible: float
    soft: float
    bone: float
    soft_mode: float

    @classmethod
    def of(cls, hu: Values) -> Landmarks:
        """Measure a sample of voxels (N,)."""
        n = max(1, hu.size)
        tissue = hu[hu > -300]
        dark = hu[hu < AIR_BELOW_HU]
        counts = np.histogram(hu, bins=125, range=(-200, 300))[0].astype(float)
        mode = -200 + 4 * (float(ndimage.gaussian_filter1d(counts, 1.5).argmax()) + 0.5)
        within = (tissue >= BRAIN_HU[0] - 10) & (tissue <= BRAIN_HU[1])
        return cls(
            air=np.count_nonzero(hu < -850) / n,
            dark=dark.size / n,
            dark_median=float(np.median(dark)) if dark.size else -1000.0,
            fat=np.count_nonzero((hu < FAT_BELOW_HU) & (hu > -850)) / n,
            impossible=np.count_nonzero(hu < IMPOSSIBLE_HU) / n,
            soft=np.count_nonzero(within) / max(1, tissue.size),
            bone=np.count_nonzero(tissue >= BONE_HU) / max(1, tissue.size),
            soft_mode=mode,
        )

    @property
    def could_be_hu(self) -> bool:
        """Whether nothing contradicts HU; air may be missing where the field of view is tight."""
        return (
            self.soft >= 0.03
            and self.bone >= 0.005
            and self.impossible <= 0.02
            and SOFT_MODE_HU[0] <= self.soft_mode <= SOFT_MODE_HU[1]
            and (self.dark < 0.1 or AIR_RANGE_HU[0] <= self.dark_median <= AIR_RANGE_HU[1])
        )

    @property
    def all_three(self) -> bool:
        """Whether air, soft tissue and bone are there beyond doubt, and fat's edge between."""
        return (
            self.could_be_hu
            and self.air >= 0.02
            and self.fat >= 0.01
            and self.soft >= 0.2
            and self.soft > self.bone >= 0.02
        )


def as_hounsfield(path: Path, values: Values) -> tuple[Values, list[str]]:
    """A whole head's voxels in HU, at least -1024, and warnings of what was done to have them.

    Takes `values` over: they are changed in place. Padding becomes air; an offset that all three
    landmarks agree on is taken off. Raises `InputError` that says what came and what to do where
    the values are not a whole head's HU.
    """
    warnings = without_nan(path, values)
    padding = padding_values(values)
    sample = _sample(values, padding)
    low, high = float(values.min()), float(values.max())
    _check_limits(path, values, padding, low, high)
    if not _is_hu(values, sample, low, high):
        mended = _mended(values, sample)
        if mended is None:
            raise _refusal(path, values, sample, padding)
        warnings.append(mended)
        padding = padding_values(values)
    else:
        warnings += _shifted(sample)
    for value in padding:
        if value > AIR_RANGE_HU[1]:
            warnings += fill(values, value)
    if values.min() < AIR_HU:
        np.maximum(values, np.float32(AIR_HU), out=values)
        warnings.append(f"values below {AIR_HU:g} HU (padding) were raised to it")
    return values, warnings


def _sample(values: Values, padding: tuple[float, ...]) -> Values:
    """Some of the voxels, evenly spread, without padding."""
    step = max(1, int((values.size / SAMPLE) ** (1 / 3) + 0.5))
    some = np.ravel(values[(slice(step // 2, None, step),) * values.ndim])
    return np.asarray(some[~np.isin(some, np.array(padding, np.float32))])


def _check_limits(
    path: Path, values: Values, padding: tuple[float, ...], low: float, high: float
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


def _is_hu(values: Values, sample: Values, low: float, high: float) -> bool:
    """Whether the values are a whole head's HU as they are."""
    marks = Landmarks.of(sample)
    if low > AIR_BELOW_HU or high < 200 or _brain_share(values) < MIN_BRAIN_FRACTION:
        return False
    if not marks.could_be_hu:
        return False
    if marks.air + marks.fat >= 0.01:
        return True
    # Neither air's noise nor fat: drawn, or restored from a window, if bone is one value; of a
    # measured head only the brain is left, unless bone makes up what it does in a head.
    solid = _constant_bone(sample) or marks.bone >= 0.15
    return solid and _offset(sample) is None


def _constant_bone(sample: Values) -> bool:
    tissue = sample[sample > -300]
    bone, counts = np.unique(tissue[tissue >= 300], return_counts=True)
    return bool(len(bone)) and int(counts.max()) >= 0.01 * tissue.size


def _brain_share(values: Values) -> float:
    some = values[::2, ::2] if values.size > SAMPLE else values
    return np.count_nonzero((some >= BRAIN_HU[0]) & (some <= BRAIN_HU[1])) / some.size


def _mended(values: Values, sample: Values) -> str | None:
    """Mend the values in place if it is clear how; what was done, or None."""
    for wrap in (65536.0, 4096.0):
        limit = wrap / 2 if wrap > 5e4 else 3071.0
        if sample.size and sample.max() > limit and sample.min() >= 0:
            turned = np.where(sample > limit, sample - np.float32(wrap), sample)
            if Landmarks.of(turned).all_three:
                values[values > limit] -= np.float32(wrap)
                return (
                    f"the values are not HU but HU modulo {wrap:g}: air lies near {wrap - 1000:g}; "
                    f"{wrap:g} was taken off what is above {limit:g}"
                )
    offset = _offset(sample)
    if offset is None:
        return None
    air, soft = _peaks(sample) or (0.0, 0.0)
    values -= np.float32(offset)
    done = f"{abs(offset):g} was {'subtracted' if offset > 0 else 'added'}"
    return (
        f"the values are not HU but HU {'+' if offset > 0 else '-'} {abs(offset):g}: air lies at "
        f"{air:.0f}, soft tissue at {soft:.0f}, bone above; {done} (check the rescale intercept)"
    )


def _offset(sample: Values) -> float | None:
    """The offset that air, soft tissue and bone agree on, if just one is."""
    peaks = _peaks(sample)
    if peaks is None:
        return None
    air, soft = peaks
    fits = [
        b
        for b in OFFSETS
        if abs(air + 1000 - b) <= AIR_TOLERANCE
        and abs(soft - 33 - b) <= SOFT_TOLERANCE
        and Landmarks.of(sample - np.float32(b)).all_three
    ]
    return fits[0] if len(fits) == 1 else None


def _peaks(sample: Values) -> tuple[float, float] | None:
    """Values of the two highest peaks of the histogram, lower first: air and soft tissue."""
    if sample.size < 100:
        return None
    low, high = np.percentile(sample, [0.1, 99.9])
    if not high > low:
        return None
    counts, edges = np.histogram(sample, bins=2048, range=(low, high))
    smooth = ndimage.gaussian_filter1d(counts.astype(float), 2.0)
    first = int(smooth.argmax())
    apart = np.abs(np.arange(2048) - first) > 200
    second = int(np.where(apart, smooth, -1).argmax())
    if smooth[second] < 0.02 * smooth[first]:
        return None
    width = 4 * (edges[1] - edges[0])
    found = sorted(
        float(np.median(sample[np.abs(sample - edges[i]) <= width])) for i in (first, second)
    )
    return found[0], found[1]


def _shifted(sample: Values) -> list[str]:
    """A warning where air and brain both lie too high, or both too low, by a little."""
    marks = Landmarks.of(sample)
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


def _refusal(path: Path, values: Values, sample: Values, padding: tuple[float, ...]) -> InputError:
    low, high = float(values.min()), float(values.max())
    came = f"the values run from {low:g} to {high:g}"
    if padding and padding[0] < low + 1 and sample.size:
        came += f" (without {low:g}, which surrounds the image, from {sample.min():g})"
    rest = np.concatenate([sample, [p for p in padding if p > AIR_BELOW_HU]])
    guess = _what_it_looks_like(rest if rest.size else np.ravel(values))
    if low > AIR_BELOW_HU:
        return InputError(
            f"{path}: not a whole head in Hounsfield units: {came}. Expected air near -1000 "
            f"around the head. {guess}"
        )
    return InputError(
        f"{path}: not a head CT in Hounsfield units: {came}, and {100 * _brain_share(values):.1f} "
        f"% of the voxels lie between 0 and 100 HU. Expected air near -1000, brain at 20 to 45 "
        f"and bone above 300; check that this is the right image and its rescale slope. {guess}"
    )


def _what_it_looks_like(rest: Values) -> str:
    """What values without padding may be, and the remedy."""
    low, high = float(rest.min()), float(rest.max())
    for fits, text in _LOOKS:
        if fits(low, high):
            return text
    if Landmarks.of(-rest).all_three or Landmarks.of(high - 1000 - rest).all_three:
        return "This looks inverted: air is bright and bone dark. Give the original CT."
    peaks = _peaks(rest)
    if peaks is None:
        return "Check the modality and the rescale slope and intercept; give the original CT."
    air, soft = peaks
    slope = 1033 / (soft - air)
    return (
        f"The two commonest values are {air:.4g} and {soft:.4g}; if they are air and soft tissue, "
        f"HU are {slope:.4g} x value {-1000 - slope * air:+.0f}. Check the modality and the "
        f"rescale slope and intercept; give the original CT."
    )


def _between(least: float, most: float, lowest: float = 0.0) -> Callable[[float, float], bool]:
    return lambda low, high: low >= lowest and least < high <= most


_LOOKS: tuple[tuple[Callable[[float, float], bool], str], ...] = (
    (_between(-np.inf, 1.001), "This looks like an image scaled to 0..1; give the original HU."),
    (
        _between(1.001, 255),
        "This looks like an 8-bit picture of one window, or skull-stripped; its HU are lost. Give "
        "the CT.",
    ),
    (
        _between(1000, 4095),
        "This looks like CT stored from 0 to 4095 without its rescale (often HU + 1024), or "
        "Cormack units. Subtract 1024, or set scl_inter = -1024, if that is how it was made.",
    ),
    (
        _between(-np.inf, 2000, -150.0),
        "This looks skull-stripped or windowed; give the head with skull and air.",
    ),
)


def landmarks_of(values: NDArray[np.float32]) -> Landmarks:
    """The landmarks of an image in HU."""
    return Landmarks.of(_sample(values, padding_values(values)))
