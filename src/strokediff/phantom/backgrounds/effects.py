"""What a lesion is to a head: where it lies, what it pushes, and what it does to the HU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from strokediff.phantom.backgrounds.head import Head
from strokediff.phantom.fields import Field
from strokediff.phantom.lesions import LesionShapes
from strokediff.util.kinds import STROKE

NONE = 0
LABELS = {kind: value for value, kind in enumerate(STROKE, start=1)}
"""Values of what is to be marked."""


@dataclass(frozen=True)
class Shape:
    """`mask` soft on the fine grid; `push` (2, I, J, K) in mm, added to where is looked up."""

    mask: Field
    push: Field | None = None


@dataclass(frozen=True)
class Effect:
    """Fields by slice. `add` in HU; blood of `value` HU fills the `share` of a voxel.

    `truth` is the soft lesion, what is to be marked, of `volume_ml`.
    """

    add: Field | None = None
    share: Field | None = None
    value: Field | None = None
    truth: Field | None = None
    volume_ml: float = 0.0


class Finding(Protocol):
    """A lesion, or what is none and looks like one, with all that was drawn of it."""

    name: ClassVar[str]
    label: ClassVar[int]

    def shape(self, head: Head, outlines: LesionShapes | None) -> Shape:
        """Where it lies in the head as it was."""
        ...

    def effect(self, head: Head, shape: Shape) -> Effect:
        """What it does to the head after everything has been pushed aside."""
        ...
