"""Laws: a sound head passes; each check speaks up for what it is for, with number and remedy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from strokediff.ct.brain import BrainMask
from strokediff.ct.volume import CT
from strokediff.segmentation.trust.checks import CHECKS, Case
from strokediff.segmentation.trust.examined import Examined
from strokediff.segmentation.trust.features import FEATURES
from strokediff.segmentation.trust.judge import UNLIKE, trust_of
from strokediff.segmentation.trust.population import Population

SHAPE, SPACING = (144, 180, 28), (1.0, 1.0, 5.0)
X, Y, Z = np.ogrid[-1:1:144j, -1:1:180j, -1:1:28j]
R = np.sqrt(X**2 + Y**2 + Z**2)
BRAIN = R < 0.9
SOUND = BrainMask(BRAIN, float(BRAIN.sum()) * 5 / 1000, (), False)


def head(noise_hu: float = 6.0, seed: int = 0, grain: float = 0.6) -> NDArray[np.float32]:
    """A brain with grey and white, noise of a soft kernel, in a skull."""
    tissue = 32 + 5 * np.sin(9 * X) * np.sin(7 * Y) + 3 * (R / 0.9) ** 8
    hu = np.select([BRAIN, R < 0.97], [tissue, 900.0], default=-1000.0)
    noise = np.random.default_rng(seed).normal(0, 1, SHAPE)
    smooth = ndimage.gaussian_filter(noise, (grain, grain, 0)) if grain else noise
    return (hu + noise_hu * smooth / smooth.std()).astype(np.float32)


def case(hu: NDArray[np.float32], brain: BrainMask = SOUND, **own: object) -> Case:
    ct = CT(hu, np.diag([*SPACING, 1.0]))
    known: dict[str, object] = {"lesion_ml": 10.0, **own}
    return Case(Examined(ct, brain), **known)  # type: ignore[arg-type]


def said(looked: Case) -> set[str]:
    return {reason.check for reason in trust_of(looked).reasons}


def test_a_sound_head_passes_every_check() -> None:
    found = trust_of(case(head()))
    assert found.ok and not found.reasons and found.unlikeness is None


def moved(hu: NDArray[np.float32]) -> Case:
    """One slice in the middle, and the brain in it, 12 mm to the side."""
    mask = BRAIN.copy()
    hu, mask = hu.copy(), mask
    hu[:, :, 14], mask[:, :, 14] = np.roll(hu[:, :, 14], 12, 0), np.roll(mask[:, :, 14], 12, 0)
    return case(hu, replace(SOUND, mask=mask))


def cut(hu: NDArray[np.float32]) -> Case:
    mask = BRAIN.copy()
    mask[:, :, 16:] = False
    return case(hu, replace(SOUND, mask=mask, truncated=True))


def tall(hu: NDArray[np.float32]) -> Case:
    ct = CT(hu, np.diag([1.0, 1.0, 14.0, 1.0]))
    return Case(Examined(ct, SOUND), 10.0)


SPOILT = dict.fromkeys(range(8, 13), "streaks")
WRONG: dict[str, Callable[[NDArray[np.float32]], Case]] = {
    "brain": lambda hu: case(hu, replace(SOUND, volume_ml=500.0)),
    "coverage": cut,
    "unusable slices": lambda hu: case(hu, replace(SOUND, unusable=SPOILT)),
    "voxel size": lambda hu: case(hu, size=["the head measures 1 mm"]),
    "contrast": lambda hu: case(hu, contrast=["contrast medium seems to have been given"]),
    "noise": lambda hu: case(head(40.0, grain=1.2)),
    "kernel": lambda hu: case(head(9.0, grain=0.0)),
    "motion": moved,
    "finding": lambda hu: case(hu, lesion_ml=1000.0),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_each_check_speaks_up_for_what_it_is_for(name: str) -> None:
    found = trust_of(WRONG[name](head()))
    assert not found.ok and {reason.check for reason in found.reasons} == {name}
    if name not in ("voxel size", "contrast"):
        (reason,) = found.reasons
        low, high = reason.expected or (None, None)
        assert reason.measured is not None
        assert (low is None or reason.measured < low) or (
            high is not None and reason.measured > high
        )


def test_there_is_a_wrong_head_for_every_check() -> None:
    assert len(WRONG) == len(CHECKS)
    assert "coverage" in said(tall(head()))


def test_a_head_without_a_section_of_brain_is_said_and_not_measured() -> None:
    nothing = replace(SOUND, mask=BRAIN & False, volume_ml=0.0)
    looked = case(head(), nothing)
    assert looked.features == {} and said(looked) == {"brain"}
    known = Population.of([dict.fromkeys(FEATURES, 1.0)] * 20)
    assert trust_of(looked, known).unlikeness is None


def test_a_scan_unlike_the_training_is_told_by_what() -> None:
    alike = [case(head(6.0, seed)).features for seed in range(3)]
    known = Population.of(alike * 5, "phantoms")
    assert trust_of(case(head(6.0, 9)), known).ok
    found = trust_of(case(head(6.0) + 8 * BRAIN), known)
    assert {reason.check for reason in found.reasons} == {UNLIKE}
    text = " ".join(reason.text for reason in found.reasons)
    assert "The median of the brain is" in text and "of the 15 phantoms" in text
    assert found.unlikeness is not None and found.unlikeness > 1


@pytest.mark.parametrize(
    ("name", "hu"),
    [
        ("noise", lambda: head(20.0)),
        ("kernel", lambda: head(6.0, grain=0.0)),
        ("contrast", lambda: head() + 8 * np.sin(9 * X) * np.sin(7 * Y) * BRAIN),
        ("cupping", lambda: head() + 12 * (R / 0.9) ** 4 * BRAIN),
        ("median", lambda: head() + 3 * BRAIN),
        ("between slices", lambda: head() + 6 * np.sin(40 * Z) * BRAIN),
    ],
)
def test_a_feature_grows_with_what_it_measures(
    name: str, hu: Callable[[], NDArray[np.float32]]
) -> None:
    plain, more = case(head()).features[name], case(hu().astype(np.float32)).features[name]
    assert more > plain + FEATURES[name].tolerance


def test_a_lesion_does_not_make_a_scan_unlike() -> None:
    """A haemorrhage of 60 mL moves no feature by more than its tolerance, or a tenth of noise."""
    blood = (X - 0.4) ** 2 + Y**2 + Z**2 < 0.28**2
    plain, bled = (
        case(head()).features,
        case(np.where(blood, 65, head()).astype(np.float32)).features,
    )
    for name, feature in FEATURES.items():
        assert abs(bled[name] - plain[name]) <= max(feature.tolerance, 0.1 * plain[name]), name
