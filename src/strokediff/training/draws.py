"""Which slice a sample shows: with a lesion or without, of which source, patient and slice.

Each is drawn before the next, so that a patient with many slices, or a source with many patients,
is not seen more often than was asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strokediff.errors import UsageError


class SliceDraws:
    """Draws slices by their number; `owner` (N,) numbers the patient of each, from 0.

    With probability `lesion_share` one of those `with_lesion`, else one of `without` (both (N,)
    bool). `sources` names where each patient comes from; `shares` weights the sources, {} draws
    every patient alike. A source without such slices leaves its share to the others, one without a
    share is not drawn. `UsageError` if a share is of no source.

    >>> lesion = np.array([True, False, True, True])
    >>> draws = SliceDraws(np.array([0, 0, 1, 2]), lesion, ~lesion, 0.75)
    >>> rng = np.random.default_rng(0)
    >>> [draws(rng) for _ in range(5)]
    [2, 0, 0, 1, 3]
    """

    def __init__(
        self,
        owner: NDArray[Any],
        with_lesion: NDArray[np.bool_],
        without: NDArray[np.bool_],
        lesion_share: float,
        sources: Sequence[str] = (),
        shares: Mapping[str, float] | None = None,
    ) -> None:
        unknown = sorted({*(shares or {})} - {*sources})
        if unknown:
            raise UsageError(
                f"source_shares: no patient to train on is of {', '.join(unknown)}; expected some "
                f"of: {', '.join(sorted({*sources})) or 'none'}."
            )
        self.lesion_share = lesion_share
        self.with_lesion = _Pool(owner, with_lesion, sources, shares or {})
        self.without = _Pool(owner, without, sources, shares or {})

    def __call__(self, rng: np.random.Generator) -> int:
        """The number of a slice."""
        lesion = rng.random() < self.lesion_share or not self.without
        return (self.with_lesion if lesion else self.without)(rng)


class _Pool:
    """The wanted slices, by patient, and each patient's weight where there are shares."""

    def __init__(
        self,
        owner: NDArray[Any],
        wanted: NDArray[np.bool_],
        sources: Sequence[str],
        shares: Mapping[str, float],
    ) -> None:
        patients = [p for p in np.unique(owner[wanted]) if not shares or shares.get(sources[p])]
        self.slices = [np.flatnonzero(wanted & (owner == p)) for p in patients]
        self.weights: NDArray[np.float64] | None = None
        if shares:
            own = np.array([sources[p] for p in patients])
            weights = np.array([shares[s] / np.sum(own == s) for s in own])
            self.weights = weights / weights.sum()

    def __bool__(self) -> bool:
        return bool(self.slices)

    def __call__(self, rng: np.random.Generator) -> int:
        n = len(self.slices)
        p = rng.integers(n) if self.weights is None else rng.choice(n, p=self.weights)
        return int(rng.choice(self.slices[p]))
