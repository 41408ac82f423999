"""What makes SegDiff and MedSegDiff as they were released."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from strokediff.baselines import medsegdiff_released, segdiff_released
from strokediff.baselines.medsegdiff_head import HeadWidths, Highway
from strokediff.baselines.medsegdiff_released import MedSegDiffReleasedNetwork
from strokediff.baselines.registry import baseline
from strokediff.baselines.released_unet import ReleasedDecoder, ReleasedEncoder, ReleasedWidths
from strokediff.baselines.segdiff_released import SegDiffReleasedNetwork

SIDE = 32
WIDTHS = ReleasedWidths(base=8, multipliers=(1, 2, 3), blocks=2, attended=(1,), heads=1, groups=4)


def slices(seed: int, kinds: int = 1) -> Tensor:
    source = torch.Generator().manual_seed(seed)
    return torch.randn(2, kinds, SIDE, SIDE, generator=source)


@pytest.fixture(scope="module")
def med() -> MedSegDiffReleasedNetwork:
    torch.manual_seed(0)
    network = medsegdiff_released.SMALL.build(SIDE, kinds=2)
    assert isinstance(network, MedSegDiffReleasedNetwork)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return network.eval()


def batch(kinds: int = 1) -> dict[str, Any]:
    m = torch.ones(2, 1, SIDE, SIDE)
    return {"x": slices(0), "y": slices(1, kinds).sign(), "m": m, "number": torch.arange(2)}


@pytest.mark.parametrize(
    ("name", "millions", "evaluations"),
    [("segdiff-released", 164.153601, 9 * 100), ("medsegdiff-released", 129.393218, 5 * 1000)],
)
def test_at_full_scale_it_has_the_releases_size(
    name: str, millions: float, evaluations: int
) -> None:
    """Its parameters were counted: 164,154,753 and 129,400,450.

    Those of SegDiff's first convolution of colours (1,152) and, of MedSegDiff's, those of colours
    (2,880) and biases that batch normalisation takes away (4,352) are not there.
    """
    own = baseline(name, "full")
    with torch.device("meta"):
        network = own.build(448)
    assert sum(p.numel() for p in network.parameters()) / 1e6 == millions
    assert own.evaluations() == evaluations


def test_every_block_and_halving_of_the_encoder_reaches_the_decoder() -> None:
    torch.manual_seed(0)
    encoder, decoder = ReleasedEncoder(WIDTHS), ReleasedDecoder(WIDTHS, 3)
    emb = torch.randn(2, WIDTHS.time)
    features = encoder(torch.randn(2, WIDTHS.base, SIDE, SIDE), emb)
    assert [f.shape[1] for f in features] == [*WIDTHS.skips()] == [8, 8, 8, 8, 16, 16, 16, 24, 24]
    assert [f.shape[2] for f in features] == [32, 32, 32, 16, 16, 16, 8, 8, 8]
    nn.init.normal_(decoder.out.weight)
    leaves = [feature.detach().requires_grad_() for feature in features]
    found = decoder(leaves, emb)
    assert found.shape == (2, 3, SIDE, SIDE)
    found.sum().backward()
    assert all(f.grad is not None and bool(f.grad.any()) for f in leaves)


def test_a_new_network_predicts_no_noise() -> None:
    """Its last layer starts at 0, as the release's does."""
    network = segdiff_released.SMALL.build(SIDE)
    assert not network(slices(0), slices(1), torch.tensor([3, 70])).any()


def test_segdiffs_u_net_sees_the_sum_of_both_encodings() -> None:
    network = segdiff_released.SMALL.build(SIDE)
    assert isinstance(network, SegDiffReleasedNetwork)
    seen: list[Tensor] = []
    network.encoder.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    network(slices(0), slices(1), torch.tensor([3, 70]))
    assert torch.equal(seen[0], network.mask_encoder(slices(0)) + network.image_encoder(slices(1)))


def test_segdiffs_samples_are_clipped_before_their_mean() -> None:
    drawn = torch.tensor([-7.0, -1.0, 1.0]).reshape(3, 1, 1, 1, 1)
    own = segdiff_released.SMALL
    fused = own.fuse(own.shown(drawn), torch.ones(1, 1, 1, 1))
    assert float(fused) == pytest.approx(-1 / 3)


def test_image_and_mask_are_concatenated_and_the_anchors_added(
    med: MedSegDiffReleasedNetwork,
) -> None:
    """That the image's share is made once a slice changes nothing."""
    x, y_t, t = slices(0), slices(1, 2), torch.tensor([3, 700])
    seen: list[Tensor] = []
    hook = med.encoder.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    med(y_t, x, t)
    hook.remove()
    expected = med.stem(torch.cat([x, y_t], dim=1)) + med.highway(x)[0]
    torch.testing.assert_close(seen[0], expected, atol=1e-5, rtol=1e-5)


def test_the_highway_is_trained_by_its_own_mask_alone(med: MedSegDiffReleasedNetwork) -> None:
    x, y_t, t = slices(0), slices(1, 2), torch.tensor([3, 700])
    found = med(y_t, x, t)
    med.zero_grad()
    found[:, :4].square().sum().backward()
    assert all(p.grad is None or not p.grad.any() for p in med.highway.parameters())
    med(y_t, x, t)[:, 4:].square().sum().backward()
    assert bool(med.highway.out.weight.grad.any())  # type: ignore[union-attr]
    med.zero_grad()


def test_anchors_are_the_two_next_finest_resolutions() -> None:
    """Each is as coarse as it says: halving it and back by the same rule loses nothing."""
    torch.manual_seed(0)
    highway = Highway(HeadWidths(base=4, pools=3)).eval()
    found: list[Tensor] = []
    for level in (highway.up[1], highway.up[0]):
        level.register_forward_hook(lambda *args: found.append(args[-1]))
    anchors, mask = highway(slices(0))
    quarter, half = found
    assert (half.shape[1:], quarter.shape[1:]) == ((4, 16, 16), (8, 8, 8))
    for part, coarse in (
        (anchors[:, :4], half),
        (anchors[:, 4:8], half),
        (anchors[:, 8:], quarter),
    ):
        expected = F.interpolate(coarse, size=SIDE, mode="bilinear", align_corners=False)
        torch.testing.assert_close(part, expected)
    assert mask.shape == (2, 1, SIDE, SIDE) and bool(((mask > 0) & (mask < 1)).all())


def test_the_loss_is_the_sum_of_its_terms_and_dropout_has_its_seed(
    med: MedSegDiffReleasedNetwork,
) -> None:
    own, given = medsegdiff_released.SMALL, batch(kinds=2)
    med.train()
    before = torch.random.get_rng_state()
    first, again = (own.losses(med, given) for _ in range(2))
    other = own.seeded(1).losses(med, given)
    med.eval()
    assert torch.equal(torch.random.get_rng_state(), before)
    assert {*first} == {"noise", "bound", "mask", "loss"}
    total = sum(float(first[name].detach()) for name in ("noise", "bound", "mask"))
    assert float(first["loss"].detach()) == pytest.approx(total, rel=1e-5)
    assert torch.equal(first["mask"], again["mask"]) and not torch.equal(
        first["mask"], other["mask"]
    )


def test_a_network_that_knows_all_has_no_loss_of_noise_and_mask() -> None:
    own, given = medsegdiff_released.SMALL, batch()
    drawn = own.noised(given)
    assert {*drawn.y_0.unique().tolist()} == {0.0, 1.0}

    def knows(y_t: Tensor, x: Tensor, t: Tensor) -> Tensor:
        return torch.cat([drawn.eps, torch.full_like(y_t, -1.0), drawn.y_0], dim=1)

    losses: Any = own.losses(knows, given)  # type: ignore[arg-type]
    assert float(losses["noise"]) == float(losses["mask"]) == 0
    assert abs(float(losses["bound"])) < 1e-2


def test_validation_leaves_no_trace(med: MedSegDiffReleasedNetwork) -> None:
    """Batch normalisation would learn from it."""
    m = torch.ones(2, 1, SIDE, SIDE)
    before = {key: value.clone() for key, value in med.state_dict().items()}
    med.train()
    medsegdiff_released.SMALL.label(med, slices(0), m)
    assert med.training
    med.eval()
    assert all(torch.equal(before[key], value) for key, value in med.state_dict().items())


def test_its_staple_is_the_mean_squared() -> None:
    """One half takes more than 0.7 of the samples: four of five."""
    own, m = medsegdiff_released.SMALL, torch.ones(1, 1, 1, 6)
    agree = torch.arange(6)
    samples = torch.where(torch.arange(5)[:, None] < agree, 1.0, -1.0).reshape(5, 1, 1, 1, 6)
    p = (own.fuse(samples, m) + 1) / 2
    torch.testing.assert_close(p.flatten(), (agree / 5) ** 2)
    assert (p >= 0.5).flatten().tolist() == [False] * 4 + [True] * 2


def test_a_chain_below_0_is_no_lesion() -> None:
    """The release squares the mean of what is drawn, so that -1 would be lesion."""
    own, m = medsegdiff_released.SMALL, torch.ones(1, 1, 1, 1)
    drawn = torch.full((5, 1, 1, 1, 1), -1.0)
    assert float(own.fuse(own.shown(drawn), m)) == -1.0
