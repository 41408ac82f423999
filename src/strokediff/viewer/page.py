"""The page: images, NiiVue and what steers it in one file, which no network is allowed to."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray

from strokediff.ct.regular_grid import regular_grid
from strokediff.ct.volume import CT
from strokediff.report.canvas import colours
from strokediff.report.html import RESEARCH_ONLY
from strokediff.report.sentences import interval_text, maker_note, trust_text
from strokediff.result.figures import Result
from strokediff.util.files import write_text
from strokediff.viewer.images import Shown, shown_ct, shown_labels, shown_probability

OVERLAYS = (("mask", "Mask"), ("probability", "Probability"), ("none", "None"))
NIIVUE = "niivue-0.69.0.umd.js"


def write_viewer(
    path: Path,
    record: Result,
    ct: CT,
    labels: NDArray[np.uint8],
    probability: NDArray[np.float32] | None,
    brain: NDArray[np.bool_],
) -> None:
    """Write the page of what was found on the grid of `ct`; `UsageError` if it cannot be."""
    grid = regular_grid(ct)
    images = [
        shown_ct(grid.linear(ct.hu), grid.nearest(brain), grid.affine),
        shown_labels(grid.nearest(labels), grid.affine),
    ]
    if probability is not None:
        images.append(shown_probability(grid.linear(probability), grid.affine))
    write_text(path, render_viewer(record, images))


@dataclass(frozen=True)
class Drawing:
    """Pens on the page: what is drawn goes to the address `save_to`, `by` is who draws."""

    save_to: str
    by: str


def render_viewer(record: Result, images: Sequence[Shown], drawing: Drawing | None = None) -> str:
    """The page for one result; `images` are CT, labels and, if a model made
    them, probability.

    Scripts are named by their digests in the page's Content-Security-Policy, which allows nothing
    else to run and nothing to be fetched; with a `drawing` it may be sent to where the page is
    from. All text goes through jinja2's autoescape.
    """
    scripts = [_script(f"vendor/{NIIVUE}"), _script("viewer.js")]
    if drawing:
        scripts.append(_script("draw.js"))
    names = [own.name for own in record.kinds]
    kinds = [
        {"name": own.name, "ml": round(own.volume_ml, 1), "colour": _rgb(colour)}
        for own, colour in zip(record.kinds, colours(names), strict=False)
    ]
    lesions = [
        {"kind": one.kind, "ml": round(one.volume_ml, 2), "mm": list(one.centroid_mm)}
        for one in record.lesions
    ]
    return (
        _environment()
        .get_template("viewer.html.j2")
        .render(
            case=record.case or "unnamed case",
            research_only=RESEARCH_ONLY,
            maker_note=maker_note(record),
            trust=trust_text(record),
            reasons=[] if record.trust is None else [r.text for r in record.trust.reasons],
            ends=record.volume_interval_ml,
            interval=interval_text(record),
            volume_ml=record.volume_ml,
            kinds=kinds,
            lesions=lesions,
            told=_json({"kinds": kinds, "lesions": lesions, "saveTo": drawing and drawing.save_to}),
            images=images,
            overlays=[own for own in OVERLAYS if len(images) > 2 or own[0] != "probability"],
            scripts=scripts,
            policy=policy_for(scripts, "data: 'self'" if drawing else "data:"),
            drawing=drawing,
            version=record.version,
        )
    )


def policy_for(scripts: Sequence[str], connect: str = "data:") -> str:
    """A Content-Security-Policy under which these scripts run, and nothing else is fetched."""
    digests = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {digests}; style-src 'unsafe-inline'; "
        f"img-src data: blob:; font-src data:; connect-src {connect}; worker-src 'none'; "
        "base-uri 'none'; form-action 'none'"
    )


def _rgb(colour: str) -> list[int]:
    """Of "#rrggbb"."""
    return [*bytes.fromhex(colour.removeprefix("#"))]


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")


def _json(content: object) -> str:
    """JSON that cannot end the script that it lies in."""
    return json.dumps(content).replace("<", "\\u003c")


def _script(name: str) -> str:
    return files("strokediff.viewer").joinpath(*name.split("/")).read_text("utf-8")


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("strokediff.viewer"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
