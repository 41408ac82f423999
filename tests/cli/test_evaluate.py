"""Laws: files are matched by name, on one grid, and a patient who is missing stops the table."""

import csv
import json

import nibabel as nib
import numpy as np
import pytest

from strokediff.cli.evaluate import evaluate
from strokediff.errors import InputError, UsageError

AFFINE = np.diag([0.5, 0.5, 5.0, 1.0])
TRUE = np.zeros((8, 8, 4), dtype=np.uint8)
TRUE[2:6, 2:6, 1:3] = 1
PRED = TRUE.copy()
PRED[2] = 0


def save(path, array, affine=AFFINE):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, affine), path)


@pytest.fixture
def folders(tmp_path):
    for name in ("p1", "p2"):
        save(tmp_path / "true" / f"{name}.nii.gz", TRUE)
        save(tmp_path / "pred" / f"{name}.nii.gz", PRED if name == "p1" else TRUE)
        save(tmp_path / "prob" / f"{name}.nii.gz", TRUE * np.float32(0.9))
    return tmp_path


def run(folder, **kwargs):
    output = folder / "metrics.csv"
    evaluate(folder / "pred", folder / "true", output, **{"quiet": True, **kwargs})
    rows = {row["case"]: row for row in csv.DictReader(output.read_text().splitlines())}
    return rows, json.loads(output.with_suffix(".json").read_text())


def test_flat_folders(folders):
    rows, summary = run(folders)
    assert list(rows) == ["p1", "p2"]
    assert float(rows["p1"]["dice"]) == pytest.approx(48 / 56)
    assert float(rows["p2"]["dice"]) == 1 and rows["p1"]["auc"] == ""
    assert summary["mean"]["dice"] == pytest.approx((48 / 56 + 1) / 2)
    assert "all true volumes are equal" in summary["vc_note"]


def test_probabilities_give_the_auc(folders):
    rows, summary = run(folders, probabilities=folders / "prob")
    assert float(rows["p1"]["auc"]) == 1 and summary["auc_excluded"] == 0


def test_the_folders_that_segment_writes(folders, capsys):
    for name in ("p1", "p2"):
        case = folders / "out" / name
        save(case / "lesion_mask.nii.gz", PRED)
        save(case / "lesion_prob.nii.gz", PRED * np.float32(0.6))
    (folders / "out" / "summary.csv").write_text("")
    save(folders / "out" / ".tmp-p3" / "lesion_mask.nii.gz", PRED)
    output = folders / "m.csv"
    evaluate(folders / "out", folders / "true", output)
    assert "Warning" not in capsys.readouterr().out
    rows = list(csv.DictReader(output.read_text().splitlines()))
    assert [row["case"] for row in rows] == ["p1", "p2"]
    # 24 of 32 lesion voxels outrank all, 8 tie with the rest: 0.75 + 0.25 / 2.
    assert float(rows[0]["auc"]) == pytest.approx(0.875)


def test_what_segment_makes_of_nnunets_images_is_scored_by_its_masks(folders):
    for name in ("p1", "p2"):
        case = folders / "pred" / f"{name}_0000"
        (folders / "pred" / f"{name}.nii.gz").unlink()
        save(case / "lesion_mask.nii.gz", PRED)
        save(case / "lesion_prob.nii.gz", PRED * np.float32(0.6))
    rows, _ = run(folders)
    assert list(rows) == ["p1", "p2"] and float(rows["p2"]["auc"]) < 1


def test_a_missing_prediction_is_an_error_and_writes_nothing(folders):
    (folders / "pred" / "p2.nii.gz").unlink()
    with pytest.raises(InputError, match="1 of 2 true masks have no prediction: p2"):
        run(folders)
    (folders / "prob" / "p1.nii.gz").unlink()
    save(folders / "pred" / "p2.nii.gz", TRUE)
    with pytest.raises(InputError, match="have no probability map: p1"):
        run(folders, probabilities=folders / "prob")
    assert not (folders / "metrics.csv").exists()


def test_a_prediction_without_truth_is_left_out_with_a_warning(folders, capsys):
    save(folders / "pred" / "[p3].nii.gz", TRUE)
    rows, _ = run(folders, quiet=False)
    shown = " ".join(capsys.readouterr().out.split())
    assert "1 predictions have no true mask and are left out: [p3]" in shown
    assert list(rows) == ["p1", "p2"]


def test_all_unsuitable_files_are_named_at_once(folders):
    save(folders / "pred" / "p1.nii.gz", PRED * 3)
    moved = AFFINE.copy()
    moved[0, 3] = 40.0
    save(folders / "pred" / "p2.nii.gz", TRUE, moved)
    with pytest.raises(InputError, match=r"(?s)p1\.nii\.gz: .*0, 3.*p2\.nii\.gz: .*40 mm apart"):
        run(folders)
    assert not (folders / "metrics.csv").exists()


def test_folders_that_hold_no_masks(folders, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty: expected NAME"):
        evaluate(tmp_path / "empty", folders / "true", tmp_path / "m.csv")
    with pytest.raises(InputError, match=r"nowhere: expected a folder .* found nothing"):
        evaluate(folders / "pred", tmp_path / "nowhere", tmp_path / "m.csv")
    save(folders / "pred" / "p1.nii", TRUE)
    with pytest.raises(InputError, match=r"a second file for 'p1'"):
        run(folders)


def test_the_output_is_a_csv(folders):
    with pytest.raises(UsageError, match=r"metrics\.json: expected an output that ends in \.csv"):
        evaluate(folders / "pred", folders / "true", folders / "metrics.json")


def test_a_json_file_that_is_no_summary_is_not_replaced(folders):
    run(folders)
    run(folders)  # its own it may replace
    kept = folders / "metrics.json"
    kept.write_text('{"decision": {}}')
    with pytest.raises(UsageError, match=r"metrics\.json: exists and is no summary"):
        run(folders)
    assert kept.read_text() == '{"decision": {}}'


def test_an_output_that_cannot_be_written_is_named(folders):
    (folders / "file").write_text("")
    with pytest.raises(UsageError, match=r"file/metrics\.csv: cannot be written"):
        evaluate(folders / "pred", folders / "true", folders / "file" / "metrics.csv", quiet=True)


def test_unknown_spacing_is_reported_in_pixels(folders, capsys):
    (folders / "cohort.json").write_text('{"spacing": "unknown"}')
    rows, summary = run(folders, quiet=False)
    assert "hd_px" in rows["p1"] and "hd_mm" not in rows["p1"]
    assert float(rows["p2"]["volume_true_px"]) == 32
    assert summary["unit"] == "px" and "volume_true_px" in summary["mean"]
    shown = capsys.readouterr().out
    assert "hd95_px" in shown and "hd95_mm" not in shown


def test_the_unit_may_be_chosen(folders, capsys):
    assert "hd_px" in run(folders, unit="px")[0]["p1"]
    (folders / "cohort.json").write_text('{"spacing": "unknown"}')
    assert "hd_mm" in run(folders, unit="mm", quiet=False)[0]["p1"]
    assert "mm and mL are nominal" in capsys.readouterr().out
    with pytest.raises(UsageError, match="--unit: expected auto, mm or px, got 'cm'"):
        run(folders, unit="cm")


def test_within_is_a_mask_or_the_scan_and_the_summary_says_so(folders):
    """Of 256 voxels 32 are lesion, none falsely marked; air is half of the others' place."""
    head = np.zeros(TRUE.shape, dtype=np.uint8)
    head[:, :, 1:3] = 1
    extra = TRUE.copy()
    extra[0, :2, 1] = 1  # two false voxels in the head
    save(folders / "pred" / "p1.nii.gz", extra)
    for name in ("p1", "p2"):
        save(folders / "head" / f"{name}.nii.gz", head)
        save(folders / "ct" / f"{name}.nii.gz", np.where(head, 30, -1000).astype(np.int16))
    whole, said = run(folders, probabilities=folders / "prob")
    assert said["within"] is False
    assert float(whole["p1"]["auc_mask"]) == pytest.approx((1 + 222 / 224) / 2)
    for given in ("head", "ct"):
        rows, said = run(folders, within=folders / given)
        assert float(rows["p1"]["auc_mask"]) == pytest.approx((1 + 94 / 96) / 2)
        assert said["within"] is True and said["mean"]["auc_mask"] < 1
        assert any("over the given region" in line for line in said["policy"])
        assert rows["p1"]["dice"] == whole["p1"]["dice"]


def test_within_must_say_something_of_everyone(folders):
    save(folders / "head" / "p1.nii.gz", TRUE)
    with pytest.raises(
        InputError, match=r"(?s)1 of 2 true masks have no file that says which .*p2"
    ):
        run(folders, within=folders / "head")
    save(folders / "head" / "p2.nii.gz", TRUE & 0)
    with pytest.raises(InputError, match=r"p2\.nii\.gz: expected a mask of the voxels that count"):
        run(folders, within=folders / "head")
    save(folders / "head" / "p2.nii.gz", TRUE[:-1])
    with pytest.raises(InputError, match=r"p2\.nii\.gz: expected the grid of"):
        run(folders, within=folders / "head")
    save(folders / "head" / "p2.nii.gz", TRUE * 3)
    with pytest.raises(InputError, match=r"p2\.nii\.gz: expected a binary mask"):
        run(folders, within=folders / "head")
    assert not (folders / "metrics.csv").exists()
