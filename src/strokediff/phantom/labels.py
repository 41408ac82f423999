"""Anatomy from whole-head label maps: FreeSurfer brain structures plus extra-cerebral classes.

The extra-cerebral classes are those of SimNIBS' CHARM and of SynthSeg's training maps: 502 rectus
muscles, 506 eyes, 507 other soft tissue, 508 optic nerve, 509 mucosa, 511 skin, 512 spinal cord,
514 veins, 515 cortical bone, 516 cancellous bone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from strokediff.ct import axes
from strokediff.errors import InputError
from strokediff.phantom.anatomy import Atlas, build_atlas
from strokediff.phantom.fields import Field, close_mask, smooth_field, soft_step
from strokediff.phantom.head import AIR, FAT, GLOBE, MUSCLE, SKIN
from strokediff.phantom.params import DrawnHead

GREY_MATTER = (
    3,
    8,
    10,
    11,
    12,
    13,
    17,
    18,
    26,
    42,
    47,
    49,
    50,
    51,
    52,
    53,
    54,
    58,
    136,
    137,
    163,
    164,
)
WHITE_MATTER = (2, 7, 16, 28, 41, 46, 60, 77, 85, 251, 252, 253, 254, 255)
DEEP = (10, 11, 12, 13, 26, 49, 50, 51, 52, 58)
VENTRICLE = (4, 5, 14, 15, 43, 44, 72)
CSF, SOFT, SKIN_LABEL, VEIN, CORTICAL, CANCELLOUS, EYE = 24, 507, 511, 514, 515, 516, 506
MUSCLES, MUCOSA, CORD = (502, 508), 509, 512

TEMPLATE_BOX_MM = ((-70.0, 70.0), (-104.0, 71.0))
TEMPLATE_TOP_MM = 80.0
"""Extent of the cerebrum in MNI mm along x and y, and its top: what a label map is scaled to."""


@dataclass(frozen=True)
class LabelSource:
    """One label map on disk; read when a phantom asks for it, the last two are kept."""

    path: Path

    @property
    def name(self) -> str:
        """The file's name without its suffixes."""
        return self.path.name.split(".nii")[0]

    def load(self) -> Atlas:
        """Read the label map. Raises `InputError` when it is not a whole-head label map."""
        return load_label_atlas(self.path)


def label_atlases(folder: Path) -> tuple[LabelSource, ...]:
    """All NIfTI label maps of a folder, in order of their names."""
    paths = sorted(p for p in folder.glob("*.nii*") if p.is_file()) if folder.is_dir() else []
    if not paths:
        raise InputError(
            f"{folder}: no label maps found. Expected a folder with whole-head label maps "
            "(NIfTI, FreeSurfer numbers, skull and scalp included), such as SynthSeg's."
        )
    return tuple(LabelSource(path) for path in paths)


@lru_cache(maxsize=2)
def load_label_atlas(path: Path) -> Atlas:
    """Turn a label map into an `Atlas`; its cerebrum's box is scaled to the template's."""
    image: Any = nib.load(path)
    labels = axes.canonical(np.asarray(image.dataobj), image.affine).astype(np.int16)
    if labels.ndim != 3 or not np.isin((2, 41, CSF, SOFT, CORTICAL), labels).all():
        raise InputError(
            f"{path}: not a whole-head label map. Expected a 3D map at 1 mm with white matter "
            f"(2, 41), CSF (24), soft tissue (507) and skull (515); found "
            f"{np.unique(labels)[:12].tolist()} ..."
        )
    labels = labels[ndimage.find_objects((labels > 0).astype(np.uint8))[0]]
    labels = np.pad(labels, [(6, 6), (6, 6), (0, 6)])
    x, y, z = mni_axes(np.isin(labels, (2, 3, 41, 42)))
    keep = z > -100.0
    labels, z = labels[:, :, keep], z[keep]
    contents = is_in(labels, (*GREY_MATTER, *WHITE_MATTER, *VENTRICLE, CSF))
    cavity = close_mask(contents[::2, ::2, ::2], 4.0, 2.0)
    cavity = np.repeat(np.repeat(np.repeat(cavity, 2, 0), 2, 1), 2, 2)
    cavity = cavity[tuple(slice(n) for n in labels.shape)] | contents
    cavity &= ~is_in(labels, (CORTICAL, SOFT)) & (z > -90.0)
    soft = {
        name: soften(is_in(labels, ids))
        for name, ids in (
            ("grey", GREY_MATTER),
            ("white", WHITE_MATTER),
            ("deep", DEEP),
            ("ventricle", VENTRICLE),
        )
    }
    return build_atlas(
        path.name.split(".nii")[0],
        x[:, None, None],
        y[None, :, None],
        z[None, None, :],
        soft["grey"],
        soft["white"],
        cavity,
        LabelHead(labels),
        soft["deep"],
        soft["ventricle"],
    )


def is_in(labels: NDArray[np.int16], ids: Iterable[int]) -> NDArray[np.bool_]:
    """Membership through a table: much faster than `np.isin` on big arrays."""
    table = np.zeros(max(int(labels.max()) + 1, 1024), dtype=bool)
    table[list(ids)] = True
    return table[labels]


def soften(mask: NDArray[np.bool_]) -> Field:
    """A binary mask with edges of about a voxel."""
    return np.asarray(ndimage.gaussian_filter(mask.astype(np.float32), 0.6))


def mni_axes(cerebrum: NDArray[np.bool_]) -> tuple[Field, Field, Field]:
    """MNI coordinates of each voxel along x, y, z from the cerebrum's bounding box."""
    box = ndimage.find_objects(cerebrum.astype(np.uint8))[0]
    axes, steps = [], []
    for axis, n, span in zip(TEMPLATE_BOX_MM, cerebrum.shape[:2], box[:2], strict=True):
        step = (axis[1] - axis[0]) / (span.stop - 1 - span.start)
        axes.append(axis[0] + step * (np.arange(n) - span.start))
        steps.append(step)
    axes.append(
        TEMPLATE_TOP_MM + float(np.mean(steps)) * (np.arange(cerebrum.shape[2]) - box[2].stop + 1)
    )
    x, y, z = (np.asarray(axis, dtype=np.float32) for axis in axes)
    return x, y, z


class LabelHead:
    """Skull, scalp and face as the label map has them, with HU of this subject."""

    def __init__(self, labels: NDArray[np.int16]) -> None:
        self._labels = labels

    def paint(self, atlas: Atlas, subject: DrawnHead) -> Field:
        """HU on the atlas grid."""
        rng = np.random.default_rng([subject.seed, 1])
        table = np.full(1024, AIR, dtype=np.float32)
        table[1:500] = subject.csf_hu + 8
        table[[VEIN, CORD, *MUSCLES]] = (subject.blood_hu, subject.grey_hu, MUSCLE, MUSCLE)
        table[[SKIN_LABEL, SOFT, EYE, MUCOSA]] = (SKIN, MUSCLE, GLOBE, 30.0)
        table[[CORTICAL, CANCELLOUS]] = (subject.bone_hu, subject.diploe_hu)
        hu = table[self._labels]
        mottle = smooth_field(rng, atlas.shape, 7.0)
        scalp = soft_step(atlas.z + 10.0, 20.0)
        fat = (self._labels == SOFT) * soft_step(mottle - 0.35 + 1.2 * scalp, 0.2)
        hu += fat * (FAT - MUSCLE)
        hu += (self._labels == CANCELLOUS) * 90.0 * mottle
        return np.asarray(ndimage.gaussian_filter(hu, 0.55))
