"""What the report says, section by section: a result in, plain text and numbers out.

A key that is missing leaves its line out, so that results of older versions still make a report.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from strokediff.training.start import STARTED_FROM

Row = tuple[str, str]

PROFILE_WIDTH, PROFILE_HEIGHT = 720.0, 150.0
MOST_LESIONS = 40
MOST_NUMBERS = 6

METHODS = {
    "avg": "direct estimates at several noise levels, averaged (avg)",
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


def headline(result: Mapping[str, Any]) -> list[Card]:
    """Volume, lesions and brain, the figures that are looked at first."""
    cards = []
    volume, brain = result.get("volume_ml"), result.get("brain_volume_ml")
    if volume is not None:
        cards.append(Card("Lesion volume", f"{volume:.1f} mL", _interval(result)))
    if result.get("n_lesions") is not None:
        largest = max((x.get("volume_ml", 0.0) for x in result.get("lesions") or ()), default=0.0)
        below = f"largest {largest:.1f} mL" if largest else ""
        cards.append(Card("Lesions", str(result["n_lesions"]), below))
    if brain:
        below = "" if volume is None else f"lesion {100 * volume / brain:.1f} % of it"
        cards.append(Card("Intracranial volume", f"{brain:,.0f} mL", below))
    if result.get("spacing_mm"):
        cards.append(Card("Voxel", f"{_spacing(result['spacing_mm'])} mm"))
    return cards


def interval_text(result: Mapping[str, Any]) -> str:
    """What the interval of the volume means, and what it does not."""
    if not result.get("volume_interval_ml"):
        return (
            "No interval is given for the volume, because one estimate has no spread. The volume "
            "can still be wrong."
        )
    kind = str(result.get("volume_interval_kind") or "")
    if "conformal" in kind:
        return (
            f"The interval is {kind}: it is as wide as the errors of the volume were on those "
            "patients. That holds for scans like theirs and promises nothing for others, such as "
            "another scanner, another kind of stroke, or patients instead of phantoms."
        )
    samples = result.get("n_samples")
    of = f"the {samples} samples" if samples else "the samples"
    return (
        f"The interval shows how far {of} that the model drew for this scan lie apart"
        f"{f' ({kind})' if kind else ''}. It does not cover errors that all samples share, such "
        "as a lesion that none of them sees, so the true volume can lie outside."
    )


def warning_texts(result: Mapping[str, Any]) -> list[str]:
    """The warnings of the result, and that the lesion or brain is cut off, if it is."""
    warnings = [str(w) for w in result.get("warnings") or ()]
    if result.get("truncated"):
        warnings.append(
            "the brain or the lesion reaches the edge of the scan: what lies beyond is not in "
            "the volume"
        )
    return warnings


def model_note(model: Any) -> str:
    """A sentence on what the model was trained on; shown wherever its output is shown."""
    if not isinstance(model, Mapping):
        return ""
    trained_on = " ".join(str(model.get("trained_on") or "").split())
    if not trained_on:
        return ""
    if all("phantom" in cohort.lower() for cohort in trained_on.split(STARTED_FROM)):
        return (
            "The model was trained on phantoms (simulated CT), not on patients. Expect it to do "
            "worse on real scans than on phantoms; its model card has the figures."
        )
    return f"The model was trained on: {trained_on}. Its model card has the figures."


def lesion_rows(lesions: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """Number, volume and centroid of each lesion, the largest first."""
    ordered = sorted(lesions, key=lambda x: -float(x.get("volume_ml") or 0.0))
    rows = [
        (str(n), f"{float(x.get('volume_ml') or 0.0):.2f}", _point(x.get("centroid_mm")))
        for n, x in enumerate(ordered[:MOST_LESIONS], start=1)
    ]
    rest = ordered[MOST_LESIONS:]
    if rest:
        total = sum(float(x.get("volume_ml") or 0.0) for x in rest)
        rows.append((f"{len(rest)} more", f"{total:.2f}", ""))
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


def computed_rows(result: Mapping[str, Any]) -> list[Row]:
    """How the result was computed: what somebody needs to repeat it."""
    model = result.get("model")
    model = model if isinstance(model, Mapping) else {"name": model}
    method = result.get("method")
    evaluations = result.get("network_evaluations")
    rows = [
        ("Model", model.get("name")),
        ("Noise", model.get("noise")),
        ("Trained on", model.get("trained_on")),
        ("Weights, SHA-256", model.get("sha256")),
        ("Method", METHODS.get(str(method), method)),
        ("Preset", result.get("preset")),
        ("Threshold of y_0", result.get("threshold")),
        ("Least lesion, mL", result.get("least_lesion_ml")),
        ("Transition noise", result.get("transition")),
        ("Fusion", result.get("fusion")),
        ("Tolerance of the volume, mL", result.get("tolerance_ml")),
        ("Most evaluations a slice", result.get("max_evaluations")),
        ("Samples", result.get("n_samples")),
        ("Entropy over the brain, bit mL", _rounded(result.get("doubt_ml"))),
        ("Network evaluations", f"{evaluations:,}" if isinstance(evaluations, int) else None),
        ("Device", result.get("device")),
        ("Precision", result.get("precision")),
        ("Slices not used", _unusable(result.get("unusable_slices") or ())),
        ("Seed", result.get("seed")),
        ("strokediff", result.get("version")),
        ("Time", _seconds(result.get("seconds"))),
        ("Created", result.get("created")),
    ]
    return [(name, str(value)) for name, value in rows if value not in (None, "")]


def _unusable(slices: Iterable[Any]) -> str:
    """Slices, counted from 1 at the bottom, with the reason."""
    return "; ".join(f"{s.get('slice')}: {s.get('why')}" for s in slices if isinstance(s, Mapping))


def input_rows(source: Any) -> list[Row]:
    """Where the scan came from; nested details are named by their path."""
    if not isinstance(source, Mapping):
        return [] if source is None else [("Input", str(source))]
    return [(name, text) for name, text in _flatten(source) if text]


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


def _interval(result: Mapping[str, Any]) -> str:
    interval = result.get("volume_interval_ml")
    return f"{interval[0]:.1f} to {interval[1]:.1f} mL" if interval else "no interval"


def _spacing(spacing_mm: Sequence[float]) -> str:
    return " × ".join(f"{s:.2f}" for s in spacing_mm)


def _point(centroid_mm: Sequence[float] | None) -> str:
    """World coordinates, RAS+, with the side in words: a sign is easily misread."""
    if not centroid_mm:
        return ""
    sides = (("right", "left"), ("anterior", "posterior"), ("superior", "inferior"))
    pairs = zip(centroid_mm, sides, strict=True)
    return ", ".join(f"{abs(v):.0f} {plus if v >= 0 else minus}" for v, (plus, minus) in pairs)


def _rounded(value: Any) -> str | None:
    return f"{value:.1f}" if isinstance(value, float) else None


def _seconds(seconds: Any) -> str | None:
    """Total and stages; a stage named total is not added to itself."""
    if isinstance(seconds, int | float):
        return f"{seconds:.1f} s"
    if not isinstance(seconds, Mapping) or not seconds:
        return None
    stages = {str(k): float(v) for k, v in seconds.items() if k != "total"}
    total = float(seconds.get("total", sum(stages.values())))
    listed = ", ".join(f"{name.replace('_', ' ')} {value:.1f}" for name, value in stages.items())
    return f"{total:.1f} s" + (f" ({listed})" if listed else "")
