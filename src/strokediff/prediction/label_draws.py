"""A diffusion of the label alone as a segmenter: its draws are labels, and their spread is shown.

y_0 is the method's fusion of its draws. The volume's interval and the map of variances are those
between draws; slices are drawn each for itself, so a head's variance is the sum over its slices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from strokediff.baselines.label_diffusion import LabelDiffusion
from strokediff.errors import InputError, UsageError
from strokediff.inference.compute import Compute
from strokediff.inference.estimation import Estimation, Limits
from strokediff.inference.estimator import LabelEstimate
from strokediff.inference.tally import NoStore, Tally
from strokediff.noise.isotropic import IsotropicNoise
from strokediff.prediction.peer import PeerPredictor, load_peer
from strokediff.result.record import ModelCard
from strokediff.segmentation.model import Advance, Foresee, StoreOf
from strokediff.segmentation.place import Scan
from strokediff.segmentation.segmenter import Segmenter
from strokediff.training.checkpoint import read_config


@dataclass(frozen=True)
class LabelDraws(Segmenter):
    """One trained `LabelDiffusion`; `load_ensemble` of its checkpoint alone makes one."""

    method: LabelDiffusion = field(kw_only=True)
    predictor: PeerPredictor = field(kw_only=True)

    @classmethod
    def of(cls, path: Path, compute: Compute) -> LabelDraws:
        """Of a checkpoint; raises as `load_peer`, and `InputError` if its method draws none."""
        config, predictor = read_config(path), load_peer(path, compute)
        method = predictor.peer
        if not isinstance(method, LabelDiffusion):
            raise InputError(
                f"{path}: '{method.name}' draws no labels. Expected a method that does."
            )
        return cls(
            network=predictor.module,
            process=method.process,
            noise=IsotropicNoise(),
            grid=config.grid,
            card=ModelCard(
                name=config.name,
                method=config.method,
                noise=config.noise,
                noise_settings={},
                trained_on=config.trained_on,
                steps=config.step,
                sha256=config.sha256,
                strokediff=config.strokediff,
            ),
            kinds=predictor.kinds,
            compute=compute,
            method=method,
            predictor=predictor,
        )

    def described(self, estimation: Estimation) -> dict[str, Any]:
        """The method's name; it has no preset of estimates, transition noise or fusion."""
        return {
            "method": self.method.name,
            "preset": "none",
            "transition": "none",
            "fusion": None,
        }

    def evaluations(self, place: Scan, estimation: Estimation) -> int:
        """Draws times steps, of every slice."""
        return self._draws(estimation) * self.method.steps * len(place.slices.keys)

    def estimate(
        self,
        place: Scan,
        estimation: Estimation,
        *,
        advance: Advance = lambda done, total: None,
        foresee: Foresee = lambda evaluations, seconds: None,
        store: StoreOf = lambda key: NoStore(),
    ) -> LabelEstimate:
        """The fused draws and their tally; an unfinished one is not kept."""
        slices, draws = place.slices, self._draws(estimation)
        thresholds = [decision.threshold for decision in self.decisions(estimation)]
        y_0 = slices.x_0.expand(-1, len(self.kinds), -1, -1).clone()
        tally, total = Tally.empty(y_0), self.evaluations(place, estimation)
        advance(0, total)

        def run(x: Tensor, m: Tensor, seeds: Sequence[int]) -> Tensor:
            module, steps = self.predictor.module, self.method.steps
            return self.method.draw(module, x, m, seeds, samples=draws, steps=steps)

        for at, drawn in self.predictor.each(slices, str(slices.seed), run):
            m = slices.m[at.start : at.stop]
            y_0[at.start : at.stop] = self.method.fuse(drawn, m)
            for label in drawn:
                tally.add(at, label, m, thresholds)
            advance(draws * self.method.steps * len(at), total)
        return LabelEstimate(y_0, tally, total)

    def _draws(self, estimation: Estimation) -> int:
        """As many as the method has, or as `max_evaluations` allows."""
        if replace(estimation, limits=Limits(), cut=None) != Estimation():
            raise UsageError(
                f"{self.card.name}: method, preset, transition noise and fusion are of SDPM and "
                f"SADPM; '{self.method.name}' draws labels. Leave them out."
            )
        limits = estimation.limits
        if limits.tolerance_ml is not None:
            raise UsageError(
                f"{self.card.name}: '{self.method.name}' draws as many labels of every slice, "
                "whatever the tolerance. Leave it out; --max-evaluations says how many."
            )
        if limits.max_evaluations is None:
            return self.method.samples
        if limits.max_evaluations < self.method.steps:
            raise UsageError(
                f"max evaluations = {limits.max_evaluations}: one draw of '{self.method.name}' "
                f"takes {self.method.steps}. Allow as many."
            )
        return limits.max_evaluations // self.method.steps
