"""Presets: the papers' settings of the three single estimates, and fast ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from strokediff.inference.algorithm1 import Algorithm1, TransitionNoise, UniformScale
from strokediff.inference.direct import Direct
from strokediff.inference.mirrored import Mirrored
from strokediff.inference.repeated import Repeated
from strokediff.inference.salient import Salient, Stratified


@dataclass(frozen=True)
class Preset:
    """The samplers of the three single estimates for a process of T steps, and their repeats."""

    direct: Repeated
    salient: Callable[[int], Repeated]
    markov: Callable[[int, TransitionNoise], Repeated]


def _part(T: int, fraction: float) -> int:
    return max(1, round(T * fraction))


# SDPM section 3: T_i = T/2, 100 and 50 repeats, d_i in (0, 1).
_PAPER = Preset(
    direct=Repeated(Direct()),
    salient=lambda T: Repeated(Salient(_part(T, 0.5)), 100),
    markov=lambda T, noise: Repeated(
        Algorithm1(_part(T, 0.5), label_scale=UniformScale(), transition=noise), 50
    ),
)
# Small t, where the label still shows in the image; both views of every slice. From so small a
# t a chain of 3 evaluations ends where one of 25 does (docs/inference.md): more chains instead.
_FAST = Preset(
    direct=Repeated(Mirrored(Direct()), 2),
    salient=lambda T: Repeated(Mirrored(Stratified(_part(T, 0.1), points=4)), 4),
    markov=lambda T, noise: Repeated(
        Mirrored(Algorithm1(_part(T, 0.05), stride=_part(T, 0.025), transition=noise)), 8
    ),
)
PRESETS = {"paper": _PAPER, "fast": _FAST}
