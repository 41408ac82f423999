"""Cross-validation: every patient is tested once, by a training that has not seen it.

Fold 0 is the suite's own split, so that a benchmark without folds is the first of them. The other
patients, each with all scans, are dealt out to the folds 1, 2, ...; each trains on all patients
that it does not test.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from strokediff.benchmark.scores import RowScore
from strokediff.cohort.store import Cohort, split_patients
from strokediff.errors import UsageError

Split = dict[str, list[str]]


@dataclass(frozen=True)
class Fold:
    """Fold `number` of `of`."""

    number: int = 0
    of: int = 1

    @property
    def folder(self) -> str:
        """Where its trainings lie below the benchmark's folder: fold 0 in the folder itself."""
        return f"fold-{self.number}-of-{self.of}" if self.number else ""

    def split(self, cohort: Cohort) -> Split:
        """Whom this fold trains on and tests, given the cohort with the suite's own split."""
        split = cohort.split
        if not self.number:
            return split
        scans = cohort.by_patient(split["train"])
        patients = sorted(scans)
        if len(patients) < self.of - 1:
            raise UsageError(
                f"{len(patients)} patients to train on cannot be dealt out to {self.of - 1} more "
                "folds. Give fewer --folds, or more patients."
            )
        dealt = np.random.default_rng(0).permutation(len(patients))
        mine = np.array_split(dealt, self.of - 1)[self.number - 1]
        test = sorted(name for i in mine for name in scans[patients[i]])
        train = {*split["train"], *split["test"]} - {*test}
        return {**split, "train": sorted(train), "test": test}


@dataclass(frozen=True)
class HeldOut(Fold):
    """A share of the patients who are not there to test is scored; who tests is left alone.

    Options are chosen by this, so that no test patient is read.
    """

    share: float = 0.25

    def split(self, cohort: Cohort) -> Split:
        """Lesions of every size are held out alike."""
        scans = cohort.by_patient([*cohort.split["train"], *cohort.split["val"]])
        volumes = {
            patient: sum(float(cohort.patients[name]["volume_ml"]) for name in names)
            for patient, names in scans.items()
        }
        drawn = split_patients(
            {patient: ("", ml) for patient, ml in volumes.items()},
            val=self.share,
            test=0.0,
            seed=0,
        )
        train, held = (
            sorted(n for p in drawn[part] for n in scans[p]) for part in ("train", "val")
        )
        return {"train": train, "val": [], "test": held}


def joined(folds: Sequence[Mapping[str, Sequence[RowScore]]]) -> dict[str, list[RowScore]]:
    """Rows and seeds that every fold has, with the patients of all.

    The training is fold 0's, with the machines of the others under "elsewhere". The seconds of
    patients who were predicted there are left out (NaN).
    """
    out: dict[str, list[RowScore]] = {}
    for row, seeds in folds[0].items():
        for first in seeds:
            others = [s for fold in folds[1:] for s in fold.get(row, ()) if s.seed == first.seed]
            if len(others) == len(folds) - 1:
                out.setdefault(row, []).append(_together(first, others))
    return out


def _together(first: RowScore, others: Sequence[RowScore]) -> RowScore:
    here = first.training["machine"]
    patients = list(first.patients)
    for own in others:
        timed = own.training["machine"] == here
        patients += [p if timed else replace(p, seconds=math.nan) for p in own.patients]
    elsewhere = [m for own in others if (m := own.training["machine"]) != here]
    return replace(first, patients=patients, training={**first.training, "elsewhere": elsewhere})
