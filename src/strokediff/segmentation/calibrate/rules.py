"""By which rule the decision on a kind of lesion is chosen, of what every decision has in the mean.

For cohorts in which most scans have no lesion `NearlyBestDice` is strict: to it an empty mask
without a lesion is a Dice of 1, so that marking nothing at all can be the best. `Sparing` asks for
two things that can be said of a model: what it leaves alone, and what it finds then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from strokediff.errors import InputError, UsageError

Table = NDArray[np.float64]
"""(threshold, least lesion): a mean over patients."""


@dataclass(frozen=True)
class Means:
    """Of every decision: see `decisions.Scored`."""

    dice: Table
    vdp: Table
    spared: Table
    dice_with: Table


class Rule(Protocol):
    """Takes one of the decisions by their means."""

    def place(self, means: Means) -> tuple[int, int]:
        """Which threshold and which least lesion."""
        ...


@dataclass(frozen=True)
class NearlyBestDice:
    """Least mean VDP among those with a mean Dice within `within` of the best.

    An empty mask without a lesion is a Dice of 1; where nobody has a lesion every VDP is the same.

    >>> tuned = calibrate("model", "scans", "near", rule=NearlyBestDice(within=0.02))
    >>> tuned["fast/avg"].kinds["lesion"].after.vdp < 1
    True
    """

    within: float = 0.01

    def place(self, means: Means) -> tuple[int, int]:
        """See the class."""
        good = means.dice >= means.dice.max() - self.within
        return _first(np.where(good, np.nan_to_num(means.vdp), np.inf))


NEARLY_BEST_DICE = NearlyBestDice()


@dataclass(frozen=True)
class Sparing:
    """Most mean Dice of those with a lesion, among decisions that spare `share` of those without.

    Spared is who has less than 1 mL marked. Where no decision spares so many, it is among those
    that spare most. Raises `UsageError` for a share outside (0, 1], `InputError` where nobody has
    a lesion, or everybody.

    >>> calibrate("model", "scans", "spares", rule=Sparing(0.85))
    Traceback (most recent call last):
    strokediff.errors.InputError: lesion: no patient without a lesion of this kind: ...
    """

    share: float = 0.85

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise UsageError(f"a share of {self.share:g} to be spared: expected one in (0, 1].")

    def place(self, means: Means) -> tuple[int, int]:
        """See the class."""
        for table, who in ((means.dice_with, "with"), (means.spared, "without")):
            if np.isnan(table).any():
                raise InputError(
                    f"no patient {who} a lesion of this kind: to spare a share of those without "
                    "one, answers on both are needed."
                )
        enough = means.spared >= min(self.share, means.spared.max())
        return _first(np.where(enough, -means.dice_with, np.inf))


def _first(values: Table) -> tuple[int, int]:
    """Where the least value is, the first of equals."""
    i, j = np.unravel_index(int(np.argmin(values)), values.shape)
    return int(i), int(j)
