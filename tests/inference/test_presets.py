"""The preset `paper` keeps the papers' values; unknown names are explained."""

import pytest

from strokediff.errors import UsageError
from strokediff.inference.algorithm1 import (
    Algorithm1,
    UniformScale,
    own,
    standard_deviation,
    white,
)
from strokediff.inference.fusion import Fused
from strokediff.inference.presets import METHODS, PRESETS, estimator
from strokediff.inference.salient import Salient


def test_paper_settings() -> None:
    """SDPM section 3: T = 500, T_i = T/2, 100 and 50 repeats, nu > 1."""
    salient = estimator("sal", "paper", T=500)
    assert salient == Salient(T_i=250, repeats=100, stride=1, nu=2.0)
    markov = estimator("infer", "paper", T=500)
    assert isinstance(markov, Algorithm1)
    assert (markov.T_i, markov.repeats) == (250, 50)
    assert isinstance(markov.label_scale, UniformScale)
    assert markov.transition is white
    assert markov.transition_scale is standard_deviation


def test_paper_evaluations_a_slice() -> None:
    """1 + 100 x 250 + 50 x 250."""
    assert estimator("all", "paper", T=500).evaluations() == 37_501


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("preset", PRESETS)
def test_every_method_has_its_own_name(method: str, preset: str) -> None:
    assert estimator(method, preset, T=500).name == method


@pytest.mark.parametrize("method", METHODS)
def test_fast_spends_at_most_64_evaluations_a_slice(method: str) -> None:
    assert estimator(method, "fast", T=500).evaluations() <= 64


@pytest.mark.parametrize("preset", PRESETS)
def test_the_chain_takes_the_model_s_own_noise_on_request(preset: str) -> None:
    chain = estimator("infer", preset, T=500, transition="own")
    assert isinstance(chain, Algorithm1)
    assert chain.transition is own
    parts = estimator("all", preset, T=500, transition="own")
    assert isinstance(parts, Fused)
    assert isinstance(parts.parts[-1], Algorithm1)
    assert parts.parts[-1].transition is own


def test_unknown_names_are_refused_with_the_choices() -> None:
    with pytest.raises(UsageError, match="no method 'mean'; expected one of: avg, sal"):
        estimator("mean", "fast", T=500)
    with pytest.raises(UsageError, match="no preset 'slow'; expected one of: paper, fast"):
        estimator("avg", "slow", T=500)
    with pytest.raises(UsageError, match="no transition noise 'x'; expected one of: isotropic, o"):
        estimator("avg", "fast", T=500, transition="x")
