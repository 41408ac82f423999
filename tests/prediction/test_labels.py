"""Laws: labels written are those read back; kinds are told apart where both sides declare them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from strokediff.cli.evaluate import evaluate
from strokediff.cohort.masks import label_map, labels_of_map
from strokediff.cohort.store import by_kind
from strokediff.errors import InputError, UsageError
from strokediff.prediction.labels import parsed_labels
from strokediff.prediction.scoring import evaluate_folders
from strokediff.util.kinds import STROKE

AFFINE = np.diag([0.5, 0.5, 5.0, 1.0])
TRUE = np.zeros((8, 8, 4), dtype=np.uint8)
TRUE[1:4, 1:4, 1:3] = 1
TRUE[5:8, 5:8, 1:3] = 2
PRED = TRUE.copy()
PRED[1:3, 1:4, 1:3] = 2  # 12 of 18 voxels of the infarct called haemorrhage


def save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, AFFINE), path)


def declare(folder: Path, **labels: int | list[int]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cohort.json").write_text(json.dumps({"labels": labels}))


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    save(tmp_path / "a" / "pred" / "p1.nii.gz", PRED)
    save(tmp_path / "b" / "true" / "p1.nii.gz", TRUE)
    declare(tmp_path / "b", infarct=1, haemorrhage=2)
    declare(tmp_path / "a", infarct=1, haemorrhage=2)
    return tmp_path / "a" / "pred", tmp_path / "b" / "true"


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_a_map_of_labels_holds_every_set_of_kinds(count: int) -> None:
    bits = np.arange(1 << count, dtype=np.uint8)
    labels = label_map(bits, count)
    names = [f"kind-{k}" for k in range(count)]
    for k, values in enumerate(labels_of_map(names).values()):
        np.testing.assert_array_equal(np.isin(labels, values), by_kind(bits, count)[k])
        assert labels[1 << k] == k + 1
    assert sorted(labels) == list(range(1 << count))


def test_both_kinds_are_scored_and_joined(folders: tuple[Path, Path]) -> None:
    found = evaluate_folders(*folders)
    assert found.rows[0].dice == 1.0
    (case,) = found.cases
    assert case.kinds["infarct"].dice == pytest.approx(2 * 6 / 24)
    assert case.kinds["haemorrhage"].dice == pytest.approx(2 * 18 / 48)
    assert found.confusion is not None and found.confusion.voxels == ((6, 0), (12, 18))
    assert found.kinds["infarct"].mean["dice"] == pytest.approx(0.5)


def test_a_kind_that_a_truth_does_not_declare_is_nowhere_in_it(folders: tuple[Path, Path]) -> None:
    """Blood only is outlined: what is called an infarct is false, and named so."""
    pred, truth = folders
    save(truth / "p1.nii.gz", (TRUE == 2).astype(np.uint8))
    declare(truth.parent, haemorrhage=1)
    found = evaluate_folders(pred, truth)
    assert list(found.kinds) == list(STROKE)
    assert found.kinds["infarct"].counts["truth_empty"] == 1
    assert found.cases[0].kinds["haemorrhage"].recall == 1.0


def test_where_one_side_tells_no_kinds_apart_they_are_joined(folders: tuple[Path, Path]) -> None:
    pred, truth = folders
    (pred.parent / "cohort.json").unlink()
    save(pred / "p1.nii.gz", (PRED > 0).astype(np.uint8))
    found = evaluate_folders(pred, truth)
    assert not found.cases and found.rows[0].dice == 1.0
    (truth.parent / "cohort.json").unlink()
    save(truth / "p1.nii.gz", (TRUE > 0).astype(np.uint8))
    declare(pred.parent, infarct=1, haemorrhage=2)
    save(pred / "p1.nii.gz", PRED)
    probs = np.stack([PRED == 1, PRED == 2], axis=-1).astype(np.float32)
    save(pred.parent / "prob" / "p1.nii.gz", probs)
    found = evaluate_folders(pred, truth, pred.parent / "prob")
    assert not found.cases and found.rows[0].dice == found.rows[0].auc == 1.0


def test_what_segment_wrote_says_its_kinds_itself(folders: tuple[Path, Path]) -> None:
    pred, truth = folders
    result = {"research_use_only": True, "version": "1", "volume_ml": 1.0}
    result["kinds"] = [{"name": "haemorrhage"}, {"name": "infarct"}]
    save(pred / "p1" / "lesion_mask.nii.gz", (3 - PRED) * (PRED > 0))
    (pred / "p1" / "result.json").write_text(json.dumps(result))
    (pred / "p1.nii.gz").unlink()
    found = evaluate_folders(pred, truth)
    assert found.confusion is not None and found.confusion.voxels == ((6, 0), (12, 18))


def test_the_command_takes_labels_and_writes_a_line_a_kind(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    pred, truth = folders
    for folder in folders:
        (folder.parent / "cohort.json").unlink()
    table = pred.parent / "m.csv"
    evaluate(pred, truth, table, labels="infarct=1,haemorrhage=2")
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [row["kind"] for row in rows] == ["lesion", *STROKE]
    summary = json.loads(table.with_suffix(".json").read_text())
    assert summary["mean"]["dice"] == 1.0
    assert summary["kinds"]["infarct"]["mean"]["dice"] == pytest.approx(0.5)
    shown = " ".join(capsys.readouterr().out.split())
    assert "lesions of any kind" in shown and "Kind right: 67% of these lesions" in shown
    with pytest.raises(InputError, match=r"p1\.nii\.gz: expected a binary mask"):
        evaluate(pred, truth, table, quiet=True)


def test_values_that_are_not_declared_are_refused(folders: tuple[Path, Path]) -> None:
    pred, truth = folders
    save(pred / "p1.nii.gz", PRED + 1)
    with pytest.raises(InputError, match=r"p1\.nii\.gz: holds the values 3, expected 0 and those"):
        evaluate_folders(pred, truth)
    declare(truth.parent, infarct="one")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"cohort\.json: labels: expected whole numbers above 0"):
        evaluate_folders(pred, truth)


@pytest.mark.parametrize("text", ["infarct", "infarct=", "infarct=one", "infarct=0", "In!=1", "="])
def test_labels_that_say_nothing_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--labels"):
        parsed_labels(text)
