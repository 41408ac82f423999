"""The models that come with the package, by name."""

from __future__ import annotations

from pathlib import Path

from strokediff.errors import UsageError

DEFAULT = "stroke-ncct"


def bundled() -> list[str]:
    """Names of the models in the package."""
    here = Path(__file__).parent
    return sorted(p.parent.name for p in here.glob("*/config.json"))


def model_path(name_or_path: str) -> Path:
    """The checkpoint folder that `--model` means: a bundled name, else a path."""
    if name_or_path in bundled():
        return Path(__file__).parent / name_or_path
    path = Path(name_or_path)
    if not path.exists():
        raise UsageError(
            f"no model '{name_or_path}': neither a bundled name ({', '.join(bundled())}) nor an "
            "existing checkpoint folder."
        )
    return path
