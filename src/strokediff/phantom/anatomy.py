"""An anatomy: soft tissue maps on a 1 mm grid whose axes are known in MNI mm."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from strokediff.ct.brain.shapes import signed_distance
from strokediff.phantom.fields import Field, close_mask, upsample
from strokediff.phantom.params import DrawnHead

FORAMEN_MAGNUM_MM = -64.0
"""Height (MNI z) at which the intracranial cavity is cut from the spinal canal."""


class Outside(Protocol):
    """Everything that is not inside the inner table: skull, scalp, face, air."""

    def paint(self, atlas: Atlas, subject: DrawnHead) -> Field:
        """HU (X, Y, Z) on the atlas grid; values inside the skull are ignored."""
        ...


@dataclass(frozen=True)
class Atlas:
    """Soft maps (X, Y, Z) in [0, 1] on a 1 mm RAS grid.

    `x`, `y`, `z` are MNI coordinates in mm, shaped to broadcast. `depth` is the distance to the
    inner table in mm, positive outside; `cavity` the intracranial cavity, cut at the foramen
    magnum; `deep` the deep grey matter (part of `grey`); `ventricle_distance` in mm.
    """

    name: str
    x: Field
    y: Field
    z: Field
    grey: Field
    white: Field
    deep: Field
    ventricle: Field
    ventricle_distance: Field
    depth: Field
    cavity: Field
    outside: Outside

    @cached_property
    def box(self) -> tuple[slice, slice, slice]:
        """Bounding box of the cavity, on even indices, with a margin of 2 mm and more."""
        inside = self.depth < 0
        spans = [np.flatnonzero(inside.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
        x, y, z = (
            slice(max(int(s[0]) - 3, 0) // 2 * 2, min(int(s[-1]) + 4, n))
            for s, n in zip(spans, self.shape, strict=True)
        )
        return x, y, z

    @cached_property
    def inner(self) -> Atlas:
        """The same atlas, cropped to `box`."""
        x, y, z = self.box
        maps = ("grey", "white", "deep", "ventricle", "ventricle_distance", "depth", "cavity")
        cropped: dict[str, Any] = {
            name: np.ascontiguousarray(getattr(self, name)[self.box]) for name in maps
        }
        return replace(self, x=self.x[x], y=self.y[:, y], z=self.z[:, :, z], **cropped)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along x, y and z."""
        return self.grey.shape

    def to_voxel(self, mni_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """MNI mm (..., 3) to fractional atlas indices."""
        axes = [axis.ravel() for axis in (self.x, self.y, self.z)]
        origin = np.array([axis[0] for axis in axes])
        step = np.array([axis[1] - axis[0] for axis in axes])
        return np.asarray((mni_mm - origin) / step)

    def coarse(self, factor: int = 2) -> CoarseAtlas:
        """The maps that lesion shapes are drawn on, at every `factor`-th voxel."""
        s = slice(None, None, factor)
        tissue = np.clip(self.grey[s, s, s] + self.white[s, s, s], 0, 1)
        tissue = ndimage.gaussian_filter(tissue * (self.depth[s, s, s] < -0.5), 0.8)
        return CoarseAtlas(
            x=self.x[s],
            y=self.y[:, s],
            z=self.z[:, :, s],
            tissue=tissue,
            ventricle=self.ventricle[s, s, s],
            voxel_mm=float(factor),
        )


@dataclass(frozen=True)
class CoarseAtlas:
    """What a lesion needs to know of the anatomy: coordinates, parenchyma, ventricles."""

    x: Field
    y: Field
    z: Field
    tissue: Field
    ventricle: Field
    voxel_mm: float


class AtlasSource(Protocol):
    """An anatomy that is loaded when a phantom asks for it."""

    @property
    def name(self) -> str:
        """What `cohort.json` calls it."""
        ...

    def load(self) -> Atlas:
        """The anatomy; sources keep the last one or two in memory."""
        ...


def build_atlas(
    name: str,
    x: Field,
    y: Field,
    z: Field,
    grey: Field,
    white: Field,
    cavity: NDArray[np.bool_] | None,
    outside: Outside,
    deep: Field | None = None,
    ventricle: Field | None = None,
) -> Atlas:
    """Derive cavity, ventricles and deep grey from tissue maps; heavy steps run at 2 mm."""
    half = (slice(None, None, 2),) * 3
    brain = (grey + white)[half] > 0.35
    if cavity is None:
        closed = close_mask(brain, 9.0, 2.0)
        closed = ndimage.gaussian_filter(closed.astype(np.float32), 1.2) > 0.5
        coarse_depth = signed_distance(closed | brain, 2.0) - 1.6
    else:
        coarse_depth = signed_distance(cavity[half], 2.0)
    coarse_depth = ndimage.gaussian_filter(coarse_depth, 0.8)
    shape = grey.shape
    odd = tuple(2 * ((n + 1) // 2) - 1 for n in shape)
    depth = pad_to(upsample(coarse_depth, odd), shape)
    inside = (depth < 0) & (z > FORAMEN_MAGNUM_MM)
    if ventricle is None:
        ventricle = find_ventricles(grey, white, depth, x, y, z)
    distance = ndimage.distance_transform_edt(~(ventricle[half] > 0.5), sampling=2.0)
    if deep is None:
        deep = deep_grey(grey, depth, x, y, z)
    return Atlas(
        name=name,
        x=x,
        y=y,
        z=z,
        grey=grey,
        white=white,
        deep=deep,
        ventricle=ventricle,
        ventricle_distance=pad_to(upsample(distance.astype(np.float32), odd), shape),
        depth=depth,
        cavity=inside.astype(np.float32),
        outside=outside,
    )


def pad_to(data: Field, shape: tuple[int, ...]) -> Field:
    """Pad at the far end by repeating the last layer."""
    return np.pad(data, [(0, n - m) for n, m in zip(shape, data.shape, strict=True)], mode="edge")


def find_ventricles(grey: Field, white: Field, depth: Field, x: Field, y: Field, z: Field) -> Field:
    """Fluid deep inside the brain and close to the middle: lateral, third, fourth ventricle."""
    fluid = np.clip(1.0 - grey - white, 0, 1)
    lateral = (depth < -18) & (np.abs(x) < 42) & (y > -62) & (y < 42) & (z > -22) & (z < 36)
    sylvian = (np.abs(x) > 30) & (y > -22)
    cisterns = (np.abs(x) < 14) & (((y < -33) & (z > -16)) | ((y > -12) & (z < -9)))
    cisterns = cisterns | ((np.abs(x) < 22) & (z < -9) & (y > -40)) | ((np.abs(x) < 5) & (z > 19))
    fourth = (np.abs(x) < 12) & (y > -58) & (y < -36) & (z > -46) & (z <= -16)
    return fluid * ((lateral & ~sylvian & ~cisterns) | fourth)


def deep_grey(grey: Field, depth: Field, x: Field, y: Field, z: Field) -> Field:
    """Basal ganglia and thalamus: grey matter in a central box, away from cortex and insula."""
    box = (np.abs(x) < 36) & (y > -36) & (y < 26) & (z > -12) & (z < 24) & (depth < -28)
    soft = ndimage.gaussian_filter(box[::2, ::2, ::2].astype(np.float32), 1.0)
    odd = tuple(2 * n - 1 for n in soft.shape)
    return pad_to(
        upsample(soft, odd)[: grey.shape[0], : grey.shape[1], : grey.shape[2]], grey.shape
    )
