"""From a head CT to a lesion mask and its volume: the main job, as a function.

volume = load_case(case)
result = segment_volume(volume, model, estimator, seed=0)
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from strokediff import __version__
from strokediff.core.seeds import derive_seed
from strokediff.data.brain import BrainMask, extract_brain
from strokediff.data.brain_slices import with_brain
from strokediff.data.lesions import Lesions
from strokediff.data.preprocess import NetworkSlices, SliceGrid
from strokediff.data.volume import Volume
from strokediff.inference.decision import Decision
from strokediff.inference.estimator import Context, Estimator, LabelEstimate, Slices
from strokediff.inference.executor import denoiser_on
from strokediff.inference.intervals import spread_ml
from strokediff.model import Model
from strokediff.networks.blocks import FrozenOnesFilter

THRESHOLD = 0.5
CUT_OFF_WARNING = 0.01

Advance = Callable[[int, int], None]
"""Called with (network evaluations done since the last call, evaluations in all)."""


@dataclass(frozen=True)
class Segmentation:
    """What was found, on the volume's grid (X, Y, Z).

    `prob` is (y_0 - threshold + 1) / 2 in [0, 1]; `mask` is prob >= 0.5 inside the brain without
    the lesions smaller than the least. Threshold and least volume are the model's own for the
    method (0 if it was not tuned). `report` is result.json.
    """

    mask: NDArray[np.bool_]
    prob: NDArray[np.float32]
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
    volume: Volume,
    model: Model,
    estimator: Estimator,
    *,
    preset: str,
    transition: str = "isotropic",
    seed: int = 0,
    threads: int | None = None,
    brain: BrainMask | None = None,
    advance: Advance = lambda done, total: None,
    watch: Stopwatch | None = None,
) -> Segmentation:
    """Segment one head CT.

    `brain` is extracted unless it is given. The result depends on the image, the model, the
    estimator and the seed, not on threads, batches or the file's name. Raises `InputError` if the
    volume shows no head.
    """
    watch = watch or Stopwatch()
    calibrated_as = f"{preset}/{estimator.name}"
    if transition != "isotropic":
        calibrated_as += f", {transition} transition"
    with watch.stage("brain"):
        brain = brain or extract_brain(volume)
    with watch.stage("preprocess"):
        grid = SliceGrid(model.grid, volume, brain.mask)
        slices = grid.image(volume.hu)
    with watch.stage("network"):
        estimate, used = _estimate(slices, volume, model, estimator, seed, threads, advance)
    with watch.stage("postprocess"):
        decision = model.decisions.get(calibrated_as, Decision())
        y_0 = _without_lone_pixels(estimate.y_0 - decision.threshold)
        prob_on_grid = np.zeros_like(slices.x)
        prob_on_grid[used] = ((y_0[:, 0] + 1) / 2).clamp(0, 1).numpy()
        prob = grid.to_volume(prob_on_grid)
        found = Lesions(volume, (prob >= THRESHOLD) & brain.mask)
        mask = found.mask(decision.least_lesion_ml)
        report = _measure(volume, mask, found.describe(decision.least_lesion_ml), brain)
    report["warnings"] += _cut_off(grid.cut_off_fraction)
    interval, kind = _interval(
        report["volume_ml"],
        report["brain_volume_ml"],
        estimate,
        used,
        volume,
        model,
        calibrated_as,
    )
    report |= {
        "volume_interval_ml": interval,
        "volume_interval_kind": kind,
        "model": model.card,
        "method": estimator.name,
        **decision.model_dump(),
        "preset": preset,
        "transition": transition,
        "n_samples": len(estimate.areas),
        "network_evaluations": estimate.evaluations,
        "seed": seed,
        "device": str(model.device),
        "seconds": watch.seconds,
        "version": __version__,
        "research_use_only": True,
    }
    return Segmentation(mask, prob, brain.mask, report)


def _estimate(
    slices: NetworkSlices,
    volume: Volume,
    model: Model,
    estimator: Estimator,
    seed: int,
    threads: int | None,
    advance: Advance,
) -> tuple[LabelEstimate, NDArray[np.intp]]:
    """The label of every slice that shows enough brain, and which slices those are."""
    used = with_brain(slices.m)
    total = estimator.evaluations() * len(used)
    advance(0, total)
    batch = Slices(
        x_0=torch.from_numpy(slices.x[used])[:, None],
        m=torch.from_numpy(slices.m[used])[:, None],
        keys=used.tolist(),
        seed=case_seed(seed, volume),
    )
    with denoiser_on(model.network, model.device, threads) as network:
        context = Context(
            network, model.process, model.noise, advance=lambda done: advance(done, total)
        )
        return estimator.estimate(batch, context), used


def case_seed(seed: int, volume: Volume) -> int:
    """A seed a case, from what the image shows: renaming or copying a file changes nothing."""
    digest = hashlib.blake2b(volume.hu.tobytes(), digest_size=8).hexdigest()
    return derive_seed(seed, digest)


def _without_lone_pixels(y_0: torch.Tensor) -> torch.Tensor:
    """The frozen all-ones filter: pixels that it drops end just below the threshold."""
    positive = (y_0 > 0).float()
    dropped = (positive > 0) & (FrozenOnesFilter()(positive) == 0)
    return torch.where(dropped, torch.full_like(y_0, -1e-2), y_0)


def _measure(
    volume: Volume, mask: NDArray[np.bool_], lesions: list[dict[str, Any]], brain: BrainMask
) -> dict[str, Any]:
    """The figures of the mask on the volume's own grid."""
    mm3 = volume.mask_volume_mm3(mask)
    warnings = [*volume.warnings, *brain.warnings]
    cut = brain.truncated or _touches_border(mask)
    return {
        "volume_ml": mm3 / 1000,
        "volume_mm3": mm3,
        "n_lesions": len(lesions),
        "lesions": lesions,
        "brain_volume_ml": brain.volume_ml,
        "spacing_mm": list(volume.spacing_mm),
        "truncated": bool(cut),
        "warnings": warnings,
        "input": {
            "path": str(volume.source.path),
            "kind": volume.source.kind,
            "shape": list(volume.source.shape),
            "uneven_slices": volume.uneven,
            **volume.source.details,
        },
    }


def _touches_border(mask: NDArray[np.bool_]) -> bool:
    faces = (mask[0], mask[-1], mask[:, 0], mask[:, -1], mask[:, :, 0], mask[:, :, -1])
    return any(bool(face.any()) for face in faces)


def _cut_off(fraction: float) -> list[str]:
    if fraction < CUT_OFF_WARNING:
        return []
    return [
        f"{fraction:.1%} of the brain lies outside the network's grid and was not searched for "
        "lesions; a model with a larger grid is needed"
    ]


def _interval(
    volume_ml: float,
    brain_ml: float,
    estimate: LabelEstimate,
    used: NDArray[np.intp],
    volume: Volume,
    model: Model,
    calibrated_as: str,
) -> tuple[list[float] | None, str]:
    """The volume's interval, and what kind of interval it is."""
    calibration = model.calibrations.get(calibrated_as)
    if calibration is not None:
        low, high = calibration.interval_ml(volume_ml)
        return [low, min(high, brain_ml)], calibration.kind
    pixel_mm2 = model.grid.spacing_mm**2
    slices_ml = volume.slice_increments_mm[used] * pixel_mm2 / 1000
    draws = (estimate.areas.double().numpy() @ slices_ml).tolist()
    spread = spread_ml(draws, volume_ml)
    if spread is None:
        return None, "none: one draw and no calibration for this preset and method"
    return list(spread), f"smallest and largest of {len(draws)} draws, not calibrated"
