"""What makes MedSegDiff: the frequency parser, dynamic encoding, STAPLE."""

from __future__ import annotations

import torch

from strokediff.baselines import medsegdiff
from strokediff.baselines.medsegdiff import FFParser, attentive


def features(seed: int) -> torch.Tensor:
    return torch.randn(2, 3, 10, 10, generator=torch.Generator().manual_seed(seed))


def test_an_all_ones_map_changes_nothing() -> None:
    torch.testing.assert_close(FFParser(3, 10)(features(0)), features(0), atol=1e-5, rtol=0)


def test_a_map_of_the_lowest_frequency_leaves_the_mean() -> None:
    parser, h = FFParser(3, 10), features(0)
    with torch.no_grad():
        parser.real.zero_()
        parser.real[:, 0, 0] = 1.0
    expected = h.mean(dim=(2, 3), keepdim=True).expand_as(h)
    torch.testing.assert_close(parser(h), expected, atol=1e-5, rtol=0)


def test_an_imaginary_map_shifts_phases() -> None:
    """A = exp(-2 pi i u) rolls a row of pixels: the map acts as a spectrum does."""
    parser, h = FFParser(3, 10), features(0)
    phase = torch.exp(-2j * torch.pi * torch.fft.fftfreq(10))[:, None].expand(10, 6)
    with torch.no_grad():
        parser.real.copy_(phase.real.expand(3, 10, 6))
        parser.imaginary.copy_(phase.imag.expand(3, 10, 6))
    torch.testing.assert_close(parser(h), h.roll(1, dims=2), atol=1e-4, rtol=0)


def test_dynamic_encoding_is_the_papers_product() -> None:
    image, mask = features(0), features(1)

    def normal(h: torch.Tensor) -> torch.Tensor:
        flat = h.reshape(len(h), -1)
        flat = (flat - flat.mean(1, keepdim=True)) / flat.std(1, keepdim=True, unbiased=False)
        return flat.reshape(h.shape)

    expected = normal(image) * normal(mask) * image
    torch.testing.assert_close(attentive(image, mask), expected, atol=1e-4, rtol=1e-4)


def test_the_image_is_read_differently_as_the_mask_changes() -> None:
    torch.manual_seed(0)
    network = medsegdiff.SMALL.build(96)
    seen: list[torch.Tensor] = []
    level = network.get_submodule("image_encoder.levels.1")
    level.register_forward_hook(lambda *args: seen.append(args[-1]))
    x, t = torch.randn(1, 1, 96, 96), torch.tensor([7])
    for seed in (1, 2):
        y_t = torch.randn(1, 1, 96, 96, generator=torch.Generator().manual_seed(seed))
        network(y_t, x, t)
    assert not torch.equal(seen[0], seen[1])


def test_staple_of_equal_samples_is_that_sample() -> None:
    y = torch.full((2, 1, 8, 8), -1.0)
    y[0, :, 2:4, 2:5] = 1.0
    m = torch.ones_like(y)
    fused = medsegdiff.SMALL.fuse(y.expand(5, *y.shape), m)
    torch.testing.assert_close(fused, y, atol=1e-3, rtol=0)


def test_staple_looks_at_each_slice_alone() -> None:
    generator = torch.Generator().manual_seed(0)
    samples = torch.randn(5, 2, 1, 8, 8, generator=generator)
    samples[:, 1] -= 1.0
    m = torch.ones(2, 1, 8, 8)
    fused = medsegdiff.SMALL.fuse(samples, m)
    for i in range(2):
        alone = medsegdiff.SMALL.fuse(samples[:, i : i + 1], m[i : i + 1])
        assert torch.equal(fused[i : i + 1], alone)
