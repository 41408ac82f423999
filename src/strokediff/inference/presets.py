"""Presets: the papers' settings of the four estimators, and fast ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from strokediff.errors import UsageError
from strokediff.inference.algorithm1 import (
    Algorithm1,
    FixedScale,
    LabelScale,
    TransitionNoise,
    UniformScale,
    own,
    white,
)
from strokediff.inference.direct import Direct
from strokediff.inference.estimator import Estimator
from strokediff.inference.fusion import Fused
from strokediff.inference.salient import Salient


@dataclass(frozen=True)
class Preset:
    """How far into the noise (as a fraction of T) and how often the estimators draw."""

    salient_fraction: float
    salient_repeats: int
    salient_times: int | None
    markov_fraction: float
    markov_repeats: int
    label_scale: Callable[[], LabelScale]

    def salient(self, T: int) -> Salient:
        """y^sal; `salient_times` None keeps every t."""
        T_i = max(1, round(T * self.salient_fraction))
        stride = 1 if self.salient_times is None else max(1, T_i // self.salient_times)
        return Salient(T_i, self.salient_repeats, stride)

    def markov(self, T: int, transition: TransitionNoise) -> Algorithm1:
        """y^infer."""
        T_i = max(1, round(T * self.markov_fraction))
        return Algorithm1(T_i, self.markov_repeats, self.label_scale(), transition=transition)


PRESETS = {
    # SDPM section 3: T_i = T/2, 100 and 50 repeats, d_i in (0, 1).
    "paper": Preset(0.5, 100, None, 0.5, 50, UniformScale),
    # Small t, where the label still shows in the image; the chain starts at T/20.
    "fast": Preset(0.1, 2, 8, 0.05, 1, FixedScale),
}
TRANSITIONS: dict[str, TransitionNoise] = {"isotropic": white, "own": own}
METHODS = ("avg", "sal", "infer", "all")


def estimator(method: str, preset: str, T: int, transition: str = "isotropic") -> Estimator:
    """The estimator that `--method`, `--preset` and `--transition` name."""
    if transition not in TRANSITIONS:
        raise UsageError(
            f"no transition noise '{transition}'; expected one of: {', '.join(TRANSITIONS)}"
        )
    if preset not in PRESETS:
        raise UsageError(f"no preset '{preset}'; expected one of: {', '.join(PRESETS)}")
    chosen = PRESETS[preset]
    makers: dict[str, Callable[[], Estimator]] = {
        "avg": Direct,
        "sal": lambda: chosen.salient(T),
        "infer": lambda: chosen.markov(T, TRANSITIONS[transition]),
        "all": lambda: Fused(
            [Direct(), chosen.salient(T), chosen.markov(T, TRANSITIONS[transition])]
        ),
    }
    if method not in makers:
        raise UsageError(f"no method '{method}'; expected one of: {', '.join(METHODS)}")
    return makers[method]()
