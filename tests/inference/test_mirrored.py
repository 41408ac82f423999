"""Mirrored draws: odd ones see the other side, and come back where they belong."""

import dataclasses

import torch

from strokediff.core.process import SynchronousProcess
from strokediff.inference.direct import Direct
from strokediff.inference.estimator import Context, Slices
from strokediff.inference.mirrored import Mirrored
from strokediff.noise.isotropic import IsotropicNoise


def lopsided(x_t: torch.Tensor, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A network that favours the columns on the right."""
    return torch.zeros_like(x_t), x_t + torch.linspace(-0.5, 0.5, x_t.shape[-1])


def test_odd_draws_are_the_mirrored_network(process: SynchronousProcess, slices: Slices) -> None:
    context = Context(lopsided, process, IsotropicNoise())
    rows = slices.rows([0, 0, 2, 2], [0, 1, 2, 3])
    drawn = Mirrored(Direct()).draw(rows, context)
    plain = Direct().draw(slices, context)
    mirrored = slices.x_0 + torch.linspace(0.5, -0.5, slices.x_0.shape[-1]) * slices.m
    assert torch.equal(drawn[0], plain[0])
    assert torch.equal(drawn[2], plain[2])
    torch.testing.assert_close(drawn[1], mirrored[0])
    torch.testing.assert_close(drawn[3], mirrored[2])


def test_a_network_without_sides_gives_the_same_answer(
    process: SynchronousProcess, slices: Slices
) -> None:
    context = Context(lambda x, t: (torch.zeros_like(x), x.tanh()), process, IsotropicNoise())
    odd = dataclasses.replace(slices, draws=[1, 3, 5])
    assert torch.equal(Mirrored(Direct()).draw(odd, context), Direct().draw(slices, context))
    assert Mirrored(Direct()).evaluations() == 1
    assert Mirrored(Direct()).name == "avg"
