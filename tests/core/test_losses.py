"""Laws of the losses: the P2 form against the printed weights, and exact zeros and gradients."""

import math

import pytest
import torch

from strokediff.core.losses import (
    LABEL_LIKELIHOODS,
    LABEL_READINGS,
    P2,
    LabelReading,
    Mahalanobis,
    exact_weights,
    label_residual,
    masked_mean,
    soft_dice_loss,
    squared_error,
)
from strokediff.core.process import SynchronousProcess
from strokediff.core.schedule import from_betas, sigmoid_schedule

PROCESS = SynchronousProcess(sigmoid_schedule())


def test_the_residual_is_sqrt_abar_times_the_label_error() -> None:
    g = torch.Generator().manual_seed(0)
    t = torch.tensor([1, 50, 250, 450])
    x_0, y_0, eps, eps_hat, y_t_hat = (
        torch.randn(4, 1, 5, 5, generator=g, dtype=torch.float64) for _ in range(5)
    )
    drawn = PROCESS.diffuse(x_0, y_0, eps, t)
    y_0_hat = PROCESS.clean(y_t_hat, eps_hat, t)
    expected = PROCESS.alpha_bar(t, y_0).sqrt() * (y_0_hat - y_0)
    torch.testing.assert_close(label_residual(PROCESS, drawn, eps_hat, y_t_hat), expected)


def test_the_residual_stays_finite_at_T_in_single_precision() -> None:
    """1/sqrt(abar[T]) is near 700 here; the cancelled form never meets it."""
    t = torch.tensor([500])
    one = torch.ones(1, 1, 2, 2)
    drawn = PROCESS.diffuse(one, one, one, t)
    residual = label_residual(PROCESS, drawn, 1.1 * one, drawn.y_t)
    assert residual.abs().max() < 0.2


def test_the_printed_weights_are_the_kl_of_equation_10() -> None:
    """|mu - mu_hat|^2 / (2 sigma^2) is d1 e^2 of an error in y_0 alone, d2 e^2 of one in eps."""
    weights = exact_weights(PROCESS.schedule)
    t = torch.arange(2, 501)
    zero = torch.zeros(len(t), 1, 1, 1, dtype=torch.float64)
    error = zero + 0.3
    variance = PROCESS.posterior_variance(t, t - 1, error)
    for weight, pair in ((weights.d1, (error, zero)), (weights.d2, (zero, error))):
        divergence = PROCESS.posterior_mean(*pair, t, t - 1) ** 2 / (2 * variance)
        torch.testing.assert_close(weight[2:] * 0.3**2, divergence.flatten())


def test_the_ratio_of_the_printed_weights() -> None:
    """d1 / d2 = abar[t-1] gamma[t] / (alpha[t] gamma[t-1]^2), which tends to SNR as beta -> 0."""
    schedule = from_betas(torch.full((2000,), 1e-3))
    weights = exact_weights(schedule)
    ratio = (weights.d1 / weights.d2)[1000:]
    torch.testing.assert_close(ratio, schedule.snr[1000:], rtol=5e-3, atol=0)


def test_p2_weights_are_the_simplified_pair_times_lambda() -> None:
    """d2 = (1 + SNR)^-1 and d1 SNR^-1 abar = the same, for t >= 1, at k = g = 1."""
    s, p2 = PROCESS.schedule, P2()
    lam = 1 / (1 + s.snr[1:])
    torch.testing.assert_close(p2.d2(s)[1:], lam)
    # d1 weighs |r|^2 = abar |y_0 error|^2, so d1 abar is lambda SNR.
    torch.testing.assert_close(p2.d1(s)[1:] * s.alpha_bar[1:], lam * s.snr[1:])
    torch.testing.assert_close(p2.d1(s), torch.ones_like(s.gamma))


def test_p2_refuses_an_exponent_that_diverges() -> None:
    with pytest.raises(ValueError, match="diverges"):
        P2(g=0.5).d1(PROCESS.schedule)


def test_masked_mean_ignores_what_lies_outside() -> None:
    values = torch.tensor([[[[1.0, 100.0], [3.0, 100.0]]]])
    m = torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]]])
    assert masked_mean(values, m).tolist() == [2.0]
    assert masked_mean(values, torch.zeros_like(m)).tolist() == [0.0]


def test_dice_is_zero_for_a_sure_hit_and_one_for_a_sure_miss() -> None:
    y_0 = torch.full((1, 1, 8, 8), -1.0)
    y_0[..., :4, :4] = 1.0
    m = torch.ones_like(y_0)
    assert float(soft_dice_loss(100 * y_0, y_0, m)) == pytest.approx(0.0, abs=1e-6)
    assert float(soft_dice_loss(-100 * y_0, y_0, m)) == pytest.approx(1 - 1 / 65, abs=1e-6)


def test_dice_of_empty_against_empty_is_zero() -> None:
    y_0 = torch.full((2, 1, 4, 4), -1.0)
    assert float(soft_dice_loss(100 * y_0, y_0, torch.ones_like(y_0))) == pytest.approx(0.0)


def test_dice_against_monai() -> None:
    """With the smoothing of both set to 1 the two are the same number."""
    monai_losses = pytest.importorskip("monai.losses")
    g = torch.Generator().manual_seed(3)
    y_0_hat = torch.randn(3, 1, 6, 6, generator=g)
    y_0 = torch.where(torch.rand(3, 1, 6, 6, generator=g) < 0.3, 1.0, -1.0)
    other = monai_losses.DiceLoss(sigmoid=True, batch=True, smooth_nr=1.0, smooth_dr=1.0)
    ours = soft_dice_loss(y_0_hat, y_0, torch.ones_like(y_0))
    torch.testing.assert_close(ours, other(y_0_hat, (y_0 > 0).float()))


@pytest.mark.parametrize("reading", LABEL_READINGS.values())
@pytest.mark.parametrize("name", LABEL_LIKELIHOODS)
def test_every_likelihood_prefers_the_truth_and_ignores_the_outside(
    name: str, reading: LabelReading
) -> None:
    law = LABEL_LIKELIHOODS[name]
    y_0 = torch.tensor([[[[1.0, -1.0, 1.0]]]])
    m = torch.tensor([[[[1.0, 1.0, 0.0]]]])
    right, wrong = (law(sign * y_0, y_0, m, reading) for sign in (1, -1))
    assert right.shape == (1,)
    assert right < wrong
    moved = y_0.clone()
    moved[..., 2] = -50.0
    assert torch.equal(law(moved, y_0, m, reading), right)


@pytest.mark.parametrize(
    ("reading", "p"), [("sigmoid", 1 / (1 + math.exp(-0.5))), ("linear", 0.75)]
)
def test_bernoulli_likelihood_by_hand(reading: str, p: float) -> None:
    """-log p where the label is lesion, -log (1 - p) where it is not."""
    y_0_hat, one = torch.full((1, 1, 1, 1), 0.5), torch.ones(1, 1, 1, 1)
    law = LABEL_LIKELIHOODS["bernoulli"]
    there = law(y_0_hat, one, one, LABEL_READINGS[reading])
    elsewhere = law(y_0_hat, -one, one, LABEL_READINGS[reading])
    assert float(there) == pytest.approx(-math.log(p))
    assert float(elsewhere) == pytest.approx(-math.log(1 - p))


@pytest.mark.parametrize("reading", LABEL_READINGS.values())
def test_bernoulli_likelihood_is_finite_however_sure_the_network_is(reading: LabelReading) -> None:
    """Also of what lies outside the mask, where 0 times infinity would be no number."""
    y_0 = torch.tensor([[[[1.0, -1.0, 1.0]]]])
    m = torch.tensor([[[[1.0, 1.0, 0.0]]]])
    wrong = LABEL_LIKELIHOODS["bernoulli"](-1e4 * y_0, y_0, m, reading)
    assert 10 < float(wrong) < 20


def test_read_linearly_every_loss_of_the_label_is_least_at_the_true_label() -> None:
    """y_0_hat = y_0 in {-1, +1} is the optimum of L_d0, of Dice and of the squared error alike."""
    y_0 = torch.full((1, 1, 4, 4), -1.0)
    y_0[..., :2] = 1.0
    m = torch.ones_like(y_0)
    linear = LABEL_READINGS["linear"]
    laws = {
        "dice": lambda y: soft_dice_loss(y, y_0, m, linear),
        **{
            name: lambda y, law=law: law(y, y_0, m, linear)[0]
            for name, law in LABEL_LIKELIHOODS.items()
        },
    }
    for name, law in laws.items():
        values = [float(law(scale * y_0)) for scale in (0.0, 0.5, 0.9, 1.0)]
        assert values == sorted(values, reverse=True), name
        assert values[-1] == pytest.approx(0.0, abs=1e-5), name


def test_mahalanobis_is_the_squared_error_of_the_whitened_residual_inside_the_mask() -> None:
    """With Sigma = 4 I it is a quarter of the squared error; what lies outside m plays no part."""
    g = torch.Generator().manual_seed(1)
    residual = torch.randn(3, 1, 5, 5, generator=g)
    m = (torch.rand(3, 1, 5, 5, generator=g) < 0.6).float()
    found = Mahalanobis(lambda e, m: e / 2 * m)(residual, m)
    torch.testing.assert_close(found, squared_error(residual, m) / 4)
    torch.testing.assert_close(
        Mahalanobis(lambda e, m: e)(residual, m), masked_mean(residual**2, m)
    )
    outside = residual + 100 * (1 - m)
    torch.testing.assert_close(Mahalanobis(lambda e, m: e / 2)(outside, m), found)
