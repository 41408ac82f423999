"""Every model in the package can be loaded, is small, and says what it is and whom it owes."""

from __future__ import annotations

from pathlib import Path

import pytest

from strokediff.errors import UsageError
from strokediff.inference.estimation import Estimation
from strokediff.report.sentences import model_note, only_phantoms
from strokediff.segmentation.segmenter import load
from strokediff.util.kinds import STROKE
from strokediff.weights import DEFAULT, bundled, model_path

ROOT = Path(__file__).parents[2]
MOST_BYTES = 16e6


@pytest.mark.parametrize("name", bundled())
def test_a_bundled_model_is_small_has_a_card_and_is_chosen_on_patients(name: str) -> None:
    """Decisions and intervals for the estimates that the README speaks of, and a population."""
    folder = model_path(name)
    assert sum(path.stat().st_size for path in folder.iterdir()) < MOST_BYTES
    assert "must not be used for" in (folder / "README.md").read_text("utf-8")
    model = load(name, device="cpu")
    assert model.card.name == name and model.population is not None
    for method in ("avg", "sal"):
        assert Estimation(method).key in model.chosen
        assert {*model.kinds} <= {*model.calibrations[Estimation(method).key]}


def test_the_default_tells_kinds_apart_and_says_what_it_does_on_real_patients() -> None:
    model = load(device="cpu")
    assert model.card.name == DEFAULT == "stroke-ncct"
    assert model.kinds == STROKE and {*STROKE} == {*model.card.statements}
    assert all("Dice" in text for text in model.card.statements.values())
    assert not only_phantoms(model.card) and "CT-ICH 1.0.0" in model_note(model.card)


def test_whom_its_images_are_of_is_attributed_with_version_and_licence() -> None:
    """CC BY 4.0 asks for it wherever the weights go: in the notice that packages carry, too."""
    places = (ROOT / "NOTICE", ROOT / "README.md", model_path(DEFAULT) / "README.md")
    for text in (place.read_text("utf-8") for place in places):
        assert "CT-ICH" in text and "1.0.0" in text
        assert "CC BY 4.0" in text or "Attribution 4.0" in text
    assert '"NOTICE"' in (ROOT / "pyproject.toml").read_text("utf-8")


def test_a_model_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(UsageError, match=r"no model 'x': neither.*phantom-stroke, stroke-ncct"):
        model_path("x")
