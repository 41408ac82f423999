"""Laws of cross-fitted figures: whoever is judged has chosen nothing, and figures are by hand."""

from __future__ import annotations

import numpy as np
import pytest

from strokediff.benchmark.reports.crossfitted import Judged, as_csv, judged, of_group, summary
from strokediff.errors import InputError
from strokediff.segmentation.calibrate.answers import Answer, OfKind, OfMethod, Sheet
from strokediff.segmentation.calibrate.decisions import LEAST_ML, THRESHOLDS


def answer(scan: str, best: int, true_ml: float = 10.0) -> Answer:
    """Whose Dice is 0.9 and volume right at threshold `best`, and 0.1 and 0 elsewhere."""
    dice = np.full((len(THRESHOLDS), len(LEAST_ML)), 0.1)
    volume = np.zeros_like(dice)
    dice[best], volume[best] = 0.9, true_ml
    own = OfKind(dice=dice.tolist(), volume_ml=volume.tolist(), doubt_ml=1.0, true_ml=true_ml)
    method = OfMethod(kinds={"lesion": own}, doubt_ml=1.0, true_ml=true_ml)
    return Answer(scan=scan, patient=scan, methods={"fast/avg": method})


def sheet(*answers: Answer) -> Sheet:
    return Sheet(kinds=("lesion",), answers=answers)


def test_a_fold_is_judged_at_the_decision_of_the_others() -> None:
    low = sheet(*(answer(f"a{i}", 1) for i in range(4)))
    high = sheet(*(answer(f"b{i}", 5) for i in range(4)))
    rows = judged([low, high], "fast/avg")
    assert [row.dice for row in rows] == [0.1] * 8 and {row.found_ml for row in rows} == {0.0}
    alike = judged([low, sheet(*(answer(f"c{i}", 1) for i in range(4)))], "fast/avg")
    assert {row.dice for row in alike} == {0.9} and all(row.covered for row in alike)


def test_the_table_is_the_one_by_hand() -> None:
    rows = [
        Judged("a", "heads", "infarct", 20.0, 18.0, 0.8, 15.0, 25.0),
        Judged("b", "heads", "infarct", 4.0, 0.0, 0.0, 0.0, 2.0),
        Judged("c", "heads", "infarct", 0.0, 0.5, 0.0, 0.0, 2.0),
        Judged("d", "heads", "infarct", 0.0, 3.0, 0.0, 1.0, 5.0),
    ]
    table = "\n".join(summary(rows))
    assert "| Dice where there is a lesion | 0.40 [0.00, 0.80] (n = 2) |" in table
    assert "| Dice above 10 mL | 0.80 (n = 1) |" in table
    assert "| without a lesion: below 1 mL | 0.50 [0.00, 1.00] (n = 2) |" in table
    assert "| interval's median width above 10 mL | 50% (n = 1) |" in table
    assert "| interval holds the truth | 0.50 " in table
    assert as_csv(rows).splitlines()[1] == "a,heads,infarct,20.000,18.000,0.800,15.000,25.000"


def test_one_folder_is_reported_on_by_what_all_chose() -> None:
    rows = [
        Judged("a", "real", "infarct", 20.0, 18.0, 0.8, 15.0, 25.0),
        Judged("b", "made", "infarct", 4.0, 0.0, 0.0, 0.0, 2.0),
    ]
    assert of_group(rows, "real") == rows[:1]
    with pytest.raises(InputError, match="no answers on scans of 'unreal'; there are: made, real"):
        of_group(rows, "unreal")


def test_one_fold_or_an_unknown_estimation_is_refused() -> None:
    own = sheet(answer("a", 1), answer("b", 1))
    with pytest.raises(InputError, match="two folds or more"):
        judged([own], "fast/avg")
    with pytest.raises(InputError, match="no answers of 'fast/sal'; there are: fast/avg"):
        judged([own, own], "fast/sal")
