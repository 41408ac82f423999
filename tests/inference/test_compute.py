"""Laws: what the machine lacks is refused by name, and auto means what it can do."""

from __future__ import annotations

import pytest
import torch

from strokediff.errors import UsageError
from strokediff.inference.compute import ON_CPU, Compute


def test_auto_precision_is_single_on_a_cpu() -> None:
    assert Compute.of("cpu") == ON_CPU == Compute(torch.device("cpu"), "32")
    assert Compute.of("cpu", "bf16", threads=2) == Compute(torch.device("cpu"), "bf16", 2)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"device": "abacus"}, "no device 'abacus'"),
        ({"device": "cuda:99"}, "device 'cuda:99' is not available"),
        ({"device": "meta"}, "device 'meta' is not available"),
        (
            {"device": "cpu", "precision": "16"},
            "no precision .16.; expected one of",
        ),
    ],
)
def test_what_is_not_there_is_refused(given: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Compute.of(**given)


def test_no_compiler_is_told_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(UsageError, match="needs a C\\+\\+ compiler"):
        ON_CPU.compile(torch.nn.Identity())
