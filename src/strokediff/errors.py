"""Errors that reach the user, each with the exit code that the command line returns.

Every message names the file, what was expected, what came and what to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

SHOWN = 10


class StrokediffError(Exception):
    """Base of all errors that are explained to the user without a traceback.

    `exit_code` is the command line's.

    >>> try:
    ...     load("nowhere")
    ... except StrokediffError as error:
    ...     print(type(error).__name__, error.exit_code)
    UsageError 2
    """

    exit_code = 1


class UsageError(StrokediffError):
    """The call itself is wrong: an unknown option value, an output that cannot be written.

    >>> Estimation("median")
    Traceback (most recent call last):
    strokediff.errors.UsageError: no method 'median'; expected one of: avg, matched, sal, infer, all
    """

    exit_code = 2


class InputError(StrokediffError):
    """The input cannot be read or does not suit the task.

    >>> read_ct("nowhere.nii.gz")
    Traceback (most recent call last):
    strokediff.errors.InputError: nowhere.nii.gz: ...
    """

    exit_code = 3


def raise_all(problems: Sequence[InputError]) -> None:
    """Raise the problems of many files as one `InputError`, a line each; nothing if none."""
    if problems:
        more = [f"... and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
        raise InputError("\n".join([*map(str, problems[:SHOWN]), *more]))


class PartialFailure(StrokediffError):
    """Some of several patients failed; the others were finished.

    >>> from pathlib import Path
    >>> raise PartialFailure.left_out(Path("cohort"), {"p3": "no head found"}, kept=12)
    Traceback (most recent call last):
    strokediff.errors.PartialFailure: cohort: written with 12 scans; 1 were left out ...
    """

    exit_code = 4

    @classmethod
    def left_out(cls, out: Path, reasons: Mapping[str, str], kept: int) -> PartialFailure:
        """`out` was written with `kept` scans, without those that `reasons` names."""
        lines = [f"- {name}: {reason}" for name, reason in reasons.items()]
        more = [f"- and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
        return cls(
            f"{out}: written with {kept} scans; {len(lines)} were left out as they cannot be used "
            "(all are in its cohort.json):\n" + "\n".join([*lines[:SHOWN], *more])
        )


class MissingExtraError(UsageError):
    """An optional dependency is not installed."""
