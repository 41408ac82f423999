"""`write_cohort`: many phantoms in a folder, resumable, every case written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from strokediff.errors import UsageError
from strokediff.phantom.anatomy import AtlasSource
from strokediff.phantom.lesions import LesionShapes
from strokediff.phantom.make import THICKNESS_MM, make_phantom
from strokediff.phantom.params import KIND_OF, LesionKind, lesion_kind
from strokediff.phantom.template import WheelSource
from strokediff.util.files import atomic_path, write_json
from strokediff.util.processes import in_processes
from strokediff.version import __version__

FOLDERS = ("images", "labels", "brain")


@dataclass(frozen=True)
class CohortSettings:
    """What all phantoms of a cohort share; two runs into one folder must agree on it."""

    kind: LesionKind
    seed: int
    matrix: int = 512
    slices: int | None = None
    thickness_mm: float | None = None
    empty_fraction: float = 0.05
    randomise: bool = False

    def as_dict(
        self, atlases: Sequence[AtlasSource], shapes: LesionShapes | None
    ) -> dict[str, Any]:
        """Plain JSON values, with the names of the anatomies and of the lesion shapes."""
        return {
            "kind": self.kind,
            "seed": self.seed,
            "matrix": self.matrix,
            "slices": self.slices,
            "thickness_mm": self.thickness_mm
            or (None if self.randomise else THICKNESS_MM[self.kind]),
            "empty_fraction": self.empty_fraction,
            "anatomies": [atlas.name for atlas in atlases],
            "lesion_shapes": shapes.name if shapes else "procedural",
            **({"randomise": True} if self.randomise else {}),
        }


def write_cohort(
    n: int,
    kind: LesionKind,
    out: str | Path,
    seed: int = 0,
    *,
    matrix: int = 512,
    slices: int | None = None,
    thickness_mm: float | None = None,
    empty_fraction: float = 0.05,
    randomise: bool = False,
    atlases: Sequence[AtlasSource] = (WheelSource(),),
    shapes: LesionShapes | None = None,
    jobs: int = 1,
    on_case: Callable[[str, bool], None] | None = None,
) -> list[Path]:
    """Write phantoms 0 ... n-1 of the cohort `seed` into `out`; return their image paths.

    Phantom i depends on (seed, i) and the settings alone, never on n. Layout: `images/`,
    `labels/`, `brain/` with `KIND_0000.nii.gz` and `cohort.json` with the settings, the kind of
    lesion that the labels' 1 is and, per case, the truth and every drawn parameter. `randomise`
    is as `make_phantom` has it. Finished cases are kept, so an interrupted run
    goes on where it stopped. `jobs` processes make phantoms at once, and `on_case(name, made)` is
    called after each. Raises `UsageError` when n < 1, when `out` cannot be written or holds
    another cohort.

    >>> images = write_cohort(1, "infarct", "phantoms", matrix=64, slices=5)
    >>> [image.as_posix() for image in images]
    ['phantoms/images/infarct_0000.nii.gz']
    """
    out = Path(out)
    kind = lesion_kind(kind)
    if n < 1:
        raise UsageError(f"the number of phantoms is {n}: expected 1 or more")
    settings = CohortSettings(
        kind, seed, matrix, slices, thickness_mm, empty_fraction, randomise=randomise
    )
    described = settings.as_dict(atlases, shapes)
    cases = finished_cases(out, described)
    names = [f"{kind}_{index:04d}" for index in range(n)]
    missing = [i for i, name in enumerate(names) if not (name in cases and is_whole(out, name))]
    make = partial(_make_case, out=out, settings=settings, atlases=atlases, shapes=shapes)
    made = in_processes(make, missing, jobs)
    for index, name in enumerate(names):
        if index in missing:
            cases[name] = {"name": name, **next(made)}
            write_index(out, described, cases)
        if on_case:
            on_case(name, index in missing)
    return [out / "images" / f"{name}.nii.gz" for name in names]


def is_whole(out: Path, name: str) -> bool:
    """Whether all files of a case are there."""
    return all((out / folder / f"{name}.nii.gz").is_file() for folder in FOLDERS)


def _make_case(
    index: int,
    out: Path,
    settings: CohortSettings,
    atlases: Sequence[AtlasSource],
    shapes: LesionShapes | None,
) -> dict[str, Any]:
    """Make phantom `index`, write its files and return what is known of it."""
    phantom = make_phantom(
        settings.kind,
        (settings.seed, index),
        matrix=settings.matrix,
        slices=settings.slices,
        thickness_mm=settings.thickness_mm,
        empty_fraction=settings.empty_fraction,
        randomise=settings.randomise,
        atlases=atlases,
        shapes=shapes,
    )
    arrays = (phantom.hu, phantom.lesion.astype(np.uint8), phantom.brain.astype(np.uint8))
    write_case(arrays, phantom.affine, out, f"{settings.kind}_{index:04d}", "strokediff phantom")
    return phantom.meta


def finished_cases(out: Path, settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Create the folders, or read the finished cases of the same cohort."""
    index = out / "cohort.json"
    try:
        for folder in FOLDERS:
            (out / folder).mkdir(parents=True, exist_ok=True)
        found = json.loads(index.read_text()) if index.is_file() else None
    except (OSError, json.JSONDecodeError) as error:
        raise UsageError(
            f"{out}: cannot be used as the cohort's folder ({error}). "
            "Expected a folder that can be written; choose another with -o."
        ) from error
    if found is None:
        return {}
    if found.get("settings") != settings:
        old = found.get("settings") or {}
        differ = [k for k in {**settings, **old} if old.get(k) != settings.get(k)]
        raise UsageError(
            f"{out}: already holds a cohort with other settings ({', '.join(differ)}: "
            f"{[old.get(k) for k in differ]} there, {[settings.get(k) for k in differ]} asked "
            "for). Use the same settings to go on, or choose another folder with -o."
        )
    return {case["name"]: case for case in found["cases"]}


def write_case(
    arrays: Sequence[NDArray[Any]], affine: NDArray[np.float64], out: Path, name: str, about: str
) -> None:
    """A NIfTI file in each of `FOLDERS`; each appears under its name only when it is complete."""
    for folder, array in zip(FOLDERS, arrays, strict=True):
        image = nib.Nifti1Image(array, affine)
        image.set_qform(affine, code=0)
        image.set_sform(affine, code=1)
        image.header.set_xyzt_units("mm")
        image.header["descrip"] = f"{about} {folder}".encode()
        with atomic_path(out / folder / f"{name}.nii.gz") as part:
            nib.save(image, part)


def write_index(out: Path, settings: dict[str, Any], cases: dict[str, dict[str, Any]]) -> None:
    """Rewrite `cohort.json`, cases in order of their names."""
    content = {
        "format": 1,
        "generator": f"strokediff {__version__}",
        "labels": {KIND_OF[settings["kind"]]: 1},
        "settings": settings,
        "cases": [cases[name] for name in sorted(cases)],
    }
    write_json(out / "cohort.json", content)
