"""`strokediff import`: a public data set into a folder of scans and masks for `prepare`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from strokediff.errors import PartialFailure

if TYPE_CHECKING:
    from rich.console import Console

    from strokediff.cohort.importing.survey import Survey


def import_(
    layout: Annotated[
        str, typer.Argument(help="phe-sich, aisd, cpaisd, ctich, nnunet or bids.", metavar="LAYOUT")
    ],
    source: Annotated[Path, typer.Argument(help="Folder that holds the data set.", metavar="SRC")],
    out: Annotated[Path, typer.Argument(help="New folder to write.", metavar="DST")],
    labels: Annotated[
        str | None,
        typer.Option(
            help="Classes that count as the lesion, joined; names or numbers with commas between. "
            "Default: aisd 1,2,3,5; cpaisd core,penumbra; others all."
        ),
    ] = None,
    as_: Annotated[
        str | None,
        typer.Option(
            "--as",
            help="Which classes are which kind of lesion: infarct=core+penumbra,haemorrhage=3; "
            "core,penumbra are kinds of their own. Default: what the classes' names say.",
        ),
    ] = None,
    test_list: Annotated[
        Path | None,
        typer.Option(help="Text file of test patients, one a line, where the set declares none."),
    ] = None,
    pixel_mm: Annotated[
        float | None,
        typer.Option(
            help="Side of a pixel, mm, where the files hold none but the authors tell it. "
            "Default: ctich's folders of JPEG 0.33."
        ),
    ] = None,
    skip_damaged: Annotated[
        bool,
        typer.Option(
            "--skip-damaged",
            help="Leave scans out whose files cannot be used, name them, and exit with 4.",
        ),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Check a public data set, say what it holds, and write it as scans and masks.

    Errors (missing masks, masks without images, differing sizes, unknown label values, a patient
    or a copy of an image in two splits) stop the import before anything is written.
    """
    from rich.console import Console

    from strokediff.cli.lists import listed
    from strokediff.cli.progress import progress_bar
    from strokediff.cohort.importing.classes import parsed_kinds
    from strokediff.cohort.importing.convert import import_dataset

    console = Console(quiet=quiet)
    chosen = None if labels is None else tuple(listed([labels]))
    with progress_bar(quiet) as bar:
        task = bar.add_task("checking", total=None)

        def show(done: int, total: int, name: str) -> None:
            bar.update(task, completed=done, total=total, description=name or "done")

        def tell(found: Survey) -> None:
            bar.update(task, visible=False)
            _print_survey(console, found)
            bar.reset(task, visible=not found.errors)

        found = import_dataset(
            layout,
            source,
            out,
            labels=chosen,
            kinds=None if as_ is None else parsed_kinds(as_),
            test_list=test_list,
            pixel_mm=pixel_mm,
            skip_damaged=skip_damaged,
            tell=tell,
            progress=show,
        )
    console.print(
        f"Wrote {out}. Next: strokediff prepare {shlex.quote(str(out))} COHORT",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    if found.left_out:
        raise PartialFailure.left_out(out, found.left_out, len(found.facts))


def _print_survey(console: Console, found: Survey) -> None:
    """What the data set holds, and a table of what is wrong with it."""
    from rich.markup import escape
    from rich.table import Table

    from strokediff.cohort.importing.summary import summary

    for name, text in summary(found).items():
        console.print(f"{name:12} {text}", highlight=False, markup=False, soft_wrap=True)
    if not found.findings:
        console.print("Nothing amiss was found.")
        return
    table = Table("", "found", "n", "where", "what to do", title="Findings")
    for finding in found.findings:
        colour = "red" if finding in found.errors else "yellow"
        where = "told below" if finding.messages else finding.shown
        cells = (finding.what, str(len(finding.where) or ""), where, finding.remedy)
        table.add_row(f"[{colour}]{finding.severity.value}[/]", *map(escape, cells))
    console.print(table)
