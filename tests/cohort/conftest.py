"""A layout of others, imported, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from strokediff.cohort.importing.convert import convert
from strokediff.cohort.importing.registry import open_layout
from strokediff.cohort.importing.survey import survey


class Imported:
    """What an import wrote."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.meta: dict[str, Any] = json.loads((path / "cohort.json").read_text())

    @property
    def names(self) -> list[str]:
        return sorted(p.name.removesuffix(".nii.gz") for p in (self.path / "images").iterdir())

    def image(self, name: str) -> nib.Nifti1Image:
        return nib.load(self.path / "images" / f"{name}.nii.gz")

    def hu(self, name: str) -> np.ndarray:
        return np.asarray(self.image(name).dataobj)

    def mask(self, name: str) -> np.ndarray:
        return np.asarray(nib.load(self.path / "labels" / f"{name}.nii.gz").dataobj)


@pytest.fixture
def imported(tmp_path: Path) -> Callable[..., Imported]:
    """`imported(layout, source, **options)`: a folder, imported in one call, to dst/ or `out`."""

    def call(layout: str, source: Path, out: Path = tmp_path / "dst", **options: Any) -> Imported:
        convert(survey(open_layout(layout, source), **options), out)
        return Imported(out)

    return call
