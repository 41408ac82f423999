"""What a store holds, as rows: for whoever looks while a listener runs, or after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from strokediff.errors import UsageError
from strokediff.receiver.spool import RETRY, Spool, open_spool
from strokediff.receiver.study import State


@dataclass(frozen=True)
class Row:
    """A study; `told` is why it failed or waits, else its last step."""

    key: str
    state: State
    images: int
    since: str
    study_uid: str
    told: str
    notes: tuple[str, ...]


def rows(store: Path) -> list[Row]:
    """Every study of a store, by state; one that is done anew has two."""
    spool = open_spool(store)
    return [row for state in State for key in spool.keys(state) if (row := _row(spool, state, key))]


def ask_again(store: Path, keys: Sequence[str]) -> list[str]:
    """Have failed studies done anew, all if none is named, by the listener, now or when it starts.

    Returns their keys. A key may be shortened. Raises `UsageError` where none has failed of it.
    """
    spool = open_spool(store)
    failed = spool.keys(State.FAILED)
    unknown = [key for key in keys if not key or not any(f.startswith(key) for f in failed)]
    if unknown or not failed:
        raise UsageError(
            f"{store}: no failed study {', '.join(unknown)}".rstrip()
            + f". {len(failed)} have failed; 'strokediff queue {store}' names them."
        )
    chosen = [f for f in failed if not keys or any(f.startswith(key) for key in keys)]
    for key in chosen:
        try:
            (spool.folder(State.FAILED, key).path / RETRY).touch()
        except OSError as error:
            raise UsageError(
                f"{store}: study {key} cannot be asked for ({error.strerror}). Try again."
            ) from None
    return chosen


def _row(spool: Spool, state: State, key: str) -> Row | None:
    folder = spool.folder(state, key)
    images, record = len(folder.files()), folder.record()
    if not folder.path.is_dir():  # it has just moved on
        return None
    last = record.steps[-1] if record.steps else None
    told = record.reason or (last.why if last else "")
    since = f"{last.at:%Y-%m-%d %H:%M:%S}" if last else ""
    return Row(key, state, images, since, record.study_uid, told, record.notes)
