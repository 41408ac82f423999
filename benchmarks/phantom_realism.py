"""Phantoms beside real heads: pictures, HU inside the brain, noise power spectrum.

    python benchmarks/phantom_realism.py DICOM_FOLDER [DICOM_FOLDER ...] -o realism.png

The brain of the real heads comes from `extract_brain`, eroded by 6 mm; that of the phantoms is
eroded alike. The spectrum is the mean periodogram of square patches of about 30 mm inside it,
after a quadratic trend is removed; what anatomy is left in it is left in both.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from scipy import ndimage

from strokediff.ct.brain import extract_brain
from strokediff.ct.dicom.read import read_dicom_series
from strokediff.phantom import make_phantom
from strokediff.phantom.template import WheelSource
from strokediff.phantom.labels import label_atlases

PATCH_MM = 30.0


class Head(NamedTuple):
    """A head, with the inside of its brain."""

    name: str
    hu: np.ndarray
    inside: np.ndarray
    pixel_mm: float
    thickness_mm: float
    real: bool


def eroded(brain: np.ndarray, pixel_mm: float) -> np.ndarray:
    """Slice by slice, 6 mm off the surface."""
    distance = [ndimage.distance_transform_edt(b) * pixel_mm for b in np.moveaxis(brain, 2, 0)]
    return np.moveaxis(np.array(distance), 0, 2) > 6.0


def real_head(folder: Path) -> Head:
    volume = read_dicom_series(folder)
    pixel, _, thickness = volume.spacing_mm
    inside = eroded(extract_brain(volume).mask, pixel)
    return Head(folder.name, volume.hu, inside, pixel, thickness, True)


def phantom_head(seed: int, sources: tuple, matrix: int) -> Head:
    p = make_phantom("infarct", (77, seed), matrix=matrix, atlases=sources)
    pixel = float(np.linalg.norm(p.affine[:3, 0]))
    inside = eroded(p.brain, pixel)
    return Head(f"phantom {seed}", p.hu.astype(np.float32), inside, pixel, 5.0, False)


def spectrum(head: Head) -> tuple[np.ndarray, np.ndarray, float]:
    """Frequencies per mm, radial noise power in HU^2 mm^2, standard deviation in HU."""
    n = int(PATCH_MM / head.pixel_mm)
    u, v = np.meshgrid(*[np.linspace(-1, 1, n)] * 2, indexing="ij")
    basis = np.stack([u**0, u, v, u * u, u * v, v * v], axis=-1).reshape(-1, 6)
    power, sds = [], []
    for z in range(head.hu.shape[2]):
        for i in range(0, head.hu.shape[0] - n, n // 2):
            for j in range(0, head.hu.shape[1] - n, n // 2):
                if not head.inside[i : i + n, j : j + n, z].all():
                    continue
                patch = head.hu[i : i + n, j : j + n, z].astype(np.float64).ravel()
                patch -= basis @ np.linalg.lstsq(basis, patch, rcond=None)[0]
                sds.append(patch.std())
                power.append(np.abs(np.fft.fft2(patch.reshape(n, n))) ** 2)
    # The quietest half of the patches: those with the least anatomy.
    quiet = np.argsort(sds)[: max(len(sds) // 2, 1)]
    mean = np.mean([power[q] for q in quiet], axis=0) * head.pixel_mm**2 / n**2
    f = np.hypot(*np.meshgrid(*[np.fft.fftfreq(n, head.pixel_mm)] * 2, indexing="ij"))
    ring = np.round(f * n * head.pixel_mm).astype(int).ravel()
    count = np.bincount(ring)
    radial = np.bincount(ring, mean.ravel()) / count
    return np.bincount(ring, f.ravel()) / count, radial, float(np.mean([sds[q] for q in quiet]))


def figure(heads: list[Head], path: Path, *, pictures: bool) -> None:
    fig = plt.figure(figsize=(3.0 * len(heads), 10.5 if pictures else 4.5))
    grid = fig.add_gridspec(3, 2 * len(heads), height_ratios=(1, 1, 1.4) if pictures else (0, 0, 1))
    for c, head in enumerate(heads if pictures else []):
        area = head.inside.sum((0, 1))
        zs = np.flatnonzero(area > 0)
        for r, q in enumerate((0.35, 0.62)):
            ax = fig.add_subplot(grid[r, 2 * c : 2 * c + 2])
            z = zs[int(q * (len(zs) - 1))]
            ax.imshow(head.hu[:, :, z].T, origin="lower", cmap="gray", vmin=0, vmax=80)
            ax.set_title(head.name if r == 0 else "", fontsize=9)
            ax.axis("off")
    left, right = (fig.add_subplot(g) for g in (grid[2, : len(heads)], grid[2, len(heads) :]))
    print(
        f"{'head':24s} {'p5':>6s} {'p25':>6s} {'p50':>6s} {'p75':>6s} {'p95':>6s} {'sd':>6s} "
        f"{'noise':>6s} {'peak/mm':>8s} {'median/mm':>9s}"
    )
    for head in heads:
        values = head.hu[head.inside]
        f, power, sd = spectrum(head)
        style = {"lw": 2.2, "ls": "-"} if head.real else {"lw": 1.0, "ls": "--"}
        left.plot(*histogram(values), **style, label=head.name)
        right.plot(
            f[1:], (power / np.trapezoid(power[1:] * f[1:], f[1:]))[1:], **style, label=head.name
        )
        cumulated = np.cumsum(power * f)
        half = f[np.searchsorted(cumulated, cumulated[-1] / 2)]
        p = np.percentile(values, (5, 25, 50, 75, 95))
        print(
            f"{head.name:24s} "
            + " ".join(f"{v:6.1f}" for v in p)
            + f" {np.std(values[(values > -20) & (values < 100)]):6.2f} {sd:6.2f}"
            f" {f[1:][np.argmax(power[1:])]:8.3f} {half:9.3f}"
        )
    left.set(xlabel="HU inside the brain", ylabel="density", xlim=(-10, 80))
    right.set(xlabel="spatial frequency, 1/mm", ylabel="noise power, normalised", xlim=(0, 1))
    left.legend(fontsize=7)
    fig.tight_layout()
    fig.savefig(path, dpi=80)


def histogram(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    density, edges = np.histogram(values, bins=np.arange(-20.5, 90.5), density=True)
    return (edges[1:] + edges[:-1]) / 2, density


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("real", type=Path, nargs="+", help="folders with one DICOM series each")
    parser.add_argument("-o", "--out", type=Path, default=Path("phantom_realism.png"))
    parser.add_argument("--labels", type=Path, help="whole-head label maps for the anatomy")
    parser.add_argument("--phantoms", type=int, default=3)
    parser.add_argument("--matrix", type=int, default=512)
    parser.add_argument(
        "--no-pictures", action="store_true", help="curves only, for images not to be published"
    )
    options = parser.parse_args()
    sources = label_atlases(options.labels) if options.labels else (WheelSource(),)
    heads = [real_head(folder) for folder in options.real]
    heads += [phantom_head(seed, sources, options.matrix) for seed in range(options.phantoms)]
    figure(heads, options.out, pictures=not options.no_pictures)


if __name__ == "__main__":
    main()
