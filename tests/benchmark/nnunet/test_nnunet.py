"""Laws of nnU-Net as a row: it plans, trains, goes on and predicts by its own code, on our split.

Run where the extra `nnunet` is installed, as continuous integration has it.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from small_head import AFFINE, SHAPE, brain_of, small_head

from strokediff.benchmark.arms import ARMS
from strokediff.benchmark.budgets import BUDGETS
from strokediff.benchmark.nnunet.arm import NNUNetArm
from strokediff.benchmark.nnunet.training import NNUNetTraining
from strokediff.benchmark.report import write_benchmark
from strokediff.benchmark.runner import Benchmark
from strokediff.benchmark.suites import SUITES

pytest.importorskip("nnunetv2")

TINY = BUDGETS["tiny"]


@pytest.fixture
def benchmark(tmp_path: Path) -> Benchmark:
    """Four small heads, each with a haemorrhage."""
    at = np.indices(SHAPE).reshape(3, -1).T
    for k in range(4):
        near = np.linalg.norm((at - [25 + 4 * k, 30, 8]) * [1, 1, 2.5], axis=1) < 6
        lesion = near.reshape(SHAPE) & brain_of()
        hu = small_head(seed=k) + 40 * lesion
        for folder, array in (("images", hu), ("labels", lesion)):
            (tmp_path / "scans" / folder).mkdir(parents=True, exist_ok=True)
            image = nib.Nifti1Image(array.astype(np.int16), AFFINE)
            nib.save(image, tmp_path / "scans" / folder / f"p{k}.nii.gz")
    scans = tmp_path / "scans"
    return Benchmark(SUITES["own"], TINY, tmp_path / "out", scans, device="cpu", own_grids=True)


def training_of(benchmark: Benchmark, folder: Path) -> NNUNetTraining:
    arm = ARMS["nnunetv2"]
    assert isinstance(arm, NNUNetArm) and benchmark.data is not None
    ready = replace(arm, source=benchmark.data)
    return ready.run(folder, benchmark.cohort(), benchmark.budget, 0, "cpu")


def gone(folder: Path, seconds: float = 10.0) -> bool:
    """Whether no process is left that works there, once those that are killed have ended."""
    end = time.monotonic() + seconds
    while processes_of(folder) and time.monotonic() < end:
        time.sleep(0.1)
    return not processes_of(folder)


def processes_of(folder: Path) -> list[int]:
    """Those whose environment names the folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            environment = (place / "environ").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in environment and int(place.name) != os.getpid():
            found.append(int(place.name))
    return found


@pytest.mark.slow
def test_it_trains_goes_on_where_it_was_stopped_and_is_scored(
    benchmark: Benchmark, tmp_path: Path
) -> None:
    cohort, run = benchmark.cohort(), benchmark.out / "runs" / "nnunetv2" / "seed-0"

    stopped = training_of(benchmark, run).train()
    assert next(stopped).kept
    stopped.close()
    assert gone(run)
    whole = training_of(benchmark, tmp_path / "whole")
    for name in ("nnUNet_raw", "nnUNet_preprocessed"):
        shutil.copytree(run / name, whole.folder / name)
    steps = [step.done for step in whole.train()]
    assert steps == [*range(1, len(steps) + 1)] and len(steps) > 1

    said: list[tuple[int, int, str]] = []
    going_on = replace(benchmark, advance=lambda *own: said.append(own))
    assert going_on.run([ARMS["nnunetv2"]], [0]) == {}
    resumed = [done for done, _, what in said if what == "nnunetv2 seed 0: training"]
    assert resumed == steps[1:]
    ours, theirs = (json.loads((f / "model/nnunet.json").read_text()) for f in (run, whole.folder))
    assert ours == theirs, "a training that was stopped has the weights of one that was not"
    (split,) = json.loads((run / "nnUNet_raw/Dataset001_Cohort/splits_final.json").read_text())
    assert split == {"train": cohort.split["train"], "val": []}
    _check_scored(benchmark, cohort.split["test"])
    assert write_benchmark([benchmark], cohort) == benchmark.scored
    assert "nnU-Net itself, 2d" in (benchmark.scored / "benchmark.md").read_text()


def _check_scored(benchmark: Benchmark, test: list[str]) -> None:
    """By all test patients, on their own grids, marked where it is as probable as not."""
    (scored,) = benchmark.scores()["nnunetv2"]
    assert [p.metrics.case for p in scored.patients] == test
    own = benchmark.budget.training(0)
    assert scored.training["images"] >= own.steps * own.batch_size
    assert scored.training["parameters"] > 1e6 and scored.training["gmacs"] > 0
    evaluations = {p.evaluations_a_slice for p in scored.patients}
    assert all(each > 0 and each % 4 == 0 for each in evaluations), "four mirrors of a tile"
    folder = benchmark.predictions(ARMS["nnunetv2"], 0) / "nnunetv2"
    for name in test:
        mask = nib.load(folder / "masks" / f"{name}.nii.gz")
        probs = np.asarray(nib.load(folder / "probabilities" / f"{name}.nii.gz").dataobj)
        marked = np.asarray(mask.dataobj) > 0
        assert np.allclose(mask.affine, AFFINE, atol=1e-4)
        assert marked.shape == probs.shape == SHAPE
        assert probs.min() >= 0 and probs.max() <= 1
        assert not (marked & (probs < 0.499)).any()
