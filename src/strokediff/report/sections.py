"""What the report says, section by section: a record in, plain text and numbers out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from strokediff.result.record import InputRecord, Lesion, ModelCard, Record
from strokediff.training.start import STARTED_FROM

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
    """One figure of the headline: its name, its value with the unit, and a line below."""

    name: str
    value: str
    below: str = ""


@dataclass(frozen=True)
class Bar:
    """One slice of the area profile, in the picture's units, with the text shown on hovering."""

    x: float
    y: float
    width: float
    height: float
    text: str


@dataclass(frozen=True)
class AreaProfile:
    """The area of the lesion in each slice, from the bottom up, as bars."""

    bars: list[Bar]
    width: float
    height: float
    most_cm2: float
    slices: int


def headline(record: Record) -> list[Card]:
    """Volume, lesions and brain, the figures that are looked at first."""
    volume, brain = record.volume_ml, record.brain_volume_ml
    largest = max((lesion.volume_ml for lesion in record.lesions), default=0.0)
    cards = [
        Card("Lesion volume", f"{volume:.1f} mL", _interval(record)),
        Card("Lesions", str(record.n_lesions), f"largest {largest:.1f} mL" if largest else ""),
    ]
    if brain:
        below = f"lesion {100 * volume / brain:.1f} % of it"
        cards.append(Card("Intracranial volume", f"{brain:,.0f} mL", below))
    return [*cards, Card("Voxel", f"{_spacing(record.spacing_mm)} mm")]


def interval_text(record: Record) -> str:
    """What the interval of the volume means, and what it does not."""
    if record.volume_interval_ml is None:
        return (
            "No interval is given for the volume, because one estimate has no spread. The volume "
            "can still be wrong."
        )
    kind = record.volume_interval_kind
    if "conformal" in kind:
        return (
            f"The interval is {kind}: it is as wide as the errors of the volume were on those "
            "patients. That holds for scans like theirs and promises nothing for others, such as "
            "another scanner, another kind of stroke, or patients instead of phantoms."
        )
    of = f"the {record.n_samples} samples" if record.n_samples else "the samples"
    return (
        f"The interval shows how far {of} that the model drew for this scan lie apart"
        f"{f' ({kind})' if kind else ''}. It does not cover errors that all samples share, such "
        "as a lesion that none of them sees, so the true volume can lie outside."
    )


def warning_texts(record: Record) -> list[str]:
    """The warnings of the result, and that the lesion or brain is cut off, if it is."""
    warnings = list(record.warnings)
    if record.truncated:
        warnings.append(
            "the brain or the lesion reaches the edge of the scan: what lies beyond is not in "
            "the volume"
        )
    return warnings


def model_note(model: ModelCard) -> str:
    """A sentence on what the model was trained on; shown wherever its output is shown."""
    trained_on = " ".join(model.trained_on.split())
    if not trained_on:
        return ""
    if all("phantom" in cohort.lower() for cohort in trained_on.split(STARTED_FROM)):
        return (
            "The model was trained on phantoms (simulated CT), not on patients. Expect it to do "
            "worse on real scans than on phantoms; its model card has the figures."
        )
    return f"The model was trained on: {trained_on}. Its model card has the figures."


def lesion_rows(lesions: Sequence[Lesion]) -> list[tuple[str, str, str]]:
    """Number, volume and centroid of each lesion, the largest first."""
    rows = [
        (str(n), f"{x.volume_ml:.2f}", _point(x.centroid_mm))
        for n, x in enumerate(lesions[:MOST_LESIONS], start=1)
    ]
    rest = lesions[MOST_LESIONS:]
    if rest:
        rows.append((f"{len(rest)} more", f"{sum(x.volume_ml for x in rest):.2f}", ""))
    return rows


def area_profile(slice_areas_mm2: Iterable[float]) -> AreaProfile:
    """Bars for the area in each slice, scaled to the largest."""
    areas_cm2 = [float(a) / 100.0 for a in slice_areas_mm2]
    most = max(areas_cm2, default=0.0)
    step = PROFILE_WIDTH / max(1, len(areas_cm2))
    bars = []
    for k, area in enumerate(areas_cm2):
        height = PROFILE_HEIGHT * area / most if most else 0.0
        text = f"slice {k + 1}: {area:.1f} cm²"
        width = max(0.8 * step, 0.5)
        bars.append(Bar(k * step + 0.1 * step, PROFILE_HEIGHT - height, width, height, text))
    return AreaProfile(bars, PROFILE_WIDTH, PROFILE_HEIGHT, most, len(areas_cm2))


def computed_rows(record: Record) -> list[Row]:
    """How the result was computed: what somebody needs to repeat it."""
    rows: list[tuple[str, object]] = [
        ("Model", record.model.name),
        ("Noise", record.model.noise),
        ("Trained on", record.model.trained_on),
        ("Weights, SHA-256", record.model.sha256),
        ("Method", METHOD_NAMES.get(record.method, record.method)),
        ("Preset", record.preset),
        ("Threshold of y_0", record.threshold),
        ("Least lesion, mL", record.least_lesion_ml),
        ("Transition noise", record.transition),
        ("Fusion", record.fusion),
        ("Tolerance of the volume, mL", record.tolerance_ml),
        ("Most evaluations a slice", record.max_evaluations),
        ("Samples", record.n_samples),
        ("Entropy over the brain, bit mL", f"{record.doubt_ml:.1f}"),
        ("Network evaluations", f"{record.network_evaluations:,}"),
        ("Device", record.device),
        ("Precision", record.precision),
        ("Slices not used", "; ".join(f"{s.slice}: {s.why}" for s in record.unusable_slices)),
        ("Seed", record.seed),
        ("strokediff", record.version),
        ("Time", _seconds(record.seconds)),
    ]
    return [(name, str(value)) for name, value in rows if value not in (None, "")]


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


def _interval(record: Record) -> str:
    interval = record.volume_interval_ml
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
