"""`matched`: noise is measured in the mask, t is that of it, and the label comes back."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from strokediff.core.oracle import Oracle
from strokediff.core.process import SynchronousProcess
from strokediff.core.schedule import sigmoid_schedule
from strokediff.inference.estimator import Context, Slices
from strokediff.inference.matched import Matched, matched_t, noise_sd
from strokediff.noise.isotropic import IsotropicNoise

SIDE = 128


def noise(seed: int, slices: int = 1) -> Tensor:
    return torch.randn(
        slices, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


def bent() -> Tensor:
    """a + b i + c j + d i j: what second differences across and down do not see."""
    i, j = torch.meshgrid(torch.linspace(-1, 1, SIDE), torch.linspace(-1, 1, SIDE), indexing="ij")
    return (0.1 + 0.3 * i - 0.2 * j + 0.4 * i * j)[None, None].double()


def everywhere() -> Tensor:
    return torch.ones(1, 1, SIDE, SIDE, dtype=torch.float64)


@pytest.mark.parametrize("sigma", [0.0, 0.02, 0.1, 0.5])
def test_white_noise_on_a_bent_surface_has_its_sd(sigma: float) -> None:
    """Within 3 standard errors of a median of 16,000 dependent pixels, about 3 %."""
    found = noise_sd(bent() + sigma * noise(1), everywhere())
    assert float(found) == pytest.approx(sigma, rel=0.03, abs=1e-7)


def test_noise_grows_with_the_image() -> None:
    """noise_sd(a x + b) = |a| noise_sd(x)."""
    x = noise(2)
    assert float(noise_sd(-3 * x + 5, everywhere())) == pytest.approx(
        3 * float(noise_sd(x, everywhere()))
    )


def test_what_lies_beyond_the_mask_does_not_count() -> None:
    """Nor do pixels on its rim, whose neighbours lie beyond."""
    m, x = everywhere(), 0.1 * noise(3)
    m[..., :40] = 0
    beyond = torch.where(m > 0, x, 100 * noise(4))
    assert noise_sd(beyond, m).equal(noise_sd(x, m))


def test_edges_and_a_lesion_hardly_count() -> None:
    """A disc of other HU moves it by 8 % at most, a tenth of all pixels gone wild by 25 %."""
    i, j = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    disc = ((i - 60) ** 2 + (j - 50) ** 2 < 30**2).double()[None, None]
    still = 0.1 * noise(5) + 0.8 * disc
    assert float(noise_sd(still, everywhere())) == pytest.approx(0.1, rel=0.08)
    wild = still.clone()
    wild[..., :12, :] = 5 * noise(6)[..., :12, :]
    assert float(noise_sd(wild, everywhere())) == pytest.approx(0.1, rel=0.25)


def test_slices_without_an_inner_pixel_have_no_noise() -> None:
    thin = torch.zeros_like(everywhere())
    thin[..., 5:7] = 1
    found = noise_sd(torch.cat([noise(7), noise(8)]), torch.cat([thin, torch.zeros_like(thin)]))
    assert found.tolist() == [0, 0]


@pytest.mark.parametrize("t", [0, 1, 7, 120, 499, 500])
def test_t_is_that_of_its_own_noise(t: int) -> None:
    """At every t's own sigma the answer is t, and a little off it still is."""
    process = SynchronousProcess(sigmoid_schedule(T=500))
    ratio = (process.schedule.gamma / process.schedule.alpha_bar).sqrt()
    assert matched_t(ratio, process).tolist() == list(range(501))
    assert matched_t(ratio[t : t + 1] * (1 + 1e-6), process).tolist() == [t]


def test_noise_beyond_all_has_the_last_t() -> None:
    process = SynchronousProcess(sigmoid_schedule(T=50))
    assert matched_t(torch.tensor([0.0, 1e9]), process).tolist() == [0, 50]


@pytest.mark.parametrize("level", [1.0, 1.5])
@pytest.mark.parametrize("sigma", [0.1, 0.4])
def test_the_label_of_a_noisy_scan_comes_back(sigma: float, level: float) -> None:
    """The oracle knows the scan without noise: what it takes for eps is the scan's own noise."""
    process = SynchronousProcess(sigmoid_schedule(T=500))
    clean = bent().float()
    y_0 = torch.where(noise(9) > 1, 1.0, -1.0).float()
    scan = clean + sigma * noise(10).float()
    slices = Slices(scan, torch.ones_like(scan), keys=[3], seed=1)
    context = Context(Oracle(process, clean, y_0), process, IsotropicNoise())
    assert torch.allclose(Matched(level).draw(slices, context), y_0, atol=1e-3)


class Asked:
    """A network that answers 0 and remembers x_t and t."""

    def __call__(self, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        self.x_t, self.t = x_t, t
        return torch.zeros_like(x_t), torch.zeros_like(x_t)


def test_the_network_sees_noise_as_strong_as_it_is_told() -> None:
    """Var x_t / gamma_t = 1 of pure noise, slice by slice, at level 1 and at level 2."""
    process = SynchronousProcess(sigmoid_schedule(T=500))
    sigma = torch.tensor([0.05, 0.3])[:, None, None, None]
    scan = (sigma * noise(11, slices=2)).float()
    slices = Slices(scan, torch.ones_like(scan), keys=[0, 1], seed=2)
    for level in (1.0, 2.0):
        asked = Asked()
        Matched(level).draw(slices, Context(asked, process, IsotropicNoise()))
        gamma = process.schedule.gamma[asked.t]
        assert (asked.x_t.var((1, 2, 3)) / gamma).tolist() == pytest.approx([1, 1], rel=0.06)


def test_a_level_adds_noise_and_draws_differ() -> None:
    scan = 0.2 * noise(12).float()
    slices = Slices(scan, torch.ones_like(scan), keys=[0], seed=0)
    process = SynchronousProcess(sigmoid_schedule(T=500))
    context = Context(Oracle(process, torch.zeros_like(scan), scan), process, IsotropicNoise())
    rows = slices.rows([0, 0], [0, 1])
    still, moved = Asked(), Asked()
    Matched().draw(rows, Context(still, process, context.noise))
    Matched(2.0).draw(rows, Context(moved, process, context.noise))
    assert still.x_t[0].equal(still.x_t[1]) and not moved.x_t[0].equal(moved.x_t[1])


def test_a_level_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="level of 1 or more"):
        Matched(level=0.5)
