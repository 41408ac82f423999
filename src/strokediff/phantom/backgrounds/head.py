"""A real lesion-free head on the working grid: its tissue, and where it lies in MNI space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from strokediff.ct.brain import extract_brain
from strokediff.ct.brain.shapes import signed_distance
from strokediff.ct.volume import CT
from strokediff.phantom.anatomy import Atlas, CoarseAtlas
from strokediff.phantom.backgrounds.grid import WorkGrid
from strokediff.phantom.backgrounds.registration import Landmarks, Template, register
from strokediff.phantom.fields import Field
from strokediff.phantom.template import wheel_atlas

LOCAL_MM, TISSUE_MM, SHARP_MM = 1.7, 9.0, 0.7
COARSE = 3
SOFT_HU = (-15.0, 85.0)
"""What is neither bone nor fat."""


@dataclass(frozen=True)
class Head:
    """A scan's brain on its working grid.

    `hu` native (see `WorkGrid`) float32; by slice: `local` the smooth HU of soft tissue, `around`
    the HU of brain tissue further around, `fluid` the share of CSF. Fine: `depth` in mm inside the
    inner table (also outside, negative), `ventricle` soft. `mni` takes RAS+ mm to MNI mm.
    `noise_hu` is what the scan has at the scale of pixels; `limits` the ends of its window.
    """

    grid: WorkGrid
    hu: Field
    inside: NDArray[np.bool_]
    local: Field
    around: Field
    fluid: Field
    depth: Field
    ventricle: Field
    mni: NDArray[np.float64]
    csf_hu: float
    noise_hu: float
    limits: tuple[float, float]

    @cached_property
    def coordinates(self) -> tuple[Field, Field, Field]:
        """MNI x, y, z in mm of the fine voxels."""
        return self.coordinates_in(tuple(slice(0, n) for n in self.depth.shape))

    def coordinates_in(self, box: tuple[slice, ...], step: int = 1) -> tuple[Field, Field, Field]:
        """MNI x, y, z in mm of the fine voxels in a box."""
        matrix = (self.mni @ self.grid.affine).astype(np.float32)
        i, j, k = np.ogrid[tuple(slice(s.start, s.stop, step) for s in box)]
        x, y, z = (
            np.asarray(row[0] * i + row[1] * j + row[2] * k + row[3], dtype=np.float32)
            for row in matrix[:3]
        )
        return x, y, z

    @cached_property
    def coarse(self) -> CoarseAtlas:
        """What territories are drawn on: every third fine voxel."""
        s = slice(None, None, COARSE)
        box = tuple(slice(0, n) for n in self.depth.shape)
        x, y, z = self.coordinates_in(box, COARSE)
        fluid = self.grid.to_fine(self.fluid)[s, s, s]
        depth = self.depth[s, s, s]
        tissue = np.clip(1 - 1.2 * fluid, 0, 1) * np.clip(depth / 2.0, 0, 1)
        return CoarseAtlas(
            x=x, y=y, z=z, tissue=tissue, ventricle=self.ventricle[s, s, s], voxel_mm=3.0
        )

    @property
    def coarse_depth(self) -> Field:
        """`depth` where `coarse` is."""
        return self.depth[::COARSE, ::COARSE, ::COARSE]

    def per_ml(self) -> float:
        """Template volume of a unit of the head's own."""
        return abs(float(np.linalg.det(self.mni[:3, :3])))

    def moved(self, lookup: Field) -> Head:
        """The same head with `local`, `around`, `fluid` looked up elsewhere (2, I, J, K), in mm."""
        spacing = self.grid.spacing_mm
        grid = np.indices(self.local.shape, dtype=np.float32)
        grid[0] += lookup[0] / spacing[0]
        grid[1] += lookup[1] / spacing[1]
        seen = [
            ndimage.map_coordinates(field, grid, order=1, mode="nearest")
            for field in (self.local, self.around, self.fluid)
        ]
        return replace(self, local=seen[0], around=seen[1], fluid=seen[2])


def find_head(ct: CT) -> Head:
    """Brain, tissue and place in MNI space of a scan; `InputError` where no brain is found."""
    mask = extract_brain(ct).mask
    grid = WorkGrid.around(mask, ct.affine)
    hu = ct.hu[grid.box].astype(np.float32)
    inside = mask[grid.box]
    share = grid.blocks(inside.astype(np.float32))
    depth = depth_inside(share, grid)
    local, sharp = smooth_tissue(hu, grid, LOCAL_MM), smooth_tissue(hu, grid, SHARP_MM)
    brain = share > 0.5
    deep = brain & (grid.to_slices(depth) > 4.0)
    middle = float(np.median(local[deep]))
    csf = float(np.clip(np.percentile(sharp[deep], 0.5), -2.0, middle - 18.0))
    around = tissue_around(local, brain, middle, csf, grid)
    fluid = np.clip((around - sharp) / np.maximum(around - csf, 8.0), 0, 1) * brain
    mni = register(landmarks(depth, fluid, grid), template())
    noise = hu - grid.to_native(local)
    quiet = noise[:: grid.block, :: grid.block][deep]
    head = Head(
        grid=grid,
        hu=hu,
        inside=inside,
        local=local,
        around=around,
        fluid=np.asarray(fluid, dtype=np.float32),
        depth=depth,
        ventricle=np.zeros(0, dtype=np.float32),
        mni=mni,
        csf_hu=csf,
        noise_hu=float(1.4826 * np.median(np.abs(quiet))),
        limits=window_of(ct.hu),
    )
    return replace(head, ventricle=ventricles(head, wheel_atlas()))


@lru_cache(maxsize=1)
def template() -> Template:
    """The template that heads are laid on, once a process."""
    return Template.of(wheel_atlas())


def depth_inside(share: Field, grid: WorkGrid) -> Field:
    """mm inside the inner table on the fine grid; the lowest and highest slice go on beyond."""
    spacing = grid.spacing_mm
    planes = [signed_distance(p > 0.5, spacing[:2], 20.0) for p in np.moveaxis(share, 2, 0)]
    level = grid.to_fine(np.stack(planes, axis=2))
    whole = np.pad(level, [(0, 0), (0, 0), (int(20 / spacing[2]), 0)], mode="edge") < 0
    whole = np.pad(whole, [(0, 0), (0, 0), (0, 4)])
    within = ndimage.distance_transform_edt(whole, sampling=spacing)
    beyond = ndimage.distance_transform_edt(~whole, sampling=spacing)
    distance = (within - beyond)[:, :, -4 - level.shape[2] : -4]
    near = np.abs(distance) < 3  # between voxels the slices' own outlines are finer
    distance = np.where(near & (np.abs(level) < 3), 0.5 * (distance - level), distance)
    return np.asarray(distance, dtype=np.float32)


def smooth_tissue(hu: Field, grid: WorkGrid, sigma_mm: float) -> Field:
    """Mean HU of soft tissue in a Gaussian in the plane, by slice; bone and fat do not count."""
    soft = ((hu > SOFT_HU[0]) & (hu < SOFT_HU[1])).astype(np.float32)
    sigma = (sigma_mm / grid.spacing_mm[0], sigma_mm / grid.spacing_mm[1], 0)
    weight = ndimage.gaussian_filter(grid.blocks(soft), sigma)
    total = ndimage.gaussian_filter(grid.blocks(hu * soft), sigma)
    return np.where(weight > 1e-3, total / np.maximum(weight, 1e-3), 0).astype(np.float32)


def tissue_around(
    local: Field, brain: NDArray[np.bool_], middle: float, csf: float, grid: WorkGrid
) -> Field:
    """Mean HU of brain tissue, fluid left out, within about a centimetre."""
    tissue = brain & (local > 0.5 * (middle + csf)) & (local < middle + 25)
    spacing = grid.spacing_mm
    sigma = (TISSUE_MM / spacing[0], TISSUE_MM / spacing[1], 0.8)
    weight = ndimage.gaussian_filter(tissue.astype(np.float32), sigma)
    total = ndimage.gaussian_filter(np.where(tissue, local, 0).astype(np.float32), sigma)
    weight += 0.02
    return np.asarray((total + 0.02 * middle) / weight, dtype=np.float32)


def landmarks(depth: Field, fluid: Field, grid: WorkGrid) -> Landmarks:
    """Points every 5 mm or so, in the head and round it, without its lowest 10 mm."""
    spacing = grid.spacing_mm
    sigma = (3 / spacing[0], 3 / spacing[1], 3 / spacing[2] / grid.subs)
    smooth = grid.to_fine(ndimage.gaussian_filter(fluid, sigma))
    step = tuple(max(1, round(5.0 / size)) for size in spacing)
    low = int(10 / spacing[2])
    index = np.stack(
        np.meshgrid(
            *(
                np.arange(start, n, s)
                for start, n, s in zip((0, 0, low), depth.shape, step, strict=True)
            ),
            indexing="ij",
        ),
        axis=-1,
    ).reshape(-1, 3)
    at = tuple(index.T)
    near = depth[at] > -10
    points = index[near] @ grid.affine[:3, :3].T + grid.affine[:3, 3]
    order = np.random.default_rng(0).permutation(len(points))
    return Landmarks(points[order], depth[at][near][order], smooth[at][near][order])


def carried(
    field: Field, atlas: Atlas, head: Head, jitter_mm: Sequence[Field | float] = (0.0, 0.0, 0.0)
) -> Field:
    """A field of the atlas's grid, trilinear, on the head's fine grid, looked up with a jitter."""
    import torch
    from torch.nn.functional import grid_sample

    size = np.array(field.shape, dtype=np.float64)
    origin = np.array([float(axis.ravel()[0]) for axis in (atlas.x, atlas.y, atlas.z)])
    step = np.array([float(a.ravel()[1] - a.ravel()[0]) for a in (atlas.x, atlas.y, atlas.z)])
    at = [
        torch.from_numpy(((c + e - o) / s * (2 / (n - 1)) - 1).astype(np.float32))
        for c, e, o, s, n in zip(head.coordinates, jitter_mm, origin, step, size, strict=True)
    ]
    lookup = torch.stack(at[::-1], dim=-1)[None]
    values = torch.from_numpy(np.ascontiguousarray(field, dtype=np.float32))[None, None]
    seen = grid_sample(values, lookup, mode="bilinear", padding_mode="zeros", align_corners=True)
    return np.asarray(seen[0, 0].numpy())


def ventricles(head: Head, atlas: Atlas) -> Field:
    """The head's own fluid where the template's ventricles are, or within some mm of them."""
    reach = ndimage.gaussian_filter(atlas.ventricle, 3.0)
    prior = np.clip(carried(reach, atlas, head) * 6.0, 0, 1)
    fluid = head.grid.to_fine(np.clip((head.fluid - 0.3) / 0.35, 0, 1))
    return np.asarray(fluid * prior * (head.depth > 12), dtype=np.float32)


def window_of(hu: NDArray[np.float32]) -> tuple[float, float]:
    """The ends of the window that a scan was cut to: where its values leave a wide gap."""
    values = np.unique(np.round(hu[::4, ::4]))
    low, high = -1024.0, 3071.0
    for below, above in pairwise(values):
        if above - below > 60:
            if -300 <= above <= 10:
                low = max(low, float(above))
            if 60 <= below <= 300:
                high = min(high, float(below))
    return low, high
