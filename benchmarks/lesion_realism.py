"""Synthetic lesions in real heads beside real lesions: contrast, edge, volume, place, pictures.

    python benchmarks/lesion_realism.py REAL MADE -o lesion_realism.png [--value 2] [--most 36]

REAL is a folder of labelled scans (`strokediff import`), MADE one of `phantom --backgrounds`. A
lesion is a connected part of a label of 0.1 mL or more. Its contrast is its median HU minus that
of the brain 3 to 8 mm beyond it, in its slices; the edge is a + b erf(d / s) fitted to the mean
HU at distance d from the outline in the plane, of which 10 to 90 % take 1.81 s; its depth is the
median distance of its voxels to the inner table, its height that of its middle from the lowest to
the highest slice of the brain. Only slices of the brain are shown, cut to it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import nibabel as nib
import numpy as np
import typer
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import ndimage
from scipy.optimize import curve_fit
from scipy.special import erf

from strokediff.benchmark.figures import png
from strokediff.benchmark.tables import ruled
from strokediff.ct.brain import extract_brain
from strokediff.ct.read import read_ct
from strokediff.ct.volume import CT
from strokediff.phantom.backgrounds.grid import WorkGrid
from strokediff.phantom.backgrounds.head import depth_inside
from strokediff.util.files import write_bytes

LEAST_ML, COLUMNS_SHOWN = 0.1, 7
AROUND_MM, FIT_MM, SHOWN_HU = (3.0, 8.0), (-6.0, 6.0), (0.0, 80.0)
WIDTH_OF_S = 1.812  # erf^-1(0.8) * 2
MEASURES = {
    "contrast, HU": (-20, 50),
    "edge 10-90 %, mm": (0, 12),
    "volume, mL": (-1, 2.2),
    "depth, mm": (0, 60),
    "height, share": (0, 1),
}
Mask = NDArray[np.bool_]
Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Lesion:
    """What is measured of one, in the order of `MEASURES`."""

    values: tuple[float, ...]


@dataclass(frozen=True)
class Shown:
    """The slice with most lesion of a scan, cut to the brain."""

    image: Array
    outline: Mask
    volume_ml: float


def scans(folder: Path, value: int | None, most: int) -> Iterator[tuple[CT, Mask, Mask]]:
    """Scan, lesion and brain of every scan with a lesion."""
    count = 0
    for path in sorted((folder / "labels").glob("*.nii*")):
        label = np.asarray(nib.load(path).dataobj)  # type: ignore[attr-defined]
        wanted = label == value if value is not None else label > 0
        if not wanted.any() or count == most:
            continue
        count += 1
        ct = read_ct(folder / "images" / path.name)
        brain = folder / "brain" / path.name
        if brain.is_file():
            inside = ct.from_source(np.asarray(nib.load(brain).dataobj) > 0)  # type: ignore[attr-defined]
        else:
            inside = extract_brain(ct).mask
        yield ct, ct.from_source(wanted), inside


def edge_mm(hu: Array, part: Mask, brain: Mask, pixel_mm: float) -> float:
    """Width of the edge of a lesion in one slice; NaN where nothing can be fitted."""
    if np.count_nonzero(part) * pixel_mm**2 < 12.0:
        return float("nan")
    away = ndimage.distance_transform_edt(~part) - ndimage.distance_transform_edt(part)
    away = away * pixel_mm
    near = brain & (away > FIT_MM[0]) & (away < FIT_MM[1]) & (hu > -15) & (hu < 95)
    bins = np.round(away[near] * 2).astype(int) - int(2 * FIT_MM[0])
    count = np.bincount(bins)
    some = count > 10
    mean = np.bincount(bins, hu[near])[some] / count[some]
    at = np.flatnonzero(some) / 2 + FIT_MM[0]
    if at.size < 8:
        return float("nan")

    def profile(d: Array, a: float, b: float, s: float, shift: float) -> Array:
        return np.asarray(a - b * erf((d - shift) / s))

    start = (float(mean.mean()), float(mean[0] - mean[-1]) / 2, 1.5, 0.0)
    bounds = ((-50, -60, 0.2, -3), (150, 60, 8, 3))
    try:
        found, _ = curve_fit(profile, at, mean, start, bounds=bounds, maxfev=2000)
    except (RuntimeError, ValueError):
        return float("nan")
    return float(WIDTH_OF_S * found[2]) if abs(found[1]) > 2 else float("nan")


def lesions_of(ct: CT, mask: Mask, brain: Mask) -> list[Lesion]:
    """Every lesion of a scan."""
    grid = WorkGrid.around(brain, ct.affine)
    depth = depth_inside(grid.blocks(brain[grid.box].astype(np.float32)), grid)
    deep = np.zeros(ct.hu.shape, dtype=np.float32)
    deep[grid.box] = grid.to_native(grid.to_slices(depth))
    levels = np.flatnonzero(brain.any(axis=(0, 1)))
    pixel = ct.pixel_spacing_mm[0]
    parts, _ = ndimage.label(mask, np.ones((3, 3, 3)))
    sizes = np.bincount(parts.ravel())[1:] * float(np.median(ct.voxel_volumes_mm3)) / 1000
    found = []
    for number in np.flatnonzero(sizes >= LEAST_ML) + 1:
        part, volume = parts == number, float(sizes[number - 1])
        area = part.sum(axis=(0, 1))
        k = int(area.argmax())
        beyond = ndimage.distance_transform_edt(~mask[:, :, k]) * pixel
        ring = (beyond > AROUND_MM[0]) & (beyond < AROUND_MM[1]) & brain[:, :, k]
        if ring.sum() < 20:
            continue
        hu = ct.hu[:, :, k]
        contrast = float(np.median(hu[part[:, :, k]]) - np.median(hu[ring]))
        height = float(area @ np.arange(len(area)) / area.sum() - levels[0])
        values = (
            contrast,
            edge_mm(hu, part[:, :, k], brain[:, :, k], pixel),
            volume,
            float(np.median(deep[part])),
            height / max(len(levels) - 1, 1),
        )
        found.append(Lesion(values))
    return found


def shown(ct: CT, mask: Mask, brain: Mask) -> Shown:
    """The slice with most lesion, cut to the brain."""
    k = int(mask.sum(axis=(0, 1)).argmax())
    rows, columns = (np.flatnonzero(brain[:, :, k].any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        rows = columns = np.array([0, 1])
    margin = int(6 / ct.pixel_spacing_mm[0])
    box = tuple(slice(max(at[0] - margin, 0), at[-1] + margin) for at in (rows, columns))
    part = mask[:, :, k][box]
    outline = part ^ ndimage.binary_erosion(part, iterations=2)
    return Shown(ct.hu[:, :, k][box].copy(), outline, ct.mask_volume_mm3(mask) / 1000)


def measured(
    folder: Path, value: int | None, most: int
) -> tuple[NDArray[np.float64], list[Shown], list[float]]:
    """Measures (N, 5) of all lesions of a folder, pictures, and volumes by scan."""
    rows: list[tuple[float, ...]] = []
    pictures = []
    for ct, mask, brain in scans(folder, value, most):
        rows += [lesion.values for lesion in lesions_of(ct, mask, brain)]
        pictures.append(shown(ct, mask, brain))
    if not rows:
        raise typer.BadParameter(f"{folder}: no lesions to measure")
    return np.array(rows), pictures, [picture.volume_ml for picture in pictures]


def pairs(real: Sequence[Shown], made: Sequence[Shown]) -> list[tuple[Shown, Shown]]:
    """Real scans over the range of volumes, each with the made one whose volume is nearest."""
    ordered = sorted(real, key=lambda own: own.volume_ml)
    at = np.unique(np.linspace(0, len(ordered) - 1, min(COLUMNS_SHOWN, len(ordered))).astype(int))
    left, found = list(made), []
    for own in (ordered[i] for i in at):
        if left:
            best = min(left, key=lambda m: abs(np.log(m.volume_ml / own.volume_ml)))
            found.append((own, left.pop(next(i for i, m in enumerate(left) if m is best))))
    return found


def figure_of(
    real: NDArray[np.float64], made: NDArray[np.float64], beside: Sequence[tuple[Shown, Shown]]
) -> Figure:
    """Pictures of both, plain and outlined, over histograms of every measure."""
    figure = Figure(figsize=(1.55 * COLUMNS_SHOWN, 10.2), layout="constrained")
    upper, lower = np.ravel(figure.subfigures(2, 1, height_ratios=(3.4, 1), squeeze=False))
    panels = upper.subplots(4, COLUMNS_SHOWN, squeeze=False)
    for axes in panels.ravel():
        axes.axis("off")
    for column, pair in enumerate(beside):
        for row, (own, name) in enumerate(zip(pair, ("real", "synthetic"), strict=True)):
            for line, marked in enumerate((False, True)):
                axes = panels[2 * row + line, column]
                axes.imshow(own.image.T, cmap="gray", origin="lower", vmin=0, vmax=80)
                if marked:
                    where = np.ma.masked_where(~own.outline, own.outline)
                    axes.imshow(where.T, cmap="autumn", origin="lower", vmin=0, vmax=2)
                else:
                    axes.set_title(f"{name}, {own.volume_ml:.1f} mL", fontsize=8)
    for n, (axes, (name, span)) in enumerate(
        zip(lower.subplots(1, len(MEASURES)), MEASURES.items(), strict=True)
    ):
        log = name.startswith("volume")
        for values, whose in ((real[:, n], "real"), (made[:, n], "synthetic")):
            finite = values[np.isfinite(values)]
            finite = np.log10(finite) if log else finite
            bins = np.linspace(*span, 16)
            axes.hist(finite, bins=bins, density=True, histtype="step", lw=1.8, label=whose)
        axes.set(xlabel=f"log10 of {name}" if log else name, yticks=[])
        axes.legend(fontsize=6)
    return figure


def table(real: NDArray[np.float64], made: NDArray[np.float64]) -> list[str]:
    """Quartiles of every measure, real and made."""
    rows = []
    for n, name in enumerate(MEASURES):
        for values, own in ((real[:, n], "real"), (made[:, n], "synthetic")):
            finite = values[np.isfinite(values)]
            told = [f"{q:.2f}" for q in np.percentile(finite, (5, 25, 50, 75, 95))]
            rows.append([name, own, str(finite.size), *told])
    return ruled(("measure", "lesions", "number", "p5", "p25", "p50", "p75", "p95"), rows)


def main(
    real: Annotated[Path, typer.Argument(help="Folder of labelled scans with real lesions.")],
    made: Annotated[Path, typer.Argument(help="Folder of phantom --backgrounds.")],
    out: Annotated[Path, typer.Option("-o", "--out")] = Path("lesion_realism.png"),
    value: Annotated[int, typer.Option(help="The lesion's value in the labels of MADE.")] = 2,
    most: Annotated[int, typer.Option(help="Scans of each folder at most.")] = 60,
) -> None:
    theirs, pictures, volumes = measured(real, None, most)
    ours, synthetic, drawn = measured(made, value, most)
    write_bytes(out, png(figure_of(theirs, ours, pairs(pictures, synthetic))))
    print("\n".join(table(theirs, ours)))
    quartiles = {
        name: [round(float(q), 2) for q in np.percentile(own, (25, 50, 75))]
        for name, own in (("real", volumes), ("synthetic", drawn))
    }
    print(f"\nmL a scan, quartiles: {json.dumps(quartiles)}")


if __name__ == "__main__":
    typer.run(main)
