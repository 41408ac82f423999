"""Smooth random fields and soft shapes: the building blocks of anatomy and lesions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Field = NDArray[np.floating[Any]]


def upsample(coarse: Field, shape: tuple[int, ...]) -> Field:
    """Trilinear interpolation of (x, y, z) onto `shape`; corners map to corners."""
    import torch
    from torch.nn.functional import interpolate

    tensor = torch.from_numpy(np.ascontiguousarray(coarse, dtype=np.float32))[None, None]
    fine = interpolate(tensor, size=tuple(shape), mode="trilinear", align_corners=True)
    result: Field = fine[0, 0].numpy()
    return result


def smooth_field(rng: np.random.Generator, shape: tuple[int, ...], length: float) -> Field:
    """Zero-mean, unit-variance Gaussian field whose correlation length is `length` voxels."""
    step = max(length / 2.0, 1.0)
    coarse_shape = [int(np.ceil(n / step)) + 3 for n in shape]
    sigma = max(length / step / 1.5, 0.5)
    coarse = rng.standard_normal(coarse_shape, dtype=np.float32)
    coarse = ndimage.gaussian_filter(coarse, sigma, mode="wrap")
    # White noise through a Gaussian of sigma s keeps a variance of 1 / (2 s sqrt(pi))^3.
    coarse *= (2.0 * sigma * np.sqrt(np.pi)) ** 1.5
    return coarse if tuple(coarse_shape) == tuple(shape) else upsample(coarse, shape)


def soft_step(distance: Field, width: float = 1.0) -> Field:
    """Fraction of a voxel on the positive side of a surface `distance` away: 0 ... 1."""
    fraction = np.asarray(distance / width, dtype=np.float32)
    fraction += 0.5
    return np.clip(fraction, 0.0, 1.0, out=fraction)


def close_mask(mask: NDArray[np.bool_], radius: float, spacing: float) -> NDArray[np.bool_]:
    """Morphological closing with a ball of `radius` mm, through distance transforms."""
    pad = int(np.ceil(radius / spacing)) + 1
    padded = np.pad(mask, pad)
    dilated = ndimage.distance_transform_edt(~padded, sampling=spacing) <= radius
    closed = ndimage.distance_transform_edt(dilated, sampling=spacing) > radius
    inner = tuple(slice(pad, -pad) for _ in range(mask.ndim))
    filled: NDArray[np.bool_] = ndimage.binary_fill_holes(closed[inner] | mask)
    return filled
