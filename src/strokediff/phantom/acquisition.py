"""The scanner: slices with partial volume, point spread, CT-shaped noise, rounding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from strokediff.phantom.anatomy import FORAMEN_MAGNUM_MM, Atlas
from strokediff.phantom.deform import CENTRE_MM, atlas_coordinates, displacement, head_matrix
from strokediff.phantom.fields import Field
from strokediff.phantom.params import Parameters, Scanner
from strokediff.phantom.tissue import Painted

COARSE_MM = 4.0
VERTEX_MM = 86.0
EXTREMES_MM = (
    (0, -45, FORAMEN_MAGNUM_MM),
    (0, -15, VERTEX_MM),
    *((x, y, z) for x in (-48, 48) for y, z in ((-50, -58), (20, -38), (0, 66), (-50, 66))),
    *((x, y, z) for x in (-22, 22) for y, z in ((66, -14), (-102, -4), (45, 60), (-85, 52))),
)
"""Foramen magnum and vertex, and what may be lowest or highest in a head that leans, MNI mm."""


@dataclass(frozen=True)
class AcquiredGrid:
    """The acquired grid: `affine` (index to RAS mm), `shape`, sub-slices per slice."""

    affine: NDArray[np.float64]
    shape: tuple[int, int, int]
    subslices: int

    @property
    def normal(self) -> NDArray[np.float64]:
        """Unit vector across a slice; with gantry tilt it is not the table's direction."""
        n = np.cross(self.affine[:3, 0], self.affine[:3, 1])
        return np.asarray(n / np.linalg.norm(n))

    @property
    def thickness_mm(self) -> float:
        """Distance between slice planes along their normal."""
        return float(self.affine[:3, 2] @ self.normal)


def plan(
    parameters: Parameters,
    matrix: int,
    thickness_mm: float,
    tilt_deg: float,
    slices: int | None,
) -> AcquiredGrid:
    """Slices from just below the foramen magnum to above the vertex, centred on the head."""
    pixel = parameters.scanner.fov_mm / matrix
    head, shift = head_matrix(parameters.subject)
    landmarks = EXTREMES_MM if parameters.variation else EXTREMES_MM[:2]
    heights = ((np.array(landmarks) - CENTRE_MM) @ head.T + shift)[:, 2]
    low, high = heights.min(), heights.max()
    low -= parameters.scanner.below_mm + thickness_mm
    tilt = np.deg2rad(tilt_deg)
    step = thickness_mm / np.cos(tilt)
    high += 6.0 + 60.0 * abs(np.sin(tilt))
    n = slices or int(np.ceil((high - low) / step))
    if slices:
        low = high - 6.0 - (n - 0.5) * step if n * step < high - low else low
    affine = np.eye(4)
    affine[:3, 0] = (pixel, 0, 0)
    affine[:3, 1] = (0, pixel * np.cos(tilt), pixel * np.sin(tilt))
    affine[:3, 2] = (0, 0, step)
    middle = affine[:3, :2] @ np.full(2, (matrix - 1) / 2)
    affine[:3, 3] = np.array([0, 0, low]) - middle
    return AcquiredGrid(affine, (matrix, matrix, n), max(2, round(thickness_mm / 1.67)))


def sample(painted: Painted, atlas: Atlas, parameters: Parameters, grid: AcquiredGrid) -> Painted:
    """Average the warped head over each slice's thickness; sub-slices see only the head's box."""
    import torch
    from torch.nn.functional import grid_sample, interpolate

    warp = displacement(atlas, parameters, painted.lesion)
    channels = torch.from_numpy(np.stack(painted).astype(np.float32))[None]
    content = painted.hu[::4, ::4, ::4] > -980
    size = np.array(atlas.shape, dtype=np.float32)
    out = np.zeros((3, *grid.shape), dtype=np.float32)
    out[0] = -1000.0
    nx, ny, nz = grid.shape
    step = max(int(COARSE_MM * nx / parameters.scanner.fov_mm), 1)
    i, j = (np.arange(0, n - 1 + step, step, dtype=np.float64) for n in (nx, ny))
    sub = (np.arange(grid.subslices) + 0.5) / grid.subslices - 0.5
    across = (sub[:, None] * grid.thickness_mm * grid.normal)[None, None]
    for k in range(nz):
        index = np.stack(np.meshgrid(i, j, [float(k)], indexing="ij"), axis=-1)
        world = index @ grid.affine[:3, :3].T + grid.affine[:3, 3] + across
        voxel = atlas_coordinates(world, atlas, parameters, warp)
        box = content_box(voxel, content)
        if box is None:
            continue
        low = torch.from_numpy((2 * voxel / (size - 1) - 1)[box][..., ::-1].copy())
        shape = [(n - 1) * step + 1 for n in low.shape[:2]]
        fine = interpolate(low.permute(2, 3, 0, 1), size=shape, mode="bilinear", align_corners=True)
        values = (
            grid_sample(
                channels,
                fine.permute(0, 2, 3, 1)[None],
                mode="bilinear",
                padding_mode="border",
                align_corners=True,
            )[0]
            .mean(dim=1)
            .numpy()
        )
        x, y = box[0].start * step, box[1].start * step
        values = values[:, : nx - x, : ny - y]
        out[:, x : x + values.shape[1], y : y + values.shape[2], k] = values
    return Painted(*out)


def content_box(voxel: Field, content: NDArray[np.bool_]) -> tuple[slice, slice] | None:
    """The part of a coarse slice (x, y, sub, 3) that looks up something other than air."""
    at = np.clip(np.round(voxel / 4).astype(int), 0, np.array(content.shape) - 1)
    seen = content[at[..., 0], at[..., 1], at[..., 2]].any(axis=2)
    if not seen.any():
        return None
    spans = [np.flatnonzero(seen.any(axis=axis)) for axis in (1, 0)]
    x, y = (
        slice(max(int(s[0]) - 2, 0), min(int(s[-1]) + 3, n))
        for s, n in zip(spans, seen.shape, strict=True)
    )
    return x, y


def expose(hu: Field, cavity: Field, scanner: Scanner, grid: AcquiredGrid) -> NDArray[np.int16]:
    """Blur, headrest, noise, rounding to int16."""
    pixel = float(np.linalg.norm(grid.affine[:3, 0]))
    sigma = scanner.psf_mm / 2.355 / pixel
    hu = ndimage.gaussian_filter(hu, (sigma, sigma, 0))
    hu = hu + scanner.offset_hu * (hu > -300)
    if scanner.headrest:
        hu = add_headrest(hu, pixel)
    rng = np.random.default_rng([scanner.seed, 5])
    noise = ct_noise(rng, hu.shape, pixel, scanner.cutoff_per_mm)
    scale = scanner.noise_hu * np.sqrt(5.0 / grid.thickness_mm)
    hu = hu + scale * noise_map(hu, pixel) * noise
    return np.clip(np.round(hu), -1024, 3071).astype(np.int16)


def noise_spectrum(
    frequency_per_mm: NDArray[np.float64], cutoff_per_mm: float
) -> NDArray[np.float64]:
    """Noise power S(f), per mm^-2: ramp times squared MTF, of unit variance over the plane.

    S(f) = f exp(-2 (f / f_c)^2) / Z. The ramp f makes it vanish at f = 0, the kernel's MTF
    exp(-(f / f_c)^2) at high f: a band-pass with its peak at f_c / 2.
    """
    shape = frequency_per_mm * np.exp(-2 * (frequency_per_mm / cutoff_per_mm) ** 2)
    # Z: the integral of 2 pi f * f exp(-2 f^2 / c^2) over f from 0 to infinity.
    norm = 2 * np.pi * np.sqrt(np.pi / 2) * cutoff_per_mm**3 / 8
    return np.asarray(shape / norm)


def ct_noise(
    rng: np.random.Generator, shape: tuple[int, ...], pixel: float, cutoff: float
) -> Field:
    """Independent slices of noise with the spectrum of `noise_spectrum`.

    The variance is 1 minus what lies beyond the pixel grid's Nyquist frequency.
    """
    white = rng.standard_normal((shape[2], shape[0], shape[1]), dtype=np.float32)
    fx = np.fft.fftfreq(shape[0], pixel)[:, None]
    fy = np.fft.rfftfreq(shape[1], pixel)[None, :]
    gain = np.sqrt(noise_spectrum(np.hypot(fx, fy), cutoff)) / pixel
    spectrum = fft.rfft2(white, workers=1) * gain.astype(np.float32)
    noise = fft.irfft2(spectrum, s=shape[:2], workers=1)
    return np.ascontiguousarray(np.moveaxis(noise, 0, 2), dtype=np.float32)


def noise_map(hu: Field, pixel: float) -> Field:
    """Relative noise: photons starve in the middle of a thick head and behind much bone."""
    mass = np.clip(hu / 1000.0 + 1.0, 0.0, 2.5)
    width = 55.0 / pixel
    step = max(int(width / 8), 1)
    low = ndimage.gaussian_filter(mass[::step, ::step], (width / step / 2, width / step / 2, 0.0))
    grown = ndimage.zoom(low, (hu.shape[0] / low.shape[0], hu.shape[1] / low.shape[1], 1), order=1)
    relative = np.clip(grown, 0.15, None)
    centre = float(np.percentile(relative, 98))
    return np.asarray(np.clip((relative / max(centre, 0.3)) ** 0.7, 0.25, 1.2), dtype=np.float32)


def add_headrest(hu: Field, pixel: float) -> Field:
    """A thin U-shaped shell below the head."""
    n = hu.shape[0]
    x = (np.arange(n, dtype=np.float32)[:, None] - (n - 1) / 2) * pixel
    y = (np.arange(hu.shape[1], dtype=np.float32)[None] - (hu.shape[1] - 1) / 2) * pixel
    radius = np.hypot(x, 0.92 * (y - 8)) + np.clip(y, 0, None) * 0.15
    shell = np.clip(2.0 - np.abs(radius - 108.0), 0, 1) * (y < 20)
    return np.where(hu < -700, hu + shell[:, :, None] * 900.0, hu).astype(np.float32)
