"""Laws: what estimates share is drawn once, answers are each one's own, and seconds add up."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from strokediff.core.process import SynchronousProcess
from strokediff.core.schedule import sigmoid_schedule
from strokediff.inference.estimator import Context, LabelEstimate, Slices
from strokediff.inference.fusion import Fused, estimate_each, mean
from strokediff.inference.tally import Tally
from strokediff.noise.isotropic import IsotropicNoise

ONE = torch.ones(2, 1, 4, 4)
SLICES = Slices(ONE, ONE, [0, 1], seed=0)


def no_network(*inputs: object) -> tuple[torch.Tensor, torch.Tensor]:
    raise AssertionError("these estimators ask no network")


CONTEXT = Context(no_network, SynchronousProcess(sigmoid_schedule(10)), IsotropicNoise())


@dataclass(frozen=True)
class Constant:
    """Says `value` everywhere and counts its calls."""

    value: float
    calls: list[float] = field(compare=False)
    name: str = "constant"

    def evaluations(self) -> int:
        return 3

    def estimate(self, slices: Slices, context: Context) -> LabelEstimate:
        self.calls.append(self.value)
        y_0 = torch.full_like(slices.x_0, self.value)
        return LabelEstimate(y_0, Tally.empty(y_0), 3)


def test_equal_parts_are_estimated_once_whatever_the_order() -> None:
    calls: list[float] = []
    low, high = Constant(-1.0, calls), Constant(0.5, calls)
    fused = Fused([Constant(-1.0, calls), high], mean)
    found = estimate_each({"all": fused, "low": low, "high": high}, SLICES, CONTEXT)
    assert list(found) == ["all", "low", "high"]
    means = {name: timed.estimate.y_0.mean().item() for name, timed in found.items()}
    assert means == {"all": -0.25, "low": -1.0, "high": 0.5}
    assert sorted(calls) == [-1.0, 0.5]
    assert {n: timed.estimate.evaluations for n, timed in found.items()} == {
        "all": 6, "low": 3, "high": 3,
    }  # fmt: skip


def test_a_fusion_costs_its_parts_even_when_they_were_known() -> None:
    low, high = Constant(-1.0, []), Constant(0.5, [])
    estimators = {"low": low, "high": high, "all": Fused([low, high], mean)}
    found = {n: timed.seconds for n, timed in estimate_each(estimators, SLICES, CONTEXT).items()}
    assert 0 < found["low"] + found["high"] < found["all"]


def test_different_estimators_are_kept_apart() -> None:
    calls: list[float] = []
    found = estimate_each({"a": Constant(0.1, calls), "b": Constant(0.2, calls)}, SLICES, CONTEXT)
    assert calls == [0.1, 0.2]
    assert found["a"].estimate is not found["b"].estimate
