"""A mask's file as it comes: which kinds of lesion its values are, and who drew it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import cast, get_args

import numpy as np
from numpy.typing import NDArray

from strokediff.cohort.masks import Labels, MaskReader
from strokediff.ct.nifti.masks import StoredArray
from strokediff.ct.nifti.on_grid import labels_on
from strokediff.ct.volume import CT
from strokediff.errors import InputError, UsageError
from strokediff.pacs.reading import is_dicom, read_segmentation
from strokediff.prediction.labels import labels_of_prediction
from strokediff.reading.revisions import base_of, revision_of
from strokediff.result.reading import How, Reader, Reading
from strokediff.result.record import Record
from strokediff.segmentation.folder import ResultFolder
from strokediff.segmentation.objects import source_of
from strokediff.segmentation.outputs import MASK
from strokediff.util.files import sha256_of
from strokediff.util.kinds import JOINED
from strokediff.util.plaintext import escaped

UNNAMED = "a reader who was not named"
WAYS: Mapping[str, How] = {"SEMIAUTOMATIC": "corrected", "AUTOMATIC": "automatic"}
"""By a DICOM segment's algorithm type."""
MOST = 64
"""Letters of a name in DICOM."""


@dataclass(frozen=True)
class DrawnMask:
    """`labels` (X, Y, Z) on the axes of the scan, k + 1 for kind k, and who drew them."""

    labels: NDArray[np.uint8]
    kinds: tuple[str, ...]
    reader: Reader


def read_drawn(
    path: Path,
    ct: CT,
    *,
    labels: Labels | None = None,
    by: str | None = None,
    how: How | None = None,
) -> DrawnMask:
    """Read a mask that was drawn on `ct`: a NIfTI file, or a DICOM segmentation of its series.

    `labels` are the values of each kind; by default what `view` saved with the mask, what the
    result or cohort.json beside it declares, else a binary mask of lesions of any kind. `by` and
    `how` name the reader where nothing was saved with the mask, or somebody else is meant. Raises
    `InputError` for another grid and for values that name no kind, `UsageError` for kinds that
    share a value: a voxel is of one kind.
    """
    if path.is_file() and is_dicom(path):
        return _segmentation(path, ct, by, how)
    saved = revision_of(path)
    if labels is None:
        labels = saved.labels if saved else labels_of_prediction(path)
    _refuse_shared(labels)
    kinds = tuple(labels) or JOINED
    stored, masks = _read(path, kinds, labels)
    bits = np.zeros(stored.shape, np.uint8)
    for k, mask in enumerate(masks):
        bits[mask] = k + 1
    reader = _told(saved.reader if saved else _reader_of(path), by, how)
    return DrawnMask(labels_on(ct, replace(stored, array=bits)), kinds, reader)


def _told(reader: Reader, by: str | None, how: How | None) -> Reader:
    """The reader with what the user says of him."""
    changes = {"name": None if by is None else named(by), "how": how}
    return reader.model_copy(update={k: v for k, v in changes.items() if v})


def _segmentation(path: Path, ct: CT, by: str | None, how: How | None) -> DrawnMask:
    """Of a DICOM segmentation, which has kinds and reader of its own."""
    found = read_segmentation(path, source_of(ct))
    reader = Reader(
        name=named(found.creator.replace("^", " ")[:MOST] or UNNAMED),
        how=WAYS.get(found.how, "manual"),
        mask=escaped(path.name),
        mask_sha256=sha256_of(path),
    )
    return DrawnMask(ct.from_source(found.labels), found.kinds, _told(reader, by, how))


def _read(
    path: Path, kinds: tuple[str, ...], labels: Labels
) -> tuple[StoredArray, list[NDArray[np.bool_]]]:
    try:
        return MaskReader(kinds, labels).read(path)
    except InputError as error:
        if labels or "binary mask" not in str(error):
            raise
        raise InputError(f"{error} Or name its kinds: --labels infarct=1,haemorrhage=2.") from error


def _reader_of(path: Path) -> Reader:
    """As far as the file tells: the model whose result it is, who corrected it, or somebody."""
    digest = sha256_of(path)
    result = ResultFolder(path.parent).read() if path.name == MASK else None
    known = {"mask": escaped(path.name), "mask_sha256": digest}
    if isinstance(result, Reading) and result.files.get(MASK) == digest:
        return result.reader.model_copy(update=known)
    if not isinstance(result, Record):
        return Reader(name=UNNAMED, **known)
    if result.files.get(MASK) == digest:
        return Reader(name=f"model {result.model.name}"[:MOST], how="automatic", **known)
    return Reader(name=UNNAMED, how="corrected", corrects=base_of(result), **known)


def named(by: str) -> str:
    """The name of a reader; `UsageError` for none, or one that is too long for DICOM."""
    name = " ".join(escaped(by).split())
    if not 0 < len(name) <= MOST:
        raise UsageError(f"--by {name[:80]!r}: expected a name of 1 to {MOST} letters.")
    return name


def _refuse_shared(labels: Labels) -> None:
    for (one, own), (other, others) in combinations(labels.items(), 2):
        if {*own} & {*others}:
            raise UsageError(
                f"{one} and {other} share the value {min({*own} & {*others})}: expected each value "
                "to name one kind of lesion. Join them, or write the mask with values of its own."
            )


def way(how: str | None) -> How | None:
    """How a mask was drawn, of an option's text; `UsageError` for another word."""
    for known in get_args(How):
        if how == known:
            return cast(How, how)
    if how is not None:
        raise UsageError(f"--how {how}: expected one of {', '.join(get_args(How))}.")
    return None
