"""Fits noise models on a cohort's training slices and measures them beside the images.

Everything is fitted on the training split; the images' own figures and their principal
components come from an even sample of its slices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from strokediff.benchmark.noise.figure import Column, noise_figure
from strokediff.benchmark.noise.measure import (
    Components,
    Cost,
    Measurement,
    cost,
    exact_components,
    measure,
    support_of,
)
from strokediff.benchmark.suites import Progress
from strokediff.cohort.brain_slices import BrainSlices
from strokediff.cohort.store import Cohort
from strokediff.core.seeds import derive_seed
from strokediff.errors import UsageError
from strokediff.noise.base import CPU, NoiseModel
from strokediff.noise.registry import NOISE_MODELS, noise_family, settings_for
from strokediff.noise.store import save_noise
from strokediff.util.files import atomic_directory, write_bytes, write_json
from strokediff.util.machine import machine_name
from strokediff.version import __version__

DRAWN_AT_ONCE = 8
SAMPLES_SHOWN = 2
"""Samples that the figure shows of each."""
MOST_IMAGES = 1024
"""Slices that are measured at once; all are fitted on."""
MODEL_FILES = {"noise.json", "noise.safetensors"}

FIGURES = (
    "offset_rms",
    "offset_floor",
    "std",
    "neighbour_correlation",
    "disc_std",
    "top50_energy",
)
"""Those of a measurement that are one number."""


@dataclass(frozen=True)
class Compared:
    """A model's settings and figures; the images have neither settings nor a cost."""

    samples: Tensor
    measurement: Measurement
    settings: dict[str, Any] | None = None
    cost: Cost | None = None

    def record(self) -> dict[str, Any]:
        """Plain JSON: the figures, the cost, the settings and the curves."""
        found = self.measurement
        record: dict[str, Any] = {name: getattr(found, name) for name in FIGURES}
        if self.cost is not None:
            record["seconds_per_draw"] = self.cost.seconds_per_draw
            record["bytes"] = self.cost.bytes
        if self.settings is not None:
            record["settings"] = self.settings
        for name in ("correlation", "spectrum"):
            radial = getattr(found, name)
            record[name] = {"at": radial.at.tolist(), "value": radial.value.tolist()}
        return {**record, "energy": found.energy.tolist(), "draws": found.draws}


@dataclass(frozen=True)
class Comparison:
    """Models by name, the images, and how all of it was made."""

    models: dict[str, Compared]
    images: Compared
    seed: int
    settings: dict[str, Any]

    def record(self) -> dict[str, Any]:
        """noise.json."""
        return {
            **{name: measured.record() for name, measured in self.models.items()},
            "images": self.images.record(),
            "version": __version__,
            "seed": self.seed,
            "settings": self.settings,
        }

    def write(self, out: Path) -> None:
        """Write OUT/noise.png and OUT/noise.json; where noise.json is, the comparison is whole."""
        everything = {"images": self.images, **self.models}
        columns = [Column(name, m.samples, m.measurement) for name, m in everything.items()]
        write_bytes(out / "noise.png", noise_figure(columns))
        write_json(out / "noise.json", self.record())


def chosen_models(names: Sequence[str]) -> list[str]:
    """The names without repeats, all models if there are none; `UsageError` for an unknown one."""
    for name in names:
        noise_family(name)
    return list(dict.fromkeys(names)) or list(NOISE_MODELS)


def fit(name: str, slices: BrainSlices, wanted: Mapping[str, Any]) -> NoiseModel:
    """Fit one model; `UsageError` names a setting that it does not have, or a bad value."""
    kept = settings_for(name, wanted)
    strange = sorted(set(wanted) - set(kept) - {"seed"})
    if strange:
        raise UsageError(f"noise model '{name}' has no setting {', '.join(strange)}.")
    return noise_family(name).fit(slices, **kept)


def save_alone(folder: Path, model: NoiseModel) -> None:
    """Save a model as the whole content of `folder`, atomically; see `check_alone`."""
    with atomic_directory(folder) as temporary:
        save_noise(temporary, model)


def check_alone(folder: Path) -> None:
    """`UsageError` if `folder` holds anything but a noise model, which saving would replace."""
    found = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
    if found and set(found) != MODEL_FILES:
        raise UsageError(
            f"{folder}: holds {found[0]} and is meant to hold a noise model alone. Choose a new "
            "folder with -o."
        )


def compare(
    cohort: Cohort,
    names: Sequence[str] = (),
    *,
    size: int | None = None,
    draws: int = 512,
    seed: int = 0,
    wanted: Mapping[str, Any] | None = None,
    device: torch.device = CPU,
    advance: Progress = lambda done, total, what: None,
) -> Comparison:
    """Fit and measure the models `names` (all if empty) on `size` x `size` pixels.

    Each draws the same `draws` seeds. `wanted` are settings for the models that have them.
    """
    chosen = chosen_models(names)
    wanted = {"seed": seed, **(wanted or {})}
    total = 1 + len(chosen) * 3
    advance(0, total, "images")
    slices = BrainSlices(cohort, cohort.split["train"], size=size)
    x, m = slices.sample(MOST_IMAGES)
    components = exact_components(x, support_of(m))
    images = Compared(x[:: max(1, len(x) // 3)][1 : 1 + SAMPLES_SHOWN], measure(x, components))
    del x, m
    models = {}
    for done, name in enumerate(chosen):
        at = 1 + 3 * done
        advance(at, total, f"{name}: fitting")
        model = fit(name, slices, settings_for(name, wanted))
        advance(at + 1, total, f"{name}: drawing")
        drawn = draw(model, draws, components.support, seed, device)
        advance(at + 2, total, f"{name}: measuring")
        models[name] = _measured(model, drawn, components, device)
        del model, drawn
    advance(total, total, "measured")
    return Comparison(
        models=models,
        images=images,
        seed=seed,
        settings={
            "cohort": str(cohort.origin.get("description") or cohort.path.name),
            "size": slices.size,
            "cohort_size": cohort.grid.size,
            "spacing_mm": cohort.grid.spacing_mm * cohort.grid.size / slices.size,
            "patients": len(slices.index),
            "slices_fitted": len(slices),
            "slices_measured": images.measurement.draws,
            "components": images.measurement.components,
            "draws": draws,
            "batch": DRAWN_AT_ONCE,
            "device": str(device),
            "threads": torch.get_num_threads(),
            "machine": machine_name(device),
            "date": str(date.today()),
        },
    )


def draw(model: NoiseModel, count: int, support: Tensor, seed: int, device: torch.device) -> Tensor:
    """`count` draws (count, H, W) on the CPU, zero outside the support as callers make them."""
    seeds = [derive_seed(seed, "compare", n) for n in range(count)]
    shape = (1, *support.shape)
    batches = (seeds[i : i + DRAWN_AT_ONCE] for i in range(0, count, DRAWN_AT_ONCE))
    return torch.cat([model.draw(b, shape, device)[:, 0].cpu() * support for b in batches])


def _measured(
    model: NoiseModel, drawn: Tensor, components: Components, device: torch.device
) -> Compared:
    height, width = components.support.shape
    spent = cost(model, (1, height, width), batch=DRAWN_AT_ONCE, device=device)
    found = measure(drawn, components)
    return Compared(drawn[:SAMPLES_SHOWN].clone(), found, model.settings(), spent)
