"""The preset `paper` keeps the papers' values; limits hold; unknown names are explained."""

import pytest

from strokediff.errors import UsageError
from strokediff.inference.algorithm1 import (
    Algorithm1,
    UniformScale,
    own,
    standard_deviation,
    variance_as_printed,
    white,
)
from strokediff.inference.direct import Direct
from strokediff.inference.estimation import FUSIONS, METHODS, PRESETS, Estimation, Limits
from strokediff.inference.fusion import Fused
from strokediff.inference.mirrored import Mirrored
from strokediff.inference.repeated import Repeated, Tolerance
from strokediff.inference.salient import Salient


def test_paper_settings() -> None:
    """SDPM section 3: T = 500, T_i = T/2, 100 and 50 repeats, nu > 1."""
    assert Estimation("avg", "paper").estimator(T=500) == Repeated(Direct())
    assert Estimation("sal", "paper").estimator(T=500) == Repeated(Salient(250, nu=2.0), 100)
    markov = Estimation("infer", "paper").estimator(T=500)
    assert isinstance(markov, Repeated)
    assert isinstance(markov.sampler, Algorithm1)
    assert (markov.sampler.T_i, markov.sampler.stride, markov.repeats) == (250, 1, 50)
    assert isinstance(markov.sampler.label_scale, UniformScale)
    assert markov.sampler.transition is white
    assert markov.sampler.transition_scale is standard_deviation


def test_printed_is_the_papers_with_the_variance_as_the_factor_of_the_noise() -> None:
    for method in ("avg", "matched", "sal"):
        own = Estimation(method, "printed").estimator(T=500)
        assert own == Estimation(method, "paper").estimator(T=500)
    markov = Estimation("infer", "printed").estimator(T=500)
    assert isinstance(markov, Repeated) and isinstance(markov.sampler, Algorithm1)
    assert (markov.sampler.T_i, markov.sampler.stride, markov.repeats) == (250, 1, 50)
    assert isinstance(markov.sampler.label_scale, UniformScale)
    assert markov.sampler.transition_scale is variance_as_printed


def test_paper_evaluations_a_slice() -> None:
    """1 + 100 x 250 + 50 x 250."""
    assert Estimation("all", "paper").estimator(T=500).evaluations() == 37_501


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("preset", PRESETS)
def test_every_method_has_its_own_name(method: str, preset: str) -> None:
    assert Estimation(method, preset).estimator(T=500).name == method


@pytest.mark.parametrize("method", METHODS)
def test_fast_spends_at_most_64_evaluations_a_slice(method: str) -> None:
    assert Estimation(method).estimator(T=500).evaluations() <= 64


@pytest.mark.parametrize("preset", PRESETS)
def test_the_chain_takes_the_model_s_own_noise_on_request(preset: str) -> None:
    def transition(estimator: object) -> object:
        assert isinstance(estimator, Repeated)
        sampler = estimator.sampler
        chain = sampler.inner if isinstance(sampler, Mirrored) else sampler
        assert isinstance(chain, Algorithm1)
        return chain.transition

    assert transition(Estimation("infer", preset, "own").estimator(T=500)) is own
    parts = Estimation("all", preset, "own").estimator(T=500)
    assert isinstance(parts, Fused)
    assert transition(parts.parts[-1]) is own


@pytest.mark.parametrize("fusion", FUSIONS)
def test_all_takes_any_fusion(fusion: str) -> None:
    parts = Estimation("all", fusion=fusion).estimator(T=500)
    assert isinstance(parts, Fused)
    assert parts.fusion is FUSIONS[fusion]


def test_a_choice_s_key_names_what_changes_the_answer() -> None:
    """Decisions and calibrations hold for one key; limits change none."""
    assert Estimation("sal", "fast").key == "fast/sal"
    assert Estimation("sal", limits=Limits(0.5)).key == "fast/sal"
    assert Estimation("all", "paper", "own", "mean").key == "paper/all, own transition, mean fusion"
    assert Estimation("avg", cut=0.7).key == "fast/avg, cut 0.7"


def test_a_cut_is_part_of_the_name_and_must_be_a_probability() -> None:
    assert Estimation("avg").name == "avg" and Estimation("avg", cut=0.7).name == "avg-cut-0.7"
    for cut in (0.0, 1.0, -0.1, 30.0, float("nan")):
        with pytest.raises(UsageError, match=r"cut = .*: expected a probability between 0 and 1"):
            Estimation("avg", cut=cut)


@pytest.mark.parametrize("method", ["sal", "infer", "all"])
@pytest.mark.parametrize("preset", PRESETS)
def test_max_evaluations_are_never_exceeded(method: str, preset: str) -> None:
    for most in (600, 1000, 40_000):
        chosen = Estimation(method, preset, limits=Limits(max_evaluations=most))
        assert chosen.estimator(T=500).evaluations() <= most


def test_a_tolerance_may_spend_more_than_the_preset() -> None:
    chosen = Estimation("sal", limits=Limits(tolerance_ml=0.5)).estimator(T=500)
    assert isinstance(chosen, Repeated)
    assert chosen.tolerance == Tolerance(0.5)
    assert chosen.evaluations() == 512


def test_limits_that_cannot_be_kept_are_refused() -> None:
    with pytest.raises(UsageError, match="one draw of 'sal' takes 250"):
        Estimation("sal", "paper", limits=Limits(max_evaluations=100)).estimator(T=500)
    with pytest.raises(UsageError, match=r"tolerance = -1 mL: expected more than 0"):
        Estimation("sal", limits=Limits(tolerance_ml=-1)).estimator(T=500)


def test_options_that_say_nothing_to_a_method_are_refused() -> None:
    """They would stand in result.json as if they had been kept."""
    for limits in (Limits(tolerance_ml=1.0), Limits(max_evaluations=8)):
        with pytest.raises(UsageError, match="'avg' draws no noise"):
            Estimation("avg", limits=limits).estimator(T=500)
    with pytest.raises(UsageError, match="'sal' is one estimate, with nothing to fuse"):
        Estimation("sal", fusion="mean").estimator(T=500)


def test_unknown_names_are_refused_with_the_choices() -> None:
    with pytest.raises(UsageError, match="no method 'mean'; expected one of: avg, matched, sal"):
        Estimation("mean").estimator(T=500)
    with pytest.raises(UsageError, match="no preset 'slow'; expected one of: paper, printed, fast"):
        Estimation("avg", "slow").estimator(T=500)
    with pytest.raises(UsageError, match="no transition noise 'x'; expected one of: isotropic, o"):
        Estimation("avg", transition="x").estimator(T=500)
    with pytest.raises(UsageError, match="no fusion 'x'; expected one of: union, mean, major"):
        Estimation("all", fusion="x").estimator(T=500)
