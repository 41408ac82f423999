"""Laws: a pretrained arm starts at the weights of a model of its architecture, and says so."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from strokediff.baselines.registry import baseline
from strokediff.benchmark.arms import ARMS, pretrained_arms
from strokediff.benchmark.budgets import BUDGETS
from strokediff.benchmark.pretrained import PretrainedArm
from strokediff.benchmark.results import rows_of_table
from strokediff.benchmark.starting import Starts
from strokediff.benchmark.suites import SUITES
from strokediff.benchmark.tables import markdown
from strokediff.cohort.store import Cohort
from strokediff.ct.grid import GridConfig
from strokediff.errors import UsageError
from strokediff.networks.config import NetworkConfig
from strokediff.training.checkpoint import CheckpointConfig, read_checkpoint, write_checkpoint
from strokediff.training.config import TrainingConfig
from strokediff.util.kinds import JOINED, STROKE
from strokediff.weights import model_path

from .conftest import row

SMALL, REAL = BUDGETS["small"], SUITES["ct-ich"]
BUNDLED = "phantom-stroke"


def unet(folder: Path, seed: int, kinds: tuple[str, ...] = JOINED) -> Path:
    """A trained U-Net, as a benchmark leaves it."""
    place = folder / "runs" / "unet" / f"seed-{seed}" / "model"
    place.mkdir(parents=True)
    torch.manual_seed(seed)
    weights = baseline("unet").build(96, len(kinds)).state_dict()
    config = CheckpointConfig(
        name="unet",
        method="unet",
        scale="small",
        noise="none",
        grid=GridConfig(size=96, spacing_mm=2.0),
        training=TrainingConfig(network=NetworkConfig(base=8, multipliers=(1, 2), kinds=kinds)),
        trained_on="phantoms",
        step=1,
    )
    write_checkpoint(place, config, weights, split={}, metrics={})
    (folder / "benchmark.json").write_text(json.dumps({"suite": "own"}))
    return place


def cohort(folder: Path, kinds: tuple[str, ...] = JOINED, test: Sequence[str] = ()) -> Cohort:
    return Cohort(folder, GridConfig(), {"train": [], "test": [*test]}, {}, {}, kinds=kinds)


@pytest.mark.parametrize("kinds", [JOINED, STROKE])
def test_ours_starts_at_the_models_weights_with_its_network(
    tmp_path: Path, kinds: tuple[str, ...]
) -> None:
    (arm,) = pretrained_arms(["sdpm"], Starts((BUNDLED,)), REAL, SMALL)
    assert arm.name == "sdpm-pretrained" and arm.ours
    run = arm.run(tmp_path / "run", cohort(tmp_path, kinds), SMALL, seed=2, device="cpu")
    model = read_checkpoint(model_path(BUNDLED))
    state = run.module.state_dict()
    assert (run.config.start, run.config.steps) == (model.config.sha256, SMALL.steps)
    assert run.config.network.kinds == kinds and run.config.seed == 2
    for key, value in model.weights.items():
        assert torch.equal(state[key][: len(value)], value)
    assert BUNDLED in run.started_from and run.name == "sdpm-pretrained"


@pytest.mark.parametrize("kinds", [JOINED, STROKE])
def test_a_method_of_others_starts_at_what_a_benchmark_trained_of_it(
    tmp_path: Path, kinds: tuple[str, ...]
) -> None:
    """At its own seed if that is there; every kind starts as any lesion."""
    first, second = (unet(tmp_path / "bench", seed) for seed in (0, 1))
    starts = Starts((BUNDLED, str(tmp_path / "bench")))
    arm, *_ = pretrained_arms([], starts, REAL, SMALL)
    assert arm.name == "unet-pretrained" and not arm.ours
    for seed, path in ((0, first), (1, second), (2, first)):
        own = cohort(tmp_path, kinds)
        run = arm.run(tmp_path / f"run-{seed}", own, SMALL, seed=seed, device="cpu")
        model, state = read_checkpoint(path), run.module.state_dict()
        assert run.config.start == model.config.sha256
        for key, value in model.weights.items():
            for part in state[key].split(len(value)) if value.ndim else [state[key]]:
                assert torch.equal(part, value)


def test_without_names_those_start_that_a_model_is_given_for(tmp_path: Path) -> None:
    unet(tmp_path, 0)
    names = [arm.name for arm in pretrained_arms([], Starts((str(tmp_path),)), REAL, SMALL)]
    assert names == ["unet-pretrained"]
    names = [arm.name for arm in pretrained_arms([], Starts((BUNDLED,)), REAL, SMALL)]
    assert names == ["sdpm-pretrained", "sadpm-pretrained"]


def test_what_has_no_model_or_another_grid_is_refused(tmp_path: Path) -> None:
    starts = Starts((BUNDLED,))
    with pytest.raises(UsageError, match=r"--from phantom-stroke: no model of 'unet'"):
        pretrained_arms(["unet", "sdpm"], starts, REAL, SMALL)
    with pytest.raises(UsageError, match=r"trained at 96 pixels of 2\.0 mm, and budget 'full'"):
        pretrained_arms(["sdpm-pretrained"], starts, REAL, BUDGETS["full"])
    with pytest.raises(UsageError, match="'segresnet' does not start from a model: expected one"):
        pretrained_arms(["segresnet"], starts, REAL, SMALL)
    with pytest.raises(UsageError, match=r"no model of unet, nnu-net, sdpm, sadpm\. Give one"):
        (tmp_path / "benchmark.json").write_text("{}")  # of a benchmark that trained nothing
        pretrained_arms([], Starts((str(tmp_path),)), REAL, SMALL)


def test_a_model_that_has_seen_the_patients_to_test_is_refused(tmp_path: Path) -> None:
    place = unet(tmp_path / "bench", 0)
    (place / "split.json").write_text(json.dumps({"train": ["p1", "p2"], "test": ["p3"]}))
    (arm,) = pretrained_arms(["unet"], Starts((str(tmp_path / "bench"),)), REAL, SMALL)
    with pytest.raises(UsageError, match=r"was trained on 1 of the 2 scans to test \(p2\)"):
        arm.run(tmp_path / "a", cohort(tmp_path, test=["p2", "p3"]), SMALL, seed=0, device="cpu")
    arm.run(tmp_path / "b", cohort(tmp_path, test=["p3"]), SMALL, seed=0, device="cpu")
    starts, phantoms = Starts((str(tmp_path / "bench"),)), SUITES["phantom-kinds"]
    (arm,) = pretrained_arms(["unet"], starts, phantoms, SMALL)  # their names are always the same
    arm.run(tmp_path / "c", cohort(tmp_path, test=["p2"]), SMALL, seed=0, device="cpu")


def test_they_have_no_place_without_a_model() -> None:
    for arm in ARMS.values():
        if isinstance(arm, PretrainedArm):
            assert not arm.fits(SUITES["ct-ich"], SMALL)
            assert all(title.endswith(", pretrained") for title in arm.rows.values())


def test_a_table_says_what_was_gone_on_from() -> None:
    own = row("a", 0, (5, 10))
    begun = replace(own, training={**own.training, "from": "unet (phantoms; 01234567)"})
    about = dict.fromkeys(("suite", "budget", "train", "test", "cohort", "date", "version"), "")
    texts = [
        markdown(rows_of_table({"a": [one]}, {"a": "A"}, []), about | {"seeds": []})
        for one in (own, begun)
    ]
    assert "trained model" not in texts[0]
    assert "Went on from a trained model" in texts[1] and "A: unet (phantoms; 01234567)" in texts[1]
