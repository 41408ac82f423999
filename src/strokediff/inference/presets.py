"""Presets: the papers' settings of the single estimates (`matched` is not theirs), and fast ones.

A new estimate is a sampler in a file of its own and a line in each preset.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from strokediff.inference.algorithm1 import Algorithm1, TransitionNoise, UniformScale
from strokediff.inference.direct import Direct
from strokediff.inference.matched import Matched
from strokediff.inference.mirrored import Mirrored
from strokediff.inference.repeated import Repeated
from strokediff.inference.salient import Salient, Stratified

Maker = Callable[[int, TransitionNoise], Repeated]
"""(T of the process, noise of the chain's transitions) -> the estimate's sampler, repeated."""


def _part(T: int, fraction: float) -> int:
    return max(1, round(T * fraction))


# SDPM section 3: T_i = T/2, 100 and 50 repeats, d_i in (0, 1).
PAPER: Mapping[str, Maker] = {
    "avg": lambda T, noise: Repeated(Direct()),
    "matched": lambda T, noise: Repeated(Matched()),
    "sal": lambda T, noise: Repeated(Salient(_part(T, 0.5)), 100),
    "infer": lambda T, noise: Repeated(
        Algorithm1(_part(T, 0.5), label_scale=UniformScale(), transition=noise), 50
    ),
}
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
PRESETS = {"paper": PAPER, "fast": FAST}
