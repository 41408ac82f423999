"""What is measured of a mask, whoever made it: the part that every `result.json` has.

`schema_version` rises when a field changes its meaning or goes.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from strokediff.util.kinds import LESION
from strokediff.version import __version__


class Frozen(BaseModel):
    """A part of a result: it does not change, and knows its fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Lesion(Frozen):
    """One connected lesion (26 neighbours): its volume, mL, its centroid, RAS+ mm, and its kind.

    >>> from pathlib import Path
    >>> record = Record.model_validate_json(Path("result/result.json").read_text())
    >>> largest = record.lesions[0]
    >>> round(largest.volume_ml, -1), [round(mm, -1) for mm in largest.centroid_mm]
    (30.0, [140.0, 120.0, 80.0])
    """

    volume_ml: float = Field(ge=0, description="Volume, mL.")
    centroid_mm: tuple[float, float, float] = Field(description="Centroid, RAS+ mm.")
    kind: str = Field(LESION, description="One of `kinds`.")


class Exceeds(Frozen):
    """How probable it is that the true volume is at least so large, by the patients of calibration.

    Of the n patients with as much found, k had an error that puts the volume there: (k + 1/2) /
    (n + 1), the middle of what conformal prediction leaves open.

    >>> Exceeds(volume_ml=50, probability=0.25, n=31).probability
    0.25
    """

    volume_ml: float = Field(ge=0, description="The threshold, mL.")
    probability: float = Field(ge=0, le=1, description="P(V >= threshold).")
    n: int = Field(ge=1, description="Patients of the calibration that it is from.")


class KindFigures(Frozen):
    """What was measured of one kind of lesion; its label in the mask's file is its place + 1.

    >>> from pathlib import Path
    >>> record = Record.model_validate_json(Path("result/result.json").read_text())
    >>> own = record.kinds[0]
    >>> own.name, own.n_lesions, own.volume_ml == record.volume_ml
    ('lesion', 1, True)
    """

    name: str
    volume_ml: float = Field(ge=0, description="Volume of its mask, mL.")
    n_lesions: int = Field(ge=0)
    threshold: float | None = Field(
        description="Lesion where y_0, in [-1, 1], is at least this; null of a mask that was drawn."
    )
    least_lesion_ml: float | None = Field(
        ge=0, description="Smaller lesions were left out; null of a mask that was drawn."
    )
    doubt_ml: float = Field(ge=0, description="Entropy over the brain, bit mL.")
    volume_interval_ml: tuple[float, float] | None
    volume_interval_kind: str
    exceeds: tuple[Exceeds, ...] = Field((), description="P(volume >= threshold), where known.")
    side: Literal["left", "right", "both"] | None = Field(
        None, description="The patient's, of nine tenths of it; null if there is none."
    )


class Reason(Frozen):
    """Why the result may not be trusted: what was measured, what was expected, what to do.

    >>> reason = Reason(check="noise", text="...", measured=9.0, expected=(None, 3.5))
    >>> reason.check, reason.measured, reason.expected
    ('noise', 9.0, (None, 3.5))
    """

    check: str = Field(description="Which check says so.")
    text: str
    measured: float | None = None
    expected: tuple[float | None, float | None] | None = Field(
        None, description="From and to; null where there is no such bound."
    )


class Trust(Frozen):
    """Whether the scan is like those that the model can be trusted on.

    >>> from pathlib import Path
    >>> record = Record.model_validate_json(Path("result/result.json").read_text())
    >>> trust = record.trust
    >>> trust.ok == (not trust.reasons)
    True
    """

    ok: bool
    reasons: tuple[Reason, ...] = ()
    unlikeness: float | None = Field(
        None, ge=0, description="Of the scan from those of the training; above 1 is a reason."
    )


class UnusableSlice(Frozen):
    """A slice in which nothing was sought: brain and lesion are interpolated there."""

    slice: int = Field(ge=1, description="Counted from 1 at the bottom.")
    why: str


class InputRecord(BaseModel):
    """The scan: what it is called, and what its reader wants known (series, geometry, ...)."""

    model_config = ConfigDict(extra="allow", frozen=True)

    path: str = Field(description="Its name on disk, without the folders above it.")
    kind: Literal["nifti", "dicom", "array"]
    shape: tuple[int, ...] = Field(description="Of the array as it is stored.")
    uneven_slices: bool
    original_name: str | None = Field(None, description="Before it was made fit for a file.")


class Fingerprint(Frozen):
    """Digests of all that the result depends on."""

    run: str
    input: str


class Figures(Frozen):
    """What was measured."""

    schema_version: Literal[1] = 1
    case: str = ""
    volume_ml: float = Field(ge=0, description="Volume of the mask on the scan's own slices, mL.")
    volume_mm3: float = Field(ge=0, description="The same in mm^3.")
    mask_file_volume_ml: float = Field(
        ge=0, description="Volume as the mask's file measures it; another for uneven slices."
    )
    n_lesions: int = Field(ge=0)
    lesions: tuple[Lesion, ...] = Field(description="Of all kinds, largest first.")
    kinds: tuple[KindFigures, ...] = Field(
        (), description="Kind by kind, in the order of the labels; the other figures are of all."
    )
    brain_volume_ml: float = Field(ge=0, description="Intracranial contents, mL.")
    spacing_mm: tuple[float, float, float] = Field(description="x, y and along the slices, mm.")
    truncated: bool = Field(description="Brain or lesion reach the edge of the scan.")
    warnings: tuple[str, ...] = ()
    unusable_slices: tuple[UnusableSlice, ...] = ()
    input: InputRecord
    doubt_ml: float = Field(ge=0, description="Entropy over the brain, bit mL.")
    volume_interval_ml: tuple[float, float] | None
    volume_interval_kind: str
    exceeds: tuple[Exceeds, ...] = Field((), description="P(volume >= threshold), where known.")
    trust: Trust | None = Field(None, description="None of results before there was any.")


class Made(Frozen):
    """What is said of every result: by which version, in how long."""

    seconds: dict[str, float] = Field(description="By stage.")
    version: str = __version__
    research_use_only: Literal[True] = True


class Result(Made, Figures):
    """All of a result.json but for who made the mask: a model (`Record`), a reader (`Reading`).

    It is frozen: who knows more makes a new one (`model_copy`). `fingerprint` and `files` (name to
    SHA-256 of each image, null for pages and pictures) are there once it was written.
    """

    fingerprint: Fingerprint | None = None
    files: dict[str, str | None] = Field(default_factory=dict)

    def told(self, *warnings: str) -> Self:
        """The same with more warnings."""
        return self.model_copy(update={"warnings": (*self.warnings, *warnings)})

    def named(self, case: str) -> Self:
        """The same as the result of that patient."""
        return self.model_copy(update={"case": case})

    def content(self) -> dict[str, Any]:
        """Plain JSON, in the order of the fields; what is None only before writing is left out."""
        content = self.model_dump(mode="json")
        if self.fingerprint is None:
            del content["fingerprint"]
        return content
