"""Laws of a benchmark of several kinds of lesion: each is scored and tabled, and all joined."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from strokediff.benchmark.arms import ARMS, DiffusionArm
from strokediff.benchmark.budgets import BUDGETS
from strokediff.benchmark.folds import Fold
from strokediff.benchmark.report import write_benchmark
from strokediff.benchmark.reports.reading import read_scores
from strokediff.benchmark.results import rows_of_table
from strokediff.benchmark.runner import Benchmark
from strokediff.benchmark.suites import GivenSuite
from strokediff.benchmark.tables import markdown
from strokediff.cohort.store import CohortWriter, Patient
from strokediff.ct.grid import GridConfig
from strokediff.prediction.scoring import evaluate_folders
from strokediff.training.checkpoint import read_config
from strokediff.util.kinds import STROKE

from .conftest import row

SIDE = 16
AVG = DiffusionArm("sdpm", "SDPM", methods=("avg",))


@pytest.fixture
def benchmark(tmp_path: Path) -> Benchmark:
    """With its cohort in place: two patients to train on, two to test, lesions of two kinds."""
    out = tmp_path / "out"
    folder = out / "cohort"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    writer = CohortWriter(folder, GridConfig(size=SIDE, spacing_mm=8.0), STROKE)
    names = [f"p{i}" for i in range(4)]
    for name in names:
        y = np.zeros((4, SIDE, SIDE), np.uint8)
        y[2, 4:8, 4:8] = 1
        y[1:3, 7:12, 7:12] |= 2
        x = (rng.normal(0, 0.2, y.shape) + 0.3 * y).astype(np.float16)
        writer.add(Patient(name, x, y, np.ones_like(y)), spacing_mm=[1.0, 1.0, 5.0], volume_ml=1.0)
    writer.finish(split={"train": names[:2], "val": [], "test": names[2:]}, origin={})
    budget, known = replace(BUDGETS["tiny"], steps=2), (AVG, ARMS["segresnet"])
    return Benchmark(GivenSuite("phe-sich", "given"), budget, out, device="cpu", known=known)


def test_every_kind_is_trained_scored_and_tabled(benchmark: Benchmark) -> None:
    assert benchmark.run(benchmark.known, [0]) == {}
    out = write_benchmark([benchmark], benchmark.cohort())
    assert out == benchmark.out
    for arm, method in (("sdpm", "avg"), ("segresnet", "segresnet")):
        model = out / "runs" / arm / "seed-0" / "model"
        assert read_config(model).training.network.kinds == STROKE
        folder = out / "predictions" / arm / "seed-0"
        files = folder / method
        found = evaluate_folders(files / "masks", folder / "truth", files / "probabilities")
        (joined,) = benchmark.scores()[arm]
        assert joined.kinds == STROKE
        told = [p.metrics.dice for p in joined.patients]
        assert told == pytest.approx([row.dice for row in found.rows], rel=1e-5)
        assert [p.lesions_as for p in joined.patients] == [c.confusion.lesions for c in found.cases]
        for kind in STROKE:
            (own,) = benchmark.scores(kind)[arm]
            told = [p.metrics.dice for p in own.patients]
            assert told == pytest.approx([c.kinds[kind].dice for c in found.cases], rel=1e-5)
    results = json.loads((out / "results.json").read_text())
    assert (
        list(results["kinds"]) == list(STROKE) and "lesions_right" in results["rows"][0]["figures"]
    )
    text = (out / "benchmark.md").read_text()
    assert "**Which kind**" in text and "## infarct" in text and "## haemorrhage" in text
    lines = list(csv.DictReader((out / "benchmark.csv").read_text().splitlines()))
    assert [(line["row"], line["kind"]) for line in lines] == [
        (name, kind) for kind in ("lesion", *STROKE) for name in ("sdpm", "segresnet")
    ]
    for picture in ("dice.png", "dice-infarct.png", "volumes-haemorrhage.png", "cases.png"):
        assert (out / picture).stat().st_size > 100
    scores = read_scores([out / "scores"], kind="infarct")
    assert scores["segresnet"][0].patients == benchmark.scores("infarct")["segresnet"][0].patients


def test_a_kind_whose_scores_are_gone_is_scored_again(benchmark: Benchmark) -> None:
    peer = [ARMS["segresnet"]]
    benchmark.run(peer, [0])
    file = benchmark.score_file("segresnet", 0, "infarct")
    before = file.read_text()
    file.unlink()
    benchmark.run(peer, [0])
    assert file.read_text() == before


def test_folds_join_every_kind(benchmark: Benchmark) -> None:
    folds = [replace(benchmark, fold=Fold(k, 2)) for k in range(2)]
    for fold in folds:
        assert fold.run([ARMS["segresnet"]], [0]) == {}
    place = write_benchmark(folds, benchmark.cohort())
    assert place is not None
    results = json.loads((place / "results.json").read_text())
    assert results["test"] == 4 and list(results["kinds"]) == list(STROKE)


def test_the_share_of_right_kinds_is_that_of_all_patients_together() -> None:
    """Not the mean of shares: a patient with one lesion weighs less than one with three."""
    own = row("a", 0, (5, 10), (6, 10))
    tables = (((1, 0), (0, 0)), ((0, 3), (0, 0)))
    patients = [
        replace(p, lesions_as=t, voxels_as=t) for p, t in zip(own.patients, tables, strict=True)
    ]
    of_kinds = replace(own, patients=patients, kinds=STROKE)
    (joined,) = rows_of_table({"a": [of_kinds]}, {"a": "A"}, [])
    assert joined.figures["lesions_right"].value == pytest.approx(0.25)
    assert joined.confusion is not None and joined.confusion.lesions == ((1, 3), (0, 0))
    about = dict.fromkeys(("suite", "budget", "train", "test", "cohort", "date", "version"), "")
    text = markdown([joined], about | {"seeds": []}, {"infarct": [joined]})
    line = next(x for x in text[text.index("**Which kind**") :].splitlines() if x.startswith("| A"))
    assert line.endswith("| 1, 3 | 0, 0 |")


def test_of_one_kind_nothing_is_said_of_kinds() -> None:
    (alone,) = rows_of_table({"a": [row("a", 0, (5, 10))]}, {"a": "A"}, [])
    assert "confusion" not in alone.to_dict() and "lesions_right" not in alone.figures
    written = row("a", 0, (5, 10)).patients[0].flat()
    assert not {"voxels_as", "lesions_as"} & written.keys()
