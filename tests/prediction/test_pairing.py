"""Laws: `segment`'s own output finds its truth whatever the names; what failed is never scored."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from strokediff.ct.discovery.discover import discover
from strokediff.errors import InputError
from strokediff.prediction.pairing import pair_cases
from strokediff.report.summary import write_summary_csv

MASK = np.zeros((4, 4, 4), dtype=np.uint8)
OURS = "strokediff 0.2.0"


def save(path: Path, description: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(MASK, np.eye(4))
    image.header["descrip"] = description
    nib.save(image, path)
    return path


def result(folder: Path, source: Mapping[str, str], case: str | None = None) -> Path:
    for name in ("mask", "prob"):
        save(folder / f"lesion_{name}.nii.gz", OURS)
    content = {"research_use_only": True, "version": "0.2.0", "volume_ml": 1.0}
    content |= {"case": case or folder.name, "input": {"kind": "nifti", **source}}
    (folder / "result.json").write_text(json.dumps(content))
    return folder


def segmented(images: Path, out: Path) -> None:
    """Folders as `segment` makes them of what `discover` finds."""
    cases = discover(images).cases
    for case in cases:
        place = out / case.name if len(cases) > 1 else out
        result(place, {"path": case.shown_path, "original_name": case.original}, case.name)


NAMES = {
    "scripts": ["张伟", "王芳", "سارة", "Ελένη", "Наталья"],
    "signs": ["sub 01", "O'Brien", "Müller, Hans", "a.b", "😀 1", "x;y", "-dash", "=1+1", "CON"],
    "case": ["Anna", "anna", "ANNA"],
    "accents": ["é", "e\u0301", "e"],
    "replaced alike": ["a:b", "a?b", "a_b", "a_b_2"],
    "bytes": ["M\udcfcller", "Müller", "caf\udce9"],
    "long": ["n" * 200 + "1", "n" * 200 + "2", "张" * 80],
    "channels": ["p1_0000", "p2_0000"],
    "one": ["Zoë (2)"],
    "trailing": ["dots..", "space ", "v1.0"],
}


@pytest.mark.parametrize("kind", NAMES)
def test_every_name_finds_its_truth(tmp_path: Path, kind: str) -> None:
    for name in NAMES[kind]:
        save(tmp_path / "images" / f"{name}.nii.gz")
        save(tmp_path / "labels" / f"{name.removesuffix('_0000')}.nii.gz")
    segmented(tmp_path / "images", tmp_path / "out")
    pairs, extra = pair_cases(tmp_path / "out", tmp_path / "labels", None)
    assert len(pairs) == len(NAMES[kind]) and not extra
    for pair in pairs:
        made = json.loads((pair.pred.parent / "result.json").read_text())["input"]["original_name"]
        original = made.encode().decode("unicode_escape") if "\\x" in made else made
        on_disk = original.encode("latin-1") if "\\x" in made else os.fsencode(original)
        bare = on_disk.removesuffix(b"_0000")
        assert bare == os.fsencode(pair.true.name).removesuffix(b".nii.gz")
        assert pair.prob is not None and pair.prob.parent == pair.pred.parent


def test_folders_without_their_json_are_paired_by_the_name_that_is_made(tmp_path: Path) -> None:
    """As another program may leave them, or version 0.1.0 with a path instead of a name."""
    for name in ("a:b", "Müller, Hans", "e\u0301"):
        save(tmp_path / "labels" / f"{name}.nii.gz")
    save(tmp_path / "out" / "a_b" / "lesion_mask.nii.gz")
    save(tmp_path / "out" / "é" / "lesion_mask.nii.gz")
    result(tmp_path / "out" / "M_ller_Hans", {"path": "/home/x/Müller, Hans.nii.gz"})
    pairs, extra = pair_cases(tmp_path / "out", tmp_path / "labels", None)
    assert {p.case: p.pred.parent.name for p in pairs} == {
        "a:b": "a_b",
        "Müller, Hans": "M_ller_Hans",
        "e\u0301": "é",
    }
    assert not extra


def test_what_could_belong_to_two_is_refused_naming_both(tmp_path: Path) -> None:
    truth = tmp_path / "labels"
    for name in ("a:b", "a?b"):
        save(truth / f"{name}.nii.gz")
    save(tmp_path / "one" / "a_b" / "lesion_mask.nii.gz")
    with pytest.raises(InputError, match=r"a:b\.nii\.gz and to .*a\?b\.nii\.gz"):
        pair_cases(tmp_path / "one", truth, None)
    (truth / "a?b.nii.gz").unlink()
    for name in ("a:b", "a_b"):
        result(tmp_path / "two" / name, {"original_name": "x"})
    result(tmp_path / "three" / "scan", {"original_name": "a:b"})
    result(tmp_path / "three" / "a:b", {"original_name": "scan"})
    (pair,), _ = pair_cases(tmp_path / "two", truth, None)
    assert pair.pred.parent.name == "a:b"
    with pytest.raises(InputError, match=r"could belong to .*three.* and to .*three"):
        pair_cases(tmp_path / "three", truth, None)


def table(out: Path, rows: Mapping[str, str]) -> None:
    write_summary_csv(out / "summary.csv", [{"case": n, "error": e} for n, e in rows.items()])


def test_what_failed_is_not_scored(tmp_path: Path) -> None:
    """An older mask lies where the last run failed, or a run was stopped at it."""
    out, truth = tmp_path / "out", tmp_path / "labels"
    for name in ("p1", "p2", "@p3"):
        save(truth / f"{name}.nii.gz")
        result(out / name.lstrip("@"), {"original_name": name})
    pairs, _ = pair_cases(out, truth, None)
    assert len(pairs) == 3
    os.utime(out / "p2" / "result.json", (1, 1))
    table(out, {"p1": "", "p2": "p2.nii.gz: damaged", "p3": ""})
    with pytest.raises(
        InputError, match=r"(?s)no prediction: p2\..*p2: failed: p2.nii.gz: damaged"
    ):
        pair_cases(out, truth, None)
    os.utime(out / "p2" / "result.json", (2e9, 2e9))  # done again alone, after that run
    assert len(pair_cases(out, truth, None)[0]) == 3
    (out / "p3" / "result.json").unlink()
    with pytest.raises(InputError, match=r"(?s)no prediction: @p3\..*there is no result.json"):
        pair_cases(out, truth, None)


def test_patients_who_all_failed_are_named(tmp_path: Path) -> None:
    save(tmp_path / "labels" / "=p1.nii.gz")
    (tmp_path / "out").mkdir()
    table(tmp_path / "out", {"p1": "holds only an NRRD image"})
    with pytest.raises(InputError, match="=p1: failed: holds only an NRRD image"):
        pair_cases(tmp_path / "out", tmp_path / "labels", None)


def test_masks_of_other_programs_need_no_json(tmp_path: Path) -> None:
    save(tmp_path / "labels" / "p1.nii.gz")
    save(tmp_path / "a" / "p1" / "lesion_mask.nii.gz")
    save(tmp_path / "b" / "p1.nii")
    save(tmp_path / "c" / "lesion_mask.nii.gz")
    for folder in ("a", "b"):
        assert len(pair_cases(tmp_path / folder, tmp_path / "labels", None)[0]) == 1
    with pytest.raises(InputError, match=r"no prediction: p1\..*found lesion_mask"):
        pair_cases(tmp_path / "c", tmp_path / "labels", None)
