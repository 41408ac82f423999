"""`strokediff schema`: the JSON schema of result.json."""

from __future__ import annotations

from typing import Annotated

import typer


def schema(
    of: Annotated[
        str, typer.Option(help="The command that wrote it: segment or measure.")
    ] = "segment",
) -> None:
    """Print the JSON schema that every result.json of this version validates against."""
    import json

    from strokediff.result.schema import json_schema

    typer.echo(json.dumps(json_schema(of), indent=2))
