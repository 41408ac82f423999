"""`strokediff queue`: what a listener has in hand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def queue(
    store: Annotated[Path, typer.Argument(help="The --store of 'strokediff listen'.")],
    retry: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY", help="Have a failed study done anew; 'all' for each."),
    ] = None,
) -> None:
    """Show the studies of a listener, or have failed ones done anew; it may be running."""
    from strokediff.cli.lists import listed
    from strokediff.receiver.listing import ask_again, rows
    from strokediff.util.plaintext import visible

    wanted = listed(retry)
    if retry is not None:
        for key in ask_again(store, [] if wanted == ["all"] else wanted):
            typer.echo(f"{key}: the listener does it anew")
        return
    for row in rows(store):
        line = f"{row.key} {row.state:8} {row.images:5} images  {row.since}  {row.study_uid}"
        typer.echo(visible(line))
        for text in (row.told, *row.notes):
            if text:
                typer.echo(f"    {visible(text)}")
