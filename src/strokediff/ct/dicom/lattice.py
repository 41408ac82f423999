"""Positions of several even stacks that lie between each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MAX_INTERLEAVED = 4
MIN_CYCLES = 3
MIN_STEPS = 6
DIFFERENT_STEPS = 0.25
DIFFERENT_MM = 0.15
"""Steps of one cycle differ by more than this part of their mean, and by more than rounding does;
less is jitter."""
FAR_APART = 1.5
CHANGED_STEP = 0.1
_MOST = 0.5
SAME_STEPS = 0.05
"""Steps a cycle apart are equal within this part of the cycle."""


def cycle_of(steps: NDArray[np.float64]) -> tuple[int, int, int] | None:
    """(n, start, stop) of the longest stretch of steps that repeats every n >= 2; None for none.

    Steps of one stack are equal, or change from zone to zone. Those of two that lie between
    each other alternate: 2, 3, 2, 3 mm. Steps of which one is two or three times the other
    (5, 10, 5, 10) are those of one stack with slices missing, and no cycle.
    """
    best: tuple[int, int, int] | None = None
    for n in range(2, MAX_INTERLEAVED + 1):
        for start, stop in _repeating(steps, n):
            cycle = steps[start : start + n]
            different = np.ptp(cycle) > max(DIFFERENT_STEPS * cycle.mean(), DIFFERENT_MM)
            long = stop - start >= max(MIN_STEPS, MIN_CYCLES * n)
            longest = best is None or stop - start > best[2] - best[1]
            if different and long and longest and not _holes(cycle):
                best = (n, start, stop)
    return best


def is_jumbled(steps: NDArray[np.float64]) -> bool:
    """Whether most steps differ from those on both sides, and by much, some below the usual one.

    So lie two stacks of other steps between each other; zones of one head have few changes, and
    where slices are missing no step is smaller than the usual one.
    """
    if len(steps) < MIN_STEPS or steps.max() < FAR_APART * steps.min():
        return False
    changes = np.abs(np.diff(steps)) > CHANGED_STEP * np.maximum(steps[1:], steps[:-1])
    alone = np.concatenate([[True], changes]) & np.concatenate([changes, [True]])
    base = float(np.median(steps))
    near = steps <= base * (1 + CHANGED_STEP)
    # Slices missing here and there: the usual step is the smallest, the others its multiples.
    missing = bool((steps[near] >= base * (1 - CHANGED_STEP)).all())
    return bool(alone.mean() > _MOST) and not missing


def sublattices(along: NDArray[np.float64], smallest: int) -> list[list[int]]:
    """Indices of the even stacks that positions `along` consist of; [] where they do not.

    Outside of the stretch that repeats, a position belongs to the stack whose steps it continues.
    """
    steps = np.diff(along)
    found = cycle_of(steps)
    if found is None:
        return []
    n, start, _ = found
    period = float(steps[start : start + n].sum())
    phases = along[start : start + n] % period
    sets: list[list[int]] = [[] for _ in range(n)]
    for k, place in enumerate(along):
        off = np.abs((place - phases + period / 2) % period - period / 2)
        sets[int(off.argmin())].append(k)
        if off.min() > SAME_STEPS * period:
            return []
    even = all(
        len(s) >= smallest and np.allclose(np.diff(along[s]), period, atol=2 * SAME_STEPS * period)
        for s in sets
    )
    return sets if even else []


def _repeating(steps: NDArray[np.float64], n: int) -> list[tuple[int, int]]:
    """Half-open ranges of steps within which each equals the one n before it."""
    if len(steps) <= n:
        return []
    window = np.convolve(steps, np.ones(n), mode="valid")
    same = np.abs(steps[n:] - steps[:-n]) <= SAME_STEPS * window[: len(steps) - n]
    edges = np.flatnonzero(np.diff(np.concatenate([[0], same.astype(int), [0]])))
    return [(int(a), int(b) + n) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _holes(cycle: NDArray[np.float64]) -> bool:
    ratio = cycle / cycle.min()
    whole = np.abs(ratio - np.round(ratio)) <= SAME_STEPS * ratio
    return bool(whole.all() and ratio.max() < 3.5)
