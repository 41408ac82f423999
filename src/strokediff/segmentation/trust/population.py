"""What scans a model knows: quantiles of their features, and how far another lies outside.

A feature f outside the range of 90 % of the patients, [q_5, q_95], is unlike by

    z = (its distance from that range) / max(q_95 - q_5, tolerance)

and a scan by its largest z. The level is what 95 % of the patients stay below, each judged by the
others alone; the unlikeness is the largest z in units of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from strokediff.segmentation.trust.features import FEATURES

QUANTILES = (0.05, 0.5, 0.95)
KNOWN = 0.95
"""Share of the patients themselves that are not to be called unlike."""
LEAST_LEVEL = 0.25
"""Nothing so little outside the range is unlike, however alike the patients are."""
FEWEST = 10
MOST = 100.0

Features = Mapping[str, float]


class Population(BaseModel):
    """Quantiles (5 %, median, 95 %) of each feature of n scans, and the level."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = "patients"
    n: int = Field(ge=1)
    level: float = Field(gt=0, le=MOST)
    features: dict[str, tuple[float, float, float]]

    @classmethod
    def of(cls, scans: Sequence[Features], name: str = "patients") -> Population:
        """Of the features of `FEWEST` scans or more, without those that have none.

        Raises `ValueError` for fewer.

        >>> scans = [{"noise": 1.0 + 0.01 * n} for n in range(40)]
        >>> known = Population.of(scans)
        >>> known.unlikeness({"noise": 1.2}), known.unlikeness({"noise": 9.0}) > 1
        (0.0, True)
        """
        known = [scan for scan in scans if scan]
        if len(known) < FEWEST:
            raise ValueError(f"expected the features of {FEWEST} scans or more, got {len(known)}")
        alone = [
            _unlike(scan, _quantiles([*known[:k], *known[k + 1 :]])) for k, scan in enumerate(known)
        ]
        level = float(np.quantile([max(z.values(), default=0.0) for z in alone], KNOWN))
        return cls(
            name=name,
            n=len(known),
            level=min(max(level, LEAST_LEVEL), MOST),
            features=_quantiles(known),
        )

    def unlikeness(self, scan: Features) -> float:
        """0 for a scan within the range in everything; above 1 it is unlike."""
        return min(max(self.unlike(scan).values(), default=0.0), MOST)

    def unlike(self, scan: Features) -> dict[str, float]:
        """The same by feature, the largest first."""
        found = {name: z / self.level for name, z in _unlike(scan, self.features).items()}
        return dict(sorted(found.items(), key=lambda item: -item[1]))


def _quantiles(scans: Sequence[Features]) -> dict[str, tuple[float, float, float]]:
    names = [name for name in FEATURES if all(name in scan for scan in scans)]
    found = {}
    for name in names:
        low, middle, high = np.quantile([scan[name] for scan in scans], QUANTILES).tolist()
        found[name] = (low, middle, high)
    return found


def _unlike(scan: Features, known: Mapping[str, tuple[float, float, float]]) -> dict[str, float]:
    out = {}
    for name in scan.keys() & known.keys() & FEATURES.keys():
        low, _, high = known[name]
        off = max(low - scan[name], scan[name] - high, 0.0)
        out[name] = off / max(high - low, FEATURES[name].tolerance)
    return out
