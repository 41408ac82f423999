"""Laws of several kinds: each is scored as if alone, all as if joined; confusion by hand."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from strokediff.errors import UsageError
from strokediff.evaluation.kinds import (
    KindConfusion,
    confusion_of,
    evaluate_case_of_kinds,
    evaluate_kinds,
)
from strokediff.evaluation.metrics import evaluate
from strokediff.evaluation.summary import summarize
from strokediff.evaluation.tables import format_csv_of_kinds, format_json, is_metrics
from strokediff.util.kinds import LESION

KINDS = ("infarct", "haemorrhage")
MM = (1.0, 1.0, 5.0)


def random_masks(seed: int) -> np.ndarray:
    """Blobs of two kinds that overlap here and there, (2, 12, 12, 4)."""
    rng = np.random.default_rng(seed)
    return rng.random((2, 12, 12, 4)) < 0.2


@pytest.mark.parametrize("seed", range(3))
def test_each_kind_is_scored_as_alone_and_all_as_joined(seed: int) -> None:
    pred, true = random_masks(seed), random_masks(seed + 100)
    prob = np.random.default_rng(seed).random(pred.shape)
    found = evaluate_kinds(pred, true, KINDS, spacing_mm=MM, prob=prob)
    for k, kind in enumerate(KINDS):
        assert found.kinds[kind] == evaluate(pred[k], true[k], spacing_mm=MM, prob=prob[k])
    joined = evaluate(pred.any(0), true.any(0), spacing_mm=MM, prob=prob.max(0))
    assert found.joined == joined
    assert list(found.parts()) == [LESION, *KINDS]


def test_a_label_map_is_its_masks() -> None:
    pred, true = (np.random.default_rng(s).integers(0, 3, (9, 9, 3)) for s in (0, 1))
    masks = [np.stack([array == 1, array == 2]) for array in (pred, true)]
    by_map = evaluate_kinds(pred, true, KINDS, spacing_mm=MM)
    assert by_map == evaluate_kinds(*masks, KINDS, spacing_mm=MM)


def test_confusion_by_hand() -> None:
    """Three found infarcts: one right, one that is mostly blood, one that is nothing."""
    pred, true = np.zeros((2, 2, 20, 4, 1), dtype=bool)
    true[0, 0:4], pred[0, 1:4, :2] = True, True  # an infarct: 6 of its 16 voxels
    true[1, 8:12] = True
    pred[0, 9:12, :1] = True  # 3 voxels of a haemorrhage, called infarct
    pred[1, 8:9] = True  # 4 called what they are
    pred[0, 16:18] = True  # 8 voxels where nothing is
    found = KindConfusion.of(KINDS, pred, true)
    assert found.voxels == ((6, 3), (0, 4))
    assert found.lesions == ((1, 1), (0, 1))
    assert found.voxels_right == pytest.approx(10 / 13)
    assert found.lesions_right == pytest.approx(2 / 3)
    twice = found + found
    assert twice.voxels == ((12, 6), (0, 8)) and twice.lesions_right == found.lesions_right


def test_where_two_kinds_truly_lie_either_is_right() -> None:
    true = np.ones((2, 3, 3, 1), dtype=bool)
    pred = np.zeros_like(true)
    pred[1, 0] = True
    found = KindConfusion.of(KINDS, pred, true)
    assert found.voxels == ((0, 0), (0, 3)) and found.voxels_right == found.lesions_right == 1.0


def test_nothing_found_has_no_right_kind() -> None:
    nothing = np.zeros((2, 3, 3, 1), dtype=bool)
    for true in (nothing, ~nothing):
        found = KindConfusion.of(KINDS, nothing, true)
        assert found.voxels_right is None and found.lesions_right is None


def test_tables_have_a_line_a_kind_and_the_summary_of_each() -> None:
    cases = [
        evaluate_case_of_kinds(
            f"p{seed}", KINDS, random_masks(seed), random_masks(seed + 9), affine=np.eye(4)
        )
        for seed in range(2)
    ]
    lines = list(csv.DictReader(format_csv_of_kinds(cases).splitlines()))
    assert [(line["case"], line["kind"]) for line in lines] == [
        (case, kind) for case in ("p0", "p1") for kind in (LESION, *KINDS)
    ]
    assert float(lines[5]["dice"]) == pytest.approx(cases[1].kinds["haemorrhage"].dice)
    summaries = {kind: summarize([case.kinds[kind] for case in cases]) for kind in KINDS}
    text = format_json(summarize([c.joined for c in cases]), summaries, confusion_of(cases))
    content = json.loads(text)
    assert content["kinds"]["infarct"]["mean"]["dice"] == summaries["infarct"].mean["dice"]
    assert content["confusion"]["lesions_right"] == confusion_of(cases).lesions_right
    assert is_metrics(text.encode())


def test_what_names_no_kind_is_refused() -> None:
    label = np.zeros((4, 4, 2), dtype=np.uint8)
    with pytest.raises(UsageError, match=r"pred: holds the values 3\. Expected 0 and 1 infarct"):
        evaluate_kinds(label + 3, label, KINDS, spacing_mm=MM)
    with pytest.raises(UsageError, match=r"true: shape \(3, 4, 4, 2\)\. Expected a label map"):
        evaluate_kinds(label, np.stack([label] * 3), KINDS, spacing_mm=MM)
    with pytest.raises(UsageError, match=r"true: shape .*bring both to one grid"):
        evaluate_kinds(label, label[:3], KINDS, spacing_mm=MM)
    with pytest.raises(UsageError, match="Expected the name of each kind"):
        evaluate_kinds(label, label, ("lesion",), spacing_mm=MM)
