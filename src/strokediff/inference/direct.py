"""The first estimate of section 2.4, y^avg: the network's label for the clean image."""

from __future__ import annotations

from strokediff.inference.estimator import Context, LabelEstimate, Slices, lesion_areas, times


class Direct:
    """y_0_hat = network(x_0, t = 0): at t = 0, alpha_bar = 1 and the noisy label is the label."""

    name = "avg"

    def evaluations(self) -> int:
        """One evaluation a slice."""
        return 1

    def estimate(self, slices: Slices, context: Context) -> LabelEstimate:
        """Estimate y_0 for every slice."""
        t = times(0, slices)
        eps_hat, y_t_hat = context.predict(slices.x_0, t, slices.m)
        y_0 = context.process.clean(y_t_hat, eps_hat, t)
        return LabelEstimate(y_0, lesion_areas(y_0)[None], len(slices.x_0))
