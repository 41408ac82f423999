"""Another edge of the brain.

Brain extraction leaves a rim of skull in one head and takes one of cortex in another. A network
that saw one edge only calls the other a lesion.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from strokediff.ct.grid import widened
from strokediff.training.augmentation.view import View


@dataclass(frozen=True)
class Edge:
    """The masks grow by `by_mm` in the plane, or shrink where it is negative."""

    by_mm: float

    def apply(self, view: View) -> View:
        """x stays: what it holds beyond the mask is then seen."""
        m = widened(view.m > 0, self.by_mm, view.spacing_mm)
        return replace(view, m=m.astype(np.float32))
