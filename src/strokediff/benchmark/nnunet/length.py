"""How long nnU-Net trains, given how many images the others see."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

MOST_EPOCHS = 100
"""Of a training as long as the others'; its rate falls by so many steps."""
OWN_EPOCHS, OWN_ITERATIONS = 1000, 250
"""nnU-Net's own training."""
CHECKPOINTS = 10
"""How often a training is kept while it goes on."""


@dataclass(frozen=True)
class Length:
    """`epochs` of `iterations`, each of `batch_size` patches of `slices` slices.

    nnU-Net's rate is 0.01 (1 - epoch / epochs)^0.9, so that it falls to nothing within any length.
    """

    epochs: int
    iterations: int
    batch_size: int
    slices: int = 1

    @classmethod
    def of(cls, images: int | None, batch_size: int, patch: Sequence[int]) -> Length:
        """So many slices seen, at most one epoch more; None is nnU-Net's own length.

        `patch` has (H, W), or (D, H, W), which are D slices.

        >>> Length.of(24_000, batch_size=12, patch=(512, 512))
        Length(epochs=100, iterations=20, batch_size=12, slices=1)
        """
        slices = patch[0] if len(patch) == 3 else 1
        if images is None:
            return cls(OWN_EPOCHS, OWN_ITERATIONS, batch_size, slices)
        wanted = math.ceil(images / (batch_size * slices))
        iterations = math.ceil(wanted / MOST_EPOCHS)
        return cls(math.ceil(wanted / iterations), iterations, batch_size, slices)

    @property
    def images(self) -> int:
        """How many slices are seen."""
        return self.epochs * self.iterations * self.batch_size * self.slices

    @property
    def kept_every(self) -> int:
        """How many epochs lie between two checkpoints."""
        return max(1, self.epochs // CHECKPOINTS)
