"""The command line: commands are registered here, errors become exit codes here.

Start-up imports nothing heavy; each command imports what it needs when it runs.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from strokediff import __version__
from strokediff.cli.allocator import keep_freed_memory
from strokediff.cli.benchmark import benchmark
from strokediff.cli.calibrate import calibrate
from strokediff.cli.demo import demo
from strokediff.cli.evaluate import evaluate
from strokediff.cli.export import export
from strokediff.cli.import_ import import_
from strokediff.cli.noise import noise
from strokediff.cli.phantom import phantom
from strokediff.cli.predict import predict
from strokediff.cli.prepare import prepare
from strokediff.cli.segment import segment
from strokediff.cli.train import train
from strokediff.errors import InputError, StrokediffError

INTERRUPTED = 130
"""What typer exits with after Ctrl-C, as shells do: 128 + SIGINT."""

app = typer.Typer(
    help="Stroke lesions on non-contrast head CT, outlined and measured in mL. "
    "Research use only; not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
COMMANDS = (
    segment,
    demo,
    phantom,
    import_,
    prepare,
    train,
    calibrate,
    predict,
    evaluate,
    benchmark,
)
for command in COMMANDS:
    app.command(command.__name__.rstrip("_"))(command)
app.add_typer(export, name="export")
app.add_typer(noise, name="noise")


def _version(value: bool) -> None:
    if value:
        typer.echo(f"strokediff {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; an explained error ends with its own exit code and no traceback."""
    keep_freed_memory()
    try:
        app()
    except StrokediffError as error:
        print(f"strokediff: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except PermissionError as error:
        place = error.filename or "a file"
        print(f"strokediff: {place}: {error.strerror}. Change its permissions.", file=sys.stderr)
        sys.exit(InputError.exit_code)
    except OSError as error:  # a disk that is gone, a share that does not answer
        print(f"strokediff: {error}. Check the disk, then try again.", file=sys.stderr)
        sys.exit(InputError.exit_code)
    except SystemExit as error:
        if error.code == INTERRUPTED:
            print("strokediff: stopped", file=sys.stderr)
        raise


if __name__ == "__main__":
    main()
