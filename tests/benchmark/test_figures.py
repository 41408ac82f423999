"""Laws: figures are drawn for any number of rows, and the cases shown are the ones they name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from strokediff.benchmark import figures

from .conftest import row
from .test_results import made


def test_best_median_and_worst_are_found_among_those_with_a_lesion() -> None:
    scores = {"a": [row("a", 0, (50, 100), (100, 100), (0, 0), (10, 100))]}
    assert figures.best_median_worst(scores) == {"best": 1, "median": 0, "worst": 3}
    assert figures.best_median_worst({"a": [row("a", 0, (90, 100))]}) == {"best": 0}
    assert figures.best_median_worst({"a": [row("a", 0, (0, 0))]}) == {}


def test_pictures_are_written(tmp_path: Path) -> None:
    scores = {f"r{k}": [made(f"r{k}", 0, 10 * k)] for k in range(5)}
    titles = {name: name.upper() for name in scores}
    mask = np.zeros((16, 16), bool)
    mask[4:8, 4:8] = True
    case = figures.Example("best", np.zeros((16, 16), np.float32), mask, {"r0": ~mask}, {"r0": 0.5})
    drawn = {
        "boxes": figures.boxes(scores, titles),
        "volumes": figures.volumes(scores, titles),
        "panel": figures.panel([case, case], titles),
    }
    for name, figure in drawn.items():
        (tmp_path / f"{name}.png").write_bytes(figures.png(figure))
        with Image.open(tmp_path / f"{name}.png") as picture:
            assert np.asarray(picture.convert("L")).std() > 5
