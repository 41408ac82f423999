"""From a head CT to a lesion mask and its volume: the main job, as a function.

volume = load_case(case)
result = segment_volume(volume, model, Choice(method="sal", preset="fast"), seed=0)
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from strokediff import __version__
from strokediff.cohort.brain_slices import with_brain
from strokediff.core.seeds import derive_seed
from strokediff.ct.brain import BrainMask, Bridge, extract_brain
from strokediff.ct.checks.enhancement import enhanced
from strokediff.ct.checks.head_size import implausible_size
from strokediff.ct.grid import NetworkSlices, SliceGrid
from strokediff.ct.lesions import Lesions
from strokediff.ct.volume import CT
from strokediff.inference.estimator import Context, Estimator, Slices
from strokediff.inference.executor import denoiser_on, resolved_precision, seconds_a_row
from strokediff.inference.presets import Choice
from strokediff.inference.tally import NoStore, Store
from strokediff.networks.blocks import FrozenOnesFilter
from strokediff.segmentation.measure import cut_off, measure, volume_interval
from strokediff.segmentation.model import Model
from strokediff.segmentation.uncertainty import UNSURE, doubts, entropy, probability

THRESHOLD = 0.5

LONG = 20_000
"""Network evaluations from which on it is worth to say how long they will take."""

Advance = Callable[[int, int], None]
"""Called with (network evaluations done since the last call, evaluations in all)."""
Foresee = Callable[[int, float], None]
"""Called with (network evaluations in all, seconds that they will take)."""


@dataclass(frozen=True)
class Segmentation:
    """What was found, on the volume's grid (X, Y, Z).

    `prob` is `probability(y_0, threshold)`; `mask` is prob >= 0.5 inside the brain without the
    lesions smaller than the least. Threshold and least volume are the model's own for the method
    (0 if it was not tuned). `entropy` (bits) and `variance` (between draws) are those of the
    probability (1 + y_0) / 2, whatever the threshold. `report` is result.json.
    """

    mask: NDArray[np.bool_]
    prob: NDArray[np.float32]
    entropy: NDArray[np.float32]
    variance: NDArray[np.float32]
    brain: NDArray[np.bool_]
    report: dict[str, Any]


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


def segment_volume(
    volume: CT,
    model: Model,
    choice: Choice,
    *,
    estimator: Estimator | None = None,
    seed: int = 0,
    threads: int | None = None,
    precision: str = "auto",
    brain: BrainMask | None = None,
    advance: Advance = lambda done, total: None,
    foresee: Foresee = lambda evaluations, seconds: None,
    watch: Stopwatch | None = None,
    store: Callable[[str], Store] = lambda key: NoStore(),
) -> Segmentation:
    """Segment one head CT.

    `brain` is extracted and `estimator` made as `choice` says unless they are given. `store` is
    called with a name for everything that the draws depend on. `foresee` is told how long a long
    estimate will take, before it starts. In slices that cannot be used (`brain.unusable`) nothing
    is sought: the lesion is interpolated from the slices beside them. The result depends on the
    image, the model, the choice, the precision and the seed, not on threads, batches or the
    file's name. Raises `InputError` if the volume shows no head.
    """
    watch = watch or Stopwatch()
    estimator = estimator or choice.estimator(model.process.T)
    decision = model.decision(choice)
    with watch.stage("brain"):
        brain = brain or extract_brain(volume)
    with watch.stage("preprocess"):
        grid = SliceGrid(model.grid, volume, brain.mask)
        bridge = Bridge.over(volume, brain.unusable)
        image = grid.image(bridge.mix(volume.hu))
        slices = _slices(image, volume, model, case_seed(seed, volume), bridge)
    with watch.stage("network"):
        total = estimator.evaluations() * len(slices.keys)
        advance(0, total)
        precision = resolved_precision(precision, model.device)
        with denoiser_on(model.network, model.device, threads, precision) as network:
            context = Context(
                network,
                model.process,
                model.noise,
                threshold=decision.threshold,
                advance=lambda done: advance(done, total),
                store=store(f"{_draws_depend_on(model, slices, choice, precision)} {decision}"),
                device=model.device,
            )
            if total >= LONG:
                seen = slices.seen(slices.x_0)
                foresee(total, total * seconds_a_row(network, seen, context.pack))
            estimate = estimator.estimate(slices, context)
    with watch.stage("postprocess"):
        on_grid = partial(_on_grid, grid, bridge, slices.keys)
        label = on_grid(without_lone_pixels(estimate.y_0, decision.threshold), elsewhere=-1.0)
        prob = probability(torch.from_numpy(label), decision.threshold).numpy() * brain.mask
        prob = bridge.probability(prob, THRESHOLD) * brain.mask
        found = Lesions(volume, (prob >= THRESHOLD) & brain.mask)
        mask = found.mask(decision.least_lesion_ml)
        report = measure(volume, mask, found.describe(decision.least_lesion_ml), brain)
        p = probability(estimate.y_0)
        unsure = on_grid(entropy(p))
        report["doubt_ml"] = volume.integral_ml(unsure)
        maybe_ml = volume.mask_volume_mm3(on_grid(p) >= UNSURE) / 1000
    report["warnings"] += [
        *cut_off(grid.cut_off_fraction),
        *doubts(report["volume_ml"], report["brain_volume_ml"], maybe_ml),
        *implausible_size(volume),
        *enhanced(volume, brain.mask),
    ]
    interval, kind = volume_interval(report, estimate, slices, model, choice)
    counts = estimate.tally.counts
    report |= {
        "volume_interval_ml": interval,
        "volume_interval_kind": kind,
        "model": model.card,
        "method": choice.method,
        **decision.model_dump(),
        "preset": choice.preset,
        "transition": choice.transition,
        "fusion": choice.fusion if choice.method == "all" else None,
        "cut": choice.cut,
        "tolerance_ml": choice.limits.tolerance_ml,
        "max_evaluations": choice.limits.max_evaluations,
        "n_samples": int(counts.max()) if len(counts) else 0,
        "network_evaluations": estimate.evaluations,
        "seed": seed,
        "device": str(model.device),
        "precision": precision,
        "compiled": model.compiled,
        "seconds": watch.seconds,
        "version": __version__,
        "research_use_only": True,
    }
    return Segmentation(
        mask=mask,
        prob=prob,
        entropy=unsure,
        variance=on_grid(estimate.tally.variance / 4),
        brain=brain.mask,
        report=report,
    )


def _slices(grid: NetworkSlices, volume: CT, model: Model, seed: int, bridge: Bridge) -> Slices:
    """The slices that show enough brain and can be used."""
    used = np.setdiff1d(with_brain(grid.m), bridge.left_out)
    increments = torch.from_numpy(bridge.thickness_mm(volume.slice_increments_mm)[used])
    depth = float(np.median(volume.slice_increments_mm))
    seen = model.surroundings.seen(grid.x, grid.m, depth)[used]
    return Slices(
        x_0=torch.from_numpy(seen[:, :1]),
        m=torch.from_numpy(grid.m[used])[:, None],
        keys=used.tolist(),
        seed=seed,
        pixel_ml=increments * model.grid.spacing_mm**2 / 1000,
        beside=torch.from_numpy(seen[:, 1:]) if model.surroundings else None,
    )


def _draws_depend_on(model: Model, slices: Slices, choice: Choice, precision: str) -> str:
    return (
        f"{model.card['sha256']} {model.compiled} {slices.seed} {choice} {precision} "
        f"{model.device} {__version__}"
    )


def _on_grid(
    grid: SliceGrid,
    bridge: Bridge,
    used: Sequence[int],
    values: torch.Tensor,
    elsewhere: float = 0.0,
) -> NDArray[np.float32]:
    """Values (S, 1, H, W) of the slices `used` on the volume's grid, `elsewhere` in the others.

    What cannot be used is mixed from the slices beside it.
    """
    every = np.full(grid.mask.shape, elsewhere, np.float32)
    every[list(used)] = values[:, 0].numpy()
    return bridge.mix(grid.to_volume(every))


def case_seed(seed: int, volume: CT) -> int:
    """A seed a case, from what the image shows: renaming or copying a file changes nothing."""
    digest = hashlib.blake2b(volume.hu.tobytes(), digest_size=8).hexdigest()
    return derive_seed(seed, digest)


def without_lone_pixels(y_0: torch.Tensor, threshold: float) -> torch.Tensor:
    """The frozen all-ones filter: pixels that it drops end just below the threshold."""
    positive = (y_0 >= threshold).float()
    dropped = (positive > 0) & (FrozenOnesFilter()(positive) == 0)
    return torch.where(dropped, torch.full_like(y_0, threshold - 1e-2), y_0)
