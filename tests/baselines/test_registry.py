"""Baselines by name."""

from __future__ import annotations

import pytest

from strokediff.baselines.registry import BASELINES, SCALES, baseline
from strokediff.errors import UsageError


def test_names_are_those_that_checkpoints_carry() -> None:
    for name, scales in BASELINES.items():
        for scale in SCALES:
            found = baseline(name, scale)
            assert found is scales[scale]
            assert found.name == found.method == name and found.noise is None


def test_the_diffusions_default_to_what_was_published() -> None:
    assert baseline("segdiff", "full").evaluations() == 9 * 100
    assert baseline("medsegdiff", "full").evaluations() == 5 * 100


def test_errors_name_the_choices() -> None:
    with pytest.raises(UsageError, match=r"no baseline 'nnunet'; expected one of: unet, segresnet"):
        baseline("nnunet")
    with pytest.raises(UsageError, match=r"no scale 'huge'; expected one of: small, full"):
        baseline("unet", "huge")
