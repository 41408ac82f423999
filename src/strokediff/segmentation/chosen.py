"""What was chosen for a model on patients, as metrics.json keeps it: decisions and intervals.

Of one kind of lesion an entry is the thing itself; of several it names each kind, and the interval
of all joined "lesion":

    "decision":    {"fast/avg": {"threshold": ...}}        {"fast/avg": {"infarct": {...}, ...}}
    "calibration": {"fast/avg": {"form": ...}}     {"fast/avg": {"infarct": ..., "lesion": ...}}
    "population":  what scans it was tried on (`trust.population`)
    "card":        {"infarct": "What it does on real patients, with figures.", ...}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Discriminator, Tag, TypeAdapter, ValidationError

from strokediff.errors import InputError
from strokediff.segmentation.binned import BinnedCalibration
from strokediff.segmentation.decision import Decision
from strokediff.segmentation.intervals import Calibration
from strokediff.segmentation.trust.population import Population
from strokediff.util.kinds import LESION

T = TypeVar("T")

DECISION, CALIBRATION, POPULATION, CARD = "decision", "calibration", "population", "card"
"""Keys of metrics.json."""


def _form(content: Any) -> str:
    form = content.get("form") if isinstance(content, dict) else getattr(content, "form", None)
    return "binned" if form == "binned" else "plain"


Interval = Calibration | BinnedCalibration
"""How far volumes are off."""
_Interval = Annotated[
    Annotated[Calibration, Tag("plain")] | Annotated[BinnedCalibration, Tag("binned")],
    Discriminator(_form),
]
_POPULATION: TypeAdapter[Population] = TypeAdapter(Population)
_STATEMENTS: TypeAdapter[dict[str, str]] = TypeAdapter(dict[str, str])
_DECISION: TypeAdapter[Decision] = TypeAdapter(Decision)
_INTERVAL: TypeAdapter[Interval] = TypeAdapter(_Interval)


def read_decisions(
    path: Path, metrics: Mapping[str, Any], kinds: Sequence[str]
) -> dict[str, tuple[Decision, ...]]:
    """A decision a kind, by the estimation's key; `InputError` for what is none."""
    found = _read(path, metrics, DECISION, kinds, kinds, _DECISION)
    return {key: tuple(own[kind] for kind in kinds) for key, own in found.items()}


def read_calibrations(
    path: Path, metrics: Mapping[str, Any], kinds: Sequence[str]
) -> dict[str, dict[str, Interval]]:
    """The interval of each kind and of all joined, by the estimation's key.

    Of one kind both are the same; of several some may have none. `InputError` for what is none.
    """
    found = _read(path, metrics, CALIBRATION, kinds, (*kinds, LESION), _INTERVAL)
    if len(kinds) > 1:
        return found
    return {key: {LESION: own[kinds[0]], **own} for key, own in found.items()}


def read_population(path: Path, metrics: Mapping[str, Any]) -> Population | None:
    """What scans the model was tried on; None if it does not say. `InputError` for what is none."""
    content = metrics.get(POPULATION)
    return None if content is None else _validated(path, POPULATION, content, _POPULATION)


def read_statements(path: Path, metrics: Mapping[str, Any]) -> dict[str, str]:
    """What the model's card says of real patients, by kind; `InputError` for what is no text."""
    found = _validated(path, CARD, metrics.get(CARD, {}), _STATEMENTS)
    return {kind: " ".join(text.split()) for kind, text in found.items()}


def as_kept(found: Mapping[str, Any], kinds: Sequence[str]) -> Any:
    """What metrics.json keeps of an entry, of models by kind and by "lesion"."""
    plain = {kind: one.model_dump() for kind, one in found.items()}
    return plain if len(kinds) > 1 else plain.get(kinds[0], plain.get(LESION))


def _read(
    path: Path,
    metrics: Mapping[str, Any],
    what: str,
    kinds: Sequence[str],
    wanted: Sequence[str],
    adapter: TypeAdapter[T],
) -> dict[str, dict[str, T]]:
    content = metrics.get(what, {})
    if not isinstance(content, dict):
        raise _refused(path, what, "expected an entry a method")
    found = {}
    for key, own in content.items():
        by_kind = {kinds[0]: own} if len(kinds) == 1 else own
        told = set(by_kind) if isinstance(by_kind, dict) else {None}
        if len(kinds) > 1 and not ({*kinds} if what == DECISION else set()) <= told <= {*wanted}:
            raise _refused(path, f"{what}.{key}", f"expected entries for {', '.join(wanted)}")
        found[key] = {
            kind: _validated(path, f"{what}.{key}", one, adapter) for kind, one in by_kind.items()
        }
    return found


def _validated(path: Path, place: str, content: Any, adapter: TypeAdapter[T]) -> T:
    try:
        return adapter.validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in (place, *first["loc"]))
        raise _refused(path, where, first["msg"]) from None


def _refused(path: Path, place: str, why: str) -> InputError:
    return InputError(
        f"{path / 'metrics.json'}: {place[:200]}: {why}. Copy the whole folder again, or take the "
        "entry out."
    )
