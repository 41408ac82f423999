"""`report.html`: one result as a page that needs nothing else, on screen and on paper.

The page has its pictures and its style inside, no script, and a policy that forbids the browser to
load anything. All text goes through jinja2's autoescape: names and DICOM tags are not trusted.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from strokediff.report.sections import (
    area_profile,
    computed_rows,
    headline,
    input_rows,
    lesion_rows,
)
from strokediff.report.sentences import (
    interval_text,
    maker_note,
    several,
    statements,
    trust_text,
    warning_texts,
)
from strokediff.result.figures import Result
from strokediff.util.files import write_text

RESEARCH_ONLY = (
    "For research use only. This is not a medical device: it must not be used for diagnosis, "
    "treatment or any other clinical decision."
)


@dataclass(frozen=True)
class ReportFigure:
    """A picture (PNG) for the report, with what a reader should see in it."""

    png: bytes
    caption: str

    @property
    def data_uri(self) -> str:
        """The picture as text that goes into the page."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode("ascii")


def write_report(
    path: Path,
    record: Result,
    preview_png: bytes | None,
    *,
    figures: Sequence[ReportFigure] = (),
    slice_areas_mm2: Sequence[Sequence[float]] | None = None,
    viewer: str = "",
) -> None:
    """Write the page for one result; raises `UsageError` if `path` cannot be written.

    A preview that is None leaves its place out; `viewer` is the page beside it to link to.
    `slice_areas_mm2` (K, Z) is the area of each kind of lesion in each slice, from the bottom up.
    """
    write_text(
        path,
        render_report(
            record,
            preview_png,
            figures=figures,
            slice_areas_mm2=slice_areas_mm2,
            viewer=viewer,
        ),
    )


def render_report(
    record: Result,
    preview_png: bytes | None,
    *,
    figures: Sequence[ReportFigure] = (),
    slice_areas_mm2: Sequence[Sequence[float]] | None = None,
    viewer: str = "",
) -> str:
    """The page as text; see `write_report`."""
    outlined = (
        "Each kind of lesion is outlined in its colour"
        if several(record)
        else ("The lesion is outlined")
    )
    montage = preview_png and ReportFigure(
        preview_png,
        "Axial slices, window W40 L40 (20 to 60 HU), numbered from the bottom. The patient's "
        f"right (R) is on the left. {outlined}; its area is below each slice.",
    )
    names = [own.name for own in record.kinds] or [""]
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            case=record.case or "unnamed case",
            research_only=RESEARCH_ONLY,
            maker_note=maker_note(record),
            statements=statements(record),
            trust=trust_text(record),
            reasons=[] if record.trust is None else [r.text for r in record.trust.reasons],
            warnings=warning_texts(record),
            headline=headline(record),
            interval=interval_text(record),
            no_lesion=record.n_lesions == 0,
            montage=montage,
            figures=list(figures),
            several=several(record),
            lesions=lesion_rows(record),
            profile=None if slice_areas_mm2 is None else area_profile(slice_areas_mm2, names),
            computed=computed_rows(record),
            provenance=input_rows(record.input),
            version=record.version,
            viewer=viewer,
        )
    )


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("strokediff.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
