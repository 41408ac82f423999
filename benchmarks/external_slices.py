"""The bundled model on single slices of real patients, outside anything it was trained on.

    python benchmarks/external_slices.py DATA [--model phantom-stroke] [-o FIGURE_DIR]

DATA holds cpaisd-slices, aisd-slices and ctich-slices, each with images/ and masks/ (8-bit
pictures and expert outlines; any colour is lesion). Pictures carry no spacing and no HU: the
in-plane field of view is taken as 230 mm, and grey levels are mapped to HU by the window of each
set (see WINDOWS; cpaisd is stored as HU itself, saturated at 255). Dice is per slice, so these
figures are not comparable with those per patient.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image

from strokediff.ct.volume import CT, Source
from strokediff.errors import InputError
from strokediff.inference.presets import Choice
from strokediff.segmentation.model import Model, load_model
from strokediff.segmentation.pipeline import segment_volume
from strokediff.weights import model_path

WINDOWS = {"cpaisd-slices": (0.0, 255.0), "aisd-slices": (0.0, 80.0), "ctich-slices": (0.0, 80.0)}
FIELD_OF_VIEW_MM = 230.0


def read_slice(path: Path, window: tuple[float, float]) -> CT:
    """One picture as a volume of one slice of 5 mm, axes to RAS+ by radiological convention."""
    grey = np.asarray(Image.open(path).convert("L"), dtype=np.float32)
    low, high = window
    hu = (low + grey / 255 * (high - low)).T[:, :, None]
    pixel = FIELD_OF_VIEW_MM / max(grey.shape)
    affine = np.diag([-pixel, -pixel, 5.0, 1.0])
    return CT.from_source_array(hu, Source(path, "array", hu.shape, affine))


def read_truth(path: Path, volume: CT) -> np.ndarray:
    colour = np.asarray(Image.open(path).convert("RGB")).max(axis=2) > 60
    return volume.from_source(colour.T[:, :, None])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="phantom-stroke")
    parser.add_argument("--method", default="sal")
    parser.add_argument("-o", "--out", type=Path)
    args = parser.parse_args()
    model = load_model(model_path(args.model), torch.device("cpu"))
    print("| set | slices | no brain found | Dice mean | Dice median | recall | precision |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, window in WINDOWS.items():
        shown = evaluate(args.data / name, window, model, args.method)
        if args.out:
            args.out.mkdir(parents=True, exist_ok=True)
            draw(shown, args.out / f"{name}.png")


def evaluate(folder: Path, window: tuple[float, float], model: Model, method: str) -> list:
    """Print one row; a slice in which no brain is found counts as an empty prediction."""
    scores, shown, missed = [], [], 0
    for path in sorted((folder / "images").iterdir()):
        volume = read_slice(path, window)
        mask_path = next((folder / "masks").glob(f"{path.stem}.*"))
        truth = read_truth(mask_path, volume)
        try:
            found = segment_volume(volume, model, Choice(method)).mask
        except InputError:
            found = np.zeros_like(truth)
            missed += 1
        hit = float((found & truth).sum())
        total = float(found.sum() + truth.sum())
        scores.append(
            (
                2 * hit / total if total else 1.0,
                hit / truth.sum() if truth.any() else np.nan,
                hit / found.sum() if found.any() else 0.0,
            )
        )
        shown.append((volume.hu[:, :, 0], truth[:, :, 0], found[:, :, 0], scores[-1][0]))
    dice, recall, precision = np.array(scores).T
    print(
        f"| {folder.name} | {len(scores)} | {missed} | {dice.mean():.3f} | {np.median(dice):.3f} "
        f"| {np.nanmean(recall):.3f} | {precision.mean():.3f} |",
        flush=True,
    )
    return shown


def draw(shown: list, path: Path) -> None:
    """Every slice with the expert's outline (green) and the model's (red)."""
    columns = 6
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(2.4 * columns, 2.5 * rows), facecolor="black")
    for i, (hu, truth, found, dice) in enumerate(shown):
        axes = figure.add_subplot(rows, columns, i + 1)
        axes.imshow(hu[::-1].T[::-1], cmap="gray", vmin=0, vmax=80)
        for mask, colour in ((truth, "#5f5"), (found, "#f55")):
            if mask.any():
                axes.contour(mask[::-1].T[::-1], [0.5], colors=colour, linewidths=0.8)
        axes.set_title(f"Dice {dice:.2f}", color="white", fontsize=8)
        axes.axis("off")
    figure.tight_layout()
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    main()
