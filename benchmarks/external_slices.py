"""The bundled model on single slices of real patients, outside anything it was trained on.

    python benchmarks/external_slices.py DATA [--model phantom-stroke]

DATA holds cpaisd-slices, aisd-slices and ctich-slices, each with images/ and masks/ (8-bit
pictures and expert outlines; any colour is lesion). Pictures carry no spacing and no HU: the
in-plane field of view is taken as 230 mm, and grey levels are mapped to HU by the window of each
set (cpaisd is stored as HU itself, saturated at 255). Dice is per slice, so these figures are not
comparable with those per patient. A slice in which no brain is found is an empty prediction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image

from strokediff.benchmark.tables import ruled
from strokediff.ct.volume import CT, Source
from strokediff.errors import InputError
from strokediff.evaluation.metrics import Confusion
from strokediff.inference.estimation import Estimation
from strokediff.segmentation.model import Model, load_model
from strokediff.segmentation.pipeline import segment_ct
from strokediff.weights import model_path

WINDOWS = {"cpaisd-slices": (0.0, 255.0), "aisd-slices": (0.0, 80.0), "ctich-slices": (0.0, 80.0)}
FIELD_OF_VIEW_MM = 230.0
COLUMNS = ("set", "slices", "no brain found", "Dice mean", "Dice median", "recall", "precision")


@dataclass(frozen=True)
class Scored:
    """One slice: the expert's outline and the model's; `brain`: whether it was found."""

    truth: NDArray[np.bool_]
    found: NDArray[np.bool_]
    brain: bool

    @property
    def confusion(self) -> Confusion:
        """Of the two masks."""
        return Confusion.of(self.found, self.truth)


def scored(path: Path, window: tuple[float, float], model: Model, method: str) -> Scored:
    """A picture as a volume of one slice of 5 mm, axes to RAS+ by radiological convention."""
    grey = np.asarray(Image.open(path).convert("L"), dtype=np.float32)
    low, high = window
    hu = (low + grey / 255 * (high - low)).T[:, :, None]
    pixel = FIELD_OF_VIEW_MM / max(grey.shape)
    affine = np.diag([-pixel, -pixel, 5.0, 1.0])
    ct = CT.from_source_array(hu, Source(path, "array", hu.shape, affine))
    mask_path = next((path.parents[1] / "masks").glob(f"{path.stem}.*"))
    colour = np.asarray(Image.open(mask_path).convert("RGB")).max(axis=2) > 60
    truth = ct.from_source(colour.T[:, :, None])
    try:
        found, brain = segment_ct(ct, model, Estimation(method)).mask, True
    except InputError:
        found, brain = np.zeros_like(truth), False
    return Scored(truth, found, brain)


def row(name: str, slices: Sequence[Scored]) -> list[str]:
    """Figures of a set; recall is of slices with a lesion, precision 0 where nothing is marked."""
    every = [own.confusion for own in slices]
    dice = [own.dice for own in every]
    recall = [c.recall for c, own in zip(every, slices, strict=True) if own.truth.any()]
    precision = [c.precision * own.found.any() for c, own in zip(every, slices, strict=True)]
    missed = sum(not own.brain for own in slices)
    means = [np.mean(dice), np.median(dice), np.mean(recall), np.mean(precision)]
    return [name, str(len(slices)), str(missed), *(f"{value:.3f}" for value in means)]


def main(
    data: Path,
    model: str = "phantom-stroke",
    method: str = "sal",
) -> None:
    loaded = load_model(model_path(model))
    cells = []
    for name, window in WINDOWS.items():
        files = sorted((data / name / "images").iterdir())
        slices = [scored(path, window, loaded, method) for path in files]
        cells.append(row(name, slices))
    print("\n".join(ruled(COLUMNS, cells)))


if __name__ == "__main__":
    typer.run(main)
