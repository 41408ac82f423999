"""Presets: the papers' settings of the single estimates (`matched` is not theirs), and fast ones.

`printed` is Algorithm 1 to the letter: lines 7 and 8 multiply the noise by the variance of the
posterior, where `paper` has its square root. Then d_i in (0, 1) makes less of a difference too: an
exact network misses y_0 by rms 0.03 a draw at d = 0.5, by the square root 0.50.

A new estimate is a sampler in a file of its own and a line in each preset.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from strokediff.inference.algorithm1 import (
    Algorithm1,
    TransitionNoise,
    TransitionScale,
    UniformScale,
    standard_deviation,
    variance_as_printed,
)
from strokediff.inference.direct import Direct
from strokediff.inference.matched import Matched
from strokediff.inference.mirrored import Mirrored
from strokediff.inference.repeated import Repeated
from strokediff.inference.salient import Salient, Stratified

Maker = Callable[[int, TransitionNoise], Repeated]
"""(T of the process, noise of the chain's transitions) -> the estimate's sampler, repeated."""


def _part(T: int, fraction: float) -> int:
    return max(1, round(T * fraction))


def _of_the_papers(scale: TransitionScale) -> Mapping[str, Maker]:
    """SDPM section 3: T_i = T/2, 100 and 50 repeats, d_i in (0, 1)."""
    return {
        "avg": lambda T, noise: Repeated(Direct()),
        "matched": lambda T, noise: Repeated(Matched()),
        "sal": lambda T, noise: Repeated(Salient(_part(T, 0.5)), 100),
        "infer": lambda T, noise: Repeated(
            Algorithm1(_part(T, 0.5), 1, UniformScale(), scale, noise), 50
        ),
    }


PRINTED = _of_the_papers(variance_as_printed)
PAPER = _of_the_papers(standard_deviation)
# Small t, where the label still shows in the image; both views of every slice. From so small a
# t a chain of 3 evaluations ends where one of 25 does (docs/inference.md): more chains instead.
FAST: Mapping[str, Maker] = {
    "avg": lambda T, noise: Repeated(Mirrored(Direct()), 2),
    "matched": lambda T, noise: Repeated(Mirrored(Matched()), 2),
    "sal": lambda T, noise: Repeated(Mirrored(Stratified(_part(T, 0.1), points=4)), 4),
    "infer": lambda T, noise: Repeated(
        Mirrored(Algorithm1(_part(T, 0.05), stride=_part(T, 0.025), transition=noise)), 8
    ),
}
PRESETS = {"paper": PAPER, "printed": PRINTED, "fast": FAST}
