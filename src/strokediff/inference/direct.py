"""The first estimate of section 2.4, y^avg: the network's label for the clean image."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from strokediff.inference.estimator import Context, Slices, times


@dataclass(frozen=True)
class Direct:
    """y_0_hat = network(x_0, t = 0): at t = 0, alpha_bar = 1 and the noisy label is the label."""

    name: str = "avg"

    def evaluations(self) -> int:
        """One."""
        return 1

    def draw(self, slices: Slices, context: Context) -> Tensor:
        """y_0_hat (S, 1, H, W); every draw is the same."""
        t = times(0, slices)
        eps_hat, y_t_hat = context.predict(slices.x_0, t, slices)
        return context.process.clean(y_t_hat, eps_hat, t)
