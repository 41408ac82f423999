"""All four fast estimates of a head at the cost of three: `all` reuses the others' draws."""

from __future__ import annotations

from strokediff.inference.estimator import Context, Estimator, LabelEstimate, Slices
from strokediff.inference.fusion import Fused
from strokediff.inference.presets import Choice


class Once:
    """An estimator that estimates once and then repeats its answer; for one head only."""

    def __init__(self, inner: Estimator) -> None:
        self.inner = inner
        self.name = inner.name
        self._answer: LabelEstimate | None = None

    def evaluations(self) -> int:
        """As the estimator inside."""
        return self.inner.evaluations()

    def estimate(self, slices: Slices, context: Context) -> LabelEstimate:
        """The first call's answer."""
        if self._answer is None:
            self._answer = self.inner.estimate(slices, context)
        return self._answer


def fast_estimators(T: int) -> dict[str, Estimator]:
    """Fresh estimators for one head, by method."""
    parts: dict[str, Estimator] = {
        method: Once(Choice(method).estimator(T)) for method in ("avg", "sal", "infer")
    }
    return {**parts, "all": Fused(list(parts.values()))}
