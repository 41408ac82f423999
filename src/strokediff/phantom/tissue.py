"""From tissue maps to Hounsfield units on the atlas grid, with lesions and confounders."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from strokediff.phantom.anatomy import Atlas, pad_to
from strokediff.phantom.artefacts import add_glow
from strokediff.phantom.confounders import add_beam_hardening, add_calcifications
from strokediff.phantom.dura import add_dura
from strokediff.phantom.fields import Field, smooth_field, soft_step, upsample
from strokediff.phantom.lesions import LesionShapes, ProceduralShapes, ventricular_blood
from strokediff.phantom.params import DrawnHead, DrawnLesion, Parameters


class Painted(NamedTuple):
    """A head on the atlas grid: `hu`, the labelled `lesion` and the `cavity`, soft in [0, 1]."""

    hu: Field
    lesion: Field
    cavity: Field


class Tissue(NamedTuple):
    """HU and fraction of grey and white matter; the rest of the cavity is fluid."""

    grey: Field
    white: Field
    grey_hu: Field
    white_hu: Field

    def mix(self, fluid_hu: float) -> Field:
        """HU of the mixture."""
        fluid = 1 - self.grey - self.white
        return self.grey * self.grey_hu + self.white * self.white_hu + fluid * fluid_hu


def paint(atlas: Atlas, parameters: Parameters, shapes: LesionShapes) -> Painted:
    """Everything but the acquisition. What lies in the skull is painted in its box only."""
    inner = atlas.inner
    contents, lesion = paint_contents(inner, parameters, shapes)
    inside = soft_step(-inner.depth) * soft_step(inner.z + 66.0, 2.0)
    hu = atlas.outside.paint(atlas, parameters.subject)
    hu[atlas.box] += inside * (contents - hu[atlas.box])
    if parameters.variation:
        hu = add_glow(hu, atlas, parameters.variation.glow)
    full = np.zeros(atlas.shape, dtype=np.float32)
    full[atlas.box] = lesion * inside
    return Painted(hu=hu, lesion=full, cavity=atlas.cavity)


def paint_contents(
    atlas: Atlas, parameters: Parameters, shapes: LesionShapes
) -> tuple[Field, Field]:
    """HU and soft lesion mask of the intracranial cavity."""
    subject = parameters.subject
    tissue = healthy_tissue(atlas, parameters)
    lesion = np.zeros(atlas.shape, dtype=np.float32)
    masks = [(item, shapes.shape(item, atlas)) for item in parameters.lesions]
    if parameters.kind == "infarct":
        for item, mask in masks:
            tissue = infarct(tissue, mask, item)
    hu = tissue.mix(subject.csf_hu)
    hu = add_old_infarcts(hu, atlas, parameters)
    hu = add_blood_pool(hu, atlas, subject)
    if parameters.variation:
        hu = add_dura(hu, atlas, parameters.variation.dura)
    for item, mask in masks:
        if parameters.kind == "hemorrhage":
            hu, mask = haematoma(hu, mask, item, atlas, tissue)
        lesion = np.maximum(lesion, mask)
    hu = add_calcifications(hu, atlas, parameters.confounders)
    return add_beam_hardening(hu, atlas, parameters.confounders), lesion


def healthy_tissue(atlas: Atlas, parameters: Parameters) -> Tissue:
    """Grey and white matter of this subject: sulci widened by atrophy, leukoaraiosis, texture."""
    subject, confounders = parameters.subject, parameters.confounders
    rng = np.random.default_rng([subject.seed, 0])
    shape = atlas.shape
    total = np.clip(atlas.grey + atlas.white, 0, 1)
    level = 0.48 + 0.34 * subject.atrophy + 0.13 * smooth_field(rng, shape, 14.0)
    solid = soft_step(total - level, 0.40) * soft_step(-0.6 - atlas.depth, 1.5)
    share = atlas.grey / np.maximum(atlas.grey + atlas.white, 1e-3)
    share = np.clip((share - 0.5) * 1.6 + 0.5 + 0.25 * atlas.deep, 0, 1)
    texture = subject.texture_hu * smooth_field(rng, shape, 5.0)
    patches = confounders.patchiness_hu * smooth_field(rng, shape, 34.0)
    grey_hu = subject.grey_hu + atlas.deep * (subject.deep_hu - subject.grey_hu) + texture + patches
    near = np.exp(-((atlas.ventricle_distance / confounders.leukoaraiosis_mm) ** 2))
    spots = np.clip(0.8 + 0.6 * smooth_field(rng, shape, 9.0), 0, 2)
    white_hu = subject.white_hu + texture + patches + confounders.leukoaraiosis_hu * near * spots
    return Tissue(solid * share, solid * (1 - share), grey_hu, white_hu)


def infarct(tissue: Tissue, mask: Field, lesion: DrawnLesion) -> Tissue:
    """Grey matter falls by the whole contrast, white by 70 %: the border between them fades.

    Swelling closes the sulci inside the lesion by up to a quarter of their fluid.
    """
    rng = np.random.default_rng([lesion.seed, 1])
    uneven = np.clip(1 + 0.25 * smooth_field(rng, mask.shape, 9.0), 0.3, 1.7)
    drop = mask * lesion.contrast_hu * uneven
    grey_hu = tissue.grey_hu + drop
    white_hu = np.minimum(tissue.white_hu + 0.7 * drop, np.maximum(grey_hu, tissue.white_hu - 20))
    filled = 1 + 0.25 * lesion.swelling * mask
    total = tissue.grey + tissue.white
    grow = np.minimum(filled, 1 / np.maximum(total, 1e-3))
    return Tissue(tissue.grey * grow, tissue.white * grow, grey_hu, white_hu)


def haematoma(
    hu: Field, mask: Field, lesion: DrawnLesion, atlas: Atlas, tissue: Tissue
) -> tuple[Field, Field]:
    """Clot of 50-80 HU in a rim of oedema; the rim is not part of the lesion."""
    rng = np.random.default_rng([lesion.seed, 1])
    rim = ndimage.gaussian_filter(mask[::2, ::2, ::2], lesion.rim_mm / 2.0)
    rim = pad_to(
        upsample(rim, tuple(2 * n - 1 for n in rim.shape)), tuple(2 * n for n in rim.shape)
    )
    rim = np.clip(3.0 * rim[tuple(slice(n) for n in mask.shape)], 0, 1)
    hu = hu + rim * lesion.rim_hu * (0.5 * tissue.grey + tissue.white)
    clot = lesion.contrast_hu + 5.0 * smooth_field(rng, mask.shape, 8.0)
    if lesion.ventricular > 0:
        mask = np.maximum(mask, ventricular_blood(lesion, atlas))
    return hu + mask * (clot - hu), mask


def add_old_infarcts(hu: Field, atlas: Atlas, parameters: Parameters) -> Field:
    """Cavities left by old infarcts, close to fluid."""
    for old in parameters.confounders.old_infarcts:
        hu = hu + ProceduralShapes().shape(old, atlas) * np.minimum(old.contrast_hu - hu, 0)
    return hu


def add_blood_pool(hu: Field, atlas: Atlas, subject: DrawnHead) -> Field:
    """Falx, superior sagittal and transverse sinus, basilar tip: slightly dense, never labelled."""
    x, y, z, depth = atlas.x, atlas.y, atlas.z, atlas.depth
    bow = 1.2 * np.sin(y / 35.0 + subject.seed % 7)
    gap = 1 - np.clip(atlas.grey + atlas.white, 0, 1) * 0.6
    falx = soft_step(1.0 - np.abs(x - bow)) * soft_step(z + 4 + 0.0 * y, 6) * (depth > -38) * gap
    falx = falx * np.where(y > 0, 0.8, 1.0) * (depth < 0)
    sagittal = soft_step(4.5 + depth * 0.8 - np.abs(x), 1.5) * (depth > -6) * (depth < 0)
    sagittal = sagittal * soft_step(np.maximum(z - 20, -y - 70), 8)
    transverse = soft_step(3.2 - np.abs(z + 20 + 0.08 * (y + 80)), 2) * (depth > -5) * (y < -45)
    pool = np.maximum(sagittal, transverse * (depth < 0)) * 0.9
    hu = hu + falx * np.maximum(subject.blood_hu - 4 - hu, 0)
    return np.asarray(hu + pool * np.maximum(subject.blood_hu - hu, 0))
