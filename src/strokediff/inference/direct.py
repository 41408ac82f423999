"""The first estimate of section 2.4, y^avg: the network's label for the clean image."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from strokediff.inference.estimator import Context, Slices, times


@dataclass(frozen=True)
class Direct:
    """y_0_hat = network(x_0, t = 0): at t = 0, alpha_bar = 1 and the noisy label is the label.

    y^avg of SDPM section 2.4. A network that knows the label is read back exactly:

    >>> process, y_0 = SynchronousProcess(sigmoid_schedule(T=50)), torch.eye(4)[None, None]
    >>> slices = Slices(torch.zeros_like(y_0), torch.ones_like(y_0), keys=[0], seed=0)
    >>> context = Context(Oracle(process, slices.x_0, y_0), process, IsotropicNoise())
    >>> Direct().draw(slices, context).equal(y_0)
    True
    """

    name: str = "avg"

    def evaluations(self) -> int:
        """One."""
        return 1

    def draw(self, slices: Slices, context: Context) -> Tensor:
        """y_0_hat (S, K, H, W); every draw is the same."""
        t = times(0, slices)
        eps_hat, y_t_hat = context.predict(slices.x_0, t, slices)
        return context.process.clean(y_t_hat, eps_hat, t)
