"""Laws: what cohort.json says of spacing and split reaches the prepared cohort; nobody is split."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from typing import Any

import layout_factory as make
import pytest

from strokediff.cohort.prepare import prepare_cohort
from strokediff.cohort.sources import FolderRecord, Sources, spacing_known_beside
from strokediff.cohort.store import Cohort, open_cohort
from strokediff.ct.grid import GridConfig
from strokediff.errors import InputError

GRID = GridConfig(size=64, spacing_mm=4.0)


def sources(**meta: Any) -> Sources:
    people = meta.pop("patients", {})
    return Sources({Path("src"): FolderRecord("made up", split=meta, patient=people)})


def scans(*names: str) -> dict[str, tuple[str, float]]:
    return {name: ("group", float(i)) for i, name in enumerate(names)}


def test_a_declared_split_is_kept_whatever_the_shares() -> None:
    told = sources(a="train", b="val", c="test", d="train")
    split = told.split(scans(*"abcd"), val=0.5, test=0.5, seed=0)
    assert split == {"test": ["c"], "val": ["b"], "train": ["a", "d"]}


def test_validation_is_drawn_from_training_where_none_is_declared() -> None:
    names = [f"p{i}" for i in range(20)]
    told = sources(**{name: "test" if i < 5 else "train" for i, name in enumerate(names)})
    split = told.split(scans(*names), val=0.2, test=0.5, seed=0)
    assert split["test"] == sorted(names[:5])
    assert len(split["val"]) == 3 and sorted(chain.from_iterable(split.values())) == sorted(names)


def test_scans_without_a_declared_split_are_drawn_beside_the_others() -> None:
    split = sources(a="train", b="test").split(scans(*"abcdefghij"), val=0.25, test=0.25, seed=0)
    assert "a" in split["train"] + split["val"] and "b" in split["test"]
    assert len(split["test"]) == 1 + 2


@pytest.mark.parametrize("seed", range(5))
def test_all_scans_of_a_patient_lie_in_one_part(seed: int) -> None:
    names = [f"sub-{i}_ses-{j}" for i in range(6) for j in range(2)]
    told = sources(patients={name: name.split("_")[0] for name in names})
    split = told.split(scans(*names), val=0.2, test=0.2, seed=seed)
    for part in split.values():
        subjects = [name.split("_")[0] for name in part]
        assert all(subjects.count(subject) == 2 for subject in subjects)
    assert sorted(chain.from_iterable(split.values())) == names


def test_a_patient_in_two_parts_is_refused() -> None:
    told = sources(a="train", b="test", patients={"a": "sub-1", "b": "sub-1"})
    with pytest.raises(InputError, match="a, b are of one patient, .* lie in test and train"):
        told.split(scans("a", "b", "c"), val=0, test=0, seed=0)


def test_a_declared_split_with_nobody_to_train_on_is_refused() -> None:
    with pytest.raises(InputError, match="holds nobody to train on"):
        sources(a="test", b="test").split(scans("a", "b"), val=0, test=0, seed=0)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("{", "corrupt, not JSON"),
        ("[]", "corrupt, expected a JSON object, got a list"),
        ('{"a":' * 100_000, "(nested deeper|corrupt)"),
        ('{"declared_split": ["a"]}', "expected an object as 'declared_split', got list"),
        ('{"declared_split": {"train": "ab"}}', "expected a list of names as train"),
        ('{"declared_split": {"train": [["a"]]}}', "expected a list of names as train"),
        ('{"patients": [1]}', "expected an object as 'patients', got list"),
        ('{"patients": {"a": 3}}', "expected an object with a name as 'patient' of 'a'"),
        ('{"patients": {"a": {"patient": {}}}}', "expected an object with a name"),
        ('{"description": ["x"]}', "expected a text as 'description', got list"),
        ('{"licence": 7}', "expected a text as 'licence', got int"),
        ('{"spacing_note": {}}', "expected a text as 'spacing_note', got dict"),
        ('{"settings": {}}', "anatomies"),
        ('{"settings": {"anatomies": 3}}', "expected lists as 'cases' and 'anatomies'"),
        ('{"settings": []}', "expected an object as 'settings', got list"),
        ('{"declared_split": {"train": ["a"], "test": ["a"]}}', "a is in both train and test"),
        ('{"declared_split": {"dev": ["a"]}}', "expected parts train, val, test, got 'dev'"),
    ],
)
def test_a_damaged_record_is_named(tmp_path: Path, text: str, match: str) -> None:
    (tmp_path / "cohort.json").write_text(text)
    with pytest.raises(InputError, match=rf"cohort\.json: .*{match}"):
        Sources.of(tmp_path)


def test_scans_of_one_image_are_one_patients() -> None:
    told = sources(patients={"a": "p1", "b": "p1", "c": "p2", "d": "p3", "e": "p4"})
    everyone = scans(*"abcde")
    assert told.people(everyone, [("b", "c"), ("e", "d")]) == {"a": [*"abc"], "d": [*"de"]}
    assert told.people(everyone, [("a", "d"), ("c", "e"), ("b", "e")]) == {"a": [*"abcde"]}
    for seed in range(5):
        split = told.split(everyone, val=0, test=0.5, seed=seed, same=[("b", "c"), ("d", "e")])
        assert sorted(split["test"]) in ([*"abc"], [*"de"])


def test_one_image_in_two_declared_parts_is_refused() -> None:
    told = sources(a="train", b="test")
    with pytest.raises(InputError, match="a, b are of one patient, or hold one image, but lie"):
        told.split(scans("a", "b", "c"), val=0, test=0, seed=0, same=[("a", "b")])


@pytest.fixture
def prepared(tmp_path: Path, imported: Any) -> Cohort:
    pytest.importorskip("zarr")
    made = imported("cpaisd", make.cpaisd(tmp_path / "src", train=3, test=1))
    return prepare_cohort(made.path, tmp_path / "cohort", GRID, val=0.34, test=0.5)


def test_an_imported_set_prepares_with_its_split_and_its_unknown_spacing(prepared: Cohort) -> None:
    assert prepared.split["test"] == ["cpaisd_1.2.3"]
    assert (len(prepared.split["train"]), len(prepared.split["val"])) == (2, 1)
    assert prepared.spacing_known is False
    assert prepared.patients["cpaisd_1.2.0"]["spacing_known"] is False
    assert "CPAISD" in prepared.origin["description"]
    assert prepared.origin["licence"].startswith("CC BY 4.0")
    assert not spacing_known_beside(prepared.path)
    y = prepared.read("cpaisd_1.2.0").y
    assert y.any(axis=(1, 2)).nonzero()[0].tolist() == [2, 3, 4]


def test_a_cohort_that_says_nothing_of_spacing_knows_it(prepared: Cohort) -> None:
    file = prepared.path / "cohort.json"
    meta = json.loads(file.read_text())
    del meta["origin"]["spacing"]
    for entry in meta["patients"].values():
        del entry["spacing_known"]
    file.write_text(json.dumps(meta))
    assert open_cohort(prepared.path).spacing_known is True


def test_single_slices_prepare_where_the_record_says_so(tmp_path: Path, imported: Any) -> None:
    pytest.importorskip("zarr")
    made = imported("ctich", make.single(tmp_path / "src", ((210, 80, 0),) * 2))
    cohort = prepare_cohort(made.path, tmp_path / "cohort", GRID, val=0, test=0)
    assert cohort.read("ctich_100").y.shape == (1, 64, 64)
    (made.path / "cohort.json").unlink()
    with pytest.raises(InputError, match="at least 5 axial slices"):
        prepare_cohort(made.path, tmp_path / "other", GRID, val=0, test=0)


def test_spacing_is_unknown_where_the_truth_or_its_parent_says_so(tmp_path: Path) -> None:
    labels = tmp_path / "labels"
    labels.mkdir()
    assert spacing_known_beside(labels)
    (tmp_path / "cohort.json").write_text('{"spacing": "known"}')
    assert spacing_known_beside(labels)
    (tmp_path / "cohort.json").write_text('{"spacing": "unknown"}')
    assert not spacing_known_beside(labels)
    (tmp_path / "cohort.json").write_text("no JSON of ours")
    assert spacing_known_beside(labels)


def test_folders_of_one_data_set_have_its_patients_together() -> None:
    scanned = FolderRecord("real", data_set="made-up", patient={"p_049": "049", "p_050": "050"})
    made = FolderRecord("lesions put in", data_set="made-up", patient={"x_0": "049", "x_1": "049"})
    other = FolderRecord("another", patient={"q_049": "049"})
    told = Sources({Path("a"): scanned, Path("b"): made, Path("c"): other})
    people = told.people(["p_049", "p_050", "x_0", "x_1", "q_049"])
    assert people == {"p_049": ["p_049", "x_0", "x_1"], "p_050": ["p_050"], "q_049": ["q_049"]}
