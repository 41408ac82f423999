"""Several checkpoints as one model: the mean of their probabilities, and how far they are apart.

Members are models of any fold, seed, noise or grid, and networks of others. Each sees the scan as
it was trained to; its label goes to the grid of the first model of ours, where the mean is taken:

    y_0 = 1/M sum_i y_0^(i),    so that p = (y_0 + 1) / 2 is the mean of the probabilities

The volume's spread is that between the members' own volumes: what a calibration is for one model
does not hold for several.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from strokediff.baselines.label_diffusion import LabelDiffusion
from strokediff.baselines.registry import BASELINES, SCALES
from strokediff.errors import UsageError
from strokediff.inference.compute import Compute
from strokediff.inference.estimation import Estimation
from strokediff.inference.estimator import LabelEstimate
from strokediff.inference.tally import NoStore, Tally
from strokediff.prediction.label_draws import LabelDraws
from strokediff.prediction.peer import PeerPredictor, load_peer
from strokediff.result.record import ModelCard
from strokediff.segmentation.decision import Decision
from strokediff.segmentation.model import Advance, Foresee, Model, StoreOf, load_model
from strokediff.segmentation.place import Scan
from strokediff.segmentation.read_out import ReadOut, read_out
from strokediff.segmentation.segmenter import Segmenter, load
from strokediff.training.checkpoint import read_config
from strokediff.weights import model_path

Member = Model | PeerPredictor


@dataclass(frozen=True)
class Ensemble(Segmenter):
    """A segmenter whose answer is the mean of its members'; `load_ensemble` makes one.

    Grid, kinds of lesion and compute are those of the first model of ours among the members.

    >>> smallest = NetworkConfig(base=8, multipliers=(1, 2))
    >>> config = TrainingConfig(network=smallest, steps=1, batch_size=1)
    >>> other = train(open_cohort("cohort"), "other", config)
    >>> both = load_ensemble(["phantom-stroke", other], device="cpu")
    >>> both.card.name, len(both.members), both.calibrations
    ('phantom-stroke + other', 2, {})
    >>> found = both.segment("scan.nii.gz", method="avg")
    >>> found.record.volume_interval_kind
    '90% spread of 2 models, not calibrated'
    """

    members: tuple[Member, ...] = ()

    @classmethod
    def of(cls, members: Sequence[Member]) -> Ensemble:
        """Of models that are loaded; `UsageError` as `load_ensemble`."""
        ours = [member for member in members if isinstance(member, Model)]
        if not ours:
            raise UsageError(
                f"{', '.join(map(_name, members)) or 'no model'}: expected at least one of 'sdpm' "
                "among the models, on whose grid the others are averaged."
            )
        first = ours[0]
        _check(members, first)
        alone: dict[str, Any] = {f.name: getattr(first, f.name) for f in fields(Model)}
        own = {"chosen": {}, "calibrations": {}, "card": _card(members, first)}
        return cls(**{**alone, **own}, members=tuple(members))

    def decisions(self, estimation: Estimation) -> tuple[Decision, ...]:
        """Of each kind the mean threshold and least volume of the members; one half for others'."""
        own = [
            member.decisions(estimation)
            if isinstance(member, Model)
            else (Decision(),) * len(self.kinds)
            for member in self.members
        ]
        return tuple(_mean(each, estimation.cut) for each in zip(*own, strict=True))

    def evaluations(self, place: Scan, estimation: Estimation) -> int:
        """Of all members together."""
        return sum(_evaluations(member, place, estimation) for member in self.members)

    def estimate(
        self,
        place: Scan,
        estimation: Estimation,
        *,
        advance: Advance = lambda done, total: None,
        foresee: Foresee = lambda evaluations, seconds: None,
        store: StoreOf = lambda key: NoStore(),
    ) -> LabelEstimate:
        """The mean of the members' labels; its tally has one draw a member."""
        total, spent = self.evaluations(place, estimation), 0
        decisions = self.decisions(estimation)
        thresholds = [decision.threshold for decision in decisions]
        advance(0, total)
        shape = place.slices.x_0.expand(-1, len(self.kinds), -1, -1)
        tally, volumes = Tally.empty(shape), []
        for member in self.members:
            own = place.through(member.grid, member.surroundings)
            if isinstance(member, Model):
                found = member.estimate(
                    own,
                    estimation,
                    advance=lambda done, _: advance(done, total),
                    foresee=foresee,
                    store=store,
                )
                y_0, evaluations = found.y_0, found.evaluations
            else:
                (y_0,) = member.labels(own.slices).values()
                evaluations = _evaluations(member, own, estimation)
                advance(evaluations, total)
            spent += evaluations
            y_0 = _moved(y_0, own, place)
            tally.add(range(len(shape)), y_0, place.slices.m, thresholds)
            volumes.append(_volumes(read_out(place, y_0, decisions), place))
        return LabelEstimate(tally.mean, tally, spent, torch.tensor(volumes).var(dim=0))


def load_ensemble(
    models: Sequence[str | Path],
    *,
    device: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    compile: bool = False,
) -> Segmenter:
    """Load several checkpoints as one model, by names or folders; a single one as `load` does.

    A single one may also be of a method that draws labels (`label-posterior`, `segdiff`): its
    interval is the spread of the draws. Raises as `load`, and `UsageError` for models of other
    kinds of lesion than the first's, for the same weights twice, and where none of several is of
    SDPM or SADPM.

    >>> load_ensemble(["phantom-stroke"], device="cpu").card.name
    'phantom-stroke'
    """
    if len(models) == 1:
        path = model_path(str(models[0]))
        if isinstance(BASELINES.get(read_config(path).method, {}).get(SCALES[0]), LabelDiffusion):
            return LabelDraws.of(path, Compute.of(device, precision, threads))
        how: dict[str, Any] = {"device": device, "precision": precision, "threads": threads}
        return load(models[0], **how, compile=compile)
    compute = Compute.of(device, precision, threads)
    return Ensemble.of([_member(model_path(str(model)), compute, compile) for model in models])


def _member(path: Path, compute: Compute, compile: bool) -> Member:
    if read_config(path).method in BASELINES:
        return load_peer(path, compute)
    model = load_model(path, compute)
    return model.compiled() if compile else model


def _check(members: Sequence[Member], first: Model) -> None:
    seen: dict[str, str] = {}
    for member in members:
        name, digest = _name(member), _digest(member)
        if member.kinds != first.kinds:
            raise UsageError(
                f"{name}: tells {', '.join(member.kinds)} apart, {first.card.name} "
                f"{', '.join(first.kinds)}. Give models of the same kinds of lesion."
            )
        if digest in seen:
            raise UsageError(f"{name}: the weights of {seen[digest]} again. Give each model once.")
        seen[digest] = name


def _card(members: Sequence[Member], first: Model) -> ModelCard:
    """The first one's, with everybody's name, training and weights."""
    trained = dict.fromkeys(m.card.trained_on for m in members if isinstance(m, Model))
    digests = [_digest(member) for member in members]
    return first.card.model_copy(
        update={
            "name": " + ".join(map(_name, members)),
            "trained_on": "; ".join(trained),
            "sha256": hashlib.sha256(" ".join(digests).encode()).hexdigest(),
            "members": tuple(digests),
        }
    )


def _name(member: Member) -> str:
    return member.card.name if isinstance(member, Model) else str(member.card["name"])


def _digest(member: Member) -> str:
    return member.card.sha256 if isinstance(member, Model) else str(member.card["sha256"])


def _mean(own: Sequence[Decision], cut: float | None) -> Decision:
    least = sum(one.least_lesion_ml for one in own) / len(own)
    threshold = sum(one.threshold for one in own) / len(own) if cut is None else 2 * cut - 1
    return Decision(threshold=threshold, least_lesion_ml=least)


def _evaluations(member: Member, place: Scan, estimation: Estimation) -> int:
    if isinstance(member, Model):
        return member.evaluations(place, estimation)
    return member.peer.evaluations() * len(place.slices.keys)


def _moved(y_0: Tensor, own: Scan, place: Scan) -> Tensor:
    """A member's label on the slices of `place`."""
    if own.grid.config == place.grid.config:
        return y_0
    kinds = [
        place.on_slices(own.on_grid(y_0[:, k : k + 1], elsewhere=-1.0), elsewhere=-1.0)
        for k in range(y_0.shape[1])
    ]
    return torch.cat(kinds, dim=1)


def _volumes(found: ReadOut, place: Scan) -> list[float]:
    """mL of each kind, and of all joined."""
    masks = [*(own.mask for own in found.kinds), found.mask]
    return [place.ct.mask_volume_mm3(mask) / 1000 for mask in masks]
