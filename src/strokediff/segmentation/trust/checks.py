"""What speaks against a result, one small check each: a line in `CHECKS` adds one.

Each says what was measured, what was expected and what to do. Limits are where real heads that
were looked at end, and what no head should have; what a model has not seen is `population`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from strokediff.ct.brain.remarks import PLAUSIBLE_ML, implausible, slices
from strokediff.result.figures import Reason
from strokediff.segmentation.trust.examined import Examined
from strokediff.segmentation.trust.features import FEATURES, KERNEL, measure_features
from strokediff.segmentation.uncertainty import IMPLAUSIBLE_SHARE

NOISE_HU = 3.5
"""On a grid of 2 mm; real heads have 1.2 to 2.4."""
KERNEL_TIMES = 3.5
"""How much more noise a pixel of 1 mm may have; 1.2 to 2.7 for soft-tissue kernels."""
ODD_SHARE = 0.06
"""Of a section of the brain that no slice beside it shows; 0.01 to 0.046 in heads at rest."""
LARGE = 0.6
"""Sections of this share of the largest are compared: at its ends a brain changes fast."""
CUT_SHARE = 0.4
"""Of the largest section; a scan that ends there shows less than the whole brain by far."""
FEW_SLICES, GAP_MM, UNUSABLE_SHARE = 8, 12.5, 0.1


@dataclass(frozen=True)
class Case:
    """A scan, the volume that was found in it, and warnings that other checks had for it."""

    scan: Examined
    lesion_ml: float
    size: Sequence[str] = ()
    contrast: Sequence[str] = ()

    @cached_property
    def features(self) -> dict[str, float]:
        """See `features`; none where no slice shows enough brain."""
        return measure_features(self.scan)


Check = Callable[[Case], list[Reason]]


def brain(case: Case) -> list[Reason]:
    """Brain that was not found, or of a volume that no adult has."""
    found, ct = case.scan.found, case.scan.ct
    told = implausible(ct, found.volume_ml, found.truncated)
    if not case.features:
        told = [
            f"No slice shows 20 cm² of brain that can be used ({found.volume_ml:.0f} mL were found "
            "in all). Give a series of the whole head."
        ]
    return [
        Reason(check="brain", text=text, measured=found.volume_ml, expected=PLAUSIBLE_ML)
        for text in told
    ]


def coverage(case: Case) -> list[Reason]:
    """Brain that the scan cuts wide, few slices, or large gaps between them."""
    scan, out = case.scan, []
    area = np.count_nonzero(scan.found.mask, axis=(0, 1))
    shown, gaps = np.flatnonzero(area), scan.ct.slice_increments_mm
    if not len(shown):
        return []
    share = float(max(area[shown[0]], area[shown[-1]]) / area.max())
    if scan.found.truncated and share > CUT_SHARE:
        text = (
            f"The scan ends where the brain still has {share:.0%} of its largest section "
            f"(expected at most {CUT_SHARE:.0%}): what lies beyond is in no figure. Give a series "
            "of the whole head."
        )
        out.append(_reason("coverage", text, share, CUT_SHARE))
    if len(shown) < FEW_SLICES:
        text = (
            f"{len(shown)} slices show the brain, expected {FEW_SLICES} or more: small lesions lie "
            "between them. Give thinner slices."
        )
        out.append(
            Reason(check="coverage", text=text, measured=len(shown), expected=(FEW_SLICES, None))
        )
    gap = float(gaps[shown].max())
    if gap > GAP_MM:
        text = (
            f"Slices lie up to {gap:.1f} mm apart, expected at most {GAP_MM:g} mm: what is "
            "between them was not seen. Give a series without gaps."
        )
        out.append(_reason("coverage", text, gap, GAP_MM))
    return out


def unusable(case: Case) -> list[Reason]:
    """Many slices in which nothing could be sought."""
    found = case.scan.found
    shown = np.count_nonzero(found.mask.any(axis=(0, 1)))
    share = len(found.unusable) / max(1, int(shown))
    if share <= UNUSABLE_SHARE:
        return []
    text = (
        f"{share:.0%} of the slices with brain could not be used (expected at most "
        f"{UNUSABLE_SHARE:.0%}), and lesions in them are guessed from the slices beside. Export "
        "the series again, or give another."
    )
    return [_reason("unusable slices", text, share, UNUSABLE_SHARE)]


def noise(case: Case) -> list[Reason]:
    """Noise beyond that of any head that was looked at."""
    return _feature(case, "noise", "noise", NOISE_HU)


def kernel(case: Case) -> list[Reason]:
    """Noise of fine grain: a bone kernel, or sharpened images."""
    return _feature(case, "kernel", "kernel", KERNEL_TIMES)


def motion(case: Case) -> list[Reason]:
    """Sections of the brain that stand out from those below and above."""
    scan = case.scan
    area = scan.brain.sum(axis=(1, 2))
    large = area >= LARGE * area.max(initial=0)
    odd = {}
    for k in range(1, len(area) - 1):
        below, own, above = scan.brain[k - 1 : k + 2]
        beside = scan.slices[k + 1] - scan.slices[k - 1] == 2
        if beside and large[k - 1 : k + 2].all():
            out = (own & ~below & ~above) | (~own & below & above)
            odd[int(scan.slices[k])] = float(out.sum() / area[k])
    moved = [k for k, share in odd.items() if share > ODD_SHARE]
    if not moved:
        return []
    worst = max(odd.values())
    text = (
        f"In {slices(moved)} the outline of the brain stands out from the slices beside by up to "
        f"{worst:.0%} of the section (expected at most {ODD_SHARE:.0%}): the head moved. Give a "
        "repeated series, if there is one."
    )
    return [_reason("motion", text, worst, ODD_SHARE)]


def voxel_size(case: Case) -> list[Reason]:
    """A head of a size that no head has."""
    return [Reason(check="voxel size", text=text) for text in case.size]


def contrast(case: Case) -> list[Reason]:
    """Contrast medium in the vessels."""
    return [Reason(check="contrast", text=text) for text in case.contrast]


def finding(case: Case) -> list[Reason]:
    """More lesion than any patient has."""
    brain_ml = case.scan.found.volume_ml
    share = case.lesion_ml / brain_ml if brain_ml else 0.0
    if share <= IMPLAUSIBLE_SHARE:
        return []
    text = (
        f"{share:.0%} of the brain is marked as lesion (expected at most {IMPLAUSIBLE_SHARE:.0%}), "
        "which no stroke does: the image is probably unlike those of the training. Look at it."
    )
    return [_reason("finding", text, share, IMPLAUSIBLE_SHARE)]


CHECKS: tuple[Check, ...] = (
    brain,
    coverage,
    unusable,
    voxel_size,
    contrast,
    noise,
    kernel,
    motion,
    finding,
)


def _reason(check: str, text: str, measured: float, most: float) -> Reason:
    return Reason(check=check, text=text, measured=round(measured, 4), expected=(None, most))


def _feature(case: Case, check: str, name: str, most: float) -> list[Reason]:
    """That a feature is above `most`."""
    value, feature = case.features.get(name, 0.0), FEATURES[name]
    if value <= most:
        return []
    unit = f" {feature.unit}" if feature.unit else ""
    text = (
        f"The {feature.what} is {value:.1f}{unit}, expected at most {most:.1f}{unit}: the network "
        f"takes noise for lesions. {KERNEL}"
    )
    return [_reason(check, text, value, most)]
