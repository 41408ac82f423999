"""Laws: a method of others predicts from its checkpoint as it did in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from strokediff.baselines.registry import baseline
from strokediff.cohort.store import Cohort
from strokediff.core.seeds import derive_seed
from strokediff.ct.axes import transposed
from strokediff.ct.grid import GridConfig
from strokediff.errors import InputError, UsageError
from strokediff.inference.compute import ON_CPU
from strokediff.inference.estimation import Estimation
from strokediff.networks.config import NetworkConfig
from strokediff.prediction.head import CohortHead
from strokediff.prediction.load import load_predictor
from strokediff.prediction.peer import load_peer
from strokediff.segmentation.read_out import without_lone_pixels
from strokediff.training.checkpoint import CheckpointConfig, write_checkpoint
from strokediff.training.config import TrainingConfig
from strokediff.util.kinds import JOINED, STROKE

NAMES = ("segresnet", "segdiff")


def written(
    folder: Path,
    name: str,
    size: int = 16,
    scale: str = "small",
    kinds: tuple[str, ...] = JOINED,
) -> Path:
    """An untrained network of that method, as a checkpoint."""
    torch.manual_seed(0)
    module = baseline(name).build(size, len(kinds))
    folder.mkdir()
    training = TrainingConfig(network=NetworkConfig(base=8, multipliers=(1, 2), kinds=kinds))
    config = CheckpointConfig(
        name=f"my {name}",
        method=name,
        scale=scale,
        grid=GridConfig(size=size, spacing_mm=8.0),
        training=training,
        trained_on="nothing",
        step=0,
    )
    write_checkpoint(folder, config, module.state_dict(), split={}, metrics={})
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_the_checkpoint_predicts_as_the_network_in_memory(
    cohort: Cohort, tmp_path: Path, name: str
) -> None:
    predictor = load_peer(written(tmp_path / "model", name), ON_CPU)
    patient = cohort.read("p0")
    head = CohortHead(cohort, patient)
    found = predictor(head)[name]
    used = np.flatnonzero(patient.m.any(axis=(1, 2)))
    x, m = (torch.from_numpy(a[used].astype(np.float32))[:, None] for a in (patient.x, patient.m))
    seeds = [derive_seed(0, "p0", int(k)) for k in used]
    torch.manual_seed(0)
    module = baseline(name).build(16).eval()
    y_0 = baseline(name).predict(module, x * m, m, seeds)
    expected = (without_lone_pixels(y_0, 0.0) + 1) / 2 * m
    np.testing.assert_allclose(transposed(found.prob)[used], expected[:, 0], atol=1e-6)
    outside = transposed(patient.m) == 0
    assert not found.prob[outside].any() and not found.mask[outside].any()
    assert found.evaluations == baseline(name).evaluations() * len(used)
    assert predictor.settings["model"]["name"] == f"my {name}"


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_of_several_kinds_predicts_each(
    cohort_of_kinds: Cohort, tmp_path: Path, name: str
) -> None:
    predictor = load_peer(written(tmp_path / "model", name, kinds=STROKE), ON_CPU)
    assert predictor.kinds == STROKE
    found = predictor(CohortHead(cohort_of_kinds, cohort_of_kinds.read("p0")))[name]
    assert found.probs.shape == (2, 16, 16, 5) and found.labels.shape == (16, 16, 5)
    assert not np.array_equal(found.probs[0], found.probs[1])
    np.testing.assert_array_equal(found.mask, found.prob >= 0.5)


def test_weights_of_another_scale_are_refused(tmp_path: Path) -> None:
    folder = written(tmp_path / "model", "segresnet", scale="full")
    with pytest.raises(InputError, match="do not fit 'segresnet' at scale 'full'"):
        load_peer(folder, ON_CPU)


def test_any_checkpoint_loads_by_its_method_and_another_grid_is_refused(
    cohort: Cohort, checkpoint: Path, tmp_path: Path
) -> None:
    peer = written(tmp_path / "peer", "segresnet")
    assert load_predictor(peer, cohort, Estimation(), ON_CPU)[0] == "segresnet"
    assert load_predictor(checkpoint, cohort, Estimation("avg"), ON_CPU)[0] == "avg"
    third = Estimation("avg", cut=0.3)
    assert load_predictor(checkpoint, cohort, third, ON_CPU)[0] == "avg-cut-0.3"
    with pytest.raises(UsageError, match="'segresnet' is cut at one half"):
        load_predictor(peer, cohort, Estimation(cut=0.3), ON_CPU)
    other = written(tmp_path / "other", "segresnet", size=32)
    with pytest.raises(InputError, match="trained on 32 pixels"):
        load_predictor(other, cohort, Estimation(), ON_CPU)
