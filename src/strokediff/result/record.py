"""`result.json` as a type: what was found, how far to believe it, and how it was made.

A record is frozen: who knows more makes a new one (`model_copy`). `json_schema` is what the command
`strokediff schema` prints; `schema_version` rises when a field changes its meaning or goes.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from strokediff.util.kinds import LESION
from strokediff.version import __version__


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Lesion(_Frozen):
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


class KindFigures(_Frozen):
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
    threshold: float = Field(description="Lesion where y_0, in [-1, 1], is at least this.")
    least_lesion_ml: float = Field(ge=0, description="Smaller lesions were left out.")
    doubt_ml: float = Field(ge=0, description="Entropy over the brain, bit mL.")
    volume_interval_ml: tuple[float, float] | None
    volume_interval_kind: str


class Reason(_Frozen):
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


class Trust(_Frozen):
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


class UnusableSlice(_Frozen):
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


class ModelCard(_Frozen):
    """Which trained model it was."""

    name: str
    method: str
    noise: str
    noise_settings: dict[str, Any]
    trained_on: str
    steps: int
    sha256: str = Field(description="Of the weights.")
    strokediff: str = Field(description="The version that trained it.")
    members: tuple[str, ...] = Field((), description="Of an ensemble: each model's sha256.")
    statements: dict[str, str] = Field(
        default_factory=dict,
        description='What it does and does not on real patients, by kind or for all ("lesion").',
    )


class Fingerprint(_Frozen):
    """Digests of all that the result depends on."""

    run: str
    input: str


class Figures(_Frozen):
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
    trust: Trust | None = Field(None, description="None of results before there was any.")


class Provenance(_Frozen):
    """How it was made: what somebody needs to make it again.

    >>> from pathlib import Path
    >>> record = Record.model_validate_json(Path("result/result.json").read_text())
    >>> made = record.provenance
    >>> made.model.name, made.method, made.preset, made.seed, made.precision
    ('phantom-stroke', 'avg', 'fast', 0, '32')
    """

    model: ModelCard
    method: str
    threshold: float | None = Field(
        description="Lesion where y_0, in [-1, 1], is at least this; null if `kinds` differ."
    )
    least_lesion_ml: float | None = Field(
        description="Smaller lesions were left out; null if `kinds` differ."
    )
    preset: str
    transition: str
    fusion: str | None
    cut: float | None
    tolerance_ml: float | None
    max_evaluations: int | None
    n_samples: int = Field(description="Draws of the slice with the most.")
    network_evaluations: int
    seed: int
    device: str
    precision: str
    compiled: bool
    seconds: dict[str, float] = Field(description="By stage.")
    version: str = __version__
    research_use_only: Literal[True] = True


class Record(Provenance, Figures):
    """All of result.json.

    `fingerprint` and `files` (name to SHA-256 of each image, null for pages and pictures) are
    there once it was written. Units are in the fields' names; `json_schema` describes each. Raises
    pydantic's `ValidationError` for what is no result.json of this version.

    >>> from pathlib import Path
    >>> record = Record.model_validate_json(Path("result/result.json").read_text())
    >>> record.case, record.n_lesions, record.warnings, sorted(record.files)
    ('scan', 1, (), ['lesion_mask.nii.gz', 'lesion_prob.nii.gz'])
    """

    fingerprint: Fingerprint | None = None
    files: dict[str, str | None] = Field(default_factory=dict)

    def told(self, *warnings: str) -> Record:
        """The same with more warnings."""
        return self.model_copy(update={"warnings": (*self.warnings, *warnings)})

    def named(self, case: str) -> Record:
        """The same as the result of that patient."""
        return self.model_copy(update={"case": case})

    @property
    def provenance(self) -> Provenance:
        """How it was made."""
        return Provenance(**{name: getattr(self, name) for name in Provenance.model_fields})

    def content(self) -> dict[str, Any]:
        """Plain JSON, in the order of the fields; what is None only before writing is left out."""
        content = self.model_dump(mode="json")
        if self.fingerprint is None:
            del content["fingerprint"]
        return content


def json_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of result.json.

    >>> json_schema()["properties"]["volume_ml"]["type"]
    'number'
    """
    version = Record.model_fields["schema_version"].default
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"strokediff-result-{version}",
        **Record.model_json_schema(mode="serialization"),
    }
