"""Everything that distinguishes one made head from another of the same background."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from strokediff.phantom.backgrounds.decoys import DenseVessel, draw_decoys
from strokediff.phantom.backgrounds.effects import Finding
from strokediff.phantom.backgrounds.extraaxial import Epidural, Subdural
from strokediff.phantom.backgrounds.fluid import Subarachnoid, Ventricular
from strokediff.phantom.backgrounds.infarct import draw_infarcts
from strokediff.phantom.backgrounds.parenchymal import Contusions, Haematoma
from strokediff.phantom.params import LesionKind

BLEEDS: dict[type[Any], float] = {
    Haematoma: 0.21,
    Contusions: 0.15,
    Ventricular: 0.07,
    Subarachnoid: 0.14,
    Subdural: 0.22,
    Epidural: 0.21,
}
"""How often a bleed is of each type."""
TWO_TYPES, BOTH_KINDS, DENSE_MCA = 0.2, 0.06, 0.15
"""Shares: of bleeding heads with two types, of heads with both kinds, of infarcts with the sign."""


@dataclass(frozen=True)
class DrawnCase:
    """What is put into a head; `mirrored` says that the whole head is, afterwards."""

    kind: LesionKind
    mirrored: bool
    findings: tuple[Finding, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "mirrored": self.mirrored,
            "findings": [{"type": f.name, **asdict(f)} for f in self.findings],  # type: ignore[call-overload]
        }


def draw_case(kind: LesionKind, rng: np.random.Generator, empty_fraction: float) -> DrawnCase:
    """Draw a head of `kind`; with probability `empty_fraction` it has no lesion."""
    mirrored = bool(rng.random() < 0.5)
    empty = rng.random() < empty_fraction
    both = rng.random() < BOTH_KINDS
    found: list[Finding] = []
    if kind == "infarct" or both:
        found += draw_infarcts(rng)
        if rng.random() < DENSE_MCA:
            found.append(DenseVessel.draw(rng, "mca"))
    if kind == "hemorrhage" or both:
        found += draw_bleeds(rng)
    decoys = draw_decoys(rng)
    return DrawnCase(kind, mirrored, (*decoys, *(() if empty else found)))


def draw_bleeds(rng: np.random.Generator) -> list[Finding]:
    """One type of bleed, or two."""
    p = np.array(list(BLEEDS.values()))
    count = 2 if rng.random() < TWO_TYPES else 1
    types = rng.choice(len(BLEEDS), size=count, replace=False, p=p / p.sum())
    return [list(BLEEDS)[int(t)].draw(rng) for t in types]
