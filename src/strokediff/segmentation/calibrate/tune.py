"""Chooses decisions and intervals from answers, by cross-fitting: nobody judges what it chose.

Patients are dealt to `FOLDS`. The decision is chosen by all; for the interval each fold's volumes
are those at the decision that the other folds choose, since on patients by whom something was
chosen the errors are smaller than on new ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from strokediff.errors import InputError
from strokediff.segmentation.binned import BinnedCalibration, binned_conformal
from strokediff.segmentation.calibrate.answers import Answer, Sheet
from strokediff.segmentation.calibrate.decisions import (
    Scored,
    Scores,
    choose,
    place_of,
    undecided,
)
from strokediff.segmentation.decision import Decision
from strokediff.segmentation.intervals import Measured
from strokediff.util.kinds import LESION

FOLDS = 5
LEVEL = 0.9


@dataclass(frozen=True)
class Tuned:
    """What was chosen for one kind of lesion, and what it changed.

    `before` and `after` are means over the patients by whom it was chosen.
    """

    before: Scored
    after: Scored


@dataclass(frozen=True)
class TunedMethod:
    """What was chosen for one estimation: decisions by kind of lesion, if any, and intervals.

    `calibrations` are by kind and, for all joined, "lesion".
    """

    kinds: Mapping[str, Tuned]
    calibrations: Mapping[str, BinnedCalibration]

    def only(self, kinds: Sequence[str]) -> TunedMethod:
        """What was chosen for these kinds of lesion."""
        return TunedMethod(
            {kind: own for kind, own in self.kinds.items() if kind in kinds},
            {kind: own for kind, own in self.calibrations.items() if kind in kinds},
        )


def tune(sheet: Sheet, population: str, level: float = LEVEL) -> Mapping[str, TunedMethod]:
    """Decisions and intervals of every estimation on the sheet, by its key.

    Raises `InputError` for fewer than two patients.

    >>> from strokediff.segmentation.calibrate.answers import OfKind, OfMethod
    >>> table = [[1.0] * 5] * 9
    >>> own = OfKind(dice=table, volume_ml=table, doubt_ml=1.0, true_ml=1.0)
    >>> method = OfMethod(kinds={"lesion": own}, doubt_ml=1.0, true_ml=1.0)
    >>> people = [Answer(scan=s, patient=s, methods={"fast/avg": method}) for s in ("a", "b")]
    >>> tuned = tune(Sheet(kinds=("lesion",), answers=people), "phantoms")
    >>> tuned["fast/avg"].calibrations["lesion"].n
    2
    """
    if len(sheet.patients) < 2:
        raise InputError(
            f"{len(sheet.patients)} patient(s) with answers: expected two or more, one to choose "
            "the decision by and one to measure its error on. Prepare the cohort with a larger "
            "--val and train, or give the answers of more folds."
        )
    return {key: _tuned(sheet, key, population, level) for key in sheet.methods}


def _tuned(sheet: Sheet, key: str, population: str, level: float) -> TunedMethod:
    people, every = sheet.patients, sheet.answers
    count = min(FOLDS, len(people))
    folds = [[a for own in people[k::count] for a in own] for k in range(count)]
    found: dict[str, list[Measured]] = {kind: [] for kind in (*sheet.kinds, LESION)}
    true_ml: dict[str, list[float]] = {kind: [] for kind in found}
    for k, fold in enumerate(folds):
        others = [a for j, other in enumerate(folds) if j != k for a in other]
        decisions = {kind: _choose(others, key, kind).decision for kind in sheet.kinds}
        for one in fold:
            for kind, (measured, truth) in _measured(one, key, decisions).items():
                found[kind].append(measured)
                true_ml[kind].append(truth)
    intervals = {
        kind: binned_conformal(found[kind], true_ml[kind], level, population) for kind in found
    }
    kinds = {
        kind: Tuned(undecided(_scores(every, key, kind), _groups(every)), _choose(every, key, kind))
        for kind in sheet.kinds
    }
    return TunedMethod(kinds, intervals)


def _measured(
    one: Answer, key: str, decisions: Mapping[str, Decision]
) -> dict[str, tuple[Measured, float]]:
    """Found and true volumes by kind, and of all joined.

    That is the sum of the kinds: a voxel that two claim, of which the more probable has it in the
    end, counts twice here.
    """
    method = one.methods[key]
    out, total = {}, 0.0
    for kind, own in method.kinds.items():
        i, j = place_of(decisions[kind])
        volume_ml = own.volume_ml[i][j]
        out[kind] = Measured(volume_ml, own.doubt_ml), own.true_ml
        total += volume_ml
    return {LESION: (Measured(total, method.doubt_ml), method.true_ml), **out}


def _choose(answers: Sequence[Answer], key: str, kind: str) -> Scored:
    return choose(_scores(answers, key, kind), _groups(answers))


def _scores(answers: Sequence[Answer], key: str, kind: str) -> list[Scores]:
    return [one.methods[key].kinds[kind].scores for one in answers]


def _groups(answers: Sequence[Answer]) -> list[str]:
    return [one.group for one in answers]
