"""The images of a folder of predictions, and why some of them must not be scored.

What `segment` wrote is of its last run only: a patient that failed then has no result, whatever
lies in the folder.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from strokediff.cohort.importing.nnunet import CHANNEL
from strokediff.ct.discovery.own_results import (
    SUMMARY_NAME,
    is_marked,
    is_segment_summary,
    own_files,
    own_result,
)
from strokediff.ct.nifti.images import nifti_files
from strokediff.errors import InputError
from strokediff.util.names import same_name, stem
from strokediff.util.plaintext import from_csv_cell


@dataclass(frozen=True)
class Image:
    """A predicted image: `name` is its file's or folder's, `original` its input's where known."""

    name: str
    path: Path
    original: str = ""

    def bare(self) -> Image:
        """The same without nnU-Net's channel."""
        return Image(
            self.name.removesuffix(CHANNEL), self.path, self.original.removesuffix(CHANNEL)
        )


@dataclass
class Predictions:
    """The images of one kind in a folder, and why some patients have none that counts."""

    images: list[Image] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def check_folder(folder: Path) -> None:
    """`InputError` unless it is a folder."""
    if not folder.is_dir():
        what = "a file" if folder.exists() else "nothing"
        raise InputError(f"{folder}: expected a folder of NIfTI masks, found {what} there.")


def nested_in(folder: Path, name: str) -> Iterator[Path]:
    """The files FOLDER/*/`name`.nii.gz, in order."""
    for path in sorted(folder.glob(f"*/{name}.nii.gz")):
        if not path.parent.name.startswith("."):  # left by a run that was killed
            yield path


def no_images(folder: Path, nested: str) -> InputError:
    """What to say of a folder without any image."""
    return InputError(
        f"{folder}: expected NAME.nii.gz or NAME/{nested}.nii.gz, found no such file. "
        "Of a cohort, give the folder 'labels'."
    )


def predictions_in(folder: Path, nested: str) -> Predictions:
    """The images FOLDER/NAME.nii.gz, FOLDER/NAME/<nested>.nii.gz, or of FOLDER as one result.

    Raises `InputError` where there is neither an image nor a patient that failed.
    """
    check_folder(folder)
    alone = folder / f"{nested}.nii.gz"
    of_a_run = own_result(folder / "result.json") is not None or is_marked(alone)
    own = own_files(folder, [p.name for p in folder.iterdir()]) if of_a_run else ()
    found = Predictions([Image(n, p) for n, p in nifti_files(folder) if p.name not in own])
    rows = _rows_of_summary(folder)
    for path in [alone, *nested_in(folder, nested)] if of_a_run else nested_in(folder, nested):
        result = own_result(path.parent / "result.json")
        name = path.parent.name
        if path == alone:
            name = str((result or {}).get("case") or name)
        why = _why_not(path, result, rows.get(same_name(name)))
        if why:
            found.failed[name] = why
        else:
            found.images.append(Image(name, path, _original(result)))
    for name, why in rows.values():
        if why and name not in {image.name for image in found.images}:
            found.failed.setdefault(name, why)
    if not found.images and not found.failed:
        raise no_images(folder, nested)
    return found


def _rows_of_summary(folder: Path) -> dict[str, tuple[str, str]]:
    """Of each patient in summary.csv the name, and why there is no result; empty if there is."""
    if not is_segment_summary(folder / SUMMARY_NAME):
        return {}
    text = (folder / SUMMARY_NAME).read_text("utf-8", "replace")
    rows: dict[str, tuple[str, str]] = {}
    try:
        for row in csv.DictReader(io.StringIO(text)):
            name, status = from_csv_cell(row.get("case") or ""), row.get("status") or ""
            why = f"{status}: {row.get('error') or 'no reason given'}" if status != "ok" else ""
            rows[same_name(name)] = name, why
    except csv.Error as error:
        raise InputError(
            f"{folder / SUMMARY_NAME}: damaged ({error}). Run segment again, or remove the file."
        ) from error
    return rows


def _why_not(path: Path, result: Mapping[str, Any] | None, row: tuple[str, str] | None) -> str:
    """Why an image must not be scored: it is of another run than the last, or of none."""
    if result is None and is_marked(path):
        return "there is no result.json beside it, so its run failed or was stopped"
    if row is None or not row[1]:
        return ""
    # The patient may have been done again alone, after the run that made the table.
    table, made = path.parent.parent / SUMMARY_NAME, path.parent / "result.json"
    again = result is not None and made.stat().st_mtime > table.stat().st_mtime
    return "" if again else row[1]


def _original(result: Mapping[str, Any] | None) -> str:
    """What the input was called; version 0.1.0 kept its path."""
    source = (result or {}).get("input")
    if not isinstance(source, dict):
        return ""
    name = source.get("original_name")
    return name if isinstance(name, str) else stem(str(source.get("path", "")).split("/")[-1])
