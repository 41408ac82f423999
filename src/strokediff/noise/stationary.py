"""Stationary covariances: filters by FFT, and the inverse square root of one inside a mask."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

TOLERANCE = 1e-5

Operator = Callable[[Tensor], Tensor]


def filtered(values: Tensor, gain: Tensor) -> Tensor:
    """(..., H, W) times `gain` (H, W // 2 + 1), real, at every frequency of a torus."""
    height, width = values.shape[-2:]
    return of_frequencies(torch.fft.rfft2(values) * gain, (height, width))


def of_frequencies(values: Tensor, size: tuple[int, int]) -> Tensor:
    """The real image (..., H, W) of its frequencies (..., H, W // 2 + 1)."""
    found: Tensor = torch.fft.irfft2(values, s=size)
    return found


def amplitude(spectrum: Tensor, width: int) -> Tensor:
    """What multiplies z = a + i b, a, b ~ N(0, 1), at every frequency, for noise of `spectrum`.

    sqrt(S H W / 2) where a frequency stands for its mirror image too, sqrt(S H W) in the columns
    that hold both: of these the real part alone is used.
    """
    scale = spectrum * len(spectrum) * width / 2
    scale[:, 0] *= 2
    if width % 2 == 0:
        scale[:, -1] *= 2
    return scale.sqrt()


def inverse_root(times: Operator, e: Tensor, low: float, high: float) -> Tensor:
    """A^-1/2 e for a symmetric A with eigenvalues in [low, high], from products with A alone.

    By the Chebyshev series of x^-1/2 on that range, whose error falls as
    ((sqrt(k) - 1) / (sqrt(k) + 1))^n with k = high / low: n is the degree at which it is below
    1e-5. A function of A, so it is symmetric, linear in e and the same for every sample of a batch;
    its gradient is itself. A mask's A maps what is outside to 0, and what starts there stays there.

    >>> A = torch.diag(torch.tensor([0.2, 1.0, 4.0]))
    >>> inverse_root(lambda e: e @ A, torch.ones(1, 3), 0.1, 5.0).tolist()
    [[2.23..., 1.0..., 0.5...]]
    """
    found: Tensor = _Symmetric.apply(  # type: ignore[no-untyped-call]
        e, lambda value: _series(times, value, low, high)
    )
    return found


class _Symmetric(torch.autograd.Function):
    """A symmetric linear map, which is its own gradient: nothing of it is kept for that."""

    @staticmethod
    def forward(context: Any, e: Tensor, operator: Operator) -> Tensor:
        context.operator = operator
        return operator(e)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return context.operator(gradients[0]), None


def _series(times: Operator, e: Tensor, low: float, high: float) -> Tensor:
    """sum_n a_n T_n(B) e, B = (2 A - (high + low)) / (high - low)."""
    if high - low <= 1e-12 * high:
        return e / math.sqrt(high)
    weights = _weights(low, high)

    def scaled(value: Tensor) -> Tensor:
        return (2 * times(value) - (high + low) * value) / (high - low)

    before, now = e, scaled(e)
    total = weights[0] * before + weights[1] * now
    for weight in weights[2:]:
        before, now = now, 2 * scaled(now) - before
        total = total + weight * now
    return total


def _weights(low: float, high: float) -> list[float]:
    """The Chebyshev coefficients of x^-1/2 on [low, high]."""
    root = math.sqrt(high / low)
    degree = max(2, math.ceil(math.log(2 / TOLERANCE) / math.log((root + 1) / (root - 1))))
    angle = (torch.arange(4 * degree, dtype=torch.float64) + 0.5) * math.pi / (4 * degree)
    x = (high + low) / 2 + (high - low) / 2 * angle.cos()
    n = torch.arange(degree + 1, dtype=torch.float64)
    weights = (n[:, None] * angle).cos() @ x.rsqrt() * 2 / len(angle)
    weights[0] /= 2
    return [float(weight) for weight in weights]
