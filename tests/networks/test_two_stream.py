"""Laws of the two-stream network and of its parts."""

import pytest
import torch

from strokediff.core.process import SynchronousProcess
from strokediff.core.schedule import sigmoid_schedule
from strokediff.errors import UsageError
from strokediff.networks.blocks import FrozenOnesFilter, LinearAttention, SelfAttention
from strokediff.networks.config import NetworkConfig
from strokediff.networks.two_stream import TwoStreamUNet

SCHEDULE = sigmoid_schedule()
CONFIGS = [
    NetworkConfig(base=8, multipliers=(1, 2)),
    NetworkConfig(base=8, multipliers=(1, 2), patch=2, label_form="clean"),
    NetworkConfig(base=8, multipliers=(1, 2, 2), linear_attention=True),
    NetworkConfig(base=16, noise_base=8, multipliers=(1, 2, 3), label_form="clean"),
    NetworkConfig(base=8, multipliers=(1, 2), patch=2, neighbours=2, mirror=True),
    NetworkConfig(base=8, multipliers=(1, 2, 2), pooling="max", label_form="clean"),
]


def build(config: NetworkConfig) -> TwoStreamUNet:
    torch.manual_seed(0)
    net = TwoStreamUNet(config, SCHEDULE, size=32)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return net


def seen(config: NetworkConfig, n: int) -> torch.Tensor:
    """The noisy slice and what lies beside it."""
    return torch.randn(n, config.channels, 32, 32)


@pytest.mark.parametrize("config", CONFIGS)
def test_shapes_and_gradients_reach_every_weight(config: NetworkConfig) -> None:
    net = build(config)
    eps_hat, y_t_hat = net(seen(config, 2), torch.tensor([3, 400]))
    assert eps_hat.shape == y_t_hat.shape == (2, 1, 32, 32)
    (eps_hat.square().sum() + y_t_hat.square().sum()).backward()
    without = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


@pytest.mark.parametrize("config", CONFIGS)
def test_features_computed_again_give_the_same_gradients_bitwise(config: NetworkConfig) -> None:
    net, x = build(config).train(), seen(config, 2)
    found = []
    for again in (False, True):
        net.recompute = again
        net.zero_grad()
        eps_hat, y_t_hat = net(x, torch.tensor([0, 400]))
        (eps_hat.square().sum() + y_t_hat.square().sum()).backward()
        found.append([eps_hat, y_t_hat, *(p.grad for p in net.parameters())])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


@pytest.mark.parametrize("config", CONFIGS)
def test_the_encoder_is_computed_once(config: NetworkConfig) -> None:
    net, calls = build(config), []
    net.encoder.register_forward_hook(lambda *_: calls.append(1))
    net(seen(config, 1), torch.tensor([3]))
    assert len(calls) == 1


def test_the_streams_share_the_encoder_and_nothing_behind_it() -> None:
    """The label's gradient reaches the encoder and the label decoder, not the noise decoder."""
    net = build(CONFIGS[0])
    net(torch.randn(1, 1, 32, 32), torch.tensor([3]))[1].sum().backward()
    reached = {n.split(".")[0] for n, p in net.named_parameters() if p.grad is not None}
    assert {"encoder", "label_decoder", "label_head"} <= reached
    assert not {"noise_decoder", "noise_head"} & reached


def test_a_thin_noise_stream_takes_nothing_from_the_label_stream() -> None:
    """noise_base narrows the noise decoder and its head; encoder and label stream stay."""
    wide, thin = (build(CONFIGS[3].model_copy(update={"noise_base": b})) for b in (None, 8))
    shapes = [{n: p.shape for n, p in net.named_parameters()} for net in (wide, thin)]
    changed = {n.split(".")[0] for n in shapes[0] if shapes[0][n] != shapes[1][n]}
    assert changed == {"noise_decoder", "noise_head"}
    assert sum(p.numel() for p in thin.parameters()) < sum(p.numel() for p in wide.parameters())


@pytest.mark.parametrize("pooling", ["average", "max"])
def test_a_level_sees_two_by_two_pixels_of_the_one_above(pooling: str) -> None:
    """Their mean, or with `pooling="max"` the largest of them, channel by channel."""
    net = build(CONFIGS[0].model_copy(update={"pooling": pooling}))
    given: list[torch.Tensor] = []
    net.encoder.blocks[1].register_forward_hook(lambda _m, inputs, _o: given.append(inputs[0]))
    kept: list[torch.Tensor] = []
    net.encoder.blocks[0].register_forward_hook(lambda _m, _i, out: kept.append(out))
    net(seen(CONFIGS[0], 1), torch.tensor([3]))
    b, c, h, w = kept[0].shape
    pixels = kept[0].reshape(b, c, h // 2, 2, w // 2, 2)
    expected = pixels.mean((3, 5)) if pooling == "average" else pixels.amax((3, 5))
    torch.testing.assert_close(given[0], expected)


def test_clean_form_obeys_equation_11() -> None:
    """y_0 read back from (eps_hat, y_t_hat) is tanh(l / 2) of the decoder's output, at any t."""
    net = build(CONFIGS[1])
    kept: list[torch.Tensor] = []
    net.label_head.register_forward_hook(lambda _m, _i, out: kept.append(out))
    t = torch.tensor([0, 250, 480])
    eps_hat, y_t_hat = net(torch.randn(3, 1, 32, 32), t)
    y_0 = SynchronousProcess(SCHEDULE).clean(y_t_hat, eps_hat, t)
    logit = torch.nn.functional.pixel_shuffle(kept[0], 2)
    torch.testing.assert_close(y_0, torch.tanh(logit / 2), atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize(("precision", "atol"), [(torch.float32, 1e-4), (torch.bfloat16, 0.05)])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("config", CONFIGS)
def test_without_noise_none_is_predicted_and_the_others_do_not_notice(
    config: NetworkConfig, training: bool, precision: torch.dtype, atol: float
) -> None:
    """eps_hat = 0 at t = 0, and a sample's answer is the one it gets in a batch of its own."""
    net, x_t, t = (
        build(config).train(training),
        seen(config, 3),
        torch.tensor([0, 250, 0]),
    )
    with torch.no_grad(), torch.autocast("cpu", precision, enabled=precision != torch.float32):
        together = net(x_t, t)
        alone = [net(x_t[i : i + 1], t[i : i + 1]) for i in range(3)]
    for k, out in enumerate(together):
        one_by_one = torch.cat([answer[k] for answer in alone])
        torch.testing.assert_close(out.float(), one_by_one.float(), atol=atol, rtol=atol)
    assert not together[0][[0, 2]].any() and together[0][1].any()


def test_at_t_0_the_noise_decoder_is_not_run() -> None:
    net, calls = build(CONFIGS[0]), []
    net.noise_decoder.register_forward_hook(lambda *_: calls.append(1))
    net(torch.randn(2, 1, 32, 32), torch.zeros(2, dtype=torch.long))
    assert calls == []


def test_the_answer_depends_on_t() -> None:
    net, x = build(CONFIGS[0]), torch.randn(1, 1, 32, 32)
    early, late = (net(x, torch.tensor([t]))[0] for t in (1, 400))
    assert not torch.allclose(early, late, atol=1e-3)


def test_a_grid_that_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="multiple of 4"):
        TwoStreamUNet(NetworkConfig(base=8, multipliers=(1, 2), patch=2), SCHEDULE, size=30)


def test_base_must_fit_the_groups() -> None:
    with pytest.raises(ValueError, match="multiple of groups"):
        NetworkConfig(base=12, groups=8)


@pytest.mark.parametrize("attention", [SelfAttention, LinearAttention])
def test_attention_starts_as_identity_and_sees_everything(attention: type) -> None:
    torch.manual_seed(0)
    block = attention(8, groups=4)
    h = torch.randn(1, 8, 6, 6)
    assert torch.equal(block(h), h)
    torch.nn.init.normal_(block.out.weight)
    changed = h.clone()
    changed[..., 0, 0] += 5.0
    assert (block(changed) - block(h))[..., 5, 5].abs().max() > 1e-4


def test_self_attention_against_pytorch() -> None:
    torch.manual_seed(0)
    ours = SelfAttention(8, groups=4, heads=2)
    torch.nn.init.normal_(ours.out.weight)
    theirs = torch.nn.MultiheadAttention(8, 2, batch_first=True, bias=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(ours.qkv.weight[:, :, 0, 0])
        theirs.in_proj_bias.copy_(ours.qkv.bias)
        theirs.out_proj.weight.copy_(ours.out.weight[:, :, 0, 0])
        theirs.out_proj.bias.copy_(ours.out.bias)
    h = torch.randn(2, 8, 3, 5)
    tokens = ours.norm(h).flatten(2).transpose(1, 2)
    expected = h + theirs(tokens, tokens, tokens)[0].transpose(1, 2).reshape(h.shape)
    torch.testing.assert_close(ours(h), expected, atol=1e-5, rtol=1e-5)


def test_the_ones_filter_drops_a_lone_pixel_and_keeps_a_pair() -> None:
    mask = torch.zeros(1, 1, 20, 20)
    mask[0, 0, 2, 2] = 1
    mask[0, 0, 12, 12] = mask[0, 0, 12, 15] = 1
    kept = FrozenOnesFilter()(mask)
    assert kept.sum() == 2
    assert kept[0, 0, 2, 2] == 0


def test_the_ones_filter_is_frozen_and_only_removes() -> None:
    filter_ = FrozenOnesFilter(kernel=3, threshold=2)
    assert list(filter_.parameters()) == []
    assert filter_.state_dict() == {}
    g = torch.Generator().manual_seed(0)
    mask = (torch.rand(2, 1, 16, 16, generator=g) < 0.2).float()
    kept = filter_(mask)
    assert ((kept == 0) | (kept == mask)).all()
    neighbours = torch.nn.functional.avg_pool2d(mask, 3, 1, 1) * 9
    assert torch.equal(kept, mask * (neighbours.round() > 2).float())
