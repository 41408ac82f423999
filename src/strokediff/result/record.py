"""`result.json` of a model: what was found, how far to believe it, and how it was made."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from strokediff.result.figures import Frozen, Made, Result


class ModelCard(Frozen):
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


class Provenance(Made):
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


class Record(Provenance, Result):
    """All of the result.json of a scan that a model segmented.

    Units are in the fields' names; `json_schema` describes each. Raises pydantic's
    `ValidationError` for what is no such result.json of this version.

    >>> from pathlib import Path
    >>> record = Record.model_validate_json(Path("result/result.json").read_text())
    >>> record.case, record.n_lesions, record.warnings, sorted(record.files)
    ('scan', 1, (), ['lesion_mask.nii.gz', 'lesion_prob.nii.gz'])
    """

    @property
    def provenance(self) -> Provenance:
        """How it was made."""
        return Provenance(**{name: getattr(self, name) for name in Provenance.model_fields})
