"""`strokediff view RESULT`: look at a result in a browser, and correct its mask."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def view(
    result: Annotated[
        Path, typer.Argument(metavar="RESULT", help="Folder that 'segment' or 'measure' wrote.")
    ],
    ct: Annotated[
        Path | None,
        typer.Option(help="The scan, where it was NIfTI; of DICOM the result has it."),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Who draws.", show_default="the name of the account"),
    ] = None,
    revision: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Start from this revision, 0 for the result's own mask.",
            show_default="the last",
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: one that is free.")] = 0,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")
    ] = True,
) -> None:
    """Turn and page through a result, draw and erase, and save the corrected mask beside it.

    The page is served to this machine alone, under an address that cannot be guessed, until
    Ctrl-C. Each save is a new lesion_mask_rN.nii.gz with who drew it and when; the result's own
    mask stays. 'strokediff measure' gives the report of it. Research use only.
    """
    import webbrowser

    from rich.console import Console

    from strokediff.reading.editor import open_editor
    from strokediff.reading.serve import serving
    from strokediff.util.plaintext import visible

    console = Console(soft_wrap=True, highlight=False, markup=False)
    editor = open_editor(result, ct=ct, by=by, revision=revision)
    with serving(editor, port=port) as server:
        console.print(visible(f"{result}: drawn by {editor.by}, from {editor.start}"))
        console.print(f"Open {server.address} (Ctrl-C ends)")
        if browser:
            webbrowser.open(server.address)
        server.until_stopped(lambda line: console.print(visible(line)))
