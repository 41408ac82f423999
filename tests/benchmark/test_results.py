"""Laws: a row is the mean over patients of the mean over seeds; tests are against the best peer."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from strokediff.benchmark.results import AREAS, reference, rows_of_table
from strokediff.benchmark.scores import RowScore
from strokediff.benchmark.together import TOGETHER, Counted, ranks
from strokediff.errors import InputError
from strokediff.evaluation.summary import volume_correlation

from .conftest import row

TRUE = [100, 120, 140, 160, 180, 200, 220, 240]


def made(name: str, seed: int, short: int) -> RowScore:
    return row(name, seed, *((t - short - 2 * i, t) for i, t in enumerate(TRUE)))


def test_figures_by_hand() -> None:
    scores = {"a": [row("a", 0, (50, 100), (100, 100)), row("a", 1, (100, 100), (0, 100))]}
    (only,) = rows_of_table(scores, {"a": "A"}, [])
    dice = only.figures["dice"].value
    assert dice == pytest.approx(((2 / 3 + 1) / 2 + (1 + 0) / 2) / 2)
    assert only.figures["vdp"].value == pytest.approx((0.25 + 0.5) / 2)
    assert only.figures["vdp_median"].value == pytest.approx((0.25 + 0.5) / 2)
    assert only.figures["sensitivity"].value == pytest.approx((1 + 0.5) / 2)
    assert only.missed == 0.5
    assert only.costs["train_seconds"] == 60 and only.costs["evaluations_a_slice"] == 4
    assert only.figures["auc"].value is None  # no probabilities were given
    assert reference([only]) is None


def test_times_are_of_the_first_machine_and_figures_of_every_seed() -> None:
    here, there = made("a", 0, 5), made("a", 1, 50)
    there = replace(
        there,
        training={**there.training, "machine": "a GPU", "seconds": 1.0},
        patients=[replace(p, seconds=1e3) for p in there.patients],
    )
    (one,), (both,) = (rows_of_table({"a": s}, {"a": "A"}, []) for s in ([here], [here, there]))
    assert both.machines == ("a processor", "a GPU")
    for time in ("train_seconds", "seconds_a_head"):
        assert both.costs[time] == one.costs[time]
    assert (both.figures["dice"].value or 0) < (one.figures["dice"].value or 0)


def test_the_median_vdp_is_not_moved_by_one_tiny_lesion() -> None:
    plain = [row("a", 0, (9, 10), (90, 100), (90, 100))]
    tiny = [row("a", 0, (90, 1), (90, 100), (90, 100))]
    (one,), (other,) = (rows_of_table({"a": s}, {"a": "A"}, []) for s in (plain, tiny))
    assert one.figures["vdp_median"].value == pytest.approx(0.1)
    assert other.figures["vdp_median"].value == pytest.approx(0.1)
    assert (other.figures["vdp"].value or 0) > 10 * (one.figures["vdp"].value or 0)


def test_the_volume_correlation_of_ranks_is_not_turned_by_one_large_lesion() -> None:
    small = [(40, 10), (50, 20), (60, 30), (70, 40), (80, 50)]
    plain = [row("a", 0, *small, (300, 900))]
    short = [row("a", 0, *small, (5, 900))]
    (one,), (other,) = (rows_of_table({"a": s}, {"a": "A"}, []) for s in (plain, short))
    assert one.figures["vc_ranks"].value == pytest.approx(1.0)
    # Spearman's rho is 1 - 6 sum(d^2) / (n (n^2 - 1)) with d = -1 five times and 5 once.
    assert other.figures["vc_ranks"].value == pytest.approx(1 - 6 * 30 / (6 * 35))
    assert (other.figures["vc"].value or 0) < -0.8


def test_the_best_peer_is_the_reference_and_ours_is_tested_against_it() -> None:
    scores = {
        "worse": [made("worse", 0, 60)],
        "better": [made("better", 0, 30)],
        "ours": [made("ours", 0, 5)],
    }
    rows = rows_of_table(scores, {n: n.title() for n in scores}, ["worse", "better"])
    best = reference(rows)
    assert best is not None and best.name == "better"
    by_name = {r.name: r for r in rows}
    assert by_name["ours"].differences["dice"].mean > 0
    assert by_name["ours"].differences["dice"].significant
    assert by_name["worse"].differences["dice"].mean < 0
    assert by_name["ours"].differences["vdp"].mean < 0


def test_rows_are_tested_by_the_seeds_that_both_have() -> None:
    """The second seed of the reference is of no account to a row that has the first alone."""
    peer, again = made("peer", 0, 30), made("peer", 1, 1)
    scores = {"peer": [peer, again], "ours": [made("ours", 0, 20)], "late": [made("late", 2, 20)]}
    both = {r.name: r for r in rows_of_table(scores, {n: n for n in scores}, ["peer"])}
    alone = {
        r.name: r
        for r in rows_of_table({**scores, "peer": [peer]}, {n: n for n in scores}, ["peer"])
    }
    assert both["ours"].differences["dice"].mean == alone["ours"].differences["dice"].mean > 0
    assert both["late"].differences == {} and not both["late"].is_reference
    best = reference([*both.values()])
    assert best is not None and best.name == "peer"


def test_a_second_scan_of_a_patient_is_no_second_patient() -> None:
    """Everybody scanned twice: neither intervals nor tests know more than by one scan of each."""

    def scanned_twice(own: RowScore) -> RowScore:
        again = [
            replace(p, metrics=replace(p.metrics, case=f"{p.metrics.case}-again"))
            for p in own.patients
        ]
        return replace(own, patients=[*own.patients, *again])

    once = {"peer": [made("peer", 0, 30)], "ours": [made("ours", 0, 20)]}
    twice = {name: [scanned_twice(own) for own in found] for name, found in once.items()}
    first, second = (rows_of_table(s, {n: n for n in s}, ["peer"])[1] for s in (once, twice))
    assert len(twice["ours"][0].patients) == 2 * len(TRUE)
    assert second.differences["dice"].p == first.differences["dice"].p
    for name in ("dice", "vc", "sensitivity"):
        assert asdict(second.figures[name]) == pytest.approx(asdict(first.figures[name]))


def test_a_row_keeps_every_seed_that_it_has() -> None:
    scores = {"a": [made("a", 0, 10), made("a", 1, 20)], "b": [made("b", 0, 10)]}
    a, b = rows_of_table(scores, {"a": "A", "b": "B"}, [])
    assert (a.seeds, b.seeds) == ((0, 1), (0,))
    alone = [rows_of_table({"a": [made("a", 0, s)]}, {"a": "A"}, [])[0] for s in (10, 20)]
    expected = np.mean([row.figures["dice"].value for row in alone])
    assert a.figures["dice"].value == pytest.approx(expected)
    assert b.figures["dice"].value == alone[0].figures["dice"].value


@pytest.mark.parametrize(
    "other", [row("b", 0, (1, 10), (5, 30)), row("b", 0, (1, 10)), row("b", 1, (1, 10), (5, 21))]
)
def test_rows_of_other_patients_or_other_labels_are_refused(other: RowScore) -> None:
    scores = {"a": [row("a", 0, (5, 10), (5, 20))], "b": [other]}
    with pytest.raises(InputError, match="scores of b, seed .: of other patients, or in"):
        rows_of_table(scores, {"a": "A", "b": "B"}, [])


def test_scores_come_back_as_they_were(tmp_path: Path) -> None:
    own = made("a", 3, 10)
    own.write(tmp_path / "a.json")
    back = RowScore.read(tmp_path / "a.json")
    assert (back.row, back.seed, back.training) == (own.row, own.seed, own.training)
    for kept, patient in zip(back.patients, own.patients, strict=True):
        given, found = patient.flat(), kept.flat()
        for key in ("case", "patient", "unit", "auc", "auc_brain", "auc_mask_brain"):
            assert found.pop(key) == given.pop(key)  # no probabilities and no brain here
        assert found == pytest.approx(given, rel=1e-5)
    content = json.loads((tmp_path / "a.json").read_text())
    assert {len(column) for column in content["patients"].values()} == {len(TRUE)}


def test_scores_of_version_0_1_0_are_read_and_say_nothing_of_the_masks_auc(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    made("a", 3, 10).write(file)
    content = json.loads(file.read_text())
    for column in ("auc_mask", "auc_brain", "auc_mask_brain"):
        del content["patients"][column]
    content["patients"]["auc"] = [0.9] * len(TRUE)
    file.write_text(json.dumps(content))
    (only,) = rows_of_table({"a": [RowScore.read(file)]}, {"a": "A"}, [])
    assert only.figures["auc"].value == pytest.approx(0.9)
    assert {only.figures[name].value for name in AREAS} == {None}


def test_each_auc_is_that_of_its_name() -> None:
    own = made("a", 0, 10)
    patients = [
        replace(p, metrics=replace(p.metrics, auc=0.9), auc_brain=0.8, auc_mask_brain=0.7)
        for p in own.patients
    ]
    (only,) = rows_of_table({"a": [replace(own, patients=patients)]}, {"a": "A"}, [])
    given = [only.figures[name].value for name in ("auc", "auc_brain", "auc_mask_brain")]
    assert given == pytest.approx([0.9, 0.8, 0.7])
    whole = np.mean([(p.metrics.recall + 1) / 2 for p in own.patients])
    assert only.figures["auc_mask"].value == pytest.approx(whole)  # nothing false is marked


@pytest.mark.parametrize(
    "change",
    [
        "{}",
        "[" * 9999,
        {"seed": "one"},
        {"row": None},
        {"training": 3},
        {"training": {"seconds": "long"}},
        {"more": 1},
        {"patients": []},
        {"patients": {}},
        {"patients": {"case": []}},
        {"patients": {"case": ["a"]}},
        {"dice": ["good"] * len(TRUE)},
        {"dice": [0.5]},
        {"dice": 0.5},
        {"dice": [None] * len(TRUE)},
        {"unit": ["mile"] * len(TRUE)},
        {"n_true": [[1]] * len(TRUE)},
    ],
    ids=lambda change: str(change)[:30],
)
def test_damaged_scores_are_named(tmp_path: Path, change: str | dict[str, object]) -> None:
    file = tmp_path / "a.json"
    made("a", 3, 10).write(file)
    content = json.loads(file.read_text())
    if isinstance(change, dict):
        place = content if {*change} & {*content, "more"} else content["patients"]
        place.update(change)
    file.write_text(change if isinstance(change, str) else json.dumps(content))
    with pytest.raises(InputError, match=r"a\.json: damaged .* scores this row again\.$"):
        RowScore.read(file)


@pytest.mark.parametrize("seed", range(3))
def test_figures_of_a_resample_are_those_of_its_patients(seed: int) -> None:
    """By the functions for single cohorts, of the patients drawn."""
    rng = np.random.default_rng(seed)
    patients = row("a", 0, *rng.integers(0, 200, (12, 2)).tolist()).patients
    index = rng.integers(12, size=12)
    drawn = [patients[i] for i in index]
    pred = [p.metrics.volume_pred_ml for p in drawn]
    true = [p.metrics.volume_true_ml for p in drawn]
    lesions = [p.detection for p in drawn]
    found = {name: figure(Counted.of(patients), index) for name, figure in TOGETHER.items()}
    assert found == pytest.approx(
        {
            "vc": volume_correlation(pred, true)[0],
            "vc_ranks": spearmanr(pred, true).statistic,
            "sensitivity": sum(d.n_detected for d in lesions) / sum(d.n_true for d in lesions),
            "false_positives": sum(d.n_false for d in lesions) / len(lesions),
        }
    )


@pytest.mark.parametrize("seed", range(3))
def test_ranks_are_scipys(seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 9, 30) / 2
    np.testing.assert_array_equal(ranks(values), rankdata(values))


def test_a_row_without_a_value_has_none_rather_than_a_number() -> None:
    (only,) = rows_of_table({"a": [row("a", 0, (0, 0), (10, 0))]}, {"a": "A"}, [])
    assert only.figures["vdp"].value is None and only.figures["sensitivity"].value is None
    assert only.empty_truth == 2
    assert np.isfinite(only.figures["dice"].value or np.nan)
