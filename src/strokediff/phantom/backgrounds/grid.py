"""The working grid: about 1 mm in the plane, several sub-slices a slice, round the brain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from strokediff.phantom.fields import Field

PLANE_MM, ACROSS_MM, MARGIN_MM = 1.0, 1.25, 8.0
Index = tuple[slice, slice, slice]


@dataclass(frozen=True)
class WorkGrid:
    """Blocks of `block` x `block` pixels, `subs` sub-slices a slice, in the box `box` of a scan.

    A field is fine (I, J, K * subs), by slice (I, J, K), or native (I * block, J * block, K) on
    the scan's own pixels in the box. `affine` takes fine indices to RAS+ mm.
    """

    box: Index
    block: int
    subs: int
    affine: NDArray[np.float64]
    spacing_mm: tuple[float, float, float]

    @classmethod
    def around(cls, mask: NDArray[np.bool_], affine: NDArray[np.float64]) -> WorkGrid:
        """The grid round a mask (X, Y, Z) of a scan with that affine."""
        sizes = np.linalg.norm(affine[:3, :3], axis=0)
        block = max(1, round(PLANE_MM / float(sizes[:2].mean())))
        subs = max(1, round(float(sizes[2]) / ACROSS_MM))
        box = []
        for axis in (0, 1):
            at = np.flatnonzero(mask.any(axis=(1 - axis, 2)))
            margin = int(MARGIN_MM / sizes[axis])
            low = max(int(at[0]) - margin, 0)
            high = min(int(at[-1]) + 1 + margin, mask.shape[axis])
            box.append(slice(low, low + (high - low) // block * block))
        at = np.flatnonzero(mask.any(axis=(0, 1)))
        box.append(slice(int(at[0]), int(at[-1]) + 1))
        scale = np.diag([block, block, 1 / subs, 1.0])
        first = [(block - 1) / 2 + box[0].start, (block - 1) / 2 + box[1].start]
        scale[:3, 3] = [*first, box[2].start - 0.5 + 0.5 / subs]
        fine = affine @ scale
        spacing = [float(size) for size in np.linalg.norm(fine[:3, :3], axis=0)]
        return cls(
            (box[0], box[1], box[2]), block, subs, fine, (spacing[0], spacing[1], spacing[2])
        )

    @property
    def voxel_ml(self) -> float:
        """Volume of a fine voxel."""
        return abs(float(np.linalg.det(self.affine[:3, :3]))) / 1000.0

    def blocks(self, native: Field) -> Field:
        """Mean over blocks: native to by slice."""
        b = self.block
        i, j, k = native.shape
        return np.asarray(native.reshape(i // b, b, j // b, b, k).mean(axis=(1, 3)))

    def to_slices(self, fine: Field) -> Field:
        """Mean through each slice, which is its partial volume: fine to by slice."""
        i, j, k = fine.shape
        return np.asarray(fine.reshape(i, j, k // self.subs, self.subs).mean(axis=3))

    def to_fine(self, slices: Field) -> Field:
        """Linear between the middles of slices: by slice to fine."""
        count = slices.shape[2]
        at = (np.arange(count * self.subs) + 0.5) / self.subs - 0.5
        low = np.clip(np.floor(at).astype(int), 0, max(count - 2, 0))
        high = np.minimum(low + 1, count - 1)
        share = np.clip(at - low, 0.0, 1.0).astype(np.float32)
        return np.asarray(slices[:, :, low] * (1 - share) + slices[:, :, high] * share)

    def to_native(self, slices: Field) -> Field:
        """Bilinear in the plane: by slice to native."""
        import torch
        from torch.nn.functional import interpolate

        planes = torch.from_numpy(np.ascontiguousarray(np.moveaxis(slices, 2, 0), dtype=np.float32))
        size = tuple(n * self.block for n in slices.shape[:2])
        grown = interpolate(planes[None], size=size, mode="bilinear", align_corners=False)[0]
        return np.ascontiguousarray(np.moveaxis(grown.numpy(), 0, 2))
