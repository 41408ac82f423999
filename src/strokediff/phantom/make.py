"""`make_phantom`: one patient from a seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strokediff.ct.volume import CT
from strokediff.errors import UsageError
from strokediff.phantom.acquisition import expose, plan, sample
from strokediff.phantom.anatomy import AtlasSource
from strokediff.phantom.artefacts import in_slices
from strokediff.phantom.lesions import LesionShapes, ProceduralShapes
from strokediff.phantom.params import LesionKind, draw_parameters, lesion_kind
from strokediff.phantom.randomised import draw_randomised
from strokediff.phantom.template import WheelSource
from strokediff.phantom.tissue import paint

THICKNESS_MM: dict[str, float] = {"infarct": 5.0, "hemorrhage": 2.5}


@dataclass(frozen=True)
class Phantom:
    """A head CT with its truth, on axes closest to RAS+.

    `hu` (X, Y, Z) int16; `lesion` and `brain` (X, Y, Z) bool: voxels at least half filled by
    lesion, or by the intracranial cavity; `affine` index to RAS+ mm; `meta` plain JSON values.

    >>> empty = np.zeros((4, 4, 2))
    >>> phantom = Phantom(empty.astype("i2"), empty > 0, empty > 0, np.eye(4), {"kind": "infarct"})
    >>> phantom.ct().spacing_mm
    (1.0, 1.0, 1.0)
    """

    hu: NDArray[np.int16]
    lesion: NDArray[np.bool_]
    brain: NDArray[np.bool_]
    affine: NDArray[np.float64]
    meta: dict[str, Any]

    def ct(self) -> CT:
        """The image as `read_ct` would give it, without its checks."""
        return CT(self.hu.astype(np.float32), self.affine)


def make_phantom(
    kind: LesionKind,
    seed: int | Sequence[int],
    *,
    matrix: int = 512,
    thickness_mm: float | None = None,
    slices: int | None = None,
    tilt_deg: float = 0.0,
    empty_fraction: float = 0.0,
    randomise: bool = False,
    atlases: Sequence[AtlasSource] = (WheelSource(),),
    shapes: LesionShapes | None = None,
) -> Phantom:
    """Make the patient that `seed` stands for; the same arguments give the same bytes.

    `matrix` is the number of pixels along a row; `thickness_mm` defaults to 5 mm for infarcts
    and 2.5 mm for haemorrhages; `slices` limits the stack to that many slices from the vertex
    down; `tilt_deg` tilts the gantry, which shears the affine. `randomise` draws heads, poses,
    scanners and artefacts more widely than real ones are, slices of 1 to 8 mm among them.
    `atlases` are anatomies to choose from (default: the MNI template of the nilearn wheel),
    `shapes` the source of lesion outlines (default: procedural). Raises `UsageError` for an
    unknown kind or a matrix below 32, `MissingExtraError` without the extra `phantom`, which brings
    the template.

    >>> phantom = make_phantom("infarct", seed=1, matrix=64, slices=5)
    >>> phantom.hu.shape, phantom.hu.dtype.name, phantom.lesion.dtype.name
    ((64, 64, 5), 'int16', 'bool')
    """
    kind = lesion_kind(kind)
    if matrix < 32:
        raise UsageError(f"matrix is {matrix}: expected at least 32 pixels along a row")
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    draw = draw_randomised if randomise else draw_parameters
    parameters = draw(kind, rng, empty_fraction=empty_fraction)
    variation = parameters.variation
    atlas = atlases[int(rng.integers(len(atlases)))].load()
    shapes = shapes or ProceduralShapes()
    usual = variation.thickness_mm if variation else THICKNESS_MM[kind]
    thickness = thickness_mm or usual
    grid = plan(parameters, matrix, thickness, tilt_deg, slices)
    painted = sample(paint(atlas, parameters, shapes), atlas, parameters, grid)
    lesion, brain = painted.lesion >= 0.5, painted.cavity >= 0.5
    voxel_ml = abs(float(np.linalg.det(grid.affine[:3, :3]))) / 1000.0
    meta = {
        "kind": kind,
        "seed": [int(s) for s in np.atleast_1d(seed)],
        "anatomy": atlas.name,
        "lesion_shapes": shapes.name,
        "lesion_volume_ml": round(float(np.count_nonzero(lesion)) * voxel_ml, 4),
        "lesion_volume_fine_ml": round(float(painted.lesion.sum(dtype=np.float64)) * voxel_ml, 4),
        "brain_volume_ml": round(float(np.count_nonzero(brain)) * voxel_ml, 2),
        "matrix": matrix,
        "slice_thickness_mm": thickness,
        "tilt_deg": tilt_deg,
        "parameters": parameters.as_dict(),
    }
    slices_hu = in_slices(painted.hu, grid.affine, variation) if variation else painted.hu
    hu = expose(slices_hu, painted.cavity, parameters.scanner, grid)
    return Phantom(hu=hu, lesion=lesion, brain=brain, affine=grid.affine, meta=meta)
