"""Laws of `train`: one call trains a cohort into a folder, and reads no weights in vain."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch

from strokediff.cohort.store import Cohort
from strokediff.errors import UsageError
from strokediff.networks.config import NetworkConfig
from strokediff.training import config as configurations
from strokediff.training.checkpoint import read_checkpoint
from strokediff.training.config import TrainingConfig, TrainingPreset, changed
from strokediff.training.loop import StepReport
from strokediff.training.resume import check_own, checkpoints
from strokediff.training.start import StartModel
from strokediff.training.train import configuration, make_run, train
from strokediff.util.files import write_text


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file of tensors was read, by folder/name."""
    counted: Counter[str] = Counter()
    whole = Path.read_bytes

    def counting(path: Path) -> bytes:
        if path.suffix == ".safetensors":
            counted[f"{path.parent.name}/{path.name}"] += 1
        return whole(path)

    monkeypatch.setattr(Path, "read_bytes", counting)
    return counted


class Stopped(Exception):
    pass


def stopped_at(step: int, *args: object, **options: object) -> None:
    """Train, and stop after a step, as by an interrupt."""

    def stop(report: StepReport) -> None:
        if report.step == step:
            raise Stopped

    with pytest.raises(Stopped):
        train(*args, **options, on_step=stop)  # type: ignore[arg-type]


def test_one_call_trains_a_model_and_tells_of_every_step(
    cohort: Cohort, config: TrainingConfig, tmp_path: Path
) -> None:
    told: list[int] = []
    model = train(
        cohort, tmp_path / "run", config, device="cpu", on_step=lambda r: told.append(r.step)
    )
    assert told == [*range(1, config.steps + 1)]
    made = read_checkpoint(model)
    assert (made.path, made.config.name) == (tmp_path / "run" / "model", "run")
    assert made.config.training == config


def test_stopped_and_resumed_it_is_the_model_of_a_run_that_was_not(
    cohort: Cohort, config: TrainingConfig, tmp_path: Path
) -> None:
    whole = read_checkpoint(train(cohort, tmp_path / "whole", config, device="cpu")).weights
    stopped_at(3, cohort, tmp_path / "cut", config, device="cpu")
    again = train(cohort, tmp_path / "cut", config, device="cpu", resume=True)
    assert all(torch.equal(whole[k], v) for k, v in read_checkpoint(again).weights.items())


def test_going_on_reads_each_file_of_weights_once_and_headers_without_them(
    cohort: Cohort, config: TrainingConfig, tmp_path: Path, read: Counter[str]
) -> None:
    """The average, the raw weights and the moments once each; of the model it started from, once
    in the beginning and never again."""
    first = train(cohort, tmp_path / "first", config, device="cpu")
    assert not read
    start = StartModel.of(first)
    assert not read
    stopped_at(3, cohort, tmp_path / "run", None, start=start, device="cpu")
    assert read == {"model/model.safetensors": 1}
    read.clear()
    model = train(
        cohort, tmp_path / "run", None, start=StartModel.of(first), device="cpu", resume=True
    )
    assert read == {
        "step-0000002/model.safetensors": 1,
        "state/weights.safetensors": 1,
        "state/optimizer.safetensors": 1,
    }
    read.clear()
    check_own(model, changed(config, start=start.config.sha256), cohort)
    assert not read


def test_it_goes_on_from_a_model_whatever_the_configuration_says_of_it(
    cohort: Cohort, config: TrainingConfig, tmp_path: Path
) -> None:
    """The configuration names the weights that were given; without one it is the model's own."""
    first = train(cohort, tmp_path / "first", config, device="cpu")
    start = StartModel.of(first)
    still = changed(config, lr=0.0, lr_min=0.0)
    made = read_checkpoint(train(cohort, tmp_path / "second", still, start=start, device="cpu"))
    assert made.config.training.start == start.config.sha256
    torch.testing.assert_close(made.weights, read_checkpoint(first).weights, rtol=0, atol=1e-6)
    assert configuration(cohort, start=start).start == start.config.sha256


def test_a_configuration_is_that_of_a_preset_on_its_own_grid(
    cohort: Cohort, config: TrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="prepared at 16 pixels of 8.0 mm, and preset 'tiny' exp"):
        train(cohort, tmp_path / "run")
    own = TrainingPreset(size=16, spacing_mm=8.0, training=config)
    monkeypatch.setitem(configurations.TRAINING_PRESETS, "small", own)
    assert configuration(cohort, "small") == config
    with pytest.raises(UsageError, match="no training preset 'large'"):
        configuration(cohort, "large")
    first = StartModel.of(train(cohort, tmp_path / "run", config, device="cpu"))
    with pytest.raises(UsageError, match="Leave --preset out"):
        configuration(cohort, "small", start=first)


def test_what_is_no_run_is_not_trained_into(
    cohort: Cohort, config: TrainingConfig, tmp_path: Path
) -> None:
    write_text(tmp_path / "thesis.txt", "mine")
    with pytest.raises(UsageError, match=r"holds what is no training run \(thesis\.txt\)"):
        train(cohort, tmp_path, config, device="cpu")
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_two_runs_do_not_train_in_one_folder(
    cohort: Cohort, config: TrainingConfig, tmp_path: Path
) -> None:
    def again(report: StepReport) -> None:
        train(cohort, tmp_path / "run", config, device="cpu", resume=True)

    with pytest.raises(UsageError, match="writing there already"):
        train(cohort, tmp_path / "run", config, device="cpu", on_step=again)


def test_making_a_run_writes_nothing(
    cohort: Cohort, config: TrainingConfig, tmp_path: Path
) -> None:
    run = make_run(tmp_path / "run", cohort, config, resume=True)
    assert run.name == "run" and not run.finished() and not checkpoints(run.folder)
    assert not (tmp_path / "run").exists()


def test_shares_of_sources_reach_the_samples(cohort: Cohort, tmp_path: Path) -> None:
    config = TrainingConfig(
        network=NetworkConfig(base=8, multipliers=(1, 2)), steps=1, source_shares={"moon": 1.0}
    )
    with pytest.raises(UsageError, match="source_shares: no patient to train on is of moon"):
        train(cohort, tmp_path / "run", config, device="cpu")
