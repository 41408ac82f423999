"""What each estimator asks the network, and with which noise: laws that an oracle cannot see."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from strokediff.core.oracle import Oracle
from strokediff.core.process import SynchronousProcess
from strokediff.inference.algorithm1 import Algorithm1, FixedScale, own
from strokediff.inference.direct import Direct
from strokediff.inference.estimator import Context, Slices
from strokediff.inference.mirrored import Mirrored
from strokediff.inference.repeated import Repeated, Tolerance
from strokediff.inference.salient import Salient
from strokediff.inference.tally import NoStore, Tally
from strokediff.noise.base import CPU
from strokediff.noise.isotropic import IsotropicNoise


class Asked:
    """A network that answers 0 and remembers what it was asked: x_t and t of each call."""

    def __init__(self) -> None:
        self.calls: list[tuple[Tensor, list[int]]] = []

    def __call__(self, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        self.calls.append((x_t, t.tolist()))
        return torch.zeros_like(x_t), torch.zeros_like(x_t)


class Flat(IsotropicNoise):
    """One number a slice: as far from white as noise can be."""

    def draw(
        self, seeds: Sequence[int], shape: tuple[int, int, int], device: torch.device = CPU
    ) -> Tensor:
        return super().draw(seeds, (1, 1, 1), device).expand(-1, *shape)


def test_the_direct_estimate_asks_once_of_the_clean_image_at_t_0(
    process: SynchronousProcess, slices: Slices
) -> None:
    asked = Asked()
    Direct().draw(slices, Context(asked, process, IsotropicNoise()))
    ((x, t),) = asked.calls
    assert t == [0, 0, 0] and torch.equal(x, slices.x_0)


def test_the_salient_sum_asks_at_every_t_with_noise_of_its_own(
    process: SynchronousProcess, slices: Slices
) -> None:
    """Of the T_i looks of a draw, and of the rows in each, no two share their noise."""
    asked = Asked()
    Salient(T_i=12).draw(slices, Context(asked, process, IsotropicNoise()))
    assert [t for _, t in asked.calls] == [[t] * 3 for t in range(12)]
    inside = slices.m[0] > 0
    eps = []
    for x_t, (t, *_) in asked.calls[1:]:
        at = torch.full((3,), t)
        signal = process.noised(slices.x_0, torch.zeros_like(x_t), at)
        eps += [*((x_t - signal) / process.gamma(at, x_t).sqrt())]
    drawn = torch.stack([e[inside] for e in eps])
    assert float(drawn.std()) == pytest.approx(1.0, abs=0.05)
    between = torch.corrcoef(drawn) - torch.eye(len(drawn))
    assert float(between.abs().max()) < 0.6
    assert float(between.mean()) == pytest.approx(0.0, abs=0.02)


@pytest.mark.parametrize(
    ("chain", "white"), [(Algorithm1(8), True), (Algorithm1(8, transition=own), False)]
)
def test_the_chain_is_kicked_by_white_noise_unless_told_to_use_the_models_own(
    process: SynchronousProcess, slices: Slices, chain: Algorithm1, white: bool
) -> None:
    """Lines 7 and 8 draw N(0, I) whatever the noise of line 2: here that is flat."""
    slices = dataclasses.replace(slices, x_0=torch.zeros_like(slices.x_0))
    inside = slices.m[0] > 0
    seen: list[Tensor] = []
    oracle = Oracle(process, slices.x_0, slices.x_0)

    def network(x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        seen.append(torch.stack([x[inside] for x in x_t]))
        return oracle(x_t, t)

    chain.draw(slices, Context(network, process, Flat()))
    assert float(seen[0].std(dim=1).max()) < 1e-6
    assert all(bool((x.std(dim=1) > 1e-3).all()) == white for x in seen[1:])


def test_image_and_label_are_kicked_by_one_noise_the_labels_scaled_by_d(
    process: SynchronousProcess, slices: Slices
) -> None:
    """With the true label equal to the image, an oracle's y_0_hat - x_0 is all of what d < 1 left
    out of line 8: in proportion to 1 - d, pixel by pixel."""
    oracle = Oracle(process, slices.x_0, slices.x_0)
    context = Context(oracle, process, IsotropicNoise())
    whole, half, none = (
        Algorithm1(12, label_scale=FixedScale(d)).draw(slices, context) - slices.x_0
        for d in (1.0, 0.5, 0.0)
    )
    assert float(whole.abs().max()) < 1e-5
    torch.testing.assert_close(none, 2 * half, atol=1e-5, rtol=0)
    assert float(none.abs().mean()) > 1e-2


@pytest.mark.parametrize("T_i", [1, 7])
def test_with_d_1_the_label_moves_as_the_image_does_after_its_first_look(
    process: SynchronousProcess, slices: Slices, T_i: int
) -> None:
    """y_final = x_final - (x_Ti - y_Ti) / sqrt(abar_Ti) for any network: the label is read once."""
    seen: list[tuple[Tensor, Tensor]] = []

    def network(x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        eps_hat, y_t = torch.sin(3 * x_t), torch.cos(2 * x_t) * slices.m
        seen.append((x_t, y_t))
        return eps_hat, y_t

    context = Context(network, process, IsotropicNoise())
    y_final = Algorithm1(T_i).draw(slices, context)
    (x_T, y_T), (x_1, _) = seen[0], seen[-1]
    eps_1 = torch.sin(3 * x_1) * slices.m
    x_final = process.clean(x_1, eps_1, torch.ones(3, dtype=torch.long))
    bar = process.alpha_bar(torch.full((3,), T_i), x_T)
    torch.testing.assert_close(y_final, x_final - (x_T - y_T) / bar.sqrt(), atol=1e-4, rtol=1e-4)


def test_no_slice_is_closed_before_the_least_draws_though_stopped_amid_them(
    process: SynchronousProcess, slices: Slices
) -> None:
    """A run that was stopped after two of four draws that agree makes the other two."""

    class Stopped(NoStore):
        def load(self, name: str, like: Tensor) -> Tally:
            tally = Tally.empty(like)
            for _ in range(2):
                tally.add(range(len(like)), like, torch.ones_like(like), 0.0)
            return tally

    context = Context(Asked(), process, IsotropicNoise(), store=Stopped())
    sure = Repeated(Direct(), 100, Tolerance(ml=1e6, least=4))
    assert sure.estimate(slices, context).tally.counts.tolist() == [4, 4, 4]


def test_a_mirrored_draw_sees_mask_and_neighbours_mirrored_with_the_slice(
    process: SynchronousProcess, slices: Slices
) -> None:
    """Draw 1 asks of the head turned left to right, all of it, as if it had been scanned so."""
    g = torch.Generator().manual_seed(2)
    m = (torch.rand(slices.m.shape, generator=g) < 0.7).float()
    beside = torch.randn(3, 2, *slices.shape[1:], generator=g)
    odd = dataclasses.replace(slices, m=m, x_0=slices.x_0 * m, beside=beside, draws=[1, 1, 1])
    turned = dataclasses.replace(
        odd, x_0=odd.x_0.flip(-1), m=odd.m.flip(-1), beside=beside.flip(-1), draws=[0, 0, 0]
    )

    def network(seen: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        lopsided = torch.linspace(0, 1, seen.shape[-1])
        return torch.zeros_like(seen[:, :1]), 1.0 + (seen * lopsided).sum(1, keepdim=True)

    context = Context(network, process, IsotropicNoise())
    found = Mirrored(Direct()).draw(odd, context)
    assert torch.equal(found, Direct().draw(turned, context).flip(-1))


def test_a_draws_lesion_begins_at_the_threshold_itself_inside_the_brain() -> None:
    y_0 = torch.tensor([0.19, 0.2, 0.21, 0.9]).reshape(1, 1, 2, 2)
    m = torch.tensor([1.0, 1.0, 1.0, 0.0]).reshape(1, 1, 2, 2)
    tally = Tally.empty(y_0)
    tally.add([0], y_0, m, float(y_0[0, 0, 0, 1]))
    assert tally.area.tolist() == [[2.0]]
