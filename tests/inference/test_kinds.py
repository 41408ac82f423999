"""Laws of several kinds of lesion: one noise for all, and none that minds the others."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from strokediff.core.process import SynchronousProcess
from strokediff.inference.algorithm1 import Algorithm1, UniformScale
from strokediff.inference.direct import Direct
from strokediff.inference.estimation import FUSIONS, Estimation
from strokediff.inference.estimator import Context, Estimator, Slices
from strokediff.inference.fusion import Fused
from strokediff.inference.mirrored import Mirrored
from strokediff.inference.repeated import Repeated, Tolerance
from strokediff.inference.salient import Salient, Stratified
from strokediff.noise.isotropic import IsotropicNoise

KINDS = 3
SLOPES = torch.linspace(-2.0, 3.0, KINDS)
THRESHOLDS = (0.1, -0.3, 0.4)

ALONE_OR_TOGETHER: list[Estimator] = [
    Repeated(Direct()),
    Repeated(Mirrored(Direct()), 2),
    Repeated(Salient(T_i=9, stride=2), 3),
    Repeated(Stratified(T_i=20, points=4), 2),
    Repeated(Mirrored(Algorithm1(T_i=12, stride=3)), 4),
    Repeated(Algorithm1(T_i=7, label_scale=UniformScale()), 2),
    *(
        Fused([Repeated(Direct()), Repeated(Salient(T_i=6), 2), Repeated(Algorithm1(5))], fusion)
        for fusion in FUSIONS.values()
    ),
]


def apart(x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """A network that keeps the kinds apart: label k is a function of its own of the image."""
    x = x_t[:, :1]
    return x.tanh(), (x * SLOPES.reshape(1, -1, 1, 1)).sin()


def one_of(kind: int, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """The same network, asked of one kind."""
    eps_hat, y_t = apart(x_t, t)
    return eps_hat, y_t[:, kind : kind + 1]


@pytest.mark.parametrize("estimator", ALONE_OR_TOGETHER, ids=lambda e: e.name)
def test_kinds_that_a_network_keeps_apart_are_estimated_as_each_alone(
    estimator: Estimator, process: SynchronousProcess, slices: Slices
) -> None:
    """The noise is shared, so that asking of K kinds at once equals K askings, to the bit."""
    context = Context(apart, process, IsotropicNoise(), THRESHOLDS, kinds=KINDS)
    together = estimator.estimate(slices, context)
    assert together.y_0.shape == (len(slices.keys), KINDS, *slices.shape[1:])
    for kind, threshold in enumerate(THRESHOLDS):
        own = dataclasses.replace(
            context, network=lambda x, t, k=kind: one_of(k, x, t), threshold=threshold, kinds=1
        )
        alone = estimator.estimate(slices, own)
        assert torch.equal(together.y_0[:, kind], alone.y_0[:, 0])
        assert torch.equal(together.tally.variance[:, kind], alone.tally.variance[:, 0])
        assert torch.equal(together.tally.area[:, kind], alone.tally.area[:, 0])
        assert together.evaluations == alone.evaluations


@dataclasses.dataclass(frozen=True)
class OneOrTheOther:
    """Every pixel is lesion in every draw: of one kind or of the other, by a coin a slice."""

    name: str = "coin"

    def evaluations(self) -> int:
        return 1

    def draw(self, slices: Slices, context: Context) -> Tensor:
        heads = context.draw(slices, "coin").flatten(1).sum(1) > 0
        first = torch.where(heads, 1.0, -1.0)[:, None].expand(-1, slices.shape[1] ** 2)
        labels = torch.stack([first, -first], dim=1)
        return labels.reshape(len(heads), 2, *slices.shape[1:])


def test_draws_that_agree_on_the_volume_but_not_on_its_kind_are_not_enough(
    process: SynchronousProcess, slices: Slices
) -> None:
    """A tolerance holds for every volume that is reported, so for those of the kinds too."""
    context = Context(apart, process, IsotropicNoise(), kinds=2)
    found = Repeated(OneOrTheOther(), 24, Tolerance(0.01)).estimate(slices, context)
    assert not found.tally.joined_area_variance.any()
    assert found.tally.counts.tolist() == [24, 24, 24]


def test_a_label_of_another_number_of_kinds_is_refused(
    process: SynchronousProcess, slices: Slices
) -> None:
    """As would broadcast in silence: one channel for three, and three thresholds for one."""
    with pytest.raises(ValueError, match=r"expected a label of 1 channel.*got 3"):
        context = Context(apart, process, IsotropicNoise())
        Estimation("avg").estimator(process.T).estimate(slices, context)
    with pytest.raises(ValueError, match="expected one threshold or 1, one a kind"):
        Context(apart, process, IsotropicNoise(), THRESHOLDS)
