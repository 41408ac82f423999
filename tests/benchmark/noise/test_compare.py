"""Fitting and measuring every model on a small cohort, by function and by command."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from strokediff.benchmark.noise.compare import Comparison, chosen_models, compare, fit
from strokediff.cohort.brain_slices import BrainSlices
from strokediff.cohort.store import Cohort, CohortWriter, Patient, open_cohort
from strokediff.ct.grid import GridConfig
from strokediff.errors import UsageError
from strokediff.noise.registry import NOISE_MODELS, settings_for

pytest.importorskip("zarr")
SIDE = 24
FIGURES = ("offset_rms", "std", "neighbour_correlation", "top50_energy")
SMALL = {"D": 64, "rank": 12}


def smooth(count: int, seed: int) -> np.ndarray:
    """Fields of a few waves, so that a few components hold nearly all."""
    rng = np.random.default_rng(seed)
    at = np.arange(SIDE) / SIDE
    waves = [
        np.outer(np.cos(np.pi * i * at), np.cos(np.pi * j * at)) for i in range(3) for j in range(3)
    ]
    fields = np.tensordot(rng.normal(0, 0.2, (count, 9)), np.stack(waves), 1)
    return np.clip(fields + rng.normal(0, 0.03, fields.shape), -1, 1)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    folder = tmp_path_factory.mktemp("comparing") / "cohort"
    folder.mkdir()
    writer = CohortWriter(folder, GridConfig(size=SIDE, spacing_mm=8.0))
    names = [f"p{i}" for i in range(8)]
    for i, name in enumerate(names):
        m = np.zeros((12, SIDE, SIDE), np.uint8)
        m[:, 3:21, 4:20] = 1
        x = (smooth(12, i) * m).astype(np.float16)
        if name == "p7":
            x[:] = m  # the held-out patient would show in every figure
        writer.add(Patient(name, x, np.zeros_like(m), m))
    split = {"train": names[:6], "val": names[6:7], "test": names[7:]}
    writer.finish(split=split, origin={"description": "waves"})
    return open_cohort(folder)


@pytest.fixture(scope="module")
def found(cohort: Cohort) -> Comparison:
    return compare(cohort, draws=200, wanted=SMALL)


def test_every_model_has_every_figure(found: Comparison) -> None:
    record = json.loads(json.dumps(found.record(), allow_nan=False))
    assert set(record) == {*NOISE_MODELS, "images", "version", "seed", "settings"}
    for name in NOISE_MODELS:
        assert all(np.isfinite(record[name][k]) for k in FIGURES)
        assert record[name]["seconds_per_draw"] > 0
        assert record[name]["bytes"] >= 0
    assert all(np.isfinite(record["images"][k]) for k in FIGURES)
    assert "bytes" not in record["images"]
    assert record["settings"]["slices_fitted"] == 6 * 12
    assert record["settings"]["patients"] == 6


def test_the_figures_tell_the_models_apart(found: Comparison) -> None:
    figures = {name: m.measurement for name, m in found.models.items()}
    images = found.images.measurement
    assert images.top50_energy > 0.9
    assert figures["isotropic"].neighbour_correlation == pytest.approx(0.0, abs=0.02)
    assert figures["fourier"].offset_rms > 0.3
    for name in ("calibrated", "low-rank"):
        assert figures[name].offset_rms < 0.1
        assert figures[name].std == pytest.approx(1.0, abs=0.1)
        assert figures[name].neighbour_correlation > 0.6
        assert figures[name].top50_energy > 2 * figures["fourier"].top50_energy


def test_a_comparison_is_the_same_twice(cohort: Cohort, found: Comparison) -> None:
    again = compare(cohort, ["low-rank"], draws=200, wanted=SMALL)
    first, second = (c.models["low-rank"].measurement for c in (found, again))
    assert all(getattr(first, k) == getattr(second, k) for k in FIGURES)
    assert torch.equal(first.mean, second.mean)


def test_another_size_is_resampled(cohort: Cohort) -> None:
    other = compare(cohort, ["isotropic", "low-rank"], size=32, draws=8, wanted=SMALL)
    assert other.models["low-rank"].measurement.mean.shape == (32, 32)
    assert other.settings["spacing_mm"] == pytest.approx(8.0 * SIDE / 32)


def test_only_settings_that_a_model_has_reach_it(cohort: Cohort) -> None:
    assert settings_for("isotropic", {"D": 3, "rank": 2, "seed": 1}) == {}
    assert settings_for("fourier", {"D": 3, "rank": 2, "seed": 1}) == {"D": 3, "seed": 1}
    slices = BrainSlices(cohort, cohort.split["train"])
    with pytest.raises(UsageError, match="'isotropic' has no setting rank"):
        fit("isotropic", slices, {"rank": 3, "seed": 0})


def test_models_are_named_once_and_known() -> None:
    assert chosen_models(["fourier", "isotropic", "fourier"]) == ["fourier", "isotropic"]
    assert chosen_models([]) == list(NOISE_MODELS)
    with pytest.raises(UsageError, match="no noise model 'pink'; expected one of: isotropic"):
        chosen_models(["pink"])
