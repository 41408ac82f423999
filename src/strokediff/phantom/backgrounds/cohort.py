"""`write_backgrounds`: many heads in a folder; resumable, every case whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from strokediff.errors import UsageError
from strokediff.phantom.backgrounds.effects import LABELS
from strokediff.phantom.backgrounds.make import put_lesions, studied
from strokediff.phantom.backgrounds.source import Background, Backgrounds
from strokediff.phantom.cohort import finished_cases, is_whole, write_case
from strokediff.phantom.lesions import LesionShapes
from strokediff.phantom.params import LesionKind, lesion_kind
from strokediff.util.files import write_json
from strokediff.util.processes import in_processes
from strokediff.version import __version__

AT_ONCE = 6
"""Cases made of a background while it is in memory."""
CARRIED = ("data_set", "licence", "spacing", "spacing_note", "partial_heads")


@dataclass(frozen=True)
class Task:
    """Cases to make of one background."""

    background: Background
    indices: tuple[int, ...]


def write_backgrounds(
    n: int,
    kind: LesionKind,
    backgrounds: Backgrounds,
    out: str | Path,
    seed: int = 0,
    *,
    empty_fraction: float = 0.05,
    shapes: LesionShapes | None = None,
    jobs: int = 1,
    on_case: Callable[[str, bool], None] | None = None,
) -> list[Path]:
    """Write heads 0 ... n-1 of the cohort `seed` into `out`; return their image paths.

    Head i depends on (seed, i), the backgrounds and the settings alone, never on n; each
    background is used once before one is used again. Layout and resuming are those of
    `strokediff.phantom.write_cohort`; the labels hold 1 for infarct and 2 for haemorrhage, and
    `patients` of cohort.json says whose scan each is.
    """
    out = Path(out)
    if n < 1:
        raise UsageError(f"the number of heads is {n}: expected 1 or more")
    kind = lesion_kind(kind)
    settings = {
        "kind": kind,
        "seed": seed,
        "empty_fraction": empty_fraction,
        "anatomies": [scan.name for scan in backgrounds.scans],
        "lesion_shapes": shapes.name if shapes else "procedural",
    }
    cases = finished_cases(out, settings)
    names = [f"{kind}_{index:04d}" for index in range(n)]
    missing = [i for i, name in enumerate(names) if not (name in cases and is_whole(out, name))]
    make = partial(
        _make, out=out, kind=kind, seed=seed, empty_fraction=empty_fraction, shapes=shapes
    )
    for index in sorted(set(range(n)) - set(missing)):
        if on_case:
            on_case(names[index], False)
    for made in in_processes(make, tasks(missing, backgrounds.scans, seed), jobs):
        for case in made:
            cases[case["name"]] = case
        _write_index(out, settings, backgrounds, cases)
        for case in made:
            if on_case:
                on_case(case["name"], True)
    return [out / "images" / f"{name}.nii.gz" for name in names]


def tasks(missing: Sequence[int], scans: Sequence[Background], seed: int) -> list[Task]:
    """Cases by background, few at a time; the backgrounds take turns in an order of the seed's."""
    count = len(scans)
    found: dict[tuple[int, int], list[int]] = {}
    for index in missing:
        turn, place = divmod(index, count)
        order = np.random.default_rng([seed, turn, 25]).permutation(count)
        found.setdefault((turn // AT_ONCE, int(order[place])), []).append(index)
    return [Task(scans[which], tuple(own)) for (_, which), own in found.items()]


def _make(
    task: Task,
    out: Path,
    kind: LesionKind,
    seed: int,
    empty_fraction: float,
    shapes: LesionShapes | None,
) -> list[dict[str, Any]]:
    """Make the cases of one background and return what is known of them."""
    import torch

    torch.set_num_threads(1)
    ct, head = studied(task.background)
    made = []
    for index in task.indices:
        name = f"{kind}_{index:04d}"
        real = put_lesions(
            ct, head, kind, (seed, index), empty_fraction=empty_fraction, shapes=shapes
        )
        arrays = (real.hu, real.label, real.brain.astype(np.uint8))
        write_case(arrays, real.affine, out, name, "strokediff lesion put in")
        background = {"background": task.background.name, "patient": task.background.patient}
        made.append({"name": name, **background, **real.meta})
    return made


def _write_index(
    out: Path,
    settings: dict[str, Any],
    backgrounds: Backgrounds,
    cases: dict[str, dict[str, Any]],
) -> None:
    """Rewrite cohort.json, cases in order of their names."""
    told = backgrounds.text("description") or backgrounds.folder.name
    ordered = [cases[name] for name in sorted(cases)]
    content = {
        "format": 1,
        "generator": f"strokediff {__version__}",
        "description": (
            f"synthetic lesions ({settings['kind']}, seed {settings['seed']}, shapes "
            f"{settings['lesion_shapes']}) in real lesion-free heads of: {told}"
        ),
        **{key: backgrounds.record[key] for key in CARRIED if key in backgrounds.record},
        "labels": LABELS,
        "patients": {case["name"]: {"patient": case["patient"]} for case in ordered},
        "settings": settings,
        "cases": ordered,
    }
    write_json(out / "cohort.json", json.loads(json.dumps(content)))
