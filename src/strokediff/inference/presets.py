"""Presets: the papers' settings of the four estimators, and fast ones; and limits on either."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from strokediff.errors import UsageError
from strokediff.inference.algorithm1 import Algorithm1, TransitionNoise, UniformScale, own, white
from strokediff.inference.direct import Direct
from strokediff.inference.estimator import Estimator
from strokediff.inference.fusion import Fused, Fusion, Staple, majority, mean, union
from strokediff.inference.mirrored import Mirrored
from strokediff.inference.repeated import Repeated, Tolerance
from strokediff.inference.salient import Salient, Stratified

Value = TypeVar("Value")


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
TRANSITIONS: dict[str, TransitionNoise] = {"isotropic": white, "own": own}
FUSIONS: dict[str, Fusion] = {
    "union": union,
    "mean": mean,
    "majority": majority,
    "staple": Staple(),
}
METHODS = ("avg", "sal", "infer", "all")
MOST_EVALUATIONS = 512
"""What a tolerance may spend a slice where nobody says more."""


@dataclass(frozen=True)
class Limits:
    """Stop when the volume is known to +- `tolerance_ml`; spend at most `max_evaluations` a slice.

    None leaves the preset's number of draws.
    """

    tolerance_ml: float | None = None
    max_evaluations: int | None = None

    @property
    def given(self) -> bool:
        """Whether there are any."""
        return (self.tolerance_ml, self.max_evaluations) != (None, None)

    def on(self, repeated: Repeated, spent: int = 0, share: int = 1) -> Repeated:
        """The same sampler within the limits: a part in `share` of what `spent` leaves of them."""
        if not self.given:
            return repeated
        cost = repeated.sampler.evaluations()
        most = self.max_evaluations or max(MOST_EVALUATIONS, repeated.evaluations())
        if (most - spent) // share < cost:
            raise UsageError(
                f"max evaluations = {self.max_evaluations}: one draw of '{repeated.name}' takes "
                f"{cost * share + spent}. Allow as many, or choose another preset or method."
            )
        if self.tolerance_ml is not None and self.tolerance_ml <= 0:
            raise UsageError(f"tolerance = {self.tolerance_ml} mL: expected more than 0.")
        tolerance = Tolerance(self.tolerance_ml) if self.tolerance_ml else None
        return replace(repeated, repeats=(most - spent) // share // cost, tolerance=tolerance)


@dataclass(frozen=True)
class Choice:
    """What a user chooses of the inference; the names of `--method`, `--preset` and so on.

    Lesion is where the probability of the estimate is at least `cut`; None leaves that to the
    model's own decision. Calibrations of another cut do not hold.
    """

    method: str = "sal"
    preset: str = "fast"
    transition: str = "isotropic"
    fusion: str = "union"
    limits: Limits = Limits()
    cut: float | None = None

    def __post_init__(self) -> None:
        if self.cut is not None and not 0 < self.cut < 1:
            raise UsageError(f"cut = {self.cut}: expected a probability between 0 and 1.")

    @property
    def name(self) -> str:
        """The method, with its cut if one was chosen: what its predictions are called."""
        return self.method if self.cut is None else f"{self.method}-cut-{self.cut:g}"

    @property
    def key(self) -> str:
        """Under which a model keeps its decision and calibration; limits change neither."""
        parts = [f"{self.preset}/{self.method}"]
        if self.transition != "isotropic":
            parts.append(f"{self.transition} transition")
        if self.method == "all" and self.fusion != "union":
            parts.append(f"{self.fusion} fusion")
        if self.cut is not None:
            parts.append(f"cut {self.cut:g}")
        return ", ".join(parts)

    def estimator(self, T: int) -> Estimator:
        """The estimator for a process of T steps; `UsageError` names the choices there are."""
        noise = _named("transition noise", self.transition, TRANSITIONS)
        chosen = _named("preset", self.preset, PRESETS)
        fusion = _named("fusion", self.fusion, FUSIONS)
        limits, direct = self.limits, chosen.direct
        if self.method == "avg" and limits.given:
            raise UsageError(
                "method 'avg' draws no noise, so a tolerance or a most of evaluations says nothing "
                "to it. Leave them out, or choose sal, infer or all."
            )
        if self.method != "all" and self.fusion != "union":
            raise UsageError(
                f"fusion '{self.fusion}': method '{self.method}' is one estimate, with nothing to "
                "fuse. Use --method all."
            )
        makers: dict[str, Callable[[], Estimator]] = {
            "avg": lambda: direct,
            "sal": lambda: limits.on(chosen.salient(T)),
            "infer": lambda: limits.on(chosen.markov(T, noise)),
            "all": lambda: Fused(
                [
                    direct,
                    limits.on(chosen.salient(T), direct.evaluations(), share=2),
                    limits.on(chosen.markov(T, noise), direct.evaluations(), share=2),
                ],
                fusion,
            ),
        }
        return _named("method", self.method, makers)()


def _named(what: str, name: str, choices: dict[str, Value]) -> Value:
    if name not in choices:
        raise UsageError(f"no {what} '{name}'; expected one of: {', '.join(choices)}")
    return choices[name]
