"""What is measured of a scan to tell whether it is like others: one line adds a feature.

None follows a lesion: quartiles and medians hardly move when a tenth of the brain is another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from strokediff.segmentation.trust.examined import Examined

KERNEL = "Use a series with a soft-tissue kernel or thicker slices, if there is one."
SCANNER = "Look at the outline closely; a model trained on scans like this one is better."
WHOLE = "Give a series that shows the whole head, if there is one."


@dataclass(frozen=True)
class Feature:
    """`of` measures it; `remedy` says what to do where it is unlike.

    Patients whose range is narrower than `tolerance` are taken to have that range.
    """

    what: str
    unit: str
    tolerance: float
    of: Callable[[Examined], float]
    remedy: str = SCANNER


def _quantile(q: float) -> Callable[[Examined], float]:
    return lambda scan: float(np.quantile(scan.hu[scan.core], q))


def _noise(scan: Examined) -> float:
    return float(np.median(scan.noise_hu))


def _sharpness(scan: Examined) -> float:
    return scan.own_noise_hu / max(_noise(scan), 0.1)


def _between_slices(scan: Examined) -> float:
    both = scan.core[1:] & scan.core[:-1]
    steps = np.abs(scan.hu[1:] - scan.hu[:-1])[both]
    return float(1.4826 / np.sqrt(2) * np.median(steps)) if steps.size else 0.0


def _contrast(scan: Examined) -> float:
    low, high = np.quantile(scan.smooth[scan.core], [0.1, 0.9])
    return float(high - low)


def _cupping(scan: Examined) -> float:
    rim, middle = (scan.depth_mm > 4) & (scan.depth_mm <= 14), scan.depth_mm > 30
    if not (rim.any() and middle.any()):
        return 0.0
    return float(np.median(scan.hu[rim]) - np.median(scan.hu[middle]))


def _turned(scan: Examined) -> float:
    """By the long axis of the brain, which runs front to back, over the larger sections."""
    area = scan.brain.sum(axis=(1, 2))
    index = np.argwhere(scan.brain[area >= 0.7 * area.max()])[:, 1:].astype(np.float64)
    _, axes = np.linalg.eigh(np.cov(index.T))
    down, across = axes[:, 1]
    return float(np.degrees(np.arctan2(abs(across), abs(down))))


def _slices_mm(scan: Examined) -> float:
    return float(np.median(scan.ct.slice_increments_mm))


FEATURES: Mapping[str, Feature] = {
    "noise": Feature("noise on a grid of 2 mm", "HU", 0.3, _noise, KERNEL),
    "kernel": Feature("noise at 1 mm as a multiple of that at 2 mm", "", 0.5, _sharpness, KERNEL),
    "between slices": Feature("difference from slice to slice", "HU", 0.5, _between_slices),
    "lower quartile": Feature("lower quartile of the brain", "HU", 1.0, _quantile(0.25)),
    "median": Feature("median of the brain", "HU", 1.0, _quantile(0.5)),
    "upper quartile": Feature("upper quartile of the brain", "HU", 1.0, _quantile(0.75)),
    "contrast": Feature("range (10 % to 90 %) of the smoothed brain", "HU", 1.0, _contrast),
    "cupping": Feature("excess of the brain near the skull over its middle", "HU", 1.0, _cupping),
    "slice thickness": Feature("distance between slices", "mm", 2.0, _slices_mm),
    "turned": Feature("turn of the head in the plane", "degrees", 5.0, _turned),
}


def measure_features(scan: Examined) -> dict[str, float]:
    """All of them, by name; none where no slice shows enough brain."""
    if not scan.core.any():
        return {}
    return {name: round(feature.of(scan), 4) for name, feature in FEATURES.items()}
