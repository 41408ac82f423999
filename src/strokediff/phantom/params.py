"""Every random choice of a phantom, drawn first, applied later, recorded with the data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

import numpy as np

from strokediff.errors import UsageError
from strokediff.phantom.variation import Variation
from strokediff.util.kinds import HAEMORRHAGE, INFARCT

LesionKind = Literal["infarct", "hemorrhage"]
KIND_OF: dict[str, str] = {"infarct": INFARCT, "hemorrhage": HAEMORRHAGE}
"""What a phantom's `kind` is called among the kinds of lesion; either name is taken."""


def lesion_kind(name: str) -> LesionKind:
    """A phantom's kind by either of its names; `UsageError` for any other.

    >>> lesion_kind("haemorrhage")
    'hemorrhage'
    """
    for own, named in KIND_OF.items():
        if name in (own, named):
            return cast(LesionKind, own)
    raise UsageError(f"unknown kind '{name}': expected one of {sorted(KIND_OF)}")


@dataclass(frozen=True)
class DrawnHead:
    """The head: its size, pose and tissue. Lengths in mm, angles in degrees, values in HU."""

    scale: tuple[float, float, float]
    rotation_deg: tuple[float, float, float]
    shift_mm: tuple[float, float, float]
    warp_mm: float
    atrophy: float
    skull_mm: float
    scalp_mm: float
    grey_hu: float
    white_hu: float
    deep_hu: float
    csf_hu: float
    blood_hu: float
    bone_hu: float
    diploe_hu: float
    texture_hu: float
    seed: int


@dataclass(frozen=True, kw_only=True)
class DrawnLesion:
    """One lesion: territory, volume at the template's scale, contrast, edge, mass effect."""

    territory: str
    side: int
    volume_ml: float
    contrast_hu: float
    edge_mm: float
    irregularity: float
    swelling: float = 0.0
    ventricular: float = 0.0
    rim_hu: float = 0.0
    rim_mm: float = 0.0
    seed: int


@dataclass(frozen=True)
class Confounders:
    """What fools a reader and is never labelled."""

    old_infarcts: tuple[DrawnLesion, ...]
    leukoaraiosis_hu: float
    leukoaraiosis_mm: float
    calcified: tuple[tuple[float, float, float, float, float], ...]
    cupping_hu: float
    dark_band_hu: float
    streak_hu: float
    patchiness_hu: float
    seed: int


@dataclass(frozen=True)
class Scanner:
    """The acquisition.

    `noise_hu` is the standard deviation at the head's centre in 5 mm slices, `offset_hu` the
    scanner's calibration error in soft tissue.
    """

    fov_mm: float
    noise_hu: float
    psf_mm: float
    cutoff_per_mm: float
    offset_hu: float
    headrest: bool
    below_mm: float
    seed: int


@dataclass(frozen=True)
class Parameters:
    """All that distinguishes one phantom from another; `variation` where it is randomised."""

    kind: LesionKind
    subject: DrawnHead
    lesions: tuple[DrawnLesion, ...]
    confounders: Confounders
    scanner: Scanner
    variation: Variation | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        content = asdict(self)
        return content if self.variation else {k: v for k, v in content.items() if k != "variation"}


def draw_parameters(
    kind: LesionKind, rng: np.random.Generator, *, empty_fraction: float = 0.0
) -> Parameters:
    """Draw a patient of `kind`; with probability `empty_fraction` one without a lesion."""
    subject = draw_subject(rng)
    empty = rng.random() < empty_fraction
    lesions = draw_infarcts(rng, subject) if kind == "infarct" else draw_haematoma(rng)
    return Parameters(
        kind=kind,
        subject=subject,
        lesions=() if empty else lesions,
        confounders=draw_confounders(rng, subject),
        scanner=draw_scanner(rng),
    )


def draw_subject(rng: np.random.Generator) -> DrawnHead:
    """Elderly heads: ICV about 1.45 L on average, some atrophy."""
    size = rng.normal(0.925, 0.03)
    grey = rng.normal(37.0, 1.3)
    return DrawnHead(
        scale=tuple(float(size * (1 + e)) for e in rng.normal(0, 0.025, 3)),  # type: ignore[arg-type]
        rotation_deg=(
            float(rng.normal(8, 6)),
            float(rng.normal(0, 3)),
            float(rng.normal(0, 5)),
        ),
        shift_mm=(float(rng.normal(0, 4)), float(rng.normal(0, 5)), float(rng.normal(0, 2))),
        warp_mm=float(rng.uniform(2.0, 4.5)),
        atrophy=float(rng.beta(2.0, 2.5)),
        skull_mm=float(rng.uniform(4.5, 8.5)),
        scalp_mm=float(rng.uniform(3.5, 8.0)),
        grey_hu=float(grey),
        white_hu=float(grey - rng.normal(7.5, 0.9)),
        deep_hu=float(grey + rng.normal(0.5, 0.6)),
        csf_hu=float(rng.normal(5.0, 2.0)),
        blood_hu=float(rng.uniform(46, 60)),
        bone_hu=float(rng.uniform(1000, 1500)),
        diploe_hu=float(rng.uniform(450, 900)),
        texture_hu=float(rng.uniform(0.5, 1.1)),
        seed=draw_seed(rng),
    )


def draw_seed(rng: np.random.Generator) -> int:
    """A seed for a random field."""
    return int(rng.integers(2**31))


def draw_volume(
    rng: np.random.Generator, median: float, sigma: float, low: float, high: float
) -> float:
    """Log-normal volume in mL, clipped to [low, high]."""
    return float(np.clip(median * np.exp(sigma * rng.standard_normal()), low, high))


INFARCT_TERRITORIES = {
    "mca": 0.65,
    "mca_deep": 0.10,
    "pca": 0.12,
    "aca": 0.05,
    "cerebellum": 0.05,
    "lacune": 0.03,
}
HAEMATOMA_SITES = {"putamen": 0.42, "thalamus": 0.22, "lobar": 0.26, "cerebellum": 0.10}


def draw_one(rng: np.random.Generator, weights: dict[str, float]) -> str:
    """One key, with probability proportional to its weight."""
    names = list(weights)
    p = np.array(list(weights.values()))
    return names[int(rng.choice(len(names), p=p / p.sum()))]


INFARCT_VOLUME_ML = {
    "mca": (60.0, 0.8, 6.0, 220.0),
    "mca_deep": (8.0, 0.6, 1.5, 30.0),
    "pca": (20.0, 0.7, 3.0, 80.0),
    "aca": (14.0, 0.6, 3.0, 50.0),
    "cerebellum": (14.0, 0.7, 2.0, 50.0),
    "lacune": (0.9, 0.5, 0.3, 3.0),
}


def draw_infarcts(rng: np.random.Generator, subject: DrawnHead) -> tuple[DrawnLesion, ...]:
    """One acute or subacute infarct, sometimes with a satellite in the same hemisphere."""
    territory = draw_one(rng, INFARCT_TERRITORIES)
    side = int(rng.choice((-1, 1)))
    contrast = -float(np.clip(12.0 * np.exp(0.32 * rng.standard_normal()), 3.0, 20.0))
    first = DrawnLesion(
        territory=territory,
        side=side,
        volume_ml=draw_volume(rng, *INFARCT_VOLUME_ML[territory]),
        contrast_hu=contrast,
        edge_mm=float(rng.uniform(1.5, 5.0)),
        irregularity=float(rng.uniform(0.25, 0.6)),
        swelling=float(rng.uniform(0.0, 0.6)),
        seed=draw_seed(rng),
    )
    satellite = DrawnLesion(
        territory="mca",
        side=side,
        volume_ml=draw_volume(rng, 2.0, 0.8, 0.3, 8.0),
        contrast_hu=contrast * float(rng.uniform(0.7, 1.0)),
        edge_mm=float(rng.uniform(1.5, 3.0)),
        irregularity=0.4,
        seed=draw_seed(rng),
    )
    return (first, satellite) if rng.random() < 0.2 else (first,)


def draw_haematoma(rng: np.random.Generator) -> tuple[DrawnLesion, ...]:
    """One spontaneous haematoma with its oedema; deep ones may break into a ventricle."""
    site = draw_one(rng, HAEMATOMA_SITES)
    opens = site in ("putamen", "thalamus") and rng.random() < (0.45 if site == "thalamus" else 0.2)
    return (
        DrawnLesion(
            territory=site,
            side=int(rng.choice((-1, 1))),
            volume_ml=draw_volume(
                rng,
                *{
                    "putamen": (11.0, 0.95, 0.5, 110.0),
                    "thalamus": (6.0, 0.8, 0.4, 35.0),
                    "lobar": (13.0, 1.0, 0.5, 120.0),
                    "cerebellum": (6.0, 0.8, 0.4, 40.0),
                }[site],
            ),
            contrast_hu=float(np.clip(rng.normal(62, 6.5), 50, 80)),
            edge_mm=float(rng.uniform(1.5, 5.0)),
            irregularity=float(rng.uniform(0.25, 0.7)),
            swelling=float(rng.uniform(0.2, 1.0)),
            ventricular=float(rng.uniform(0.15, 0.9)) if opens else 0.0,
            rim_hu=-float(rng.uniform(4, 12)),
            rim_mm=float(rng.uniform(2.0, 7.0)),
            seed=draw_seed(rng),
        ),
    )


SMALL_OLD, LARGE_OLD = ("mca_deep", "lacune"), ("mca", "pca", "cerebellum")


def draw_confounders(rng: np.random.Generator, subject: DrawnHead) -> Confounders:
    """Old infarcts, leukoaraiosis, calcification, beam hardening."""
    old = []
    for _ in range(int(rng.choice(4, p=(0.62, 0.22, 0.11, 0.05)))):
        small = rng.random() < 0.6
        old.append(
            DrawnLesion(
                territory=str(rng.choice(SMALL_OLD if small else LARGE_OLD)),
                side=int(rng.choice((-1, 1))),
                volume_ml=draw_volume(rng, *((0.4, 0.6, 0.1, 2.0) if small else (8, 0.8, 1, 40))),
                contrast_hu=float(rng.uniform(6, 16)),
                edge_mm=1.5,
                irregularity=0.5,
                seed=draw_seed(rng),
            )
        )
    return Confounders(
        old_infarcts=tuple(old),
        leukoaraiosis_hu=-float(rng.uniform(0, 10) * (0.3 + subject.atrophy)),
        leukoaraiosis_mm=float(rng.uniform(3, 9)),
        calcified=draw_calcifications(rng),
        cupping_hu=float(rng.uniform(0.5, 4.0)),
        dark_band_hu=-float(rng.uniform(1, 9)),
        streak_hu=float(rng.uniform(0, 5)),
        patchiness_hu=float(rng.uniform(0.4, 1.2)),
        seed=draw_seed(rng),
    )


def draw_calcifications(
    rng: np.random.Generator,
) -> tuple[tuple[float, float, float, float, float], ...]:
    """(x, y, z, radius, HU) in MNI mm: pineal, choroid plexus, pallidum."""
    sites: list[tuple[float, float, float, float]] = []
    if rng.random() < 0.65:
        sites.append((0.0, -29.0, 1.0, rng.uniform(1.2, 2.6)))
    if rng.random() < 0.6:
        sites += [(s * 25.0, -42.0, 10.0, rng.uniform(1.5, 3.5)) for s in (-1, 1)]
    if rng.random() < 0.2:
        sites += [(s * 19.0, -3.0, 0.0, rng.uniform(1.0, 3.0)) for s in (-1, 1)]
    return tuple(
        (
            float(x + rng.normal(0, 1)),
            float(y + rng.normal(0, 1.5)),
            float(z + rng.normal(0, 1.5)),
            float(r),
            float(rng.uniform(90, 350)),
        )
        for x, y, z, r in sites
    )


def draw_scanner(rng: np.random.Generator) -> Scanner:
    """A head protocol: smooth soft-tissue kernel, 225-250 mm field of view."""
    return Scanner(
        fov_mm=float(rng.uniform(226, 250)),
        noise_hu=float(rng.uniform(2.0, 3.6)),
        psf_mm=float(rng.uniform(0.9, 1.3)),
        cutoff_per_mm=float(rng.uniform(0.28, 0.40)),
        offset_hu=float(np.clip(rng.normal(0.8, 1.8), -4, 5)),
        headrest=bool(rng.random() < 0.6),
        below_mm=float(rng.uniform(0, 12)),
        seed=draw_seed(rng),
    )
