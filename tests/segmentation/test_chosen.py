"""Laws: what was chosen reads back as it was kept, for one kind of lesion and for several."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import two_kinds

from strokediff.errors import InputError
from strokediff.inference.estimation import Estimation
from strokediff.segmentation.binned import binned_conformal
from strokediff.segmentation.chosen import (
    as_kept,
    read_calibrations,
    read_decisions,
    read_population,
    read_statements,
)
from strokediff.segmentation.decision import Decision
from strokediff.segmentation.intervals import Calibration, Measured
from strokediff.segmentation.model import load_model
from strokediff.util.kinds import JOINED, STROKE

PLAIN = Calibration(quantile=1.0, level=0.9, n=20)
BINNED = binned_conformal([Measured(1.0)] * 20, [2.0] * 20)
HERE = Path("model")


def kept(found: Any, kinds: tuple[str, ...]) -> Any:
    return json.loads(json.dumps(as_kept(found, kinds)))


@pytest.mark.parametrize("interval", [PLAIN, BINNED], ids=["plain", "binned"])
def test_one_kind_is_kept_flat_and_is_the_joined_one_too(interval: Any) -> None:
    for kinds in (JOINED, ("haemorrhage",)):
        (kind,) = kinds
        content = {
            "decision": {"fast/sal": kept({kind: Decision(threshold=0.2)}, kinds)},
            "calibration": {"fast/sal": kept({"lesion": interval, kind: interval}, kinds)},
        }
        assert content["decision"]["fast/sal"]["threshold"] == 0.2
        assert read_decisions(HERE, content, kinds) == {"fast/sal": (Decision(threshold=0.2),)}
        found = read_calibrations(HERE, content, kinds)["fast/sal"]
        assert found == {"lesion": interval, kind: interval}


def test_several_kinds_are_kept_by_name_and_some_may_have_no_interval() -> None:
    decisions = {kind: Decision(least_lesion_ml=k) for k, kind in enumerate(STROKE)}
    content = {
        "decision": {"fast/avg": kept(decisions, STROKE)},
        "calibration": {"fast/avg": kept({"haemorrhage": BINNED, "lesion": PLAIN}, STROKE)},
    }
    assert read_decisions(HERE, content, STROKE)["fast/avg"] == tuple(decisions.values())
    found = read_calibrations(HERE, content, STROKE)["fast/avg"]
    assert found == {"haemorrhage": BINNED, "lesion": PLAIN}


FLAT = Decision().model_dump()


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ({"decision": {"fast/sal": FLAT}}, "decision.fast/sal: expected entries for infarct"),
        ({"decision": {"fast/sal": {"infarct": FLAT}}}, "expected entries for infarct, haem"),
        ({"decision": {"fast/sal": {"infarct": FLAT, "tumour": FLAT}}}, "expected entries"),
        ({"decision": {"fast/sal": [1]}}, "expected entries"),
        ({"decision": {"a": {"infarct": FLAT, "haemorrhage": {"threshold": 7}}}}, "a.threshold"),
        ({"calibration": {"fast/sal": {"tumour": {}}}}, "expected entries for infarct"),
        ({"calibration": {"fast/sal": {"infarct": {"form": "binned"}}}}, "Field required"),
        ({"calibration": {"fast/sal": {"infarct": 3}}}, "calibration.fast/sal"),
        ({"population": {"n": 3}}, "population"),
        ({"population": []}, "population"),
        ({"card": {"infarct": 3}}, "card.infarct"),
        ({"card": "good"}, "card"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_named(metrics: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"metrics\.json: .*{said}"):
        load_model(two_kinds.checkpoint(tmp_path / "m", **metrics))


def test_a_model_has_what_was_chosen_for_it(tmp_path: Path) -> None:
    decisions = {kind: Decision(threshold=0.2 * k) for k, kind in enumerate(STROKE)}
    population = {"n": 20, "level": 1.0, "features": {"noise": [1.0, 2.0, 3.0]}}
    model = load_model(
        two_kinds.checkpoint(
            tmp_path / "m",
            decision={"fast/avg": kept(decisions, STROKE)},
            population=population,
            card={"infarct": "Finds\n half."},
        )
    )
    assert model.kinds == STROKE and model.population is not None
    assert model.population.unlikeness({"noise": 9.0}) == 3.0
    assert model.card.statements == {"infarct": "Finds half."}
    assert model.decisions(Estimation("avg")) == tuple(decisions.values())
    assert model.decisions(Estimation("sal")) == (Decision(), Decision())
    assert [d.threshold for d in model.decisions(Estimation("avg", cut=0.75))] == [0.5, 0.5]
    assert read_population(HERE, {}) is None and read_statements(HERE, {}) == {}
