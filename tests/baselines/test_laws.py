"""Laws that hold for every baseline."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from strokediff.baselines.base import Baseline
from strokediff.baselines.label_diffusion import LabelDiffusion
from strokediff.baselines.label_posterior import LABEL, LabelPosterior
from strokediff.baselines.one_pass import OnePass
from strokediff.baselines.registry import BASELINES
from strokediff.baselines.reverse import LearnedRange
from strokediff.errors import UsageError
from strokediff.training.state import Average, load_state, save_state

SIZE = 96
SEEDS = [11, 12, 13]
# MONAI makes these for cross-attention, which UNETR does not have.
UNUSED = "norm_cross_attn"


class LeftHalf:
    """A denoiser whose label is the left half of whatever it is shown."""

    kinds = 1

    def __init__(self, method: LabelDiffusion) -> None:
        self.method = method
        self.process = method.process

    def guide(self, x: Tensor) -> Tensor:
        return x

    def denoise(self, y_t: Tensor, guide: Tensor, t: Tensor, *last: Tensor | None) -> Tensor:
        y_0 = torch.where(torch.arange(SIZE) < SIZE // 2, 1.0, -1.0)
        if isinstance(self.method, LabelPosterior) and self.method.predicts is LABEL:
            return (40 * y_0).expand_as(y_t)
        at = t.cpu()
        signal = self.process.alpha_bar(at, y_t).sqrt() * y_0
        eps = (y_t - signal) / self.process.gamma(at, y_t).sqrt()
        learned = isinstance(self.method.reverse, LearnedRange)
        return torch.cat([eps, torch.zeros_like(eps)], dim=1) if learned else eps


def test_a_label_is_in_range_and_minus_one_outside_the_brain(
    method: Baseline, module: nn.Module, batch: dict[str, Any]
) -> None:
    x, m = batch["x"], batch["m"]
    with torch.inference_mode():
        found = [method.predict(module, x, m, SEEDS), method.label(module, x, m)]
    for y_0 in found:
        assert y_0.shape == m.shape and y_0.dtype == torch.float32
        assert bool((y_0.abs() <= 1).all()) and bool((y_0[m == 0] == -1).all())
        assert float(y_0[m > 0].std()) > 0


def test_an_answer_does_not_depend_on_the_batch(
    method: Baseline, module: nn.Module, batch: dict[str, Any]
) -> None:
    x, m = batch["x"], batch["m"]
    together = method.predict(module, x, m, SEEDS)
    alone = [method.predict(module, x[i : i + 1], m[i : i + 1], SEEDS[i : i + 1]) for i in range(3)]
    torch.testing.assert_close(torch.cat(alone), together, atol=1e-4, rtol=0)


def test_equal_seeds_give_equal_answers_and_others_only_where_noise_is_drawn(
    method: Baseline, module: nn.Module, batch: dict[str, Any]
) -> None:
    x, m = batch["x"][:1], batch["m"][:1]
    first, again, other = (method.predict(module, x, m, [seed]) for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert torch.equal(first, other) != isinstance(method, LabelDiffusion)


def test_what_lies_outside_the_brain_is_not_seen(
    method: Baseline, module: nn.Module, batch: dict[str, Any]
) -> None:
    """Nor is any channel but the first: validation passes neighbours too."""
    x, m = batch["x"][:1], batch["m"][:1]
    more = torch.cat([x + 3 * (1 - m), torch.ones_like(x)], dim=1)
    expected = method.predict(module, x, m, [5])
    assert torch.equal(method.predict(module, more, m, [5]), expected)


def test_validation_may_find_the_network_in_training_mode(
    method: Baseline, module: nn.Module, batch: dict[str, Any]
) -> None:
    x, m = batch["x"][:1], batch["m"][:1]
    with torch.inference_mode():
        expected = method.label(module, x, m)
        found = method.label(deepcopy(module).train(), x, m)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_both_views_of_a_slice_are_asked(
    method: Baseline, module: nn.Module, batch: dict[str, Any]
) -> None:
    """Samples alternate between them; otherwise a mirrored slice has the mirrored answer."""
    x, m = batch["x"], batch["m"]
    left = torch.arange(SIZE) < SIZE // 2
    if isinstance(method, LabelDiffusion):
        two = method.draw(LeftHalf(method), x, m, SEEDS, samples=2, steps=2)
        first, second = two[0] > 0, two[1] > 0
        assert torch.equal(first, (m > 0) & left) and torch.equal(second, (m > 0) & ~left)
    else:
        found = method.predict(module, x, m, SEEDS)
        mirrored = method.predict(module, x.flip(-1), m.flip(-1), SEEDS).flip(-1)
        assert float(found[m > 0].std()) > 0
        torch.testing.assert_close(mirrored, found, atol=1e-6, rtol=0)
        alone = method.label(module, x, m)
        assert not torch.allclose(alone, found, atol=1e-4)


def test_evaluations_are_counted_truly(
    method: Baseline, module: nn.Module, batch: dict[str, Any]
) -> None:
    calls: list[int] = []
    part = module.get_submodule("decoder") if isinstance(method, LabelDiffusion) else module
    hook = part.register_forward_hook(lambda *_: calls.append(1))
    method.predict(module, batch["x"][:1], batch["m"][:1], [5])
    hook.remove()
    assert len(calls) == method.evaluations()


def test_the_gradient_reaches_every_weight(
    method: Baseline, module: nn.Module, batch: dict[str, Any]
) -> None:
    network = deepcopy(module).train()
    method.losses(network, batch)["loss"].backward()
    without = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert [name for name in without if UNUSED not in name] == []


def test_mixed_precision_trains(method: Baseline, module: nn.Module, batch: dict[str, Any]) -> None:
    """In bfloat16 the loss stays near that of float32, and is itself float32."""
    with torch.no_grad():
        expected = method.losses(module, batch)["loss"]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = method.losses(module, batch)["loss"]
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, atol=0.02, rtol=0.05)


def test_training_lowers_the_loss_and_weights_survive_a_file(
    method: Baseline, batch: dict[str, Any], tmp_path: Path
) -> None:
    """Overfits one batch; then weights, moments and average go through a file."""
    torch.manual_seed(0)
    network = method.build(SIZE).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    average, losses = Average(network, decay=0.5, every=1), []
    for step in range(1, 13):
        loss = method.losses(network, batch)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        average.update(network, step)
        losses.append(float(loss.detach()))
    assert torch.isfinite(torch.tensor(losses)).all()
    assert losses[-1] < 0.95 * losses[0]
    save_state(tmp_path / "state", 12, network, optimizer)
    torch.manual_seed(1)
    other = method.build(SIZE)
    load_state(tmp_path / "state", other, torch.optim.Adam(other.parameters()))
    x, m = batch["x"][:1], batch["m"][:1]
    expected = method.predict(network.eval(), x, m, [5])
    assert torch.equal(method.predict(other.eval(), x, m, [5]), expected)
    other.load_state_dict(average.weights)
    assert not torch.equal(method.predict(other, x, m, [5]), expected)


@pytest.mark.parametrize(
    ("scale", "size"),
    [("small", 96), ("small", 192), ("small", 224), ("small", 448), ("full", 448)],
)
def test_grids_from_96_to_448_are_taken(method: Baseline, scale: str, size: int) -> None:
    """Shapes alone, on the meta device; the full scale on one grid, since it is slow to make."""
    chosen = BASELINES[method.name][scale]
    x = torch.empty(1, 1, size, size, device="meta")
    network = chosen.build(size).to("meta").eval()
    if isinstance(chosen, LabelDiffusion):
        found = network(x, x, torch.empty(1, dtype=torch.long, device="meta"))
    else:
        assert isinstance(chosen, OnePass)
        found = chosen.outputs(network, x)[0]
    assert found[:, :1].shape == x.shape  # learned sigma and a mask come after


def test_a_second_grid_runs(method: Baseline) -> None:
    m = torch.ones(1, 1, 224, 224)
    with torch.inference_mode():
        y_0 = method.label(method.build(224).eval(), torch.zeros_like(m), m)
    assert y_0.shape == m.shape and bool(torch.isfinite(y_0).all())


def test_a_grid_that_does_not_fit_is_refused(method: Baseline) -> None:
    with pytest.raises(UsageError, match=r"Prepare the cohort on another grid"):
        method.build(100)
