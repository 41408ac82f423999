"""SDPM and SADPM over heads: any of the four estimates of one network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from strokediff.inference.estimation import Estimation
from strokediff.inference.fusion import estimate_each
from strokediff.prediction.head import Head
from strokediff.prediction.prediction import Prediction, predicted
from strokediff.segmentation.model import Model


@dataclass(frozen=True)
class DiffusionPredictor:
    """The `estimations` of one model; those that `all` fuses are drawn once for both."""

    model: Model
    estimations: Sequence[Estimation] = field(default_factory=lambda: [Estimation()])
    seed: int = 0

    @property
    def settings(self) -> Mapping[str, Any]:
        """The model, the estimations with what each counts as a lesion, the seed, the precision."""
        return {
            "model": self.model.card.model_dump(mode="json", exclude={"members"}),
            "estimations": {e.name: str(e) for e in self.estimations},
            "decisions": {e.name: self._decided(e) for e in self.estimations},
            "seed": self.seed,
            "precision": self.model.compute.precision,
        }

    @property
    def kinds(self) -> tuple[str, ...]:
        """The model's."""
        return self.model.kinds

    def _decided(self, estimation: Estimation) -> dict[str, Any]:
        """What counts as a lesion; of several kinds by name."""
        each = [decision.model_dump() for decision in self.model.decisions(estimation)]
        return each[0] if len(each) == 1 else dict(zip(self.kinds, each, strict=True))

    def __call__(self, head: Head) -> Mapping[str, Prediction]:
        """The head's predictions by the estimations' names."""
        place = head.place(self.model.surroundings, self.seed)
        T = self.model.process.T
        with self.model.estimating() as context:
            found = estimate_each(
                {e.name: e.estimator(T) for e in self.estimations}, place.slices, context
            )
        return {
            e.name: predicted(place, found[e.name], self.model.decisions(e))
            for e in self.estimations
        }
