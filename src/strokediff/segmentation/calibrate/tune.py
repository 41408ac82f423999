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
from strokediff.segmentation.calibrate.decisions import Scored, choose, place_of, undecided
from strokediff.segmentation.calibrate.rules import NEARLY_BEST_DICE, Rule
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


def tune(
    sheet: Sheet,
    population: str,
    *,
    kinds: Sequence[str] = (),
    rule: Rule = NEARLY_BEST_DICE,
    level: float = LEVEL,
) -> Mapping[str, TunedMethod]:
    """Decisions by the rule and intervals of every estimation on the sheet, by its key.

    Of these `kinds` of lesion, or of all and of all joined. Raises `InputError` for fewer than two
    patients, or too few for the rule.

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
    own = tuple(kinds) or sheet.kinds
    found = {}
    for key in sheet.methods:
        method = _Method(key, own, rule)
        intervals = {
            kind: binned_conformal([f for f, _ in pairs], [t for _, t in pairs], level, population)
            for kind, pairs in method.judged(sheet).items()
            if kind in own or len(own) == len(sheet.kinds)
        }
        found[key] = TunedMethod(method.decided(sheet.answers), intervals)
    return found


@dataclass(frozen=True)
class _Method:
    """One estimation of kinds of lesion, decided on by a rule."""

    key: str
    kinds: Sequence[str]
    rule: Rule

    def judged(self, sheet: Sheet) -> dict[str, list[tuple[Measured, float]]]:
        """Found and true volumes by kind and joined, at decisions that others chose."""
        people = sheet.patients
        count = min(FOLDS, len(people))
        folds = [[a for own in people[k::count] for a in own] for k in range(count)]
        found: dict[str, list[tuple[Measured, float]]] = {}
        for k, fold in enumerate(folds):
            others = [a for j, other in enumerate(folds) if j != k for a in other]
            decisions = {kind: own.after.decision for kind, own in self.decided(others).items()}
            for one in fold:
                for kind, pair in self._measured(one, decisions).items():
                    found.setdefault(kind, []).append(pair)
        return found

    def decided(self, answers: Sequence[Answer]) -> dict[str, Tuned]:
        """What the rule takes for each kind."""
        groups = [one.group for one in answers]
        out = {}
        for kind in self.kinds:
            scores = [one.methods[self.key].kinds[kind].scores for one in answers]
            try:
                after = choose(scores, groups, self.rule)
            except InputError as error:
                raise InputError(f"{kind}: {error}") from None
            out[kind] = Tuned(undecided(scores, groups), after)
        return out

    def _measured(
        self, one: Answer, decisions: Mapping[str, Decision]
    ) -> dict[str, tuple[Measured, float]]:
        """Found and true volumes by kind, and of all joined.

        That is the sum of the kinds: a voxel that two claim, of which the more probable has it in
        the end, counts twice here.
        """
        method = one.methods[self.key]
        out, total = {}, 0.0
        for kind, decision in decisions.items():
            own = method.kinds[kind]
            i, j = place_of(decision)
            volume_ml = own.volume_ml[i][j]
            out[kind] = Measured(volume_ml, own.doubt_ml), own.true_ml
            total += volume_ml
        return {LESION: (Measured(total, method.doubt_ml), method.true_ml), **out}
