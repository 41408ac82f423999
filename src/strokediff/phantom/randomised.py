"""Domain randomisation: heads, poses, scanners and artefacts, wider than real scans show.

A network that has seen more than there is takes a real scan for one more of these.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from strokediff.phantom.params import (
    Confounders,
    DrawnHead,
    LesionKind,
    Parameters,
    Scanner,
    draw_parameters,
    draw_seed,
)
from strokediff.phantom.variation import Dura, Glow, ScanStreak, Variation

MOST_DEG = 30.0


def draw_randomised(
    kind: LesionKind, rng: np.random.Generator, *, empty_fraction: float = 0.0
) -> Parameters:
    """As `draw_parameters`, and then everything of head and scanner anew."""
    drawn = draw_parameters(kind, rng, empty_fraction=empty_fraction)
    variation = draw_variation(rng)
    return replace(
        drawn,
        subject=randomised_head(rng, drawn.subject),
        confounders=randomised_confounders(rng, drawn.confounders),
        scanner=randomised_scanner(rng, drawn.scanner, variation.thickness_mm),
        variation=variation,
    )


def randomised_head(rng: np.random.Generator, subject: DrawnHead) -> DrawnHead:
    """Nodded, leaning and turned by up to 30 degrees, half of the time each as usual."""
    grey = float(rng.uniform(33, 41))
    a, b, c = (
        float(np.clip(usual if rng.random() < 0.5 else rng.uniform(-1, 1) * MOST_DEG, -30, 30))
        for usual in subject.rotation_deg
    )
    return replace(
        subject,
        rotation_deg=(a, b, c),
        warp_mm=float(rng.uniform(1.5, 6.0)),
        skull_mm=float(rng.uniform(3.5, 11.0)),
        scalp_mm=float(rng.uniform(2.5, 11.0)),
        grey_hu=grey,
        white_hu=grey - float(rng.uniform(4.0, 10.0)),
        deep_hu=grey + float(rng.uniform(-1.0, 2.5)),
        csf_hu=float(rng.uniform(0.0, 14.0)),
        bone_hu=float(rng.uniform(800, 1700)),
        texture_hu=float(rng.uniform(0.3, 1.8)),
    )


def randomised_confounders(rng: np.random.Generator, drawn: Confounders) -> Confounders:
    """Cupping, the dark band between the petrous bones, streaks and patches."""
    return replace(
        drawn,
        cupping_hu=float(rng.uniform(-1.0, 6.0)),
        dark_band_hu=-float(rng.uniform(0.0, 14.0)),
        streak_hu=float(rng.uniform(0.0, 8.0)),
        patchiness_hu=float(rng.uniform(0.2, 2.0)),
    )


def randomised_scanner(rng: np.random.Generator, scanner: Scanner, thickness_mm: float) -> Scanner:
    """Noise of 1 to 8 HU in the slices as they are, smooth to sharp kernels, any field of view."""
    noise = float(np.exp(rng.uniform(np.log(1.0), np.log(8.0))))
    sharp = float(rng.random())
    return replace(
        scanner,
        fov_mm=float(rng.uniform(215, 300)),
        noise_hu=noise * float(np.sqrt(thickness_mm / 5.0)),
        psf_mm=2.0 - 1.3 * sharp,
        cutoff_per_mm=0.22 + 0.5 * sharp,
        offset_hu=float(rng.uniform(-5.0, 5.0)),
        below_mm=float(rng.uniform(0, 30)),
    )


def draw_variation(rng: np.random.Generator) -> Variation:
    """What other phantoms do not have; slices of 4 to 8 mm as often as of 1 to 4 mm."""
    thick = rng.random() < 0.5
    thickness = rng.uniform(4, 8) if thick else np.exp(rng.uniform(0, np.log(4)))
    return Variation(
        thickness_mm=round(float(thickness), 2),
        sharpening=float(rng.uniform(0.1, 0.8)) if rng.random() < 0.3 else 0.0,
        glow=Glow(
            hu=float(rng.uniform(-3, 14)),
            reach_mm=float(rng.uniform(5, 16)),
            towards_deg=float(rng.uniform(0, 360)),
            one_sided=float(rng.uniform(0, 1)) if rng.random() < 0.5 else 0.0,
        ),
        dura=draw_dura(rng),
        streaks=draw_streaks(rng),
    )


def draw_dura(rng: np.random.Generator) -> Dura:
    """Blood of 46 to 74 HU in wide and narrow sinuses; the falx is calcified in a third."""
    plaques = rng.integers(1, 4) if rng.random() < 0.35 else 0
    return Dura(
        blood_hu=float(rng.uniform(46, 74)),
        opacity=float(rng.uniform(0.5, 1.0)),
        tentorium_mm=float(rng.uniform(0.8, 3.5)),
        sagittal_mm=float(rng.uniform(3.0, 7.5)),
        torcula_mm=float(rng.uniform(3.0, 9.0)),
        straight_mm=float(rng.uniform(1.0, 3.0)),
        transverse_mm=(float(rng.uniform(1.5, 7.0)), float(rng.uniform(1.5, 7.0))),
        arteries_mm=float(rng.uniform(0.8, 2.4)),
        plaques=tuple(
            (
                float(rng.uniform(-50, 55)),
                float(rng.uniform(25, 65)),
                float(rng.uniform(2, 12)),
                float(rng.uniform(2, 8)),
                float(rng.uniform(90, 500)),
            )
            for _ in range(int(plaques))
        ),
        seed=draw_seed(rng),
    )


def draw_streaks(rng: np.random.Generator) -> tuple[ScanStreak, ...]:
    """None in half of the scans, else up to six, dark or bright, more of them low in the head."""
    if rng.random() < 0.5:
        return ()
    return tuple(
        ScanStreak(
            height=float(rng.beta(1.2, 2.2)),
            reach_mm=float(rng.uniform(2, 10)),
            angle_deg=float(rng.uniform(0, 180)),
            offset_mm=float(rng.normal(0, 30)),
            width_mm=float(rng.uniform(1.0, 6.0)),
            hu=float(rng.choice((-1.0, 1.0)) * rng.uniform(2, 10)),
        )
        for _ in range(int(rng.integers(1, 7)))
    )
