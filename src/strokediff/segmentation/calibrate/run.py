"""`calibrate`: a checkpoint and patients in, a calibrated model out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from strokediff.cohort.labelled import LabelledScan
from strokediff.cohort.masks import MaskReader, chosen_kinds
from strokediff.cohort.sources import Sources
from strokediff.errors import InputError, UsageError
from strokediff.inference.compute import ON_CPU, Compute
from strokediff.inference.estimation import METHODS, Estimation
from strokediff.segmentation.calibrate.answers import Sheet
from strokediff.segmentation.calibrate.checkpoint import patients_of, write_chosen
from strokediff.segmentation.calibrate.heads import Asked, AskedModel, answer
from strokediff.segmentation.calibrate.rules import NEARLY_BEST_DICE, Rule
from strokediff.segmentation.calibrate.table import intervals_from
from strokediff.segmentation.calibrate.tune import TunedMethod, tune
from strokediff.segmentation.chosen import POPULATION, as_kept
from strokediff.segmentation.model import load_model
from strokediff.segmentation.trust.population import FEWEST, Population
from strokediff.training.checkpoint import read_config
from strokediff.training.trouble import explained
from strokediff.util.files import refuse_here
from strokediff.util.locks import LOCK_NAME, sole

ALL = tuple(map(Estimation, METHODS))

Begun = Callable[[list[list[str]]], object]
OnHead = Callable[[str], None]


def calibrate(
    model: str | Path,
    data: str | Path,
    out: str | Path,
    estimations: Sequence[Estimation] = ALL,
    *,
    population: str = "patients",
    rule: Rule = NEARLY_BEST_DICE,
    compute: Compute = ON_CPU,
    begun: Begun = lambda patients: None,
    on_head: OnHead = lambda name: None,
) -> Mapping[str, TunedMethod]:
    """Choose what counts as a lesion and calibrate the volume's interval, for each estimation.

    The validation patients of the checkpoint `model` (split.json), found in `data`, the folder
    that its cohort was prepared from, go through what `segment` does. For every kind of lesion the
    decision is the `rule`'s: of those with nearly the best mean Dice the one with the least volume
    error, or see `Sparing`; the interval is of volumes at decisions that other patients chose.
    Test patients are not read. `out` becomes a model as any other.

    `population` says in reports who the patients are. `begun` is called with the scans of each
    patient, `on_head` after each scan. Returns what was chosen by `Estimation.key`. Raises
    `UsageError` for a folder that is in use or a model without validation patients, `InputError`
    where scans are missing.

    >>> tuned = calibrate("model", "scans", "calibrated", [Estimation("avg")])
    >>> own = tuned["fast/avg"]
    >>> round(own.kinds["lesion"].after.dice, 1), own.calibrations["lesion"].n
    (1.0, 2)
    >>> load("calibrated", device="cpu").decisions(Estimation("avg"))[0].least_lesion_ml
    0.0
    """
    with _into(Path(out)):
        # Let go of before the folder is put in place: Windows renames none that holds an open file.
        with sole(Path(out), "calibrate"):
            sheet = answers(model, data, estimations, compute=compute, begun=begun, on_head=on_head)
            tuned = _tuned(Path(model), sheet, population, rule)
        _write(Path(model), Path(out), tuned, _known(sheet, population))
    return tuned


def answers(
    model: str | Path,
    data: str | Path,
    estimations: Sequence[Estimation] = ALL,
    *,
    split: str = "val",
    compute: Compute = ON_CPU,
    begun: Begun = lambda patients: None,
    on_head: OnHead = lambda name: None,
) -> Sheet:
    """What the model answers on its validation (or test) patients, at every decision.

    Or on all scans in `data` (`split="unseen"`), which are not those that it was made with.

    The answers of each fold's model on that fold's test patients, written (`Sheet.write`), are
    what `calibrate_from` takes for a model that was trained on all. Raises as `calibrate`.

    >>> sheet = answers("model", "scans", [Estimation("avg")], split="test")
    >>> [one.scan for one in sheet.answers] == open_cohort("cohort").split["test"]
    True
    """
    patients = patients_of(Path(model), Path(data), split)
    asked = AskedModel(load_model(Path(model), compute), estimations)
    return ask(asked, Path(data), patients, begun=begun, on_head=on_head)


def ask(
    asked: Asked,
    source: Path,
    patients: Mapping[str, Sequence[LabelledScan]],
    *,
    begun: Begun = lambda patients: None,
    on_head: OnHead = lambda name: None,
) -> Sheet:
    """What is answered on the scans of each patient, which lie in `source`; raises as `answers`."""
    readers = _readers(source, {s.folder for own in patients.values() for s in own}, asked.kinds)
    begun([[scan.name for scan in scans] for scans in patients.values()])
    found = []
    for patient, scans in patients.items():
        for scan in scans:
            found.append(answer(scan, patient, readers[scan.folder], asked))
            on_head(scan.name)
    return Sheet(kinds=asked.kinds, answers=tuple(found))


def calibrate_from(
    model: str | Path,
    tables: Sequence[str | Path],
    out: str | Path,
    estimations: Sequence[Estimation] = ALL,
    *,
    kinds: Sequence[str] = (),
    population: str = "patients",
    rule: Rule = NEARLY_BEST_DICE,
) -> Mapping[str, TunedMethod]:
    """As `calibrate`, from sheets of answers (.json) that were written before: see `answers`.

    With `kinds` only these kinds of lesion are decided, and what was chosen of others is kept:
    where no real patient has an infarct, say, and the answers are on phantoms. The interval of all
    joined goes then: it was of other decisions.

    Or from one table of volumes (.csv, see `intervals_from`), for the interval of the one method
    that `estimations` names: what counts as a lesion stays as it is. Nothing is segmented. Raises
    `UsageError` for other files, `InputError` for what they should not hold, such as other kinds
    of lesion than the model's.

    >>> from pathlib import Path
    >>> answers("model", "scans", [Estimation("avg")]).write(Path("fold.json"))
    >>> tuned = calibrate_from("model", ["fold.json"], "calibrated", population="phantoms")
    >>> tuned["fast/avg"].calibrations["lesion"].population
    'phantoms'
    """
    paths, place, source = [Path(table) for table in tables], Path(out), Path(model)
    endings, own = [path.suffix for path in paths], read_config(source).training.network.kinds
    unknown = [kind for kind in kinds if kind not in own]
    if unknown:
        raise UsageError(f"{model}: no kind {', '.join(unknown)}; it tells {', '.join(own)} apart.")
    if endings == [".csv"]:
        if len(estimations) != 1:
            raise UsageError(
                f"{paths[0]}: a table of volumes is of one method. Name it: --methods sal, say."
            )
        found = intervals_from(paths[0], own, population=population)
        found = {kind: interval for kind, interval in found.items() if kind in (kinds or found)}
        tuned, known = {estimations[0].key: TunedMethod({}, found)}, {}
    elif set(endings) == {".json"}:
        sheet = Sheet.read(paths)
        tuned = dict(_tuned(source, sheet, population, rule, kinds))
        known = {} if kinds else _known(sheet, population)
    else:
        raise UsageError(
            "expected sheets of answers (.json), or one table of volumes (.csv), got "
            f"{', '.join(path.name for path in paths) or 'none'}."
        )
    with _into(place):
        _write(source, place, tuned, known)
    return tuned


def _tuned(
    model: Path, sheet: Sheet, population: str, rule: Rule, only: Sequence[str] = ()
) -> Mapping[str, TunedMethod]:
    kinds = read_config(model).training.network.kinds
    if sheet.kinds != kinds:
        raise InputError(
            f"{model}: tells {', '.join(kinds)} apart, the answers {', '.join(sheet.kinds)}. Give "
            "answers of the same kinds of lesion."
        )
    return tune(sheet, population, rule=rule, kinds=only)


def _known(sheet: Sheet, name: str) -> dict[str, Any]:
    """What is kept of the scans, for `trust`; nothing of too few."""
    features = [one.features for one in sheet.answers if one.features]
    if len(features) < FEWEST:
        return {}
    return {POPULATION: Population.of(features, name).model_dump()}


def _write(
    model: Path, out: Path, tuned: Mapping[str, TunedMethod], known: Mapping[str, Any]
) -> None:
    kinds = read_config(model).training.network.kinds
    decided = {key: own for key, own in tuned.items() if own.kinds}
    write_chosen(
        model,
        out,
        decisions={
            key: as_kept({k: one.after.decision for k, one in own.kinds.items()}, kinds)
            for key, own in decided.items()
        },
        calibrations={key: as_kept(own.calibrations, kinds) for key, own in tuned.items()},
        more=known,
    )


def _readers(source: Path, folders: set[Path], kinds: tuple[str, ...]) -> Mapping[Path, MaskReader]:
    """How the masks of each folder are read; refused if one does not tell the kinds apart."""
    sources = Sources.of(source)
    labels = {folder: sources.labels(folder) for folder in folders}
    if len(kinds) > 1 and not all(labels.values()):
        chosen_kinds(labels.values(), kinds)  # says what to do
    return {folder: MaskReader(kinds, own) for folder, own in labels.items()}


@contextmanager
def _into(out: Path) -> Iterator[None]:
    """While a model is made for the new folder `out`."""
    refuse_here(out)
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: a file. Choose a new folder for the calibrated model.")
    if out.exists() and any(p.name != LOCK_NAME for p in out.iterdir()):
        raise UsageError(f"{out}: not empty. Choose a new folder for the calibrated model.")
    with explained(f"{out}: calibration stopped"):
        yield
