"""A model on single slices of real patients, outside anything that it was trained on.

    python benchmarks/external_slices.py DATA [--model phantom-stroke] [--method sal]

DATA holds cpaisd-slices, aisd-slices and ctich-slices, each with images/ and masks/ (8-bit
pictures and expert outlines; any colour is lesion). Pictures carry no spacing and no HU: the
in-plane field of view is taken as 230 mm, and grey levels are mapped to HU by the window of each
set (cpaisd is stored as HU itself, saturated at 255). Dice is per slice, so these figures are not
comparable with those per patient. A slice in which no brain is found is an empty prediction.

Dice, recall and precision are of lesions of any kind. "Found at all" is the share of slices with a
lesion in which a marked pixel lies in it. Of a model that tells kinds apart the second table has
the Dice of each set's own kind, and how often the kind is right: of the slices found (that most
marked pixels in the lesion have), and of all these pixels.
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
from strokediff.util.kinds import HAEMORRHAGE, INFARCT
from strokediff.weights import model_path

FIELD_OF_VIEW_MM = 230.0
COLUMNS = (
    *("set", "slices", "no brain found", "Dice mean", "Dice median", "recall", "precision"),
    "found at all",
)
OF_KIND = ("set", "kind", "Dice of the kind", "kind right, slices found", "kind right, pixels")


@dataclass(frozen=True)
class Slices:
    """A set of pictures: the HU of black and white, and the kind of lesion that it shows."""

    name: str
    window: tuple[float, float]
    kind: str


SETS = (
    Slices("cpaisd-slices", (0.0, 255.0), INFARCT),
    Slices("aisd-slices", (0.0, 80.0), INFARCT),
    Slices("ctich-slices", (0.0, 80.0), HAEMORRHAGE),
)


@dataclass(frozen=True)
class Scored:
    """One slice: the expert's outline and the model's; `brain`: whether it was found.

    `right` is what was found of the set's own kind, all where none are told apart.
    """

    truth: NDArray[np.bool_]
    found: NDArray[np.bool_]
    right: NDArray[np.bool_]
    brain: bool

    @property
    def confusion(self) -> Confusion:
        """Of the two masks."""
        return Confusion.of(self.found, self.truth)

    @property
    def hit(self) -> int:
        """Marked pixels in the lesion."""
        return self.confusion.tp

    @property
    def hit_right(self) -> int:
        """Those of them that have the right kind."""
        return int(np.count_nonzero(self.right & self.truth))


def read(path: Path, of: Slices) -> tuple[CT, NDArray[np.bool_], NDArray[np.bool_]]:
    """A picture as a volume of one slice of 5 mm, axes to RAS+ by radiological convention.

    With it the outlined lesion, and the part of it that is drawn in red: an infarct's core.
    """
    grey = np.asarray(Image.open(path).convert("L"), dtype=np.float32)
    low, high = of.window
    hu = (low + grey / 255 * (high - low)).T[:, :, None]
    pixel = FIELD_OF_VIEW_MM / max(grey.shape)
    affine = np.diag([-pixel, -pixel, 5.0, 1.0])
    ct = CT.from_source_array(hu, Source(path, "array", hu.shape, affine))
    mask_path = next((path.parents[1] / "masks").glob(f"{path.stem}.*"))
    colour = np.greater(np.asarray(Image.open(mask_path).convert("RGB")), 60)
    lesion, core = (
        ct.from_source(drawn.T[:, :, None]) for drawn in (colour.any(axis=2), colour[:, :, 0])
    )
    return ct, lesion, core


def scored(path: Path, of: Slices, model: Model, method: str) -> Scored:
    """A picture segmented, and the expert's outline."""
    ct, truth, _ = read(path, of)
    try:
        found = segment_ct(ct, model, Estimation(method))
    except InputError:
        return Scored(truth, np.zeros_like(truth), np.zeros_like(truth), brain=False)
    own = found.by_kind.get(of.kind)
    return Scored(truth, found.mask, found.mask if own is None else own.mask, brain=True)


def row(name: str, slices: Sequence[Scored]) -> list[str]:
    """Figures of a set; recall is of slices with a lesion, precision 0 where nothing is marked."""
    every = [own.confusion for own in slices]
    dice = [own.dice for own in every]
    there = [own for own in slices if own.truth.any()]
    recall = [own.confusion.recall for own in there]
    precision = [c.precision * own.found.any() for c, own in zip(every, slices, strict=True)]
    missed = sum(not own.brain for own in slices)
    means = [np.mean(dice), np.median(dice), np.mean(recall), np.mean(precision)]
    found = f"{sum(own.hit > 0 for own in there)} of {len(there)}"
    return [name, str(len(slices)), str(missed), *(f"{value:.3f}" for value in means), found]


def row_of_kind(of: Slices, slices: Sequence[Scored]) -> list[str]:
    """Of a model that tells kinds apart: is what was found of the set's own kind?"""
    dice = float(np.mean([Confusion.of(own.right, own.truth).dice for own in slices]))
    hit = [own for own in slices if own.hit]
    right = sum(2 * own.hit_right >= own.hit for own in hit)
    pixels, right_pixels = (sum(n) for n in ([o.hit for o in hit], [o.hit_right for o in hit]))
    share = f"{right_pixels / pixels:.0%} of {pixels:,}" if pixels else "-"
    return [of.name, of.kind, f"{dice:.3f}", f"{right} of {len(hit)}", share]


def main(
    data: Path,
    model: str = "phantom-stroke",
    method: str = "sal",
) -> None:
    loaded = load_model(model_path(model))
    cells, of_kind = [], []
    for of in SETS:
        files = sorted((data / of.name / "images").iterdir())
        slices = [scored(path, of, loaded, method) for path in files]
        cells.append(row(of.name, slices))
        of_kind.append(row_of_kind(of, slices))
    print("\n".join(ruled(COLUMNS, cells)))
    if len(loaded.kinds) > 1:
        print("\n" + "\n".join(ruled(OF_KIND, of_kind)))


if __name__ == "__main__":
    typer.run(main)
