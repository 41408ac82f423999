"""The noise of a run: fitted on training patients alone, kept in each checkpoint, read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from strokediff.cohort.store import Cohort, CohortWriter, Patient, open_cohort
from strokediff.ct.grid import GridConfig
from strokediff.errors import InputError, UsageError
from strokediff.training.build import build_network, build_task
from strokediff.training.checkpoint import read_checkpoint, read_config
from strokediff.training.config import NoiseConfig, TrainingConfig, changed
from strokediff.training.loop import Run, StepReport
from strokediff.training.noise import check_noise, fit_noise, read_noise, write_noise
from strokediff.training.resume import checkpoints, noise_of_run

NOISES = {
    "isotropic": NoiseConfig(),
    "fourier": NoiseConfig(name="fourier", D=40),
    "calibrated": NoiseConfig(name="calibrated", D=32, rank=6, shrinkage=0.2),
    "low-rank": NoiseConfig(name="low-rank", rank=6, shrinkage=0.2),
    "scanner-low-rank": NoiseConfig(name="scanner-low-rank", rank=6, share=0.4),
}
FITTED = [name for name in NOISES if name != "isotropic"]


def reports(
    folder: Path,
    cohort: Cohort,
    config: TrainingConfig,
    *,
    resume: bool = False,
    stop_after: int | None = None,
) -> list[StepReport]:
    run = Run(
        folder=folder,
        cohort=cohort,
        config=config,
        task=build_task(config, noise_of_run(folder, cohort, config, resume=resume)),
        module=build_network(config, cohort.grid.size),
        name="test",
        device="cpu",
    )
    found = []
    for report in run.train(resume=resume):
        found.append(report)
        if report.step == stop_after:
            break
    return found


@pytest.mark.parametrize(
    ("name", "loss"),
    [(name, "mse") for name in NOISES]
    + [(name, "mahalanobis") for name in ("low-rank", "scanner-low-rank")],
)
def test_resumed_equals_uninterrupted_bit_for_bit(
    tmp_path: Path, cohort: Cohort, config: TrainingConfig, name: str, loss: str
) -> None:
    config = changed(config, noise=NOISES[name].model_dump(), noise_loss=loss)
    whole = reports(tmp_path / "whole", cohort, config)
    reports(tmp_path / "cut", cohort, config, stop_after=3)
    rest = reports(tmp_path / "cut", cohort, config, resume=True)
    assert [r.losses for r in rest] == [r.losses for r in whole[2:]]
    one, other = (read_checkpoint(tmp_path / run / "model") for run in ("whole", "cut"))
    assert one.config.sha256 == other.config.sha256
    assert one.config.noise == name


@pytest.mark.parametrize("name", FITTED)
def test_every_checkpoint_holds_the_noise_that_was_fitted(
    tmp_path: Path, cohort: Cohort, config: TrainingConfig, name: str
) -> None:
    config = changed(config, noise=NOISES[name].model_dump())
    reports(tmp_path / "run", cohort, config)
    expected = fit_noise(config, cohort).draw([1, 2], (1, 16, 16))
    for folder in (*checkpoints(tmp_path / "run"), tmp_path / "run" / "model"):
        assert torch.equal(read_noise(folder, config).draw([1, 2], (1, 16, 16)), expected)
        assert read_config(folder).noise == name


def test_resuming_reads_the_noise_and_does_not_fit_it_again(
    tmp_path: Path, cohort: Cohort, config: TrainingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = changed(config, noise=NOISES["low-rank"].model_dump())
    reports(tmp_path / "run", cohort, config, stop_after=3)

    def never(*_: object) -> None:
        raise AssertionError("fitted again")

    monkeypatch.setattr("strokediff.training.resume.fit_noise", never)
    assert reports(tmp_path / "run", cohort, config, resume=True)[-1].step == 6


def test_resuming_with_another_noise_is_refused(
    tmp_path: Path, cohort: Cohort, config: TrainingConfig
) -> None:
    reports(tmp_path / "run", cohort, config, stop_after=3)
    other = changed(config, noise=NOISES["low-rank"].model_dump())
    with pytest.raises(UsageError, match="another configuration"):
        reports(tmp_path / "run", cohort, other, resume=True)


def test_it_is_fitted_on_training_patients_alone(tmp_path: Path, config: TrainingConfig) -> None:
    """The patient to validate on has brain elsewhere, and no noise was fitted there."""
    rng = np.random.default_rng(0)
    writer = CohortWriter(tmp_path, GridConfig(size=16, spacing_mm=8.0))
    for name, rows in (("a", slice(0, 8)), ("b", slice(0, 8)), ("v", slice(8, 16))):
        m = np.zeros((5, 16, 16), np.uint8)
        m[:, rows] = 1
        x = rng.normal(0, 0.2, m.shape).astype(np.float16)
        writer.add(Patient(name, x, np.zeros_like(m), m))
    writer.finish(split={"train": ["a", "b"], "val": ["v"], "test": []}, origin={})
    noise = NoiseConfig(name="low-rank", rank=4, margin=0).model_dump()
    fitted = fit_noise(changed(config, noise=noise), open_cohort(tmp_path))
    support = fitted.tensors()["support"]
    assert bool(support[:8].all())
    assert not bool(support[8:].any())


def test_the_margin_is_a_share_of_the_grid(cohort: Cohort, config: TrainingConfig) -> None:
    noise = NoiseConfig(name="low-rank", rank=4, margin=0.25).model_dump()
    assert fit_noise(changed(config, noise=noise), cohort).settings()["margin"] == 4


@pytest.mark.parametrize(
    ("noise", "loss", "message"),
    [
        ({"shrinkage": 0.5}, "mse", "'isotropic' has no setting 'shrinkage'.*calibrated, low-rank"),
        (
            {"name": "low-rank", "D": 5},
            "mse",
            "'low-rank' has no setting 'D'.*fourier, fourier-standardised, calibrated",
        ),
        ({"name": "scanner", "share": 0.5}, "mse", "'scanner' has no setting 'share'.*low-rank"),
        ({"name": "fourier"}, "mahalanobis", "cannot be whitened.*isotropic, calibrated, low-rank"),
    ],
)
def test_what_does_not_go_together_is_refused(
    config: TrainingConfig, noise: dict[str, object], loss: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        check_noise(changed(config, noise=noise, noise_loss=loss))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"noise": {"name": "pink"}}, r"noise\.name = 'pink'.*isotropic, fourier"),
        ({"noise": {"name": "low-rank", "shrinkage": 2}}, r"noise\.shrinkage = 2.*less than or"),
        ({"noise_loss": "l1"}, "noise_loss = 'l1'.*'mse' or 'mahalanobis'"),
        ({"steps": 0}, "steps = 0.*greater than or equal to 1"),
    ],
)
def test_values_that_a_field_does_not_take_are_refused(
    config: TrainingConfig, change: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        changed(config, **change)


def test_another_noise_than_config_json_says_is_refused(
    tmp_path: Path, cohort: Cohort, config: TrainingConfig
) -> None:
    write_noise(tmp_path, fit_noise(changed(config, noise=NOISES["low-rank"].model_dump()), cohort))
    told = changed(config, noise=NOISES["fourier"].model_dump())
    with pytest.raises(InputError, match="'low-rank' noise, and config.json beside it says 'fou"):
        read_noise(tmp_path, told)
    with pytest.raises(ValueError, match="expected noise 'fourier', got 'isotropic'"):
        build_task(told)
