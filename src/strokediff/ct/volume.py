"""A head CT: Hounsfield units on the axes closest to RAS+, so `hu[:, :, k]` is an axial slice.

`CT.to_source` undoes the reorientation exactly, voxel for voxel; `axes` knows the order of axes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strokediff.ct import axes
from strokediff.errors import InputError
from strokediff.util.plaintext import escaped


@dataclass(frozen=True)
class Source:
    """Where a volume came from and the grid it was stored on.

    `affine` maps the stored array's indices to RAS+ mm, `header_affine` is what a plain reader of
    the file takes for it where the header was mended. `kind` is "nifti", "dicom" or "array".
    `details` holds what a reader wants to see in `result.json` (series UID, description,
    transfer syntax, ...); plain JSON values only.
    """

    path: Path
    kind: str
    shape: tuple[int, int, int]
    affine: NDArray[np.float64]
    details: dict[str, Any] = field(default_factory=dict)
    header_affine: NDArray[np.float64] | None = None

    @property
    def plain_affine(self) -> NDArray[np.float64]:
        """Where other files of this grid, such as masks, are placed by their headers."""
        return self.affine if self.header_affine is None else self.header_affine


UNPLACED = Source(Path("array"), "array", (0, 0, 0), np.eye(4))
"""The source of an array that is not yet on axes closest to RAS+."""


@dataclass(frozen=True)
class CT:
    """A head CT: `hu` (X, Y, Z) float32 in HU and `affine` (4, 4), index to RAS+ mm.

    An array and its affine are enough: without a `source`, `hu` may lie on any axes and is brought
    to those closest to RAS+; masks and maps are given back on the array's own with `to_source`.

    >>> ct = CT(np.zeros((4, 5, 3)), np.diag([-0.5, -0.5, 5.0, 1.0]))
    >>> ct.hu.shape, ct.spacing_mm
    ((4, 5, 3), (0.5, 0.5, 5.0))

    The affine may be oblique or sheared (gantry tilt): slice k is always a plane that was
    scanned. `slice_increments_mm` (Z,) is the thickness of tissue that each slice stands for,
    measured along the slice normal; where slices are even it is |det(affine)| / pixel area.
    For uneven slices `affine` uses the median increment and `uneven` is true; where each slice
    truly lies is then in `slice_origins_mm` (Z, 3), the RAS position of voxel (0, 0, k), and
    `index_to_world` uses it.
    """

    hu: NDArray[np.float32]
    affine: NDArray[np.float64]
    source: Source = UNPLACED
    slice_increments_mm: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    uneven: bool = False
    warnings: tuple[str, ...] = ()
    slice_origins_mm: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        if self.source is not UNPLACED:
            return
        array, affine = np.asarray(self.hu), np.asarray(self.affine, dtype=np.float64)
        if array.ndim != 3 or not array.size or affine.shape != (4, 4):
            raise InputError(
                f"array: shape {array.shape} with an affine of shape {affine.shape}. Expected HU "
                "(X, Y, Z) and an affine (4, 4) that takes indices to RAS+ mm."
            )
        placed = CT.from_source_array(
            array, Source(UNPLACED.path, "array", array.shape, affine), warnings=self.warnings
        )
        for own in fields(self):
            object.__setattr__(self, own.name, getattr(placed, own.name))

    def __repr__(self) -> str:
        size = " x ".join(map(str, self.hu.shape))
        spacing = " x ".join(f"{s:.2f}" for s in self.spacing_mm)
        name = escaped(self.source.path.name)
        return f"<CT {name!r} ({self.source.kind}): {size} voxels of {spacing} mm>"

    @classmethod
    def from_source_array(
        cls,
        array: NDArray[Any],
        source: Source,
        *,
        slice_increments_mm: NDArray[np.float64] | None = None,
        slice_origins_mm: NDArray[np.float64] | None = None,
        warnings: tuple[str, ...] = (),
    ) -> CT:
        """Reorient `array` on the grid of `source` to the axes closest to RAS+.

        For uneven slices give both `slice_increments_mm` (N,) and `slice_origins_mm` (N, 3), the
        RAS position of stored voxel (0, 0, n). They follow the stored array's last axis, which
        must then be the one that becomes z.
        """
        if axes.drops_an_axis(source.affine):
            raise InputError(
                f"{source.path}: the affine drops an axis. Expected three independent axes, "
                f"got {np.array2string(source.affine, precision=3)}. Rewrite the file's sform."
            )
        hu = axes.canonical(array, source.affine)
        affine = axes.canonical_affine(source.affine, source.shape)
        uneven = slice_increments_mm is not None and slice_origins_mm is not None
        if slice_increments_mm is None or slice_origins_mm is None:
            increments, origins = even_increments_mm(affine, hu.shape[2]), None
        else:
            order = _slice_order(source)
            # In-plane flips move the first voxel of every slice by the same vector.
            shift = affine[:3, 3] - source.affine[:3, 3]
            shift = shift - (source.affine[:3, 2] * (source.shape[2] - 1) if order < 0 else 0)
            increments = np.asarray(slice_increments_mm, dtype=np.float64)[::order].copy()
            origins = np.asarray(slice_origins_mm, dtype=np.float64)[::order] + shift
            affine = _through_first_slice(affine, origins[0])
        return cls(
            hu=np.ascontiguousarray(hu, dtype=np.float32),
            affine=affine,
            source=source,
            slice_increments_mm=increments,
            uneven=uneven,
            warnings=warnings,
            slice_origins_mm=origins,
        )

    def to_source(self, array: NDArray[Any]) -> NDArray[Any]:
        """Bring an array on this volume's grid back to the stored axis order, losslessly."""
        if array.shape != self.hu.shape:
            raise ValueError(f"expected an array of shape {self.hu.shape}, got {array.shape}")
        return np.ascontiguousarray(axes.stored(array, self.source.affine))

    def index_to_world(self, index: NDArray[Any]) -> NDArray[np.float64]:
        """RAS+ mm of canonical voxel indices (..., 3), right for uneven slices too.

        Fractional slice indices of an uneven volume lie on the straight line between the two
        slices around them.
        """
        index = np.asarray(index, dtype=np.float64)
        if self.slice_origins_mm is None:
            return index @ self.affine[:3, :3].T + self.affine[:3, 3]
        slices = np.arange(len(self.slice_origins_mm))
        origin = np.stack(
            [np.interp(index[..., 2], slices, axis) for axis in self.slice_origins_mm.T], axis=-1
        )
        return origin + index[..., :2] @ self.affine[:3, :2].T

    def from_source(self, array: NDArray[Any]) -> NDArray[Any]:
        """Bring an array in the stored axis order to this volume's axes: undoes `to_source`."""
        return np.ascontiguousarray(axes.canonical(array, self.source.affine))

    @property
    def pixel_spacing_mm(self) -> tuple[float, float]:
        """In-plane spacing along x and y, mm."""
        sx, sy = np.linalg.norm(self.affine[:3, :2], axis=0)
        return float(sx), float(sy)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Spacing along x, y and along the slice normal (median increment), mm."""
        sx, sy = self.pixel_spacing_mm
        return sx, sy, float(np.median(self.slice_increments_mm))

    @property
    def voxel_volumes_mm3(self) -> NDArray[np.float64]:
        """Volume of one voxel of each slice (Z,): pixel area x local slice increment."""
        return pixel_area_mm2(self.affine) * self.slice_increments_mm

    def mask_volume_mm3(self, mask: NDArray[Any]) -> float:
        """Volume of a binary mask on this grid; equals count x |det(affine)| if slices are even."""
        counts = np.count_nonzero(mask, axis=(0, 1))
        return float(counts @ self.voxel_volumes_mm3)

    def integral_ml(self, values: NDArray[Any]) -> float:
        """Sum over voxels of value x volume, mL: for probabilities the expected volume."""
        sums = values.sum(axis=(0, 1), dtype=np.float64)
        return float(sums @ self.voxel_volumes_mm3) / 1000


def pixel_area_mm2(affine: NDArray[np.float64]) -> float:
    """Area of one pixel of a slice: |column 0 x column 1| of the affine."""
    return float(np.linalg.norm(np.cross(affine[:3, 0], affine[:3, 1])))


def even_increments_mm(affine: NDArray[np.float64], n_slices: int) -> NDArray[np.float64]:
    """Thickness along the slice normal of each of `n_slices` even slices: |det| / pixel area."""
    return np.full(n_slices, abs(np.linalg.det(affine[:3, :3])) / pixel_area_mm2(affine))


def _slice_order(source: Source) -> int:
    """1 where the stored last axis runs upwards, -1 where it runs downwards."""
    axis, order = axes.slice_axis(source.affine)
    if axis != 2:
        raise InputError(
            f"{source.path}: uneven slices that are not axial. Expected slices stacked from foot "
            f"to head; give an axial series."
        )
    return order


def _through_first_slice(
    affine: NDArray[np.float64], origin: NDArray[np.float64]
) -> NDArray[np.float64]:
    moved = affine.copy()
    moved[:3, 3] = origin
    return moved
