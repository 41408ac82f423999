"""What every method gives for a head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from strokediff.inference.fusion import Timed
from strokediff.prediction.head import Head
from strokediff.segmentation.decision import Decision
from strokediff.segmentation.place import Place
from strokediff.segmentation.read_out import read_out


@dataclass(frozen=True)
class Prediction:
    """`labels` (X, Y, Z) and probabilities (K, X, Y, Z) on the head's grid; what it took.

    A label is 0 or k + 1, lesion of kind k. `evaluations` are those of the network over all
    `slices` that show brain.
    """

    labels: NDArray[np.uint8]
    probs: NDArray[np.float32]
    evaluations: int
    slices: int
    seconds: float

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Lesion of any kind."""
        return self.labels > 0

    @property
    def prob(self) -> NDArray[np.float32]:
        """Of lesion of any kind: that of the most probable one."""
        found: NDArray[np.float32] = self.probs.max(axis=0)
        return found


class Predictor(Protocol):
    """A trained method, or several that share a network: one prediction a patient for each."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """All that its predictions depend on beside the patient; plain JSON."""
        ...

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of lesion that it tells apart, in the order of their labels."""
        ...

    def __call__(self, head: Head) -> Mapping[str, Prediction]:
        """The head's predictions by the name of the method."""
        ...


def predicted(place: Place, found: Timed, decisions: Decision | Sequence[Decision]) -> Prediction:
    """What `decisions` count as lesions of an estimate: the same steps for every method."""
    read, estimate = read_out(place, found.estimate.y_0, decisions), found.estimate
    probs = np.stack([one.prob for one in read.kinds])
    slices = len(place.slices.keys)
    return Prediction(read.labels, probs, estimate.evaluations, slices, found.seconds)
