"""Laws: a diffusion of the label segments alone, and its spread is that of its draws."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
import two_kinds
from torch import Tensor
from typer.testing import CliRunner

import strokediff as sd
from strokediff.baselines.label_diffusion import Denoiser, LabelDiffusion
from strokediff.baselines.registry import baseline
from strokediff.cli.app import app
from strokediff.errors import InputError, UsageError
from strokediff.inference.estimation import Estimation, Limits
from strokediff.networks.config import NetworkConfig
from strokediff.prediction.ensemble import load_ensemble
from strokediff.prediction.label_draws import LabelDraws
from strokediff.segmentation.pipeline import case_seed
from strokediff.segmentation.place import Scan
from strokediff.training.checkpoint import CheckpointConfig, write_checkpoint
from strokediff.training.config import TrainingConfig
from strokediff.util.kinds import STROKE

STEPS, SAMPLES = 10, 8
"""Of `label-posterior` at the scale `small`."""
SHORT = {"steps": 2, "samples": 3}


class Posterior(Denoiser):
    """Knows q(y_0 | x): an infarct with chance 0.7 where x is dark, haemorrhage where it is bright.

    The logit given y_t is that of the chance + 2 sqrt(abar) y_t / gamma.
    """

    def __init__(self, method: LabelDiffusion) -> None:
        super().__init__(2)
        self.process = method.process

    def guide(self, x: Tensor) -> Tensor:
        dark, bright = (x < -0.4) & (x > -0.9), x > 0.4
        chance = torch.cat([0.02 + 0.68 * dark, 0.02 + 0.96 * bright], dim=1)
        return chance.logit()

    def denoise(self, y_t: Tensor, guide: Tensor, t: Tensor, last: Tensor | None = None) -> Tensor:
        at = t.cpu()
        signal, noise = self.process.alpha_bar(at, y_t).sqrt(), self.process.gamma(at, y_t)
        return guide + 2 * signal * y_t / noise


def checkpoint(folder: Path, method: str = "label-posterior") -> Path:
    """An untrained one."""
    torch.manual_seed(0)
    module = baseline(method).build(two_kinds.GRID.size, 2)
    folder.mkdir()
    config = CheckpointConfig(
        name="drawn",
        method=method,
        scale="small",
        noise="none",
        grid=two_kinds.GRID,
        training=TrainingConfig(
            network=NetworkConfig(base=8, multipliers=(1, 2), kinds=STROKE), steps=7
        ),
        trained_on="nothing",
        step=7,
    )
    write_checkpoint(folder, config, module.state_dict(), split={}, metrics={})
    return folder


@pytest.fixture(scope="module")
def ct() -> sd.CT:
    return two_kinds.head()[0]


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> LabelDraws:
    folder = checkpoint(tmp_path_factory.mktemp("draws") / "model")
    loaded = load_ensemble([folder], device="cpu")
    assert isinstance(loaded, LabelDraws)
    return with_method(loaded, replace(loaded.method, **SHORT))  # type: ignore[type-var]


def with_method(draws: LabelDraws, method: LabelDiffusion, **own: Any) -> LabelDraws:
    predictor = replace(draws.predictor, peer=method, **own)
    return replace(draws, method=method, predictor=predictor)


@pytest.fixture(scope="module")
def knowing(untrained: LabelDraws) -> LabelDraws:
    method = replace(untrained.method, steps=STEPS, samples=SAMPLES)  # type: ignore[type-var]
    return with_method(untrained, method, module=Posterior(method).eval())


def placed(ct: sd.CT, model: LabelDraws) -> Scan:
    """As `segment` sees the scan."""
    return Scan(ct, sd.extract_brain(ct), model.grid, model.surroundings, case_seed(0, ct))


def test_the_interval_and_the_variance_are_those_of_the_draws(
    ct: sd.CT, knowing: LabelDraws
) -> None:
    found = knowing.segment(ct)
    place = placed(ct, knowing)
    estimate = knowing.estimate(place, Estimation())
    assert estimate.tally.counts.unique().tolist() == [SAMPLES]
    torch.testing.assert_close(estimate.y_0, estimate.tally.mean, atol=1e-6, rtol=0)
    assert found.record.n_samples == SAMPLES
    assert found.record.volume_interval_kind == (
        f"90% spread of {SAMPLES} draws or more a slice, not calibrated"
    )
    pixel_ml = place.slices.pixel_ml
    assert pixel_ml is not None
    seeded = knowing.segment(ct, seed=5)
    for k, kind in enumerate(STROKE):
        figures = found.by_kind[kind].figures
        low, high = figures.volume_interval_ml or (0.0, 0.0)
        spread = estimate.tally.area_variance[:, k] @ pixel_ml.double() ** 2
        assert low < figures.volume_ml < high
        assert (high - low) / 2 == pytest.approx(1.645 * float(spread) ** 0.5, rel=1e-3)
    assert not np.array_equal(found.variance, seeded.variance)
    sure, unsure = (found.variance[mask].mean() for mask in two_kinds.head()[1][::-1])
    assert unsure > 2 * sure  # a chance of 0.7 has a variance of 0.21, one of 0.98 of 0.02
    assert unsure == pytest.approx(0.7 * 0.3, abs=0.08)


def test_the_record_says_what_was_done(ct: sd.CT, untrained: LabelDraws) -> None:
    record = untrained.segment(ct).record
    assert (record.method, record.preset, record.transition) == ("label-posterior", "none", "none")
    assert record.fusion is None and record.model.method == "label-posterior"
    assert (record.model.name, record.model.noise, record.model.steps) == ("drawn", "none", 7)
    slices = record.network_evaluations // 6
    assert record.n_samples == 3 and record.network_evaluations == 6 * slices > 0
    more = untrained.segment(ct, max_evaluations=11).record
    assert more.n_samples == 5 and more.network_evaluations == 10 * slices


def test_it_is_what_the_network_predicts_over_a_cohort(ct: sd.CT, untrained: LabelDraws) -> None:
    place = placed(ct, untrained)
    (expected,) = untrained.predictor.labels(place.slices).values()
    torch.testing.assert_close(untrained.estimate(place, Estimation()).y_0, expected)


def test_what_says_nothing_to_it_is_refused(ct: sd.CT, untrained: LabelDraws) -> None:
    with pytest.raises(UsageError, match="'label-posterior' draws labels. Leave them out"):
        untrained.segment(ct, "avg")
    with pytest.raises(UsageError, match="whatever the tolerance. Leave it out"):
        untrained.segment(ct, tolerance_ml=2.0)
    place = placed(ct, untrained)
    few = Estimation(limits=Limits(max_evaluations=1))
    with pytest.raises(UsageError, match="one draw of 'label-posterior' takes 2. Allow as many"):
        untrained.estimate(place, few)


def test_a_method_without_draws_is_refused_as_ever(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "unet", "unet")
    with pytest.raises(InputError, match="a checkpoint of method 'unet'"):
        load_ensemble([folder], device="cpu")
    with pytest.raises(InputError, match="'unet' draws no labels"):
        LabelDraws.of(folder, sd.Compute.of("cpu"))


def test_segment_writes_its_interval_and_maps(ct: sd.CT, tmp_path: Path) -> None:
    model, scan, out = checkpoint(tmp_path / "model"), tmp_path / "scan.nii.gz", tmp_path / "out"
    nib.save(nib.Nifti1Image(ct.hu.astype(np.int16), ct.affine), scan)
    more = ["--device", "cpu", "--no-preview", "--uncertainty", "--max-evaluations", 2 * STEPS]
    given = ["segment", scan, "-o", out, "--model", model, *more]
    result = CliRunner().invoke(app, [str(part) for part in given])
    assert result.exit_code == 0, result.output
    record = json.loads((out / "result.json").read_text())
    assert record["method"] == "label-posterior" and record["n_samples"] == 2
    assert record["volume_interval_kind"].startswith("90% spread of 2 draws or more a slice")
    for name in ("lesion_variance.nii.gz", "lesion_entropy.nii.gz"):
        assert bool(np.asarray(nib.load(out / name).dataobj).any())
