"""What the report says, section by section: a record in, plain text and numbers out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from strokediff.report.canvas import colours
from strokediff.report.sentences import several
from strokediff.result.figures import InputRecord, Result
from strokediff.result.reading import Reading
from strokediff.result.record import Record

Row = tuple[str, str]

PROFILE_WIDTH, PROFILE_HEIGHT = 720.0, 150.0
MOST_LESIONS = 40
MOST_NUMBERS = 6

METHOD_NAMES = {
    "avg": "direct estimate from the scan without noise (avg)",
    "sal": "salient weighted estimate (sal)",
    "infer": "reverse Markov chain, Algorithm 1 (infer)",
    "all": "all three estimates, fused (all)",
}


@dataclass(frozen=True)
class Card:
    """One figure of the headline: its name, its value with the unit, a line below, its colour."""

    name: str
    value: str
    below: str = ""
    tint: str = ""


@dataclass(frozen=True)
class Bar:
    """One slice of the area profile, in the picture's units, with the text shown on hovering."""

    x: float
    y: float
    width: float
    height: float
    text: str
    tint: str = ""


@dataclass(frozen=True)
class AreaProfile:
    """The area of the lesion in each slice, from the bottom up, as bars; kinds on each other."""

    bars: list[Bar]
    width: float
    height: float
    most_cm2: float
    slices: int


def headline(record: Result) -> list[Card]:
    """Volume, lesions and brain, the figures that are looked at first."""
    volume, brain = record.volume_ml, record.brain_volume_ml
    largest = max((lesion.volume_ml for lesion in record.lesions), default=0.0)
    told = f"largest {largest:.1f} mL" if largest else ""
    if several(record):
        told = f"{volume:.1f} mL ({_interval(record.volume_interval_ml)}) in all"
    cards = [*_volumes(record), Card("Lesions", str(record.n_lesions), told)]
    if brain:
        below = f"lesion {100 * volume / brain:.1f} % of it"
        cards.append(Card("Intracranial volume", f"{brain:,.0f} mL", below))
    return [*cards, Card("Voxel", f"{_spacing(record.spacing_mm)} mm")]


def _volumes(record: Result) -> list[Card]:
    """A card a kind, or that of the lesion."""
    if not several(record):
        interval = _interval(record.volume_interval_ml)
        return [Card("Lesion volume", f"{record.volume_ml:.1f} mL", interval)]
    return [
        Card(
            own.name.capitalize(),
            f"{own.volume_ml:.1f} mL",
            _interval(own.volume_interval_ml),
            tint,
        )
        for own, tint in zip(record.kinds, tints_of(record), strict=True)
    ]


def tints_of(record: Result) -> list[str]:
    """The colour of each kind of lesion, as in the pictures."""
    return colours([own.name for own in record.kinds])


def lesion_rows(record: Result) -> list[tuple[str, ...]]:
    """Number, kind if there are several, volume and centroid of each lesion, largest first."""
    kind = several(record)
    rows = [
        (str(n), *([x.kind] * kind), f"{x.volume_ml:.2f}", _point(x.centroid_mm))
        for n, x in enumerate(record.lesions[:MOST_LESIONS], start=1)
    ]
    rest = record.lesions[MOST_LESIONS:]
    if rest:
        total = f"{sum(x.volume_ml for x in rest):.2f}"
        rows.append((f"{len(rest)} more", *([""] * kind), total, ""))
    return rows


def area_profile(
    slice_areas_mm2: Sequence[Iterable[float]], kinds: Sequence[str] = ("",)
) -> AreaProfile:
    """Bars for the area of each kind in each slice, on each other, scaled to the largest sum."""
    areas_cm2 = [[float(a) / 100.0 for a in own] for own in slice_areas_mm2]
    most = max((sum(own) for own in zip(*areas_cm2, strict=True)), default=0.0)
    count = len(areas_cm2[0]) if areas_cm2 else 0
    step, tints = PROFILE_WIDTH / max(1, count), colours(kinds) if len(kinds) > 1 else [""]
    bars = []
    below = [0.0] * count
    for own, kind, tint in zip(areas_cm2, kinds, tints, strict=True):
        for k, area in enumerate(own):
            height = PROFILE_HEIGHT * area / most if most else 0.0
            text = f"slice {k + 1}: {f'{kind} ' if tint else ''}{area:.1f} cm²"
            x, width = k * step + 0.1 * step, max(0.8 * step, 0.5)
            below[k] += height
            bars.append(Bar(x, PROFILE_HEIGHT - below[k], width, height, text, tint))
    return AreaProfile(bars, PROFILE_WIDTH, PROFILE_HEIGHT, most, count)


def computed_rows(result: Result) -> list[Row]:
    """How the result was made: what somebody needs to repeat it."""
    own = _reader_rows(result) if isinstance(result, Reading) else _model_rows(result)
    rows: list[tuple[str, object]] = [
        *own,
        ("Slices not used", "; ".join(f"{s.slice}: {s.why}" for s in result.unusable_slices)),
        ("strokediff", result.version),
        ("Time", _seconds(result.seconds)),
    ]
    return [(name, str(value)) for name, value in rows if value not in (None, "")]


def _reader_rows(result: Reading) -> list[tuple[str, object]]:
    reader = result.reader
    base = reader.corrects
    return [
        ("Mask drawn by", reader.name),
        ("How", reader.how),
        ("Revision", reader.revision),
        ("Drawn at", reader.time),
        ("Mask", reader.mask),
        ("Mask, SHA-256", reader.mask_sha256),
        ("Corrects the mask of", base and f"{base.model} (weights {base.model_sha256})"),
    ]


def _model_rows(result: Result) -> list[tuple[str, object]]:
    if not isinstance(result, Record):
        return []
    return [
        ("Model", result.model.name),
        ("Noise", result.model.noise),
        ("Trained on", result.model.trained_on),
        ("Weights, SHA-256", result.model.sha256),
        ("Method", METHOD_NAMES.get(result.method, result.method)),
        ("Preset", result.preset),
        *_decisions(result),
        ("Transition noise", result.transition),
        ("Fusion", result.fusion),
        ("Tolerance of the volume, mL", result.tolerance_ml),
        ("Most evaluations a slice", result.max_evaluations),
        ("Samples", result.n_samples),
        ("Entropy over the brain, bit mL", f"{result.doubt_ml:.1f}"),
        ("Network evaluations", f"{result.network_evaluations:,}"),
        ("Device", result.device),
        ("Precision", result.precision),
        ("Seed", result.seed),
    ]


def _decisions(record: Record) -> list[tuple[str, object]]:
    """What counts as a lesion; of several kinds each."""
    told = [("Threshold of y_0", "threshold"), ("Least lesion, mL", "least_lesion_ml")]
    if not several(record):
        return [(name, getattr(record, field)) for name, field in told]
    return [
        (f"{name}, {own.name}", getattr(own, field)) for own in record.kinds for name, field in told
    ]


def input_rows(source: InputRecord) -> list[Row]:
    """Where the scan came from; nested details are named by their path."""
    return [(name, text) for name, text in _flatten(source.model_dump(mode="json")) if text]


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Iterable[Row]:
    for key, value in values.items():
        words = str(key).replace("_", " ").replace("uid", "UID")
        name = prefix + (words if prefix else words[:1].upper() + words[1:])
        if isinstance(value, Mapping) and value:
            yield from _flatten(value, "" if key == "details" else f"{name}: ")
        elif isinstance(value, list | tuple):
            yield name, _listed(value)
        elif value is not None:
            yield name, _plain(value)


def _listed(values: Sequence[Any]) -> str:
    """A list on one line; many numbers by their range, records by their filled fields."""
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) == len(values) > MOST_NUMBERS:
        return f"{len(numbers)} values, {min(numbers):.4g} to {max(numbers):.4g}"
    if any(isinstance(v, Mapping) for v in values):
        return "; ".join(_record(v) if isinstance(v, Mapping) else _plain(v) for v in values)
    return ", ".join(_plain(v) for v in values)


def _record(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {text}" for name, text in _flatten(values) if text)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _interval(interval: tuple[float, float] | None) -> str:
    return f"{interval[0]:.1f} to {interval[1]:.1f} mL" if interval else "no interval"


def _spacing(spacing_mm: Sequence[float]) -> str:
    return " × ".join(f"{s:.2f}" for s in spacing_mm)


def _point(centroid_mm: tuple[float, float, float]) -> str:
    """World coordinates, RAS+, with the side in words: a sign is easily misread."""
    sides = (("right", "left"), ("anterior", "posterior"), ("superior", "inferior"))
    pairs = zip(centroid_mm, sides, strict=True)
    return ", ".join(f"{abs(v):.0f} {plus if v >= 0 else minus}" for v, (plus, minus) in pairs)


def _seconds(seconds: Mapping[str, float]) -> str:
    """Total and stages."""
    listed = ", ".join(f"{name.replace('_', ' ')} {value:.1f}" for name, value in seconds.items())
    return f"{sum(seconds.values()):.1f} s ({listed})" if seconds else ""
