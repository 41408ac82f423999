"""What domain randomisation adds to a phantom, as plain data: drawn first, applied later, recorded.

`randomised` draws it; `artefacts` and `dura` apply it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Glow:
    """Brain beside thick bone is brighter by up to `hu` (darker where negative): beam hardening.

    It falls off over `reach_mm`, is strongest towards `towards_deg` (0 front, 90 left, seen from
    above), and by the share `one_sided` weaker opposite to it.
    """

    hu: float
    reach_mm: float
    towards_deg: float
    one_sided: float


@dataclass(frozen=True)
class Dura:
    """Tentorium, venous sinuses and the arteries of the base, as bright as real ones; not labelled.

    Radii in mm; `transverse_mm` are those of the left and the right sinus. `plaques` are calcified
    parts of the falx: (y, z, radius along y, radius along z, HU), in MNI mm.
    """

    blood_hu: float
    opacity: float
    tentorium_mm: float
    sagittal_mm: float
    torcula_mm: float
    straight_mm: float
    transverse_mm: tuple[float, float]
    arteries_mm: float
    plaques: tuple[tuple[float, float, float, float, float], ...]
    seed: int


@dataclass(frozen=True)
class ScanStreak:
    """A straight band across the slices about a height: 0 is the lowest slice and 1 the highest.

    Its middle passes the scan's middle at `offset_mm`; `hu` there, with a Gaussian profile of
    `width_mm` in the slice and `reach_mm` from slice to slice.
    """

    height: float
    reach_mm: float
    angle_deg: float
    offset_mm: float
    width_mm: float
    hu: float


@dataclass(frozen=True)
class Variation:
    """One scan's artefacts, kernel and slices.

    `sharpening` is how much a kernel enhances edges: hu + sharpening (hu - hu smoothed).
    """

    thickness_mm: float
    sharpening: float
    glow: Glow
    dura: Dura
    streaks: tuple[ScanStreak, ...]
