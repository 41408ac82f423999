"""`result.json` of a mask that was read in: who drew it, and what was measured of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ValidationError

from strokediff.result.figures import Frozen, Result
from strokediff.result.record import Record

How = Literal["manual", "corrected", "automatic"]


class Corrected(Frozen):
    """The result that a mask was drawn on: a model's own mask, which stays as it was."""

    model: str
    model_sha256: str = Field(description="Of the weights.")
    mask_sha256: str | None = Field(None, description="Of the file with the model's mask.")


class Reader(Frozen):
    """Who drew a mask, when, and in which of his revisions.

    >>> Reader(name="A. Reader", mask="mask.nii.gz", mask_sha256="0" * 64).shown
    'A. Reader, revision 1, drawn by hand'
    """

    name: str = Field(min_length=1, max_length=64, description="A person, or a program.")
    how: How = "manual"
    revision: int = Field(1, ge=1)
    time: str | None = Field(None, description="When it was drawn, ISO 8601, if that is known.")
    mask: str = Field(description="The file's name, without the folders above it.")
    mask_sha256: str = Field(description="Of the file.")
    corrects: Corrected | None = None

    @property
    def shown(self) -> str:
        """In words."""
        if self.how == "automatic":
            return f"{self.name}, made by a program"
        of = f"correcting {self.corrects.model}" if self.corrects else "a correction"
        how = "drawn by hand" if self.how == "manual" else of
        return f"{self.name}, revision {self.revision}, {how}"


class Reading(Result):
    """All of the result.json of a mask that a reader drew, or another program made.

    The figures are those of the mask as it is: no threshold, no least lesion, and no interval.

    >>> reader = Reader(name="A. Reader", mask="mine.nii.gz", mask_sha256="0" * 64)
    >>> ct = read_ct("scan.nii.gz")
    >>> reading = measure_mask(ct, ct.hu > 50, reader).reading
    >>> reading.reader.how, reading.kinds[0].threshold, reading.trust
    ('manual', None, None)
    """

    reader: Reader


def read_result(content: Mapping[str, Any] | None) -> Record | Reading | None:
    """What a result.json holds, whoever made the mask; None for what this version did not write."""
    kind = Reading if content and "reader" in content else Record
    try:
        return kind.model_validate(content)
    except ValidationError:
        return None
