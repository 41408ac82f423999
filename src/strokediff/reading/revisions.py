"""Masks that a reader saved beside a result: `lesion_mask_rN.nii.gz`, and who drew it in its JSON.

The result's own mask is never touched, and neither is an earlier revision.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from strokediff.cohort.masks import Labels
from strokediff.ct.nifti.images import save_like
from strokediff.ct.volume import CT
from strokediff.errors import InputError
from strokediff.result.reading import Corrected, Reader, Reading
from strokediff.result.record import Record
from strokediff.segmentation.outputs import MASK
from strokediff.util.files import sha256_of, write_json
from strokediff.util.jsonfile import read_json
from strokediff.util.kinds import Kinds
from strokediff.util.locks import sole
from strokediff.util.names import stem
from strokediff.util.plaintext import escaped
from strokediff.version import __version__

NAME = re.compile(r"lesion_mask_r([1-9]\d{0,5})\.nii\.gz")
SAVING = ".saving-"


class Saved(BaseModel):
    """What is saved with a mask: who drew it, and its kinds of lesion in the order of labels."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reader: Reader
    kinds: Kinds

    @property
    def labels(self) -> Labels:
        """The value of each kind."""
        return {kind: (k,) for k, kind in enumerate(self.kinds, start=1)}


def revisions(folder: Path) -> dict[int, Path]:
    """The masks that readers saved in a result's folder, by revision, first to last."""
    found = {int(m[1]): p for p in folder.iterdir() if (m := NAME.fullmatch(p.name))}
    return dict(sorted(found.items()))


def revision_of(mask: Path) -> Saved | None:
    """Who drew a mask that `view` saved; None for any other file.

    Raises `InputError` where the mask is not the one that was saved: who changed it is not known.
    """
    told = mask.parent / f"{stem(mask.name)}.json"
    if not NAME.fullmatch(mask.name) or not told.is_file() or not mask.is_file():
        return None
    try:
        saved = Saved.model_validate(read_json(told, "what 'strokediff view' saved with a mask"))
    except ValidationError as error:
        what = error.errors()[0]
        raise InputError(
            f"{told}: {'.'.join(map(str, what['loc']))}: {what['msg']}. Expected what 'strokediff "
            "view' saved. Move it away to measure the mask as anybody's."
        ) from None
    if sha256_of(mask) != saved.reader.mask_sha256:
        raise InputError(
            f"{mask}: was changed since {saved.reader.name} saved it ({told.name}), and by whom is "
            "not known. Save the change under another name, and name its reader with --by."
        )
    return saved


def save_revision(
    folder: Path, ct: CT, labels: NDArray[np.uint8], kinds: tuple[str, ...], by: str,
    result: Record | Reading | None,
) -> Path:  # fmt: skip
    """Write labels (X, Y, Z) on the grid of `ct` as the folder's next revision; returns the mask.

    `by` is the reader, `result` what stands in the folder. The JSON comes first, so that no mask
    is ever there without its reader. Raises `UsageError` where the folder cannot be written, or
    another save is at work.
    """
    with sole(folder, "view"):
        for junk in folder.glob(f"{SAVING}*"):  # of a kill
            junk.unlink()
        number = max((0, *revisions(folder), *_told(folder))) + 1
        path = folder / f"lesion_mask_r{number}.nii.gz"
        work = folder / f"{SAVING}{path.name}"
        try:
            made = f"strokediff {__version__}, revision {number}"
            save_like(ct, labels, work, dtype=np.uint8, description=made)
            reader = Reader(
                name=by,
                how="corrected" if isinstance(result, Record) else "manual",
                revision=number,
                time=datetime.now(UTC).isoformat(timespec="seconds"),
                mask=escaped(path.name),
                mask_sha256=sha256_of(work),
                corrects=base_of(result),
            )
            saved = Saved(reader=reader, kinds=kinds)
            write_json(folder / f"{stem(path.name)}.json", saved.model_dump(mode="json"))
            work.replace(path)
        finally:
            work.unlink(missing_ok=True)
    return path


def _told(folder: Path) -> list[int]:
    """Revisions whose mask a kill left out: their numbers are not given again."""
    names = (f"{p.stem}.nii.gz" for p in folder.glob("lesion_mask_r*.json"))
    return [int(m[1]) for name in names if (m := NAME.fullmatch(name))]


def base_of(result: Record | Reading | None) -> Corrected | None:
    """The model's mask that is corrected by whoever draws on a result."""
    if isinstance(result, Reading):
        return result.reader.corrects
    if result is None:
        return None
    return Corrected(
        model=result.model.name,
        model_sha256=result.model.sha256,
        mask_sha256=result.files.get(MASK),
    )
