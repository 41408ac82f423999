"""The command line: commands are registered here, errors become exit codes here.

Start-up imports nothing heavy; each command imports what it needs when it runs.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from strokediff.cli.benchmark import benchmark
from strokediff.cli.calibrate import calibrate
from strokediff.cli.compare import compare
from strokediff.cli.demo import demo
from strokediff.cli.evaluate import evaluate
from strokediff.cli.export import export
from strokediff.cli.import_ import import_
from strokediff.cli.listen import listen
from strokediff.cli.measure import measure
from strokediff.cli.noise import noise
from strokediff.cli.phantom import phantom
from strokediff.cli.predict import predict
from strokediff.cli.prepare import prepare
from strokediff.cli.queue import queue
from strokediff.cli.schema import schema
from strokediff.cli.segment import segment
from strokediff.cli.stopping import STOPPED, stopped_by_signals
from strokediff.cli.telling import exit_of, flush_streams, open_streams, tell
from strokediff.cli.train import train
from strokediff.cli.view import view
from strokediff.util.allocator import keep_freed_memory
from strokediff.version import __version__

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
    view,
    measure,
    listen,
    queue,
    demo,
    phantom,
    import_,
    prepare,
    train,
    calibrate,
    predict,
    evaluate,
    compare,
    benchmark,
    schema,
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
    open_streams()
    try:
        with stopped_by_signals():
            app()
    except SystemExit as error:
        if error.code in STOPPED:
            tell("stopped")
        raise
    except KeyboardInterrupt:  # outside a command
        tell("stopped")
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # `| head` has read enough
        sys.exit(1)
    except Exception as error:
        told = exit_of(error)
        if told is None:
            raise
        tell(told[0])
        sys.exit(told[1])
    finally:
        flush_streams()


if __name__ == "__main__":
    main()
