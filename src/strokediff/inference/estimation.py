"""How the label is estimated: method, preset, transition, fusion, limits and cut, chosen once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from strokediff.errors import UsageError
from strokediff.inference.algorithm1 import TransitionNoise, own, white
from strokediff.inference.estimator import Estimator
from strokediff.inference.fusion import Fused, Fusion, Staple, majority, mean, union
from strokediff.inference.presets import PRESETS, Maker
from strokediff.inference.repeated import Repeated, Tolerance

FUSED = ("avg", "sal", "infer")
"""What `all` fuses."""
METHODS = (*PRESETS["paper"], "all")
NO_DRAWS = ("avg", "matched")
"""Add no noise to the image: every draw is the same."""
TRANSITIONS: dict[str, TransitionNoise] = {"isotropic": white, "own": own}
FUSIONS: dict[str, Fusion] = {
    "union": union,
    "mean": mean,
    "majority": majority,
    "staple": Staple(),
}
MOST_EVALUATIONS = 512
"""What a tolerance may spend a slice where nobody says more."""


@dataclass(frozen=True)
class Limits:
    """Stop when the volume is known to +- `tolerance_ml`; spend at most `max_evaluations` a slice.

    None leaves the preset's number of draws. Raises `UsageError` unless both are above 0.

    >>> estimation = Estimation("sal", limits=Limits(tolerance_ml=2.0, max_evaluations=100))
    >>> within = estimation.estimator(T=500)
    >>> within.tolerance.ml, within.evaluations()
    (2.0, 100)
    """

    tolerance_ml: float | None = None
    max_evaluations: int | None = None

    def __post_init__(self) -> None:
        if self.tolerance_ml is not None and not self.tolerance_ml > 0:
            raise UsageError(f"tolerance = {self.tolerance_ml} mL: expected more than 0.")
        if self.max_evaluations is not None and self.max_evaluations < 1:
            raise UsageError(f"max evaluations = {self.max_evaluations}: expected 1 or more.")

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
        tolerance = Tolerance(self.tolerance_ml) if self.tolerance_ml else None
        return replace(repeated, repeats=(most - spent) // share // cost, tolerance=tolerance)


@dataclass(frozen=True)
class Estimation:
    """Which of the estimates of section 2.4 is made, and how; named as on the command line.

    Lesion is where the probability of the estimate is at least `cut`; None leaves that to the
    model's own decision. Calibrations of another cut do not hold. Raises `UsageError` for names
    that do not exist, and for what says nothing to the method.

    >>> Estimation("all", preset="paper", fusion="mean").estimator(T=300).evaluations()
    22501
    >>> Estimation("median")
    Traceback (most recent call last):
    strokediff.errors.UsageError: no method 'median'; expected one of: avg, matched, sal, infer, all
    """

    method: str = "sal"
    preset: str = "fast"
    transition: str = "isotropic"
    fusion: str = "union"
    limits: Limits = Limits()
    cut: float | None = None

    def __post_init__(self) -> None:
        _one_of("method", self.method, METHODS)
        _one_of("preset", self.preset, PRESETS)
        _one_of("transition noise", self.transition, TRANSITIONS)
        _one_of("fusion", self.fusion, FUSIONS)
        if self.cut is not None and not 0 < self.cut < 1:
            raise UsageError(f"cut = {self.cut}: expected a probability between 0 and 1.")
        if self.method in NO_DRAWS and self.limits.given:
            raise UsageError(
                f"method '{self.method}' draws no noise, so a tolerance or a most of evaluations "
                "says nothing to it. Leave them out, or choose sal, infer or all."
            )
        if self.method != "all" and self.fusion != "union":
            raise UsageError(
                f"fusion '{self.fusion}': method '{self.method}' is one estimate, with nothing to "
                "fuse. Use --method all."
            )

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
        """The estimator for a process of T steps; `UsageError` if the limits allow no draw."""
        made = {name: make(T, TRANSITIONS[self.transition]) for name, make in self._makers.items()}
        if self.method != "all":
            return self.limits.on(made[self.method])
        direct, *drawn = FUSED
        limited = [
            self.limits.on(made[name], made[direct].evaluations(), share=len(drawn))
            for name in drawn
        ]
        return Fused([made[direct], *limited], FUSIONS[self.fusion])

    @property
    def _makers(self) -> Mapping[str, Maker]:
        return PRESETS[self.preset]


def _one_of(what: str, name: str, choices: Collection[str]) -> None:
    if name not in choices:
        raise UsageError(f"no {what} '{name}'; expected one of: {', '.join(choices)}")
