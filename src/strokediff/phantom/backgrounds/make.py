"""`put_lesions`: one real head with lesions, from a background and a seed."""

from __future__ import annotations

from collections.abc import Sequence
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
from strokediff.phantom.make import Phantom
from strokediff.phantom.params import LesionKind


def put_lesions(
    ct: CT,
    head: Head,
    kind: LesionKind,
    seed: int | Sequence[int],
    *,
    empty_fraction: float = 0.0,
    shapes: LesionShapes | None = None,
) -> Phantom:
    """The scan `ct`, whose brain is `head`, with the lesions that `seed` stands for.

    `lesion` of the phantom is a label map: 1 infarct, 2 haemorrhage. What was drawn, the volumes
    and whether the head is mirrored are in `meta`.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    drawn = draw_case(kind, rng, empty_fraction)
    made = put(head, drawn.findings, shapes)
    hu: NDArray[np.float32] = ct.hu.copy()
    label = np.zeros(hu.shape, dtype=np.uint8)
    brain = np.zeros(hu.shape, dtype=np.bool_)
    hu[head.grid.box], label[head.grid.box] = made.hu, made.label
    brain[head.grid.box] = head.inside
    if drawn.mirrored:
        hu, label, brain = (np.ascontiguousarray(a[::-1]) for a in (hu, label, brain))
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
    rounded = np.clip(np.round(hu), -32768, 32767).astype(np.int16)
    return Phantom(hu=rounded, lesion=label, brain=brain, affine=ct.affine, meta=meta)  # type: ignore[arg-type]


@lru_cache(maxsize=1)
def studied(background: Background) -> tuple[CT, Head]:
    """A background with its brain found and laid on the template; the last one is kept."""
    ct = background.read()
    return ct, find_head(ct)
