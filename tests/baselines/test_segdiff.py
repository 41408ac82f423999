"""What makes SegDiff: two encodings summed, samples averaged."""

from __future__ import annotations

import pytest
import torch

from strokediff.baselines import segdiff
from strokediff.baselines.segdiff import SegDiffNetwork


def test_the_u_net_sees_the_sum_of_both_encodings() -> None:
    torch.manual_seed(0)
    network = segdiff.SMALL.build(96)
    assert isinstance(network, SegDiffNetwork)
    x, y_t, seen = torch.randn(1, 1, 96, 96), torch.randn(1, 1, 96, 96), []
    network.encoder.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    network(y_t, x, torch.tensor([7]))
    assert torch.equal(seen[0], network.mask_encoder(y_t) + network.image_encoder(x))


def test_samples_are_averaged() -> None:
    samples = torch.tensor([-1.0, -1.0, 1.0]).reshape(3, 1, 1, 1, 1)
    fused = segdiff.SMALL.fuse(samples, torch.ones(1, 1, 1, 1))
    assert float(fused) == pytest.approx(-1 / 3)


def test_more_samples_begin_with_the_same_ones() -> None:
    torch.manual_seed(0)
    network = segdiff.SMALL.build(96)
    x, m = torch.zeros(1, 1, 96, 96), torch.ones(1, 1, 96, 96)
    one, two = (segdiff.SMALL.draw(network, x, m, [5], samples=k, steps=2) for k in (1, 2))
    assert torch.equal(two[:1], one) and not torch.equal(two[1:], one)


def test_a_seed_is_wanted_for_every_slice() -> None:
    x = torch.zeros(2, 1, 96, 96)
    with pytest.raises(ValueError, match="expected a seed for each of 2 slices, got 1"):
        segdiff.SMALL.predict(segdiff.SMALL.build(96), x, x + 1, [5])
