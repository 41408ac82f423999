"""Laws: what is chosen is of each kind, from all; intervals are of what others chose."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from answered import KEY, of_kind, sheet

from strokediff.errors import InputError
from strokediff.segmentation.calibrate.answers import Answer, OfMethod, Sheet
from strokediff.segmentation.calibrate.decisions import LEAST_ML, THRESHOLDS
from strokediff.segmentation.calibrate.tune import tune
from strokediff.segmentation.intervals import Measured
from strokediff.util.kinds import STROKE


def test_each_kind_has_the_decision_and_the_interval_of_its_own_errors() -> None:
    tuned = tune(sheet(), "phantoms")[KEY]
    chosen = {kind: own.after.decision for kind, own in tuned.kinds.items()}
    assert (chosen["infarct"].threshold, chosen["infarct"].least_lesion_ml) == (-0.4, 0.2)
    assert chosen["haemorrhage"].threshold == THRESHOLDS[4]
    assert chosen["haemorrhage"].least_lesion_ml == LEAST_ML[3]
    found = sheet(200, seed=1)
    width = {}
    for kind in STROKE:
        i, j = (2, 1) if kind == "infarct" else (4, 3)
        ends = [
            (own.true_ml, *tuned.calibrations[kind].interval_ml(
                Measured(own.volume_ml[i][j], own.doubt_ml)
            ))
            for one in found.answers for own in [one.methods[KEY].kinds[kind]]
        ]  # fmt: skip
        assert 0.8 <= np.mean([low <= t <= high for t, low, high in ends]) <= 1
        width[kind] = np.mean([high - low for _, low, high in ends])
    assert 3 < width["infarct"] / width["haemorrhage"] < 8
    assert set(tuned.calibrations) == {*STROKE, "lesion"}
    assert all(own.n == 40 for own in tuned.calibrations.values())
    assert tuned.calibrations["lesion"].population == "phantoms"


def test_an_interval_is_of_decisions_that_others_chose() -> None:
    """Of two patients each likes another decision: judged by the other's, nothing is found."""
    answers = tuple(
        Answer(
            scan=name,
            patient=name,
            methods={KEY: OfMethod(kinds={"lesion": of_kind(best, 20.0)}, doubt_ml=1, true_ml=20)},
        )
        for name, best in (("a", (1, 1)), ("b", (5, 3)))
    )
    tuned = tune(Sheet(kinds=("lesion",), answers=answers), "patients")[KEY]
    assert tuned.kinds["lesion"].after.dice == pytest.approx(0.6)  # one of the two is content
    low, high = tuned.calibrations["lesion"].interval_ml(Measured(20.0, 1.0))
    assert low == 0 and high >= 40  # both were off by 20 mL


def test_the_scans_of_a_patient_are_never_on_both_sides() -> None:
    """With three scans each the patient is judged by other patients, so folds are of patients."""
    several = sheet(10, scans=3)
    assert len(several.patients) == 10 and all(len(own) == 3 for own in several.patients)
    with pytest.raises(InputError, match="expected two or more"):
        tune(Sheet(kinds=STROKE, answers=several.answers[:3]), "patients")


def test_a_sheet_reads_back_and_folds_go_together(tmp_path: Path) -> None:
    whole = sheet(6, features={"noise": 2.0})
    for k in range(2):
        part = Sheet(kinds=STROKE, answers=whole.answers[3 * k : 3 * k + 3])
        part.write(tmp_path / f"{k}.json")
    read = Sheet.read([tmp_path / "0.json", tmp_path / "1.json"])
    assert read == whole
    assert tune(read, "p") == tune(whole, "p")
    with pytest.raises(InputError, match="there twice"):
        Sheet.read([tmp_path / "0.json"] * 2)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c.update(format="other 3"), "expected the format"),
        (lambda c: c.update(thresholds=[0.0]), "other decisions"),
        (lambda c: c.update(kinds=["infarct"]), "other kinds"),
        (lambda c: c.update(answers=[]), "at least 1"),
        (lambda c: c["answers"][0].update(methods={}), "other methods"),
        (lambda c: c["answers"][0]["methods"][KEY]["kinds"].pop("infarct"), "other kinds"),
        (lambda c: c["answers"][0]["methods"][KEY]["kinds"]["infarct"].update(dice=[[1]]), "9 x 5"),
        (
            lambda c: c["answers"][0]["methods"][KEY]["kinds"]["infarct"].update(true_ml=-1),
            "greater than or equal to 0",
        ),
        (lambda c: c.clear(), "Field required"),
    ],
)
def test_what_is_no_sheet_is_refused_with_its_name(tmp_path: Path, change: Any, said: str) -> None:
    content = json.loads(sheet(3).model_dump_json())
    change(content)
    (tmp_path / "fold.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=rf"fold\.json: expected a sheet of answers.*{said}"):
        Sheet.read([tmp_path / "fold.json"])
