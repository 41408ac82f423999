"""Laws of which slice is drawn: the share with a lesion, of each source, patients alike."""

from __future__ import annotations

import numpy as np
import pytest

from strokediff.errors import UsageError
from strokediff.training.draws import SliceDraws

OWNER = np.repeat([0, 1, 2, 3], [2, 8, 4, 6])
LESION = np.arange(20) % 2 == 0
SOURCES = ["real", "made", "made", "made"]


def drawn(n: int = 6000, share: float = 0.7, **settings: object) -> np.ndarray:
    draws = SliceDraws(OWNER, LESION, ~LESION, share, **settings)  # type: ignore[arg-type]
    rng = np.random.default_rng(3)
    return np.array([draws(rng) for _ in range(n)])


def test_lesion_share_is_kept() -> None:
    assert LESION[drawn()].mean() == pytest.approx(0.7, abs=0.03)


def test_patients_are_alike_whatever_their_slices() -> None:
    counts = np.bincount(OWNER[drawn()], minlength=4) / 6000
    assert counts == pytest.approx(0.25, abs=0.03)


def test_sources_have_their_shares_and_their_patients_are_alike() -> None:
    found = OWNER[drawn(sources=SOURCES, shares={"real": 3.0, "made": 1.0})]
    counts = np.bincount(found, minlength=4) / 6000
    assert counts == pytest.approx([0.75, 1 / 12, 1 / 12, 1 / 12], abs=0.03)


def test_a_source_without_such_slices_leaves_its_share_to_the_others() -> None:
    lesion = LESION & (OWNER > 0)
    draws = SliceDraws(OWNER, lesion, ~lesion, 1.0, SOURCES, {"real": 1.0, "made": 1.0})
    rng = np.random.default_rng(0)
    assert {int(OWNER[draws(rng)]) for _ in range(200)} == {1, 2, 3}


def test_a_source_without_a_share_is_not_drawn() -> None:
    """Not even where nobody else has such a slice: then slices of the other sort are drawn."""
    lesion = LESION & (OWNER > 0)
    draws = SliceDraws(OWNER, lesion, ~lesion & (OWNER == 0), 0.0, SOURCES, {"made": 1.0})
    rng = np.random.default_rng(0)
    assert not draws.without and all(OWNER[draws(rng)] > 0 for _ in range(100))


def test_a_share_of_no_source_is_refused() -> None:
    with pytest.raises(UsageError, match="of moon; expected some of: made, real"):
        SliceDraws(OWNER, LESION, ~LESION, 0.5, SOURCES, {"moon": 1.0})
