"""The loss of one batch: section 2.3 of SDPM put together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from strokediff.core.losses import (
    LABEL_LIKELIHOODS,
    LABEL_READINGS,
    P2,
    NoiseError,
    label_residual,
    masked_mean,
    soft_dice_loss,
    squared_error,
)
from strokediff.core.process import SynchronousProcess

Predict = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class LossConfig(BaseModel):
    """Weights of the loss terms (SDPM section 2.3) and how the label is read in them.

    `label_likelihood` is the law of L_d0; it and the Dice term see a probability, read from y_0_hat
    as `label_reading` says: "linear" needs a label in [-1, 1] (`label_form` "clean").

    `label_window` and `dice_window` are T_p and T_i as fractions of T. The defaults are those of
    the papers.

    >>> LossConfig(dice=0.0, label_window=0.25).p
    1.0
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    d1: float = Field(1.0, ge=0)
    d2: float = Field(1.0, ge=0)
    p: float = Field(1.0, ge=0)
    d0: float = Field(1.0, ge=0)
    dice: float = Field(1.0, ge=0)
    label_likelihood: Literal["gaussian", "bernoulli"] = "gaussian"
    label_reading: Literal["sigmoid", "linear"] = "sigmoid"
    label_window: float = Field(1.0, ge=0, le=1)
    dice_window: float = Field(0.5, ge=0, le=1)


@dataclass(frozen=True)
class Objective:
    """Equations (9), (13), (14) put together.

    L = d1 L_d1 + d2 L_d2 + p L_p + d0 L_d0 + dice L_Dice; `noise_error` is the norm in L_d2.

    A network that knows the truth has the least of it: what is left is Dice's, as -1 and +1 read
    as probabilities of 0.27 and 0.73.

    >>> from strokediff.core.oracle import Oracle
    >>> from strokediff.core.schedule import sigmoid_schedule
    >>> process = SynchronousProcess(sigmoid_schedule(T=500))
    >>> x_0, eps, y_0, m = torch.zeros(1, 1, 2, 2), *torch.ones(3, 1, 1, 2, 2)
    >>> oracle = Oracle(process, x_0, y_0)
    >>> losses = Objective(process, LossConfig())(oracle, x_0, y_0, m, eps, torch.tensor([50]))
    >>> {name: round(float(value), 2) for name, value in losses.items()}
    {'loss': 0.14, 'd1': 0.0, 'd2': 0.0, 'p': 0.0, 'd0': 0.0, 'dice': 0.14}
    """

    process: SynchronousProcess
    weights: LossConfig
    p2: P2 = field(default_factory=P2)
    noise_error: NoiseError = squared_error

    def __call__(
        self, predict: Predict, x_0: Tensor, y_0: Tensor, m: Tensor, eps: Tensor, t: Tensor
    ) -> dict[str, Tensor]:
        """Every term and their weighted sum under "loss"; scalars.

        x_0, m and eps are (B, 1, H, W), y_0 is (B, K, H, W), a channel a kind of lesion, all with
        the one eps; t is (B,) int64 in 0..T; `predict` is the network,
        (x_t, t) -> (eps_hat, y_t_hat).
        Means over the label run over its channels too; Dice is the mean over kinds.
        L_d1 and L_d2 hold for t >= 2, L_p for t <= T_p, L_d0 for t <= 1 and Dice for t <= T_i;
        each is a mean over the whole batch, with 0 for the samples that it leaves out.
        """
        drawn = self.process.diffuse(x_0 * m, y_0 * m, eps * m, t)
        eps_hat, y_t_hat = (out.float() for out in predict(drawn.x_t, t))
        schedule = self.process.schedule
        residual2 = masked_mean(label_residual(self.process, drawn, eps_hat, y_t_hat) ** 2, m)
        noise2 = self.noise_error(eps_hat - drawn.eps, m)
        label2 = masked_mean((y_t_hat - drawn.y_t) ** 2, m)
        d1 = self.p2.d1(schedule).to(residual2)[t] * residual2
        d2 = self.p2.d2(schedule).to(noise2)[t] * noise2
        terms = {
            "d1": (d1 * (t >= 2)).mean(),
            "d2": (d2 * (t >= 2)).mean(),
            "p": (label2 * (t <= self._window(self.weights.label_window))).mean(),
            "d0": self._d0(eps_hat, y_t_hat, y_0, m, t),
            "dice": self._dice(eps_hat, y_t_hat, y_0, m, t),
        }
        loss = torch.stack([getattr(self.weights, k) * v for k, v in terms.items()]).sum()
        return {"loss": loss, **terms}

    def _window(self, fraction: float) -> float:
        return fraction * self.process.T

    def _d0(self, eps_hat: Tensor, y_t_hat: Tensor, y_0: Tensor, m: Tensor, t: Tensor) -> Tensor:
        last = t <= 1
        if not bool(last.any()):
            return y_t_hat.new_zeros(())
        y_0_hat = self.process.clean(y_t_hat[last], eps_hat[last], t[last])
        negative_log = LABEL_LIKELIHOODS[self.weights.label_likelihood]
        reading = LABEL_READINGS[self.weights.label_reading]
        values = negative_log(y_0_hat, y_0[last], m[last], reading)
        return values.sum() / len(t)

    def _dice(self, eps_hat: Tensor, y_t_hat: Tensor, y_0: Tensor, m: Tensor, t: Tensor) -> Tensor:
        readable = t <= self._window(self.weights.dice_window)
        if not bool(readable.any()):
            return y_t_hat.new_zeros(())
        y_0_hat = self.process.clean(y_t_hat[readable], eps_hat[readable], t[readable])
        reading = LABEL_READINGS[self.weights.label_reading]
        return soft_dice_loss(y_0_hat, y_0[readable], m[readable], reading)
