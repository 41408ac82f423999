"""Masks of a scan by kind of lesion: which values of its file are which kind.

A folder of scans says so in cohort.json, "labels": {"infarct": 1, "haemorrhage": [2, 3]}; kinds may
share a value. Where none are declared a mask is binary, and shows lesions of any kind.

A map of labels that we write holds k + 1 where there is lesion of kind k alone; every set of two or
more kinds has a value of its own after those.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from strokediff.ct.nifti.masks import StoredArray, check_same_grid, read_labels, read_mask
from strokediff.ct.volume import CT
from strokediff.errors import InputError, UsageError
from strokediff.util.kinds import JOINED, STROKE, checked_kinds

Labels = Mapping[str, tuple[int, ...]]
"""What a folder declares: the values of each kind."""


@dataclass(frozen=True)
class MaskReader:
    """Reads the masks of one folder as `kinds`, given the `labels` that it declares.

    A declared kind that is not among `kinds` is not read; a kind that is not declared is nowhere.
    The joined kind is every declared one.
    """

    kinds: tuple[str, ...] = JOINED
    labels: Labels = field(default_factory=dict)

    def on(self, path: Path, ct: CT) -> NDArray[np.bool_]:
        """The mask in `path` on the axes of `ct`, (K, X, Y, Z).

        `InputError` if it lies on another grid, or holds values that are not declared.
        """
        stored, masks = self.read(path)
        check_same_grid(stored, replace(ct.source, affine=ct.source.plain_affine))
        return np.stack([ct.from_source(mask) for mask in masks])

    def read(self, path: Path) -> tuple[StoredArray, list[NDArray[np.bool_]]]:
        """The file as stored, and a mask of every kind on its axes; raises as `on`."""
        if not self.labels:
            mask = read_mask(path)
            return mask, [mask.array]
        stored = read_labels(path)
        known = {0, *(value for values in self.labels.values() for value in values)}
        other = sorted({*np.unique(stored.array).tolist()} - known)
        if other:
            told = ", ".join(
                f"{kind} {'+'.join(map(str, own))}" for kind, own in self.labels.items()
            )
            raise InputError(
                f"{path}: holds the values {', '.join(map(str, other[:6]))}, expected 0 and those "
                f"that cohort.json declares ({told}). Declare them there as 'labels', or write "
                "the mask again."
            )
        return stored, [np.isin(stored.array, self._values(kind)) for kind in self.kinds]

    def _values(self, kind: str) -> list[int]:
        if self.kinds == JOINED:
            return sorted({value for values in self.labels.values() for value in values})
        return list(self.labels.get(kind, ()))


def sets_of(count: int) -> list[int]:
    """Sets of kinds as bits, by their value in a map of labels: none, each alone, then others.

    >>> sets_of(2)
    [0, 1, 2, 3]
    """
    alone = [1 << k for k in range(count)]
    return [0, *alone, *(bits for bits in range(1, 1 << count) if bits not in alone)]


def label_map(bits: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """Bit k for kind k as a map of labels, see `sets_of`.

    >>> label_map(np.array([0, 1, 4, 3], np.uint8), 3).tolist()
    [0, 1, 3, 4]
    """
    return np.asarray(np.argsort(sets_of(count)).astype(np.uint8)[bits])


def labels_of_map(kinds: Sequence[str], met: Collection[int] | None = None) -> dict[str, list[int]]:
    """The values of each kind in a map of labels, of the sets `met` if not of all.

    >>> labels_of_map(["infarct", "haemorrhage"])
    {'infarct': [1, 3], 'haemorrhage': [2, 3]}
    """
    sets = [(v, bits) for v, bits in enumerate(sets_of(len(kinds))) if met is None or bits in met]
    return {kind: [v for v, bits in sets if bits >> k & 1] for k, kind in enumerate(kinds)}


def chosen_kinds(declared: Iterable[Labels], wanted: Sequence[str] | None) -> tuple[str, ...]:
    """The kinds of a cohort of folders that declare those labels, one a folder, empty for none.

    By default all that any declares, in the order of `STROKE` first; joined if one declares none.
    `UsageError` if a wanted kind is nowhere declared, or a folder does not tell its kinds apart.

    >>> chosen_kinds([{"haemorrhage": (1,)}, {"infarct": (1,)}], None)
    ('infarct', 'haemorrhage')
    >>> chosen_kinds([{"infarct": (1,)}, {}], None)
    ('lesion',)
    """
    folders = list(declared)
    every = dict.fromkeys(kind for labels in folders for kind in labels)
    found = (*(kind for kind in STROKE if kind in every), *(k for k in every if k not in STROKE))
    untold = not all(folders)
    if wanted is None:
        return JOINED if untold or not found else checked_kinds(found)
    try:
        kinds = checked_kinds(wanted)
    except ValueError as error:
        raise UsageError(f"--kinds: {error}.") from None
    if kinds == JOINED:
        return kinds
    missing = [kind for kind in kinds if kind not in found]
    if untold or missing:
        raise UsageError(
            f"--kinds {','.join(kinds)}: "
            + (
                "a folder of scans does not say which value of its masks is which kind. Add "
                '"labels": {"infarct": 1, ...} to its cohort.json, or join them: --kinds lesion'
                if untold
                else f"no mask shows {', '.join(missing)}; declared are: {', '.join(found)}."
            )
        )
    return kinds


def read_labels_of(meta: Mapping[str, object]) -> dict[str, tuple[int, ...]]:
    """The labels of a folder's cohort.json; `TypeError` says what they should be.

    A list, which version 0.1.0 wrote, names what was joined: nothing is told apart.
    """
    labels = meta.get("labels")
    if not isinstance(labels, dict):
        return {}
    found: dict[str, tuple[int, ...]] = {}
    for kind, given in labels.items():
        values = given if isinstance(given, list) else [given]
        if not values or not all(type(value) is int and 0 < value < 2**15 for value in values):
            raise TypeError(
                f"labels: expected whole numbers above 0 as the values of {str(kind)[:50]!r}"
            )
        found[kind] = tuple(values)
    try:
        checked_kinds(found)
    except ValueError as error:
        raise TypeError(f"labels: {error}") from None
    return found
