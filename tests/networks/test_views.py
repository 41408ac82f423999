"""Laws of what the encoder is shown."""

import pytest
import torch

from strokediff.networks.views import VIEWS


@pytest.mark.parametrize("name", VIEWS)
def test_the_first_channel_is_the_slice_itself(name: str) -> None:
    x_t = torch.randn(2, 1, 6, 6)
    shown = VIEWS[name](x_t)
    assert shown.shape == (2, VIEWS[name].channels, 6, 6)
    assert torch.equal(shown[:, :1], x_t)


def test_mirroring_the_slice_swaps_the_two_sides() -> None:
    """The grid's last axis is left to right: a pixel's partner is its column counted from the
    other side."""
    x_t = torch.randn(1, 1, 4, 6)
    shown = VIEWS["mirrored"](x_t)
    assert shown[0, 1, 2, 1] == x_t[0, 0, 2, 4]
    assert torch.equal(VIEWS["mirrored"](x_t.flip(-1)), shown.flip(1))
