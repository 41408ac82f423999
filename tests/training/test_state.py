"""The moving average of weights in closed form, and a state that is read whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from strokediff.errors import InputError
from strokediff.training.state import Average, load_state, save_state
from strokediff.util.tensorfile import write_tensors

DECAY = 0.4


def test_indices_are_kept_and_weights_averaged() -> None:
    module = nn.Module()
    module.register_buffer("index", torch.tensor([0, 1]))
    module.register_buffer("weight", torch.tensor([0.0]))
    average = Average(module, decay=0.5, every=1)
    module.index, module.weight = torch.tensor([4, 5]), torch.tensor([8.0])  # type: ignore[assignment]
    average.update(module, step=100)
    assert average.weights["index"].tolist() == [4, 5]
    assert float(average.weights["weight"]) == 4.0


def shares(steps: int, every: int) -> list[float]:
    """The share of the weights after step 0, 1, ... `steps` in the average, in closed form.

    Update k has decay d_k = min(DECAY, (1 + k) / (10 + k)) and takes in the weights of its step:
    their share is (1 - d_k) prod_{j > k} d_j, and that of the first weights prod_j d_j.
    """
    taken = [*range(every, steps, every), steps]
    decays = [min(DECAY, (1 + k) / (10 + k)) for k in range(1, len(taken) + 1)]
    out = [0.0] * (steps + 1)
    for k, step in enumerate(taken):
        out[step] = 1 - decays[k]
        for later in decays[k + 1 :]:
            out[step] *= later
    out[0] = float(torch.tensor(decays, dtype=torch.float64).prod())
    return out


@pytest.mark.parametrize("every", [1, 3, 10])
@pytest.mark.parametrize("steps", [1, 3, 9, 10, 11, 15, 25])
def test_the_average_is_the_closed_form(steps: int, every: int) -> None:
    """The weights after step n are the n-th unit vector, so that the average is the shares."""
    module = nn.Linear(steps + 1, 1, bias=False, dtype=torch.float64)
    units = torch.eye(steps + 1, dtype=torch.float64)
    module.weight.data = units[:1].clone()
    average = Average(module, DECAY, every, last=steps)
    for step in range(1, steps + 1):
        module.weight.data = units[step : step + 1].clone()
        average.update(module, step)
    found = average.weights["weight"][0]
    torch.testing.assert_close(found, torch.tensor(shares(steps, every), dtype=torch.float64))
    assert float(found[0]) < 0.2, "the untrained weights are forgotten"
    assert float(found[-1]) >= 0.6, "the last are in it"


@pytest.fixture
def trained(tmp_path: Path) -> tuple[Path, nn.Module, torch.optim.Optimizer]:
    module = nn.Linear(3, 2)
    optimizer = torch.optim.Adam(module.parameters())
    module(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    save_state(tmp_path / "state", 7, module, optimizer)
    return tmp_path / "state", module, optimizer


def fresh() -> tuple[nn.Module, torch.optim.Optimizer]:
    module = nn.Linear(3, 2)
    return module, torch.optim.Adam(module.parameters())


def test_a_state_comes_back(trained: tuple[Path, nn.Module, torch.optim.Optimizer]) -> None:
    folder, module, optimizer = trained
    again, own = fresh()
    assert load_state(folder, again, own) == 7
    for key, value in module.state_dict().items():
        assert torch.equal(again.state_dict()[key], value)
    for index, entry in optimizer.state_dict()["state"].items():
        for key, value in entry.items():
            assert torch.equal(own.state_dict()["state"][index][key], value)


def test_a_state_of_version_0_1_0_names_no_sums_and_comes_back(
    trained: tuple[Path, nn.Module, torch.optim.Optimizer],
) -> None:
    folder, module, _ = trained
    (folder / "state.json").write_text('{"step": 7}')
    again, own = fresh()
    assert load_state(folder, again, own) == 7
    assert torch.equal(again.state_dict()["weight"], module.state_dict()["weight"])


def flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("name", ["weights", "optimizer"])
def test_a_flipped_bit_of_the_state_is_found(
    trained: tuple[Path, nn.Module, torch.optim.Optimizer], name: str
) -> None:
    folder, *_ = trained
    flipped(folder / f"{name}.safetensors")
    with pytest.raises(InputError, match=r"sha256 differs.*Delete this checkpoint to resume"):
        load_state(folder, *fresh())


@pytest.mark.parametrize(
    ("name", "tensors", "said"),
    [
        ("weights", {"weight": torch.zeros(2, 3)}, "missing: bias"),
        ("weights", {"weight": torch.zeros(3, 2), "bias": torch.zeros(2)}, "expected 2 x 3"),
        ("weights", {"weight": torch.zeros(2, 3).int(), "bias": torch.zeros(2)}, "torch.int32"),
        ("weights", {"weight": torch.full((2, 3), torch.nan), "bias": torch.zeros(2)}, "NaN"),
        ("optimizer", {"9.exp_avg": torch.zeros(2)}, "'9.exp_avg' is no moment"),
        ("optimizer", {"-1.exp_avg": torch.zeros(2)}, "'-1.exp_avg' is no moment"),
        ("optimizer", {"exp_avg": torch.zeros(2)}, "'exp_avg' is no moment"),
        ("optimizer", {"1.exp_avg": torch.zeros(3)}, "'1.exp_avg' is no moment"),
        ("optimizer", {"1.exp_avg": torch.zeros(2)}, "moments of weight 1 are missing"),
    ],
)
def test_a_state_of_another_network_is_refused(
    trained: tuple[Path, nn.Module, torch.optim.Optimizer],
    name: str,
    tensors: dict[str, torch.Tensor],
    said: str,
) -> None:
    folder, *_ = trained
    kept = json.loads((folder / "state.json").read_text())
    kept[name] = write_tensors(folder / f"{name}.safetensors", tensors)
    (folder / "state.json").write_text(json.dumps(kept))
    with pytest.raises(InputError, match=said):
        load_state(folder, *fresh())


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{}", '{"step": "7"}', '{"step": true}', '{"step": -1}', "[" * 9999),
        *('{"step": 7, "weights": 3}', '{"step": 1e9}'),
    ],
)
def test_a_broken_description_of_a_state_is_refused(
    trained: tuple[Path, nn.Module, torch.optim.Optimizer], text: str
) -> None:
    folder, *_ = trained
    (folder / "state.json").write_text(text)
    with pytest.raises(InputError, match="Delete this checkpoint to resume from the one before"):
        load_state(folder, *fresh())
