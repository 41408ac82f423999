"""`put_lesions`: one real head with lesions, from a background and a seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strokediff.ct.volume import CT
from strokediff.phantom.backgrounds.drawn import draw_case
from strokediff.phantom.backgrounds.effects import LABELS
from strokediff.phantom.backgrounds.field import put
from strokediff.phantom.backgrounds.head import Head, find_head
from strokediff.phantom.backgrounds.source import Background
from strokediff.phantom.lesions import LesionShapes
from strokediff.phantom.params import LesionKind, lesion_kind


@dataclass(frozen=True)
class RealHead:
    """A real head with synthetic lesions, on the scan's axes closest to RAS+.

    `hu` (X, Y, Z) int16; `label` uint8: 0, 1 infarct, 2 haemorrhage; `brain` bool; `affine` index
    to RAS+ mm; `meta` plain JSON values: what was drawn, with which seed, and the volumes.
    """

    hu: NDArray[np.int16]
    label: NDArray[np.uint8]
    brain: NDArray[np.bool_]
    affine: NDArray[np.float64]
    meta: dict[str, Any]


def put_lesions(
    ct: CT,
    head: Head,
    kind: LesionKind,
    seed: int | Sequence[int],
    *,
    empty_fraction: float = 0.0,
    shapes: LesionShapes | None = None,
) -> RealHead:
    """The scan `ct`, whose brain is `head`, with the lesions that `seed` stands for.

    Lesions and what is none are drawn, put into the scan, and the whole head is mirrored in half of
    all cases. With probability `empty_fraction` there is no lesion. `shapes` are outlines in MNI
    space for infarcts (default: procedural). The same arguments give the same bytes.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    kind = lesion_kind(kind)
    drawn = draw_case(kind, rng, empty_fraction)
    made = put(head, drawn.findings, shapes)
    hu: NDArray[np.float32] = ct.hu.copy()
    label: NDArray[np.uint8] = np.zeros(hu.shape, dtype=np.uint8)
    brain: NDArray[np.bool_] = np.zeros(hu.shape, dtype=np.bool_)
    hu[head.grid.box], label[head.grid.box] = made.hu, made.label
    brain[head.grid.box] = head.inside
    way = slice(None, None, -1 if drawn.mirrored else 1)
    described = drawn.as_dict()
    for finding, volume in zip(described["findings"], made.volumes_ml, strict=True):
        finding["labelled_ml"] = volume
    voxel = abs(float(np.linalg.det(ct.affine[:3, :3]))) / 1000.0
    meta: dict[str, Any] = {
        "kind": kind,
        "seed": [int(s) for s in np.atleast_1d(seed)],
        "volumes_ml": {
            name: round(float(np.count_nonzero(label == value)) * voxel, 4)
            for name, value in LABELS.items()
        },
        **described,
    }
    return RealHead(
        hu=np.ascontiguousarray(np.clip(np.round(hu[way]), -32768, 32767)).astype(np.int16),
        label=np.ascontiguousarray(label[way]),
        brain=np.ascontiguousarray(brain[way]),
        affine=ct.affine,
        meta=meta,
    )


@lru_cache(maxsize=1)
def studied(background: Background) -> tuple[CT, Head]:
    """A background with its brain found and laid on the template; the last one is kept."""
    ct = background.read()
    return ct, find_head(ct)
