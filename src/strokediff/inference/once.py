"""Several estimates of one head at the cost of their parts: what they share is drawn once."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from strokediff.inference.estimator import Context, Estimator, LabelEstimate, Slices
from strokediff.inference.fusion import Fused


class Once:
    """An estimator that estimates once and then repeats its answer; for one head only."""

    def __init__(self, inner: Estimator) -> None:
        self.inner = inner
        self.name = inner.name
        self.seconds = 0.0
        """What the answer took, parts that had been estimated before included."""
        self._answer: LabelEstimate | None = None

    def evaluations(self) -> int:
        """As the estimator inside."""
        return self.inner.evaluations()

    def estimate(self, slices: Slices, context: Context) -> LabelEstimate:
        """The first call's answer."""
        if self._answer is None:
            parts = self.inner.parts if isinstance(self.inner, Fused) else ()
            before = sum(part.seconds for part in parts if isinstance(part, Once))
            start = time.perf_counter()
            self._answer = self.inner.estimate(slices, context)
            self.seconds = before + time.perf_counter() - start
        return self._answer


def shared(estimators: Mapping[str, Estimator]) -> dict[str, Once]:
    """The same for one head, each run once, and so each part of a `Fused` that equals another."""
    made: list[Once] = []

    def once(estimator: Estimator) -> Once:
        for known in made:
            if known.inner == estimator:
                return known
        made.append(Once(estimator))
        return made[-1]

    plain = {n: once(e) for n, e in estimators.items() if not isinstance(e, Fused)}
    fused = {
        n: Once(replace(e, parts=[once(part) for part in e.parts]))
        for n, e in estimators.items()
        if isinstance(e, Fused)
    }
    return {n: (plain | fused)[n] for n in estimators}
