"""From a head CT to a lesion mask and its volume: the main job, as a function."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from strokediff.core.seeds import derive_seed
from strokediff.ct.brain import BrainMask, extract_brain
from strokediff.ct.checks.enhancement import enhanced
from strokediff.ct.checks.head_size import implausible_size
from strokediff.ct.volume import CT
from strokediff.inference.estimation import Estimation
from strokediff.inference.estimator import LabelEstimate
from strokediff.inference.tally import NoStore
from strokediff.result.record import Provenance, Record
from strokediff.segmentation.intervals import Measured
from strokediff.segmentation.measure import UNDECIDED, Spread, cut_off, measure, spread_of
from strokediff.segmentation.model import Advance, Foresee, Model, StoreOf
from strokediff.segmentation.place import Scan
from strokediff.segmentation.read_out import read_out
from strokediff.segmentation.result import Segmentation
from strokediff.segmentation.trust.checks import Case
from strokediff.segmentation.trust.examined import Examined
from strokediff.segmentation.trust.judge import trust_of
from strokediff.segmentation.uncertainty import UNSURE, doubts, entropy, probability
from strokediff.util.kinds import LESION


class Stopwatch:
    """Seconds a stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the block as stage `name`."""
        start = time.perf_counter()
        yield
        spent = time.perf_counter() - start
        self.seconds[name] = round(self.seconds.get(name, 0.0) + spent, 3)


def segment_ct(
    ct: CT,
    model: Model,
    estimation: Estimation,
    *,
    seed: int = 0,
    brain: BrainMask | None = None,
    advance: Advance = lambda done, total: None,
    foresee: Foresee = lambda evaluations, seconds: None,
    watch: Stopwatch | None = None,
    store: StoreOf = lambda key: NoStore(),
) -> Segmentation:
    """Segment one head CT.

    `brain` is extracted unless it is given. `store` is called with a name for everything that the
    draws depend on. `foresee` is told how long a long estimate will take, before it starts. In
    slices that cannot be used (`brain.unusable`) nothing is sought: the lesion is interpolated
    from the slices beside them. The result depends on the image, the model, the estimation and the
    seed, not on threads, batches or the file's name. Raises `InputError` if no head is shown.
    """
    watch = watch or Stopwatch()
    with watch.stage("brain"):
        brain = brain or extract_brain(ct)
    with watch.stage("preprocess"):
        place = Scan(ct, brain, model.grid, model.surroundings, case_seed(seed, ct))
    with watch.stage("network"):
        estimate = model.estimate(place, estimation, advance=advance, foresee=foresee, store=store)
    with watch.stage("postprocess"):
        provenance = _provenance(model, estimation, estimate, seed)
        found = _read(place, brain, model, estimation, estimate, provenance)
    return found.timed(watch.seconds)


def case_seed(seed: int, ct: CT) -> int:
    """A seed a case, from what the image shows: renaming or copying a file changes nothing."""
    digest = hashlib.blake2b(ct.hu.tobytes(), digest_size=8).hexdigest()
    return derive_seed(seed, digest)


def _read(
    place: Scan,
    brain: BrainMask,
    model: Model,
    estimation: Estimation,
    estimate: LabelEstimate,
    provenance: Provenance,
) -> Segmentation:
    """Masks, maps and figures."""
    ct, decisions = place.ct, dict(zip(model.kinds, model.decisions(estimation), strict=True))
    found = read_out(place, estimate.y_0, [*decisions.values()])
    p = probability(estimate.y_0)
    likely = p.argmax(dim=1, keepdim=True)
    p_any = p.gather(1, likely)
    unsure = place.on_grid(entropy(p_any))

    def spread(kind: str, mask: NDArray[np.bool_], unsure: NDArray[np.float32]) -> Spread:
        measured = Measured(ct.mask_volume_mm3(mask) / 1000, ct.integral_ml(unsure))
        return spread_of(kind, measured, brain.volume_ml, estimate, place, model, estimation)

    spreads = {LESION: spread(LESION, found.mask, unsure)}
    if len(model.kinds) == 1:
        spreads[model.kinds[0]] = spreads[LESION]
    else:
        for k, (kind, own) in enumerate(zip(model.kinds, found.kinds, strict=True)):
            spreads[kind] = spread(kind, own.mask, place.on_grid(entropy(p[:, k : k + 1])))
    figures = measure(ct, found, decisions, brain, spreads)
    maybe_ml = ct.mask_volume_mm3(place.on_grid(p_any) >= UNSURE) / 1000
    size, contrast = implausible_size(ct), enhanced(ct, brain.mask)
    warnings = (
        *figures.warnings,
        *cut_off(place.grid.cut_off_fraction),
        *doubts(figures.volume_ml, brain.volume_ml, maybe_ml),
        *size,
        *contrast,
    )
    case = Case(Examined(ct, brain), figures.volume_ml, size, contrast)
    more = {"warnings": warnings, "trust": trust_of(case, model.population)}
    record = Record(**{**dict(figures), **dict(provenance), **more})
    variance = place.on_grid(estimate.tally.variance.gather(1, likely) / 4)
    probabilities = np.stack([own.prob for own in found.kinds])
    return Segmentation(ct, found.labels, probabilities, unsure, variance, brain.mask, record)


def _provenance(
    model: Model,
    estimation: Estimation,
    estimate: LabelEstimate,
    seed: int,
) -> Provenance:
    counts, decisions = estimate.tally.counts, model.decisions(estimation)
    alike = decisions[0].model_dump() if len(set(decisions)) == 1 else UNDECIDED
    return Provenance(
        model=model.card,
        **alike,
        **model.described(estimation),
        cut=estimation.cut,
        tolerance_ml=estimation.limits.tolerance_ml,
        max_evaluations=estimation.limits.max_evaluations,
        n_samples=int(counts.max()) if len(counts) else 0,
        network_evaluations=estimate.evaluations,
        seed=seed,
        device=str(model.compute.device),
        precision=model.compute.precision,
        compiled=model.compute.compiled,
        seconds={},
    )
