"""`strokediff schema`: the JSON schema of result.json."""

from __future__ import annotations

import typer


def schema() -> None:
    """Print the JSON schema that every result.json of this version validates against."""
    import json

    from strokediff.result.record import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))
