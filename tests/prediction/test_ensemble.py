"""Laws: the answer of several models is the mean of theirs, and its spread theirs too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
import two_kinds
from torch import Tensor, nn
from typer.testing import CliRunner

import strokediff as sd
from strokediff.baselines.registry import baseline
from strokediff.cli.app import app
from strokediff.ct.grid import GridConfig
from strokediff.errors import InputError, UsageError
from strokediff.networks.config import NetworkConfig
from strokediff.prediction.ensemble import Ensemble, load_ensemble
from strokediff.prediction.peer import load_peer
from strokediff.segmentation.decision import Decision
from strokediff.segmentation.segmenter import Segmenter
from strokediff.training.checkpoint import CheckpointConfig, write_checkpoint
from strokediff.training.config import TrainingConfig
from strokediff.util.kinds import STROKE


class Shifted(two_kinds.Brightness):
    """The same label, lower by 0.2."""

    def forward(self, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        eps_hat, y_0 = super().forward(x_t, t)
        return eps_hat, (y_0 - 0.2).clamp(-1, 1)


def model(name: str, network: nn.Module | None = None, **own: object) -> Segmenter:
    base = two_kinds.model()
    card = base.card.model_copy(update={"name": name, "sha256": name})
    return replace(base, network=network or base.network, card=card, **own)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def ct() -> sd.CT:
    return two_kinds.head()[0]


def test_probabilities_are_the_mean_of_the_models(ct: sd.CT) -> None:
    one, other = model("a"), model("b", Shifted())
    both = Ensemble.of([one, other])
    found = both.segment(ct, "avg")
    each = [own.segment(ct, "avg") for own in (one, other)]
    mean = np.mean([own.probabilities for own in each], axis=0)
    np.testing.assert_allclose(found.probabilities, mean, atol=2e-3)
    assert found.record.network_evaluations == sum(own.record.network_evaluations for own in each)
    low, high = sorted(own.volume_ml for own in each)
    assert low <= found.volume_ml <= high and low < high
    assert found.record.model.name == "a + b" and found.record.model.members == ("a", "b")


def test_models_on_other_grids_are_averaged_on_the_first_one(ct: sd.CT) -> None:
    fine = model("b", grid=GridConfig(size=96, spacing_mm=2.25))
    coarse = model("a")
    found = Ensemble.of([coarse, fine]).segment(ct, "avg")
    for own, true in zip(found.by_kind.values(), two_kinds.head()[1], strict=True):
        assert 2 * (own.mask & true).sum() / (own.mask.sum() + true.sum()) > 0.85
    low, high = sorted(own.segment(ct, "avg").volume_ml for own in (coarse, fine))
    back = Ensemble.of([fine, coarse]).segment(ct, "avg")
    assert low <= back.volume_ml <= high and 0.95 * low <= found.volume_ml <= high
    np.testing.assert_allclose(found.probability, back.probability, atol=0.2)


def test_the_spread_is_between_the_volumes_of_whole_models(ct: sd.CT) -> None:
    """Not a sum over slices as if they were independent: all of a model's slices err alike."""
    members = [model("a"), model("b", Shifted())]
    found = Ensemble.of(members).segment(ct, "avg")
    volumes = [own.segment(ct, "avg").by_kind["infarct"].volume_ml for own in members]
    kind = found.by_kind["infarct"].figures
    low, high = kind.volume_interval_ml or (0, 0)
    assert kind.volume_interval_kind == "90% spread of 2 models, not calibrated"
    assert (high - low) / 2 == pytest.approx(1.645 * np.std(volumes, ddof=1), rel=1e-3)


def test_the_decision_is_between_the_models(ct: sd.CT) -> None:
    strict = {"fast/avg": (Decision(threshold=0.4, least_lesion_ml=1.0), Decision())}
    both = Ensemble.of([model("a"), model("b", Shifted(), chosen=strict)])
    first, second = both.decisions(sd.Estimation("avg"))
    assert (first.threshold, first.least_lesion_ml) == (0.2, 0.5)
    assert (second.threshold, second.least_lesion_ml) == (0.0, 0.0)
    assert [own.threshold for own in both.decisions(sd.Estimation("avg", cut=0.75))] == [0.5, 0.5]


def unet(folder: Path, kinds: tuple[str, ...] = STROKE) -> Path:
    """An untrained network of others on the grid of `two_kinds`."""
    torch.manual_seed(0)
    module = baseline("unet").build(two_kinds.GRID.size, len(kinds))
    folder.mkdir()
    network = NetworkConfig(base=8, multipliers=(1, 2), kinds=kinds)
    config = CheckpointConfig(
        name="u",
        method="unet",
        scale="small",
        grid=two_kinds.GRID,
        training=TrainingConfig(network=network),
        trained_on="nothing",
        step=0,
    )
    write_checkpoint(folder, config, module.state_dict(), split={}, metrics={})
    return folder


def test_a_network_of_others_beside_ours_by_the_command_line(ct: sd.CT, tmp_path: Path) -> None:
    own, others = two_kinds.checkpoint(tmp_path / "own"), unet(tmp_path / "unet")
    nib.save(nib.Nifti1Image(ct.hu.astype(np.int16), ct.affine), tmp_path / "scan.nii.gz")
    given = ["segment", tmp_path / "scan.nii.gz", "-o", tmp_path / "out", "--method", "avg"]
    models = ["--model", own, "--model", others, "--device", "cpu", "--no-preview"]
    result = CliRunner().invoke(app, [str(part) for part in (*given, *models)])
    assert result.exit_code == 0, result.output
    record = sd.Record.model_validate_json((tmp_path / "out" / "result.json").read_text())
    assert record.model.name == "two-kinds + u" and len(record.model.members) == 2
    both = load_ensemble([own, others], device="cpu")
    found = both.segment(tmp_path / "scan.nii.gz", "avg")
    assert found.volume_ml == pytest.approx(record.volume_ml)
    assert isinstance(both, Ensemble)
    alone = sd.load(own, device="cpu").segment(tmp_path / "scan.nii.gz", "avg")
    spent = alone.record.network_evaluations  # two views of a slice, as the U-Net's
    assert found.record.network_evaluations == 2 * spent


def test_what_does_not_go_together_is_refused(tmp_path: Path) -> None:
    own = two_kinds.checkpoint(tmp_path / "own")
    with pytest.raises(UsageError, match="the weights of two-kinds again"):
        load_ensemble([own, own], device="cpu")
    with pytest.raises(UsageError, match="phantom-stroke: tells lesion apart, two-kinds infarct"):
        load_ensemble([own, "phantom-stroke"], device="cpu")
    others = unet(tmp_path / "unet")
    with pytest.raises(UsageError, match="u, v: expected at least one of 'sdpm'"):
        peers = [load_peer(others) for _ in range(2)]
        Ensemble.of([peers[0], replace(peers[1], card={"name": "v", "sha256": "v"})])
    with pytest.raises(UsageError, match="no model"):
        load_ensemble([], device="cpu")
    with pytest.raises(InputError, match="'unet'"):
        load_ensemble([others], device="cpu")
