"""The JSON schemas of result.json, which the command `strokediff schema` prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from strokediff.errors import UsageError
from strokediff.result.figures import Result
from strokediff.result.reading import Reading
from strokediff.result.record import Record

SCHEMAS: Mapping[str, type[Result]] = {"segment": Record, "measure": Reading}
"""By the command that writes it."""


def json_schema(of: str = "segment") -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of the result.json that a command writes.

    `of` is "segment" (a model's mask) or "measure" (a reader's); `UsageError` for another.

    >>> json_schema()["properties"]["volume_ml"]["type"]
    'number'
    >>> sorted(json_schema("measure")["properties"].keys() - json_schema()["properties"].keys())
    ['reader']
    """
    if of not in SCHEMAS:
        raise UsageError(f"no schema of '{of}'; expected one of: {', '.join(SCHEMAS)}.")
    kind = SCHEMAS[of]
    version = kind.model_fields["schema_version"].default
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"strokediff-result-{version}" + ("" if kind is Record else f"-{of}"),
        **kind.model_json_schema(mode="serialization"),
    }
