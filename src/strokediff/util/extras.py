"""The one way to import an optional dependency."""

from __future__ import annotations

import importlib
from typing import Any

from strokediff.errors import MissingExtraError


def require(module: str, extra: str) -> Any:
    """Import `module`, or raise `MissingExtraError` naming the extra to install."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"'{module}' is not installed, and this command needs it. "
            f"Install it with: pip install 'strokediff[{extra}]'"
        ) from error
