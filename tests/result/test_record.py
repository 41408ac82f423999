"""Laws: result.json is what its schema says, to the key, and a record is never changed in place."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError
from records import CONTENT, record

from strokediff.result.figures import Fingerprint
from strokediff.result.record import Record
from strokediff.result.schema import json_schema

WRITTEN = {"fingerprint": {"run": "a", "input": "b"}, "files": {"preview.png": None}}
FULL: dict[str, Any] = {
    **WRITTEN,
    "lesions": [{"volume_ml": 4.0, "centroid_mm": [1.0, -2.0, 3.5]}],
    "unusable_slices": [{"slice": 3, "why": "blank"}],
    "volume_interval_ml": [1.0, 6.0],
    "input": {**CONTENT["input"], "series_uid": "1.2", "increments_mm": [5.0]},
}


@pytest.mark.parametrize("own", [{}, WRITTEN, FULL], ids=["unwritten", "written", "full"])
def test_what_is_written_fits_the_schema_and_reads_back(own: dict[str, Any]) -> None:
    made = record(**own)
    content = json.loads(json.dumps(made.content()))
    jsonschema.Draft202012Validator.check_schema(json_schema())
    jsonschema.validate(content, json_schema())
    assert Record.model_validate(content) == made
    assert content["schema_version"] == 1 and content["research_use_only"] is True
    assert ("fingerprint" in content) == bool(own)


@pytest.mark.parametrize(
    "wrong",
    [
        {"volume_ml": -1.0},
        {"volume_ml": None},
        {"colour": "red"},
        {"lesions": [{"volume_ml": 1.0}]},
        {"lesions": [{"volume_ml": 1.0, "centroid_mm": [0.0, 0.0]}]},
        {"unusable_slices": [{"slice": 0, "why": "counted from 1"}]},
        {"input": {**CONTENT["input"], "kind": "picture"}},
        {"model": {"name": "m"}},
        {"schema_version": 2},
        {"research_use_only": False},
    ],
    ids=str,
)
def test_the_schema_refuses_what_the_type_refuses(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        record(**wrong)
    content = {**record().content(), **wrong}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, json_schema())


def test_a_record_is_never_changed_in_place() -> None:
    made = record()
    told = made.told("slices are uneven")
    assert made.warnings == () and told.warnings == ("slices are uneven",)
    assert told.told("more").warnings == ("slices are uneven", "more")
    with pytest.raises(ValidationError, match="frozen"):
        made.volume_ml = 1.0  # type: ignore[misc]


def test_provenance_is_all_that_made_it_and_nothing_measured() -> None:
    made = record(seed=7, fingerprint=Fingerprint(run="a", input="b"))
    provenance = made.provenance
    assert provenance.seed == 7 and provenance.model == made.model
    assert "volume_ml" not in type(provenance).model_fields
    measured = set(Record.model_fields) - set(type(provenance).model_fields)
    assert {"volume_ml", "warnings", "fingerprint", "files"} <= measured
