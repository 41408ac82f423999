"""The user's choice: which classes of a data set are which kind of lesion."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from strokediff.cohort.importing.base import Layout
from strokediff.cohort.importing.kinds import kind_named, plain_name
from strokediff.cohort.masks import label_map, labels_of_map, sets_of
from strokediff.cohort.store import as_bits
from strokediff.errors import UsageError
from strokediff.util.kinds import LESION, STROKE, checked_kinds


@dataclass(frozen=True)
class KindOfLesion:
    """A kind with the classes that it is made of, and their values; None: every one above 0."""

    name: str
    classes: tuple[str, ...]
    values: tuple[int, ...] | None

    def __str__(self) -> str:
        own = self.classes == (self.name,)
        return self.name if own else f"{self.name} ({', '.join(self.classes)})"


@dataclass(frozen=True)
class LesionClasses:
    """The kinds of lesion that are written, in order.

    A mask holds k + 1 where kind k is alone. Kinds of regions that share values may lie in one
    voxel: such a set of kinds has a value of its own after those.
    """

    kinds: tuple[KindOfLesion, ...]

    @classmethod
    def chosen(
        cls,
        layout: Layout,
        names: tuple[str, ...] | None = None,
        kinds: Mapping[str, Sequence[str]] | None = None,
    ) -> LesionClasses:
        """`names` joined as one kind, `kinds` of the classes given, or the layout's own kinds.

        Classes go by name or number; raises `UsageError` listing those there are.
        """
        if names is not None and kinds is not None:
            raise UsageError("--labels joins classes and --as tells them apart: give one of them.")
        if kinds is not None:
            return cls(_mapped(layout, kinds))
        if layout.labels is None and names is None:
            return cls((KindOfLesion(LESION, ("every value above 0",), None),))
        wanted = layout.default_labels or tuple(layout.labels or ()) if names is None else names
        found = _classes(layout, wanted, "--labels")
        grouped: dict[str, list[str]] = defaultdict(list)
        for title in found:
            grouped[layout.kind or kind_named(title) if layout.labels else LESION].append(title)
        if len(grouped) > 1 and (names is not None or LESION in grouped):
            grouped = {LESION: list(found)}  # a class of any lesion cannot be told from the others
        return cls(_ordered(grouped, found))

    @property
    def names(self) -> tuple[str, ...]:
        """Every class that counts."""
        return tuple(name for kind in self.kinds for name in kind.classes)

    @property
    def values(self) -> tuple[int, ...] | None:
        """Every value that counts, None for all above 0."""
        own = [kind.values for kind in self.kinds]
        return tuple(sorted({v for values in own for v in values or ()})) if all(own) else None

    @property
    def shown(self) -> str:
        """In words: the classes of one kind, or every kind with its classes."""
        several = len(self.kinds) > 1
        return ", ".join(map(str, self.kinds) if several else self.names)

    def mask(self, classes: NDArray[np.int32]) -> NDArray[np.uint8]:
        """The map of labels, 0 where no chosen class is."""
        if self.values is None:
            return (classes > 0).astype(np.uint8)
        masks = [np.isin(classes, kind.values or ()) for kind in self.kinds]
        return label_map(as_bits(np.stack(masks)), len(self.kinds))

    def has(self, k: int, mask: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Where kind k is in a map of labels."""
        return np.asarray(np.array(sets_of(len(self.kinds)))[mask] >> k & 1, np.bool_)

    def labels(self) -> dict[str, int | list[int]]:
        """What cohort.json declares: a map's values of every kind; nothing of lesions of any."""
        if [kind.name for kind in self.kinds] == [LESION]:
            return {}
        values = labels_of_map([kind.name for kind in self.kinds], self._sets())
        return {kind: own[0] if len(own) == 1 else own for kind, own in values.items()}

    def _sets(self) -> set[int]:
        """The sets of kinds that a value may stand for, as bits."""
        return {
            sum(1 << k for k, kind in enumerate(self.kinds) if value in (kind.values or ()))
            for value in self.values or ()
        }


def parsed_kinds(text: str) -> dict[str, tuple[str, ...]]:
    """What --as says: kinds of classes, or classes that are kinds of their own.

    >>> parsed_kinds("infarct=core+penumbra,haemorrhage=bleed")
    {'infarct': ('core', 'penumbra'), 'haemorrhage': ('bleed',)}
    >>> parsed_kinds("core,penumbra")
    {'core': ('core',), 'penumbra': ('penumbra',)}
    """
    found: dict[str, tuple[str, ...]] = {}
    for part in text.split(","):
        name, equals, classes = (piece.strip() for piece in part.partition("="))
        own = tuple(one.strip() for one in classes.split("+")) if equals else (name,)
        kind = name if equals else plain_name(name)
        if not name or not all(own):
            raise UsageError(
                f"--as {text}: expected KIND=CLASS, or CLASS+CLASS, several with commas between, "
                "as in infarct=core+penumbra,haemorrhage=bleed."
            )
        if kind in found:
            raise UsageError(f"--as {text}: {kind} is there twice. Join its classes with +.")
        found[kind] = own
    return found


def _mapped(layout: Layout, kinds: Mapping[str, Sequence[str]]) -> tuple[KindOfLesion, ...]:
    """Kinds as the user maps them; a class belongs to one."""
    try:
        checked_kinds(kinds)
    except ValueError as error:
        raise UsageError(f"--as: {error}.") from None
    if LESION in kinds and len(kinds) > 1:
        raise UsageError(f"--as: '{LESION}' is any kind, so it stands alone. Name the kinds apart.")
    found: dict[str, tuple[int, ...]] = {}
    grouped: dict[str, list[str]] = {}
    for kind, wanted in kinds.items():
        own = _classes(layout, tuple(wanted), "--as")
        if twice := [title for title in own if title in found]:
            raise UsageError(f"--as: {', '.join(twice)} is given to two kinds. Give it to one.")
        found |= own
        grouped[kind] = list(own)
    return _ordered(grouped, found)


def _ordered(
    grouped: Mapping[str, list[str]], values: Mapping[str, tuple[int, ...]]
) -> tuple[KindOfLesion, ...]:
    """Infarct and haemorrhage first, then as they come."""
    order = [*(k for k in STROKE if k in grouped), *(k for k in grouped if k not in STROKE)]
    try:
        checked_kinds(order)
    except ValueError as error:
        raise UsageError(f"{error}. Choose or join classes with --as or --labels.") from None
    return tuple(
        KindOfLesion(
            kind,
            tuple(grouped[kind]),
            tuple(sorted({v for title in grouped[kind] for v in values[title]})),
        )
        for kind in order
    )


def _classes(layout: Layout, wanted: tuple[str, ...], option: str) -> dict[str, tuple[int, ...]]:
    """The values of the wanted classes by their names."""
    labels = layout.labels
    if labels is None:
        return {name: (_number(name, layout, option),) for name in wanted}
    known = {**{str(v[0]): n for n, v in labels.items() if len(v) == 1}, **{n: n for n in labels}}
    unknown = [name for name in wanted if name not in known]
    if unknown or not wanted:
        there = ", ".join(f"{name} ({'+'.join(map(str, v))})" for name, v in labels.items())
        raise UsageError(
            f"{option}: {', '.join(unknown) or 'nothing'} is no class of {layout.name}. "
            f"Expected some of: {there}."
        )
    return {known[name]: labels[known[name]] for name in wanted}


def _number(name: str, layout: Layout, option: str) -> int:
    if name.isascii() and name.isdigit() and int(name) > 0:
        return int(name)
    raise UsageError(f"{option}: expected whole numbers above 0 for {layout.name}, got {name!r}.")
