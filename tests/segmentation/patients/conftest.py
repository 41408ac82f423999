"""A segmentation without a network: as fast as its files are written, everything else is real."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from records import CONTENT, record

from strokediff.ct.discovery.cases import Case, LeftOut
from strokediff.ct.volume import CT, Source
from strokediff.errors import InputError
from strokediff.inference.compute import ON_CPU
from strokediff.inference.estimation import Estimation
from strokediff.segmentation.decision import Decision
from strokediff.segmentation.patients import Job, Outcome, case, segment_cases
from strokediff.segmentation.result import Segmentation

SHAPE = (6, 5, 4)

Run = Callable[..., dict[str, Outcome]]


def volume_of(found: Case, series: str | None) -> CT:
    """A scan is a text file with its lesion's size in voxels; "bad" cannot be read."""
    text = found.path.read_text()
    if text == "bad":
        raise InputError(f"{found.path}: bad")
    array = np.zeros(SHAPE)
    array.flat[: int(text)] = 60
    source = Source(found.path, found.kind, SHAPE, np.eye(4))
    return CT.from_source_array(array, source)


def segmented(ct: CT, model: Any, estimation: Estimation, **options: Any) -> Segmentation:
    """Every bright voxel; the seed shows in the probability."""
    mask = ct.hu > 0
    options["advance"](0, 10)
    prob = (mask * (0.9 - options["seed"] / 100)).astype(np.float32)
    found = record(
        volume_ml=float(mask.sum()) / 1000,
        brain_volume_ml=0.12,
        input={**CONTENT["input"], "path": str(ct.source.path), "kind": ct.source.kind},
        seed=options["seed"],
        seconds=options["watch"].seconds,
    )
    labels = mask.astype(np.uint8)
    return Segmentation(ct, labels, prob[None], prob * 0, prob * 0, mask | True, found)


@pytest.fixture
def job() -> Job:
    model: Any = SimpleNamespace(
        card=record().model,
        decisions=lambda e: (Decision(),),
        calibrations={},
        compute=ON_CPU,
        kinds=("lesion",),
        population=None,
    )
    return Job(model=model, estimation=Estimation(), pictures=False)


@pytest.fixture
def segmented_cases(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the scans that were segmented, as they are."""
    done: list[str] = []

    def spied(ct: CT, *arguments: Any, **options: Any) -> Segmentation:
        done.append(ct.source.path.name)
        return segmented(ct, *arguments, **options)

    monkeypatch.setattr(os, "fsync", lambda handle: None)  # no test can see it, and it is slow
    monkeypatch.setattr(case, "load_case", volume_of)
    monkeypatch.setattr(case, "segment_ct", spied)
    return done


@pytest.fixture
def run(tmp_path: Path, job: Job, segmented_cases: list[str]) -> Run:
    """Segment scans, given as NAME=content, into `out`."""

    def call(
        out: str = "out",
        *,
        left_out: tuple[str, ...] = (),
        beside: tuple[str, ...] = (),
        kind: str = "nifti",
        told: list[str] | None = None,
        scans: dict[str, str],
        **options: Any,
    ) -> dict[str, Outcome]:
        cases = []
        for name, content in scans.items():
            path = tmp_path / "in" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(content)
            cases.append(Case(name, kind, path))
        left = [
            LeftOut(name, tmp_path / "in" / name, "damaged", name in left_out)
            for name in (*left_out, *beside)
        ]
        outcomes = segment_cases(
            cases,
            tmp_path / out,
            replace(job, **options),
            lambda *counted: None,
            left_out=left,
            tell=([] if told is None else told).append,
        )
        return {o.case: o for o in outcomes}

    return call
