"""DrawnLesion outlines from real masks in MNI space, chosen by volume and arterial territory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from strokediff.errors import InputError
from strokediff.phantom.anatomy import Atlas
from strokediff.phantom.fields import Field
from strokediff.phantom.params import DrawnLesion

CANDIDATES = 8
ARTERIES = {
    "aca": (1, 2),
    "mca": tuple(range(7, 17)),
    "mca_deep": (3, 4, 5, 6),
    "pca": tuple(range(17, 23)),
    "lacune": (3, 4, 5, 6, 21, 22, 23, 24),
    "cerebellum": tuple(range(25, 31)),
}
"""Labels of the arterial atlas of Liu et al. (2023) that make up each territory."""


@dataclass(frozen=True)
class MaskShapes:
    """Outlines from a folder of binary masks that share MNI space.

    Of a few masks drawn at random, the one that fits the wanted volume and, where the folder
    holds an arterial atlas, the wanted territory best is used, mirrored to the wanted side.
    """

    name: str
    paths: tuple[Path, ...]
    arteries: Path | None

    @classmethod
    def from_folder(cls, folder: Path) -> MaskShapes:
        """Masks are the NIfTI files with "lesion" in their name; the atlas has "Arterial"."""
        files = sorted(folder.rglob("*.nii*")) if folder.is_dir() else []
        masks = [p for p in files if "lesion" in p.name and "mean" not in p.name]
        atlas = [p for p in files if "Arterial" in p.name]
        if not masks:
            raise InputError(
                f"{folder}: no lesion masks found. Expected NIfTI masks in MNI space with "
                "'lesion' in their names, such as those of the SOOP cohort."
            )
        return cls(folder.name, tuple(masks), atlas[0] if atlas else None)

    def shape(self, lesion: DrawnLesion, atlas: Atlas) -> Field:
        """Soft mask on the atlas grid; 0.5 is the outline."""
        rng = np.random.default_rng(lesion.seed)
        picks = rng.choice(len(self.paths), min(CANDIDATES, len(self.paths)), replace=False)
        mask, affine = min(
            (_read_outline(self.paths[i]) for i in picks),
            key=lambda item: self._misfit(item[0], item[1], lesion),
        )
        middle = ndimage.center_of_mass(mask) @ affine[:3, :3].T + affine[:3, 3]
        mirror = -1.0 if middle[0] * lesion.side < 0 else 1.0
        soft = smooth_outline(mask, lesion.edge_mm / 3.0)
        to_mni = np.diag(
            [
                mirror * float(atlas.x.ravel()[1] - atlas.x.ravel()[0]),
                float(atlas.y.ravel()[1] - atlas.y.ravel()[0]),
                float(atlas.z.ravel()[1] - atlas.z.ravel()[0]),
                1.0,
            ]
        )
        to_mni[:3, 3] = (
            mirror * float(atlas.x.ravel()[0]),
            float(atlas.y.ravel()[0]),
            float(atlas.z.ravel()[0]),
        )
        to_index = np.linalg.inv(affine) @ to_mni
        warped = ndimage.affine_transform(
            soft, to_index[:3, :3], to_index[:3, 3], output_shape=atlas.shape, order=1
        )
        tissue = ndimage.gaussian_filter(np.clip(atlas.grey + atlas.white, 0, 1), 1.0)
        return np.asarray(warped * np.clip(2.0 * tissue, 0, 1), dtype=np.float32)

    def _misfit(
        self, mask: NDArray[np.bool_], affine: NDArray[np.float64], lesion: DrawnLesion
    ) -> float:
        """|log(volume / wanted)| plus the share of the mask outside the territory."""
        volume = np.count_nonzero(mask) * abs(np.linalg.det(affine[:3, :3])) / 1000.0
        misfit = abs(float(np.log(max(volume, 1e-3) / lesion.volume_ml)))
        if self.arteries is not None and lesion.territory in ARTERIES:
            labels = read_atlas(self.arteries)
            if labels.shape == mask.shape:
                fed = np.isin(labels[mask], ARTERIES[lesion.territory])
                misfit += 1.5 * (1.0 - float(fed.mean() if fed.size else 0.0))
        return misfit


def smooth_outline(mask: NDArray[np.bool_], sigma: float) -> Field:
    """Blur a mask and rescale it so that its 0.5 level still encloses its volume."""
    soft = ndimage.gaussian_filter(mask.astype(np.float32), sigma)
    count = np.count_nonzero(mask)
    if not count:
        return np.asarray(soft)
    outline = float(np.partition(soft.ravel(), soft.size - count)[soft.size - count])
    return np.asarray(np.clip(soft * (0.5 / max(outline, 1e-3)), 0.0, 1.0, dtype=np.float32))


def _read_outline(path: Path) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """A binary mask and its affine."""
    try:
        image: Any = nib.load(path)
        return np.asarray(image.dataobj) > 0, np.asarray(image.affine, dtype=np.float64)
    except (OSError, EOFError, nib.filebasedimages.ImageFileError) as error:
        raise InputError(
            f"{path}: not a readable NIfTI mask ({error}). Remove or replace it."
        ) from error


@lru_cache(maxsize=1)
def read_atlas(path: Path) -> NDArray[np.int16]:
    """The arterial atlas's labels."""
    image: Any = nib.load(path)
    return np.asarray(image.dataobj).astype(np.int16)
