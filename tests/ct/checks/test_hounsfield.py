"""Law: HU are told from where air, soft tissue and bone lie; padding never decides, nor a minimum.

Every case is one small head, stored in another way. What is a head's HU is read as it is, what is
a known offset away is brought back exactly, and everything else is refused and named.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from small_head import brain_of, outside_circle, small_head

from strokediff.ct.checks.hounsfield import as_hounsfield
from strokediff.errors import InputError

Change = Callable[[np.ndarray], np.ndarray]
HU = small_head()
OUTSIDE, BRAIN = outside_circle(), brain_of()
PADDINGS = [-1024, -2000, -3024, -32768, 0, 3071, float("nan")]


def padded(hu: np.ndarray, value: float, where: np.ndarray = OUTSIDE) -> np.ndarray:
    return np.where(where, np.float32(value), hu)


def stripped(hu: np.ndarray, background: float) -> np.ndarray:
    """Brain with a rim of bone, as masks that are drawn a little wide leave it."""
    return padded(hu, background, ~brain_of() & (np.roll(BRAIN, 1, 0) == 0))


def read(hu: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Through the function, with any warning of NumPy's as an error."""
    with np.errstate(all="raise"):
        return as_hounsfield(Path("scan.nii"), np.array(hu, np.float32))


KEPT: dict[str, Change] = {
    "plain": lambda hu: hu,
    "noise of a bone kernel": lambda hu: hu + np.random.default_rng(1).normal(0, 60, hu.shape),
    "metal, extended scale": lambda hu: padded(hu, 30000, np.abs(hu - 900) < 0.02),
    "clipped at 240": lambda hu: np.minimum(hu, 240),
    "thin bone of a child": lambda hu: np.where(hu > 600, hu - 650, hu),
    "half of the skull gone": lambda hu: np.where(
        (hu > 600) & (np.arange(64) > 40)[:, None, None], 40, hu
    ),
    "a haematoma": lambda hu: padded(hu, 70, BRAIN & (np.arange(64) < 28)[:, None, None]),
    "tight field of view": lambda hu: hu[8:56, 3:61],
    "tighter than the head": lambda hu: hu[12:52, 8:56],
    "one slice": lambda hu: hu[:, :, 6:7],
    "other axes": lambda hu: hu.transpose(2, 0, 1)[::-1],
}


@pytest.mark.parametrize("change", KEPT.values(), ids=KEPT)
def test_a_head_in_hu_stays_as_it_is(change: Change) -> None:
    hu = np.asarray(change(HU), np.float32)
    values, warnings = read(hu)
    np.testing.assert_array_equal(values, np.maximum(hu, -1024))
    assert [w for w in warnings if "were raised" not in w] == []


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("radius", [31.0, 24.0], ids=["around the head", "cutting it"])
def test_padding_becomes_air_whatever_its_value(padding: float, radius: float) -> None:
    """Within the circle not a voxel changes; where padding was not air it is said."""
    outside = outside_circle(radius)
    values, warnings = read(padded(HU, padding, outside))
    np.testing.assert_array_equal(values[~outside], HU[~outside])
    assert (values[outside] == -1024).all()
    assert (warnings == []) == (padding == -1024)


@pytest.mark.parametrize("background", [-1024, -2000, 0, -500])
def test_a_background_that_was_set_to_a_constant_is_air(background: float) -> None:
    """A threshold or a mask of the head took the air's noise away."""
    values, _ = read(padded(HU, background, HU < -300))
    assert np.array_equal(values[HU > -300], HU[HU > -300])
    assert (values[HU < -300] == -1024).mean() > 0.99  # but for what lies within the head


@pytest.mark.parametrize("window", [(-1000, 400), (-500, 1300), (-200, 300), (-160, 240)])
def test_what_is_clipped_wider_than_fat_and_brain_is_read(window: tuple[float, float]) -> None:
    values, _ = read(np.clip(HU, *window))
    np.testing.assert_array_equal(values[BRAIN], np.clip(HU, *window)[BRAIN])
    assert values.min() <= -990


@pytest.mark.parametrize("offset", [1024, 1000, -1024, -1000, 32768])
@pytest.mark.parametrize("padding", [None, -2000, 0, -1024, -32768])
def test_an_offset_that_three_landmarks_agree_on_is_taken_off(
    offset: float, padding: float | None
) -> None:
    """Stored values: right to the HU, and said; never silent."""
    stored = np.round(HU) + offset
    outside = np.zeros_like(OUTSIDE) if padding is None else OUTSIDE
    values, warnings = read(padded(stored, padding or 0, outside))
    assert (values == np.maximum(np.round(HU), -1024))[~outside].mean() > 0.999
    np.testing.assert_array_equal(values[BRAIN], np.round(HU)[BRAIN])
    assert (values[outside] <= -950).all()
    assert any(f"{abs(offset)} was" in w and "not HU" in w for w in warnings)


@pytest.mark.parametrize("wrap", [65536, 4096])
def test_negative_hu_that_wrapped_round_are_brought_back(wrap: int) -> None:
    values, warnings = read(np.mod(np.round(HU), wrap))
    np.testing.assert_array_equal(values, np.maximum(np.round(HU), -1024))
    assert any(f"modulo {wrap}" in w for w in warnings)


@pytest.mark.parametrize(("by", "which"), [(24, "high"), (-24, "low"), (40, "high")])
def test_a_small_shift_of_all_is_warned_of(by: float, which: str) -> None:
    values, warnings = read(HU + by)
    assert any(f"{abs(by)} HU too {which}" in w for w in warnings)
    np.testing.assert_array_equal(values[BRAIN], (HU + np.float32(by))[BRAIN])


def grey(hu: np.ndarray, low: float = -20.0, high: float = 100.0) -> np.ndarray:
    return np.clip((hu - low) / (high - low) * 255, 0, 255).round()


def cormack(hu: np.ndarray) -> np.ndarray:
    return np.select([hu < -100, hu <= 100], [hu + 1000, (hu + 100) * 11 + 900], hu + 3000)


def mr(hu: np.ndarray) -> np.ndarray:
    tissue = np.select([hu < -300, hu < 0, hu < 100], [0, 900, 400 + 8 * hu], 50)
    return np.abs(tissue + np.random.default_rng(0).normal(0, 15, hu.shape))


REFUSED: dict[str, tuple[Change, str]] = {
    "8 bit": (grey, "8-bit picture"),
    "8 bit, padded": (lambda hu: padded(grey(hu), -2000), "8-bit picture"),
    "8 bit of all HU": (lambda hu: padded(grey(hu, -1000, 2000), -1024), "8-bit picture"),
    "0 to 1": (lambda hu: (hu + 1030) / 3000, r"scaled to 0\.\.1"),
    "-1 to 1": (lambda hu: np.clip(hu / 1000, -1, 1), r"scaled to 0\.\.1"),
    "0 to 1, padded": (lambda hu: padded((hu + 1030) / 3000, -1), r"scaled to 0\.\.1"),
    "standardised": (lambda hu: (hu - hu.mean()) / hu.std(), "standardised"),
    "slope 2": (lambda hu: 2 * hu, r"HU are 0\.[45]\d* x value"),
    "slope 1/2": (lambda hu: hu / 2, r"HU are [12]\.\d* x value"),
    "slope 10": (lambda hu: hu * 10, r"HU are 0\.[01]\d* x value"),
    "stored, slope 2": (lambda hu: 2 * (hu + 1024), r"HU are 0\.[45]\d* x value -10"),
    "stored, slope 2, padded": (lambda hu: padded(2 * hu + 2048, -2000), r"x value -10"),
    "subtracted twice, clipped": (lambda hu: np.maximum(hu - 1024, -1024), "not a head CT"),
    "inverted": (lambda hu: -hu, "inverted"),
    "inverted, from 0": (lambda hu: hu.max() - hu, "inverted"),
    "inverted, 12 bit": (lambda hu: 3071 - hu, "inverted"),
    "Cormack": (cormack, "not a whole head"),
    "Cormack, padded": (lambda hu: padded(cormack(hu), -1024), "not a head CT"),
    "-20 to 100 HU": (lambda hu: np.clip(hu, -20, 100), "windowed"),
    "0 to 80 HU": (lambda hu: np.clip(hu, 0, 80), "skull-stripped"),
    "skull-stripped to 0": (lambda hu: padded(hu, 0, ~BRAIN), "skull-stripped"),
    "MR": (mr, "not a whole head"),
    "MR, padded": (lambda hu: padded(mr(hu), -1024), "not a head CT"),
    "PET": (lambda hu: np.where(BRAIN, np.abs(hu) / 4, 0.1), "not a whole head"),
    "air alone": (lambda hu: np.full_like(hu, -1024), "not a head CT"),
    "nothing": (np.zeros_like, "not a whole head"),
    "noise": (lambda hu: np.random.default_rng(0).uniform(-1000, 1000, hu.shape), "not a head CT"),
    "NaN in the head": (lambda hu: padded(hu, np.nan, np.abs(hu - 900) < 0.5), "are NaN"),
    "an infinite voxel": (lambda hu: padded(hu, np.inf, hu == hu.max()), "NaN or infinite"),
    "NaN alone": (lambda hu: np.full_like(hu, np.nan), "are NaN"),
    "1e30": (lambda hu: padded(hu, 1e30, hu == hu.max()), "1 voxels lie beyond -32768 to 65535"),
    "-1e9": (lambda hu: padded(hu, -1e9, hu == hu.max()), "1 voxels lie beyond -32768 to 65535"),
}


@pytest.mark.parametrize(("change", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_hu_is_refused_and_named(change: Change, message: str) -> None:
    with pytest.raises(InputError, match=rf"^scan\.nii: .*{message}"):
        read(np.asarray(change(HU), np.float32))


@pytest.mark.parametrize("background", [-1024, -1000, -2000])
def test_a_brain_alone_in_hu_is_read_as_such(background: float) -> None:
    """Brain extraction knows it, and says so; its HU are right."""
    values, _ = read(stripped(HU, background))
    np.testing.assert_array_equal(values[BRAIN], HU[BRAIN])


@pytest.mark.parametrize("bone", [700, 800, 1060])
@pytest.mark.parametrize("air", [-1000, -1024])
def test_a_head_that_was_drawn_or_restored_from_a_window_is_read(bone: float, air: float) -> None:
    """No noise in the air, no fat, one value of bone."""
    hu = np.select([HU > 200, HU < -20], [bone, air], np.clip(np.round(HU), 20, 45))
    values, warnings = read(hu)
    np.testing.assert_array_equal(values, hu)
    assert warnings == []
