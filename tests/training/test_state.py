"""The moving average of weights, and of what cannot be averaged."""

from __future__ import annotations

import torch
from torch import nn

from strokediff.training.state import Average


def test_indices_are_kept_and_weights_averaged() -> None:
    module = nn.Module()
    module.register_buffer("index", torch.tensor([0, 1]))
    module.register_buffer("weight", torch.tensor([0.0]))
    average = Average(module, decay=0.5, every=1)
    module.index, module.weight = torch.tensor([4, 5]), torch.tensor([8.0])  # type: ignore[assignment]
    average.update(module, step=100)
    assert average.weights["index"].tolist() == [4, 5]
    assert float(average.weights["weight"]) == 4.0
