"""Phantoms beside real heads: HU inside the brain, noise power spectrum.

    python benchmarks/phantom_realism.py DICOM_FOLDER [DICOM_FOLDER ...] -o realism.png

The brain of the real heads comes from `extract_brain`, eroded by 6 mm; that of the phantoms is
eroded alike. The spectrum is the mean periodogram of square patches of about 30 mm inside it,
after a quadratic trend is removed; what anatomy is left in it is left in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import ndimage

from strokediff.benchmark.figures import png
from strokediff.benchmark.tables import ruled
from strokediff.ct.brain import extract_brain
from strokediff.ct.dicom.read import read_dicom_series
from strokediff.phantom import make_phantom
from strokediff.util.files import write_bytes

PATCH_MM, ERODED_MM = 30.0, 6.0
SHOWN_HU = (-20.5, 89.5)
PERCENTILES = (5, 25, 50, 75, 95)
COLUMNS = ("head", *(f"p{q}" for q in PERCENTILES), "sd", "noise", "peak/mm", "median/mm")
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Head:
    """HU (X, Y, Z) of a head, and the inside of its brain."""

    name: str
    hu: NDArray[np.float32]
    inside: NDArray[np.bool_]
    pixel_mm: float
    real: bool

    @classmethod
    def of(
        cls,
        name: str,
        hu: NDArray[np.float32],
        brain: NDArray[np.bool_],
        pixel_mm: float,
        real: bool,
    ) -> Head:
        """With the brain eroded slice by slice."""
        depth = [ndimage.distance_transform_edt(b) * pixel_mm for b in np.moveaxis(brain, 2, 0)]
        return cls(name, hu, np.moveaxis(np.array(depth), 0, 2) > ERODED_MM, pixel_mm, real)


def real_head(folder: Path) -> Head:
    ct = read_dicom_series(folder)
    return Head.of(folder.name, ct.hu, extract_brain(ct).mask, ct.spacing_mm[0], real=True)


def phantom_head(seed: int, matrix: int) -> Head:
    made = make_phantom("infarct", (77, seed), matrix=matrix)
    pixel = float(np.linalg.norm(made.affine[:3, 0]))
    return Head.of(f"phantom {seed}", made.hu.astype(np.float32), made.brain, pixel, real=False)


def spectrum(head: Head) -> tuple[Array, Array, float]:
    """Frequencies per mm, radial noise power in HU^2 mm^2, standard deviation in HU.

    Of the quietest half of the patches: those with the least anatomy.
    """
    n = int(PATCH_MM / head.pixel_mm)
    patches = sorted(_patches(head, n), key=lambda patch: float(patch.std()))
    quiet = patches[: max(len(patches) // 2, 1)]
    power = [np.abs(np.fft.fft2(patch)) ** 2 for patch in quiet]
    mean = np.mean(power, axis=0) * head.pixel_mm**2 / n**2
    f = np.hypot(*np.meshgrid(*[np.fft.fftfreq(n, head.pixel_mm)] * 2, indexing="ij"))
    ring = np.round(f * n * head.pixel_mm).astype(int).ravel()
    count = np.bincount(ring)
    radial = [np.bincount(ring, own.ravel()) / count for own in (f, mean)]
    return radial[0], radial[1], float(np.mean([patch.std() for patch in quiet]))


def _patches(head: Head, n: int) -> list[Array]:
    """n x n pixels inside the brain, half overlapping, without their quadratic trend."""
    u, v = np.meshgrid(*[np.linspace(-1, 1, n)] * 2, indexing="ij")
    basis = np.stack([u**0, u, v, u * u, u * v, v * v], axis=-1).reshape(-1, 6)
    found = []
    for z in range(head.hu.shape[2]):
        for i in range(0, head.hu.shape[0] - n, n // 2):
            for j in range(0, head.hu.shape[1] - n, n // 2):
                if head.inside[i : i + n, j : j + n, z].all():
                    patch = head.hu[i : i + n, j : j + n, z].astype(np.float64).ravel()
                    patch -= basis @ np.linalg.lstsq(basis, patch, rcond=None)[0]
                    found.append(patch.reshape(n, n))
    return found


def compared(heads: Sequence[Head]) -> tuple[Figure, list[str]]:
    """Histograms and spectra, real heads solid, and a row a head."""
    figure = Figure(figsize=(3.0 * len(heads), 4.5), layout="tight")
    left, right = figure.subplots(1, 2)
    cells = []
    for head in heads:
        values = head.hu[head.inside]
        f, power, sd = spectrum(head)
        width, style = (2.2, "-") if head.real else (1.0, "--")
        density, edges = np.histogram(values, bins=np.arange(*SHOWN_HU, 1.0), density=True)
        left.plot((edges[1:] + edges[:-1]) / 2, density, style, lw=width, label=head.name)
        scaled = power / np.trapezoid(power[1:] * f[1:], f[1:])
        right.plot(f[1:], scaled[1:], style, lw=width, label=head.name)
        cumulated = np.cumsum(power * f)
        half = f[np.searchsorted(cumulated, cumulated[-1] / 2)]
        spread = np.std(values[(values > -20) & (values < 100)])
        told = [f"{own:.1f}" for own in np.percentile(values, PERCENTILES)]
        peak = f[1:][np.argmax(power[1:])]
        cells.append([head.name, *told, f"{spread:.2f}", f"{sd:.2f}", f"{peak:.3f}", f"{half:.3f}"])
    left.set(xlabel="HU inside the brain", ylabel="density", xlim=(-10, 80))
    right.set(xlabel="spatial frequency, 1/mm", ylabel="noise power, normalised", xlim=(0, 1))
    left.legend(fontsize=7)
    return figure, ruled(COLUMNS, cells)


def main(
    real: Annotated[list[Path], typer.Argument(help="Folders with one DICOM series each.")],
    out: Annotated[Path, typer.Option("-o", "--out")] = Path("phantom_realism.png"),
    phantoms: int = 3,
    matrix: int = 512,
) -> None:
    heads = [real_head(folder) for folder in real]
    heads += [phantom_head(seed, matrix) for seed in range(phantoms)]
    figure, lines = compared(heads)
    write_bytes(out, png(figure))
    print("\n".join(lines))


if __name__ == "__main__":
    typer.run(main)
