"""Laws: neither reader is the truth, the other order mirrors, nobody is left out unsaid."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

import strokediff as sd
from strokediff.cli.compare import compare
from strokediff.errors import InputError, PartialFailure, UsageError

AFFINE = np.diag([5.0, 5.0, 10.0, 1.0])
SHIFTS = {"p1": 0, "p2": 1, "p3": 2, "p4": 1}


def lesion(size: int, shift: int = 0) -> np.ndarray:
    mask = np.zeros((16, 12, 6), np.uint8)
    mask[1 + shift : 1 + shift + size, 2:10, 1:5] = 1
    return mask


def save(path: Path, array: np.ndarray, affine: np.ndarray = AFFINE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, affine), path)


@pytest.fixture
def readers(tmp_path: Path) -> Path:
    """Four patients by anna and by ben, who marks further along and p4 not at all."""
    for size, (name, shift) in enumerate(SHIFTS.items(), start=4):
        save(tmp_path / "anna" / f"{name}.nii.gz", lesion(size))
        own = lesion(size + 1, shift) if name != "p4" else lesion(0)
        save(tmp_path / "ben" / name / "lesion_mask.nii.gz", own)
    return tmp_path


def run(
    folder: Path, a: str = "anna", b: str = "ben", **own: Any
) -> tuple[dict[str, dict[str, str]], dict[str, Any]]:
    output = folder / f"{a}-{b}.csv"
    compare(folder / a, folder / b, output, **{"quiet": True, **own})
    return read(output)


def read(output: Path) -> tuple[dict[str, dict[str, str]], dict[str, Any]]:
    rows = csv.DictReader(output.read_text().splitlines())
    found = json.loads(output.with_suffix(".json").read_text(), parse_constant=pytest.fail)
    return {f"{row['case']} {row['kind']}".strip(): row for row in rows}, found


def test_a_table_the_statistics_and_a_picture(readers: Path) -> None:
    rows, found = run(readers)
    assert list(rows) == [f"p{n} lesion" for n in (1, 2, 3, 4)]
    volumes = [[float(row[f"volume_{r}_ml"]) for row in rows.values()] for r in "ab"]
    assert volumes == [[32, 40, 48, 56], [40, 48, 56, 0]]
    assert float(rows["p1 lesion"]["dice"]) == pytest.approx(8 / 9)
    assert rows["p4 lesion"]["ratio"] == "" and float(rows["p4 lesion"]["dice"]) == 0
    own, same = found["agreement"]["lesion"], sd.agreement(*volumes)
    assert own["difference_ml"]["bias"]["value"] == pytest.approx(same.difference.bias.value)
    assert own["icc_2_1"]["low"] == pytest.approx(same.icc.icc_2_1.low)
    assert own["ccc"]["value"] == pytest.approx(same.ccc.value)
    assert own["ratio"]["left_out"] == 1 and own["lesion_present"]["only_a"] == 1
    assert [at["volume_ml"] for at in own["volume_at_least"]] == [1, 10, 30, 50, 70]
    assert found["readers"] == {"A": "anna", "B": "ben"} and found["research_use_only"] is True
    assert (readers / "anna-ben.png").read_bytes().startswith(b"\x89PNG")


def test_both_orders_give_mirrored_results(readers: Path) -> None:
    (rows, found), (back, mirrored) = run(readers), run(readers, "ben", "anna")
    for case, row in rows.items():
        other = back[case]
        assert float(other["difference_ml"]) == -float(row["difference_ml"])
        assert (other["volume_a_ml"], other["a_in_b"]) == (row["volume_b_ml"], row["b_in_a"])
        for same in ("dice", "iou", "hd_mm", "hd95_mm", "mean_ml"):
            assert other[same] == row[same]
    one, other = (own["agreement"]["lesion"] for own in (found, mirrored))
    limits, turned = one["difference_ml"], other["difference_ml"]
    assert turned["lower_limit"]["low"] == pytest.approx(-limits["upper_limit"]["high"])
    assert turned["bias"]["value"] == pytest.approx(-limits["bias"]["value"])
    for same in ("icc_2_1", "icc_3_1", "ccc", "dice_mean", "kappa_voxels"):
        assert other[same]["value"] == pytest.approx(one[same]["value"])
        assert other[same]["low"] == pytest.approx(one[same]["low"])


def test_what_is_said_on_the_terminal(readers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(readers, quiet=False, thresholds="20,45")
    shown = " ".join(capsys.readouterr().out.split())
    for told in ("A: anna. B: ben.", "Neither is the truth", "research use only", "45 mL or more"):
        assert told in shown
    assert "truth │" not in shown and "pred" not in shown and "10 mL or more" not in shown


def test_patients_of_one_reader_are_named_and_are_in_no_figure(readers: Path) -> None:
    both = run(readers)[1]["agreement"]
    save(readers / "anna" / "[p8].nii.gz", lesion(3))
    save(readers / "ben" / "p9" / "lesion_mask.nii.gz", lesion(3))
    output = readers / "anna-ben.csv"
    with pytest.raises(
        PartialFailure, match=r"(?s)4 patients compared; 2 .*\[p8\]: only A has"
    ) as e:
        run(readers)
    assert e.value.exit_code == 4 and "p9: only B has a mask" in str(e.value)
    rows, found = read(output)
    assert rows["[p8]"]["readers"] == "only A" and rows["p9"]["readers"] == "only B"
    assert rows["p9"]["dice"] == ""
    assert [(one["case"], one["reader"]) for one in found["unpaired"]] == [
        ("[p8]", "A"),
        ("p9", "B"),
    ]
    assert found["agreement"] == both


def test_all_unsuitable_masks_are_named_and_nothing_is_written(readers: Path) -> None:
    moved = AFFINE.copy()
    moved[0, 3] = 40
    save(readers / "ben" / "p1" / "lesion_mask.nii.gz", lesion(4), moved)
    save(readers / "anna" / "p2.nii.gz", lesion(4) * 3)
    save(readers / "anna" / "p3.nii.gz", lesion(4)[:-1])
    with pytest.raises(InputError, match=r"(?s)40 mm apart.*p2\.nii\.gz: .*0, 3.*shape") as error:
        run(readers)
    assert error.value.exit_code == 3
    assert not list(readers.glob("anna-ben.*"))


def test_one_patient_has_no_statistics_and_that_is_said(
    readers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = readers / "one"
    compare(readers / "anna" / "p2.nii.gz", readers / "ben" / "p2" / "lesion_mask.nii.gz", output)
    assert "one patient only" in " ".join(capsys.readouterr().out.split())
    rows, found = read(readers / "one.csv")
    assert len(rows) == 1 and found["agreement"]["lesion"]["icc_2_1"]["value"] is None
    assert "at least 2 patients" in found["agreement"]["lesion"]["icc_2_1"]["note"]


def test_the_same_masks_twice(readers: Path) -> None:
    own = run(readers, "anna", "anna")[1]["agreement"]["lesion"]
    assert own["dice_mean"]["value"] == 1 and own["difference_ml"]["bias"]["value"] == 0
    assert own["ccc"] == {"value": 1, "low": None, "high": None, "note": own["ccc"]["note"]}


def test_kinds_are_compared_each_and_joined(readers: Path) -> None:
    """Ben takes p2's infarct for a haemorrhage."""
    for name in SHIFTS:
        save(readers / "a" / f"{name}.nii.gz", lesion(4))
        save(readers / "b" / f"{name}.nii.gz", lesion(4) * (3 if name == "p2" else 1))
    for folder in "ab":
        (readers / folder / "cohort.json").write_text(
            '{"labels": {"infarct": 1, "haemorrhage": 3}}'
        )
    rows, found = run(readers, "a", "b")
    assert len(rows) == 12 and float(rows["p2 lesion"]["dice"]) == 1
    assert float(rows["p2 infarct"]["dice"]) == 0
    assert list(found["agreement"]) == ["lesion", "infarct", "haemorrhage"]
    assert found["agreement"]["infarct"]["lesion_present"]["only_a"] == 1
    voxels = int(lesion(4).sum())
    assert found["kinds_by_voxel"]["voxels"] == [[3 * voxels, voxels], [0, 0]]
    assert found["kinds_by_voxel"]["same_kind"] == 0.75
    for folder in "ab":
        (readers / folder / "cohort.json").unlink()
    again = run(readers, "a", "b", labels="infarct=1,haemorrhage=3")[1]
    assert again["agreement"] == found["agreement"]
    with pytest.raises(InputError, match="holds the values 3"):
        run(readers, "a", "b", labels="infarct=1,haemorrhage=2")


def test_unknown_spacing_is_reported_in_voxels(
    readers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (readers / "anna" / "cohort.json").write_text('{"spacing": "unknown"}')
    rows, found = run(readers, quiet=False)
    assert float(rows["p1 lesion"]["volume_a_px"]) == 128 and found["volume_unit"] == "voxels"
    own = found["agreement"]["lesion"]
    assert "difference_px" in own and own["volume_at_least"] == []
    assert "A - B, voxels" in capsys.readouterr().out
    assert run(readers, thresholds="100")[1]["agreement"]["lesion"]["volume_at_least"]
    assert "volume_a_ml" in run(readers, unit="mm")[0]["p1 lesion"]
    with pytest.raises(UsageError, match="--unit: expected auto, mm or px, got 'cm'"):
        run(readers, unit="cm")


@pytest.mark.parametrize("wrong", ["ten", "10,", "0", "-1", "nan"])
def test_thresholds_are_volumes(readers: Path, wrong: str) -> None:
    with pytest.raises(UsageError, match="expected volumes"):
        run(readers, thresholds=wrong)


def test_only_its_own_outputs_are_replaced(readers: Path) -> None:
    run(readers)
    run(readers)
    for name in ("x.png", "y.json", "z.csv"):
        (readers / name).write_text('{"mean": 1}')
        base = readers / name[0]
        with pytest.raises(UsageError, match=rf"{name}: exists and is not of 'strokediff compare'"):
            compare(readers / "anna", readers / "ben", base, quiet=True)
        assert (readers / name).read_text() == '{"mean": 1}'
    with pytest.raises(UsageError, match="expected an output without an ending or a .csv"):
        compare(readers / "anna", readers / "ben", readers / "r.json", quiet=True)
    compare(readers / "anna", readers / "ben", readers / "v1.2", quiet=True)
    assert {p.name for p in readers.glob("v1.2*")} == {"v1.2.csv", "v1.2.json", "v1.2.png"}


def test_a_place_that_cannot_be_written_is_named(readers: Path) -> None:
    (readers / "file").write_text("")
    with pytest.raises(UsageError, match=r"r\.csv: cannot be written"):
        compare(readers / "anna", readers / "ben", readers / "file" / "r", quiet=True)
