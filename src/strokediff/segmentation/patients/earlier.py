"""What earlier runs left in a folder of results: what is none of this run's makes room for it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection
from contextlib import nullcontext
from pathlib import Path

from strokediff.ct.discovery.own_results import is_segment_summary
from strokediff.errors import UsageError
from strokediff.segmentation.folder import ASIDE, ResultFolder
from strokediff.segmentation.patients.job import Job
from strokediff.util.files import sole
from strokediff.util.plaintext import from_csv_cell

SUMMARY = "summary.csv"
SHOWN = 5


def make_room(
    out: Path,
    names: Collection[str] | None,
    job: Job,
    tell: Callable[[str], None],
    failed: Collection[str] = (),
) -> None:
    """Set aside the results in `out` that cannot be this run's; for who holds `out`.

    `names` are those of several patients, None for a single one, whose own result is looked at
    when its input is read; `failed` are patients that cannot be read. Set aside are patients that
    are none of this run's, and those segmented with other settings; what is somebody else's is
    left alone. Raises `UsageError` if a result that has to go was changed by hand, before anything
    is moved.
    """
    gone = {out / name for name in _told(out) if names is None or name not in names}
    gone |= {out / name for name in failed} | ({out} if names is not None else set())
    wanted = job.fingerprint()
    settings = [f for f in (out / n for n in sorted(names or ())) if not _is_of(f, wanted)]
    _refuse_changed(sorted(gone), job)
    moved = [folder for folder in sorted(gone) if _set_aside(folder, held=folder == out)]
    changed = [f for f in settings if not ResultFolder(f).changed() and _set_aside_if_free(f)]
    if names is None and is_segment_summary(out / SUMMARY):
        (out / SUMMARY).unlink()
    for what, folders in (("of an earlier run", moved), ("with other settings", changed)):
        if folders:
            shown = ", ".join(folder.name for folder in folders[:SHOWN])
            more = f" and {len(folders) - SHOWN} more" if len(folders) > SHOWN else ""
            tell(f"{len(folders)} results {what} were set aside ({ASIDE} in {shown}{more})")


def _told(out: Path) -> list[str]:
    """The patients of an earlier run's summary.csv; a name that leads elsewhere is none."""
    table = out / SUMMARY
    if not is_segment_summary(table):
        return []
    text = table.read_text("utf-8", "replace")
    try:
        rows = list(csv.DictReader(io.StringIO(text)))
    except csv.Error:
        return []
    found = [from_csv_cell(row.get("case") or "") for row in rows]
    return [name for name in found if Path(name).name == name and name not in ("", "..")]


def _is_of(folder: Path, fingerprint: str) -> bool:
    found = ResultFolder(folder).record()
    return (
        found is not None
        and found.fingerprint is not None
        and (found.fingerprint.run == fingerprint)
    )


def _refuse_changed(folders: list[Path], job: Job) -> None:
    changed = [] if job.redo else [f for f in folders if ResultFolder(f).changed()]
    if changed:
        shown = ", ".join(str(folder) for folder in changed[:SHOWN])
        raise UsageError(
            f"{shown}: holds a result of an earlier run that was changed since. It is not moved: "
            "choose another folder with -o, or move it elsewhere."
        )


def _set_aside(folder: Path, held: bool = False) -> bool:
    if not folder.is_dir():
        return False
    with nullcontext() if held else sole(folder, "segment"):
        found = ResultFolder(folder)
        found.tidy()
        return found.set_aside()


def _set_aside_if_free(folder: Path) -> bool:
    """As `_set_aside`; where another run writes, that is told when the patient's turn comes."""
    try:
        return _set_aside(folder)
    except UsageError:
        return False
