"""Lists on the command line: by commas, or the option repeated."""

from __future__ import annotations

from collections.abc import Sequence


def listed(given: Sequence[str] | None) -> list[str]:
    """The names in values of an option, each of which may be a list itself.

    >>> listed(["avg, sal", "all"]), listed(None)
    (['avg', 'sal', 'all'], [])
    """
    return [name.strip() for name in ",".join(given or ()).split(",") if name.strip()]
