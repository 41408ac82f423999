"""Laws of pairing two readers: the same pairs in both orders, and nobody is left out unsaid."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from strokediff.errors import InputError
from strokediff.evaluation.agreement.tables import Unpaired
from strokediff.prediction.readers import Reader, kinds_reader, names_of, pair_readers
from strokediff.report.summary import write_summary_csv

MASK = np.zeros((4, 4, 4), np.uint8)
OURS = "strokediff 0.2.0"


def save(path: Path, description: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(MASK, np.eye(4))
    image.header["descrip"] = description
    nib.save(image, path)
    return path


def result(folder: Path, original: str, kinds: tuple[str, ...] = ()) -> Path:
    """As `segment` leaves it."""
    save(folder / "lesion_mask.nii.gz", OURS)
    content = {"research_use_only": True, "version": "0.2.0", "volume_ml": 1.0, "case": folder.name}
    content |= {"input": {"kind": "nifti", "original_name": original}}
    content |= {"kinds": [{"name": kind} for kind in kinds]}
    (folder / "result.json").write_text(json.dumps(content))
    return folder


def paired(a: Path, b: Path) -> tuple[dict[Path, Path], list[Unpaired]]:
    """Which file of A is which of B, the same in both orders; and those of one."""
    pairs, unpaired = pair_readers(Reader.of(a), Reader.of(b))
    back, mirrored = pair_readers(Reader.of(b), Reader.of(a))
    found = {pair.a: pair.b for pair in pairs}
    assert {pair.b: pair.a for pair in back} == found
    other = {"A": "B", "B": "A", "neither": "neither"}
    turned = sorted((Unpaired(u.case, other[u.reader], u.reason) for u in mirrored), key=str)
    assert turned == sorted(unpaired, key=str)
    return found, unpaired


def test_flat_and_nested_masks_are_paired_and_those_of_one_are_named(tmp_path: Path) -> None:
    for name in ("p1", "p2", "p3"):
        save(tmp_path / "a" / f"{name}.nii.gz")
    for name in ("p2", "p3", "p4"):
        save(tmp_path / "b" / name / "lesion_mask.nii.gz")
    found, unpaired = paired(tmp_path / "a", tmp_path / "b")
    assert {a.name: b.parent.name for a, b in found.items()} == {
        "p2.nii.gz": "p2",
        "p3.nii.gz": "p3",
    }
    assert unpaired == [Unpaired("p1", "A"), Unpaired("p4", "B")]


@pytest.mark.parametrize("name", ["Müller, Hans", "a:b", "-dash", "é", "=1+1", "张伟"])
def test_what_segment_wrote_finds_its_reader_by_the_inputs_name(tmp_path: Path, name: str) -> None:
    save(tmp_path / "a" / f"{name}.nii.gz")
    result(tmp_path / "b" / "some_name", name)
    result(tmp_path / "c" / "another", name)
    for one, other in (("a", "b"), ("b", "c"), ("a", "c")):
        save(tmp_path / one / "extra.nii.gz")
        found, _ = paired(tmp_path / one, tmp_path / other)
        assert len(found) == 1


def test_nnunets_channel_comes_off_on_either_side(tmp_path: Path) -> None:
    for name in ("p1", "p2"):
        save(tmp_path / "a" / f"{name}.nii.gz")
        result(tmp_path / "b" / f"{name}_0000", f"{name}_0000")
    found, unpaired = paired(tmp_path / "a", tmp_path / "b")
    assert len(found) == 2 and not unpaired


def test_two_results_of_inputs_of_one_name_are_not_merged(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        result(tmp_path / folder / "p1", "scan")
        result(tmp_path / folder / "p2", "scan")
    pairs, unpaired = pair_readers(Reader.of(tmp_path / "a"), Reader.of(tmp_path / "b"))
    assert [pair.case for pair in pairs] == ["p1", "p2"] and not unpaired
    assert all(pair.a.parent.name == pair.b.parent.name for pair in pairs)


def test_a_run_that_failed_is_told_with_its_reason(tmp_path: Path) -> None:
    for name in ("p1", "p2"):
        save(tmp_path / "a" / f"{name}.nii.gz")
    result(tmp_path / "b" / "p1", "p1")
    rows = [{"case": "p1", "error": ""}] + [{"case": n, "error": "damaged"} for n in ("p2", "p9")]
    write_summary_csv(tmp_path / "b" / "summary.csv", rows)
    _, unpaired = paired(tmp_path / "a", tmp_path / "b")
    assert unpaired == [
        Unpaired("p2", "A", "failed: damaged"),
        Unpaired("p9", "neither", "failed: damaged"),
    ]


def test_two_single_masks_are_of_one_patient_whatever_they_are_called(tmp_path: Path) -> None:
    one, other = save(tmp_path / "anna.nii.gz"), save(tmp_path / "ben.nii")
    made = result(tmp_path / "out", "scan")
    (pair,), unpaired = pair_readers(Reader.of(one), Reader.of(other))
    assert (pair.case, pair.a, pair.b, unpaired) == ("anna and ben", one, other, [])
    (pair,), _ = pair_readers(Reader.of(one), Reader.of(made))
    assert pair.b == made / "lesion_mask.nii.gz" and pair.case == "anna and out"
    (pair,), _ = pair_readers(Reader.of(made / "lesion_mask.nii.gz"), Reader.of(made))
    assert pair.case == "out"


def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "a" / "p1.nii.gz")
    save(tmp_path / "b" / "q1.nii.gz")
    with pytest.raises(InputError, match=r"no patient is in both \(p1; q1\)"):
        pair_readers(Reader.of(tmp_path / "a"), Reader.of(tmp_path / "b"))
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(InputError, match=r"notes\.txt: expected a mask as NIfTI"):
        Reader.of(tmp_path / "notes.txt")
    with pytest.raises(
        InputError, match="nowhere: expected a folder of NIfTI masks, found nothing"
    ):
        Reader.of(tmp_path / "nowhere")
    save(tmp_path / "a" / "p1.nii")
    with pytest.raises(InputError, match="a second file for 'p1'"):
        Reader.of(tmp_path / "a")


def test_a_name_that_fits_two_is_refused(tmp_path: Path) -> None:
    for name in ("a:b", "a?b"):
        save(tmp_path / "a" / f"{name}.nii.gz")
    save(tmp_path / "b" / "a_b" / "lesion_mask.nii.gz")
    with pytest.raises(InputError, match="could belong to"):
        pair_readers(Reader.of(tmp_path / "a"), Reader.of(tmp_path / "b"))


def test_readers_are_called_by_the_ends_of_their_paths_that_differ(tmp_path: Path) -> None:
    for folder in ("anna/masks", "ben/masks", "ben/other"):
        save(tmp_path / folder / "p1.nii.gz")
    anna, ben, other = (Reader.of(tmp_path / f) for f in ("anna/masks", "ben/masks", "ben/other"))
    assert names_of(anna, ben) == ("anna/masks", "ben/masks")
    assert names_of(anna, other) == ("masks", "other")
    assert names_of(anna, anna) == ("masks", "masks")


def test_kinds_are_those_that_both_sides_tell_apart(tmp_path: Path) -> None:
    stroke = ("infarct", "haemorrhage")
    result(tmp_path / "model" / "p1", "p1", stroke)
    save(tmp_path / "anna" / "p1.nii.gz")
    anna, model = Reader.of(tmp_path / "anna"), Reader.of(tmp_path / "model")
    assert kinds_reader((anna, model), None).kinds == ("lesion",)
    given = {"infarct": (3,), "haemorrhage": (4,)}
    found = kinds_reader((anna, model), given)
    assert found.kinds == stroke
    assert found.pred[tmp_path / "anna"] == given
    assert found.pred[tmp_path / "model" / "p1"] == {"infarct": (1,), "haemorrhage": (2,)}
    (tmp_path / "anna" / "cohort.json").write_text('{"labels": {"infarct": 5, "haemorrhage": 6}}')
    assert kinds_reader((model, anna), None).pred[tmp_path / "anna"]["infarct"] == (5,)
    assert kinds_reader((model, anna), given).pred[tmp_path / "anna"]["infarct"] == (3,)
