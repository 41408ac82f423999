"""Laws: an arm changes what it says and nothing else, on patients held out of training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from strokediff.benchmark.ablation import ABLATIONS, chosen_arms, differences
from strokediff.benchmark.arms import DiffusionArm
from strokediff.benchmark.budgets import BUDGETS
from strokediff.benchmark.crossed import CROSSED, AsLogits, AsTwoStream
from strokediff.benchmark.folds import HeldOut
from strokediff.cohort.store import Cohort
from strokediff.ct.grid import GridConfig
from strokediff.errors import UsageError
from strokediff.inference.estimation import METHODS
from strokediff.training.config import NoiseConfig

from .conftest import row


def test_held_out_patients_are_neither_trained_on_nor_there_to_test() -> None:
    names = [f"p{i}" for i in range(20)]
    split = {"train": names[:12], "val": names[12:16], "test": names[16:]}
    known = {name: {"volume_ml": float(i), "patient": name} for i, name in enumerate(names)}
    found = HeldOut(share=0.25).split(Cohort(Path(), GridConfig(), split, {}, known))
    assert len(found["test"]) == 4 and not found["val"]
    assert sorted(found["train"] + found["test"]) == sorted(names[:16])


@pytest.mark.parametrize("name", ["noise", "options"])
def test_arms_change_the_preset_and_only_it(name: str, tmp_path: Path) -> None:
    cohort = Cohort(tmp_path, GridConfig(), {"train": []}, {}, {})
    plain = BUDGETS["small"].training(3)
    for arm in chosen_arms(name, [], METHODS, ['precision="bf16"']):
        if isinstance(arm, DiffusionArm) and arm.noise == NoiseConfig():
            config = arm.run(tmp_path / arm.name, cohort, BUDGETS["small"], 3, "cpu").config
            assert config.precision == "bf16"
            assert (config == plain.model_copy(update={"precision": "bf16"})) == (
                arm.name == "sdpm"
            )


def test_arms_give_the_estimates_that_are_asked_for_and_that_they_can_give() -> None:
    arms = {arm.name: arm for arm in chosen_arms("noise", [], ["avg", "sal"], [])}
    assert [*arms["sdpm"].rows] == ["avg", "sal"]
    assert [*arms["no-noise"].rows] == ["avg"]
    assert "no-noise" not in {arm.name for arm in chosen_arms("noise", [], ["sal"], [])}
    with pytest.raises(UsageError, match="no arm 'noise'; expected one of: no-noise, sdpm"):
        chosen_arms("noise", ["noise"], METHODS, [])
    with pytest.raises(UsageError, match=f"expected one of: {', '.join(ABLATIONS)}"):
        chosen_arms("colour", [], METHODS, [])


def test_differences_are_paired_and_by_the_seeds_that_both_have() -> None:
    arms = chosen_arms("noise", ["sdpm", "sadpm"], ["avg"], [])
    own = [row("sadpm", 0, (60, 100), (80, 100)), row("sadpm", 1, (10, 100), (10, 100))]
    scores = {"sdpm": [row("sdpm", 0, (50, 100), (70, 100))], "sadpm": own}
    (line,) = (line for line in differences(scores, arms, "sdpm") if line.startswith("| sadpm"))
    gain = (0.75 + 160 / 180 - 100 / 150 - 140 / 170) / 2
    assert f"| {gain:.3f} [" in line and line.endswith("| 0.819, 0.182 |")


def test_a_network_is_the_same_behind_either_face() -> None:
    class Logits(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 3.0 * x

    x = torch.linspace(-1, 1, 16).reshape(1, 1, 4, 4)
    assert torch.allclose(AsLogits(AsTwoStream(Logits()))(x), 3.0 * x, atol=1e-4)
    assert len({arm.name for arm in CROSSED}) == 4
