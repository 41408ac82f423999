"""Images that were saved through a brain window, as 8-bit slices are: bone and air are cut off.

Everything at the upper end of the window may be bone, everything at the lower end fat or air.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from strokediff.ct.arrays import AIR_HU, Array, Mask
from strokediff.ct.brain.evidence import disc
from strokediff.ct.volume import CT

WIDEST_HU = 250.0
"""A range wider than this shows bone as bone."""
CUT_SHARE = 0.01
"""Share of an image at each end of its range from which on it has been cut there."""
TOLERANCE = 0.02
"""Ends of the range are blurred by JPEG: this share of it counts as the end."""
BONE_VALUE_HU = 800.0
BONE_MM, AIR_MM = 1.2, 2.0
"""Radius of a solid patch of bone, and of fat or air; smaller ones are noise of blood or CSF."""


def without_window(volume: CT) -> CT:
    """Volume with bone and air put back where a narrow window cut them; else as it is."""
    low, high = float(volume.hu.min()), float(volume.hu.max())
    at_low, at_high = _ends(volume, low, high)
    cut = at_low.mean() > CUT_SHARE and at_high.mean() > CUT_SHARE
    return put_back(volume, low, high) if cut and high - low <= WIDEST_HU else volume


def put_back(volume: CT, low: float, high: float) -> CT:
    """Bone and air where the image reaches the ends of the window that it is known to be cut by."""
    at_low, at_high = _ends(volume, low, high)
    hu: Array = volume.hu.copy()
    hu[_solid(at_high, BONE_MM, volume)] = BONE_VALUE_HU
    hu[_solid(at_low, AIR_MM, volume)] = AIR_HU
    return replace(volume, hu=hu)


def _ends(volume: CT, low: float, high: float) -> tuple[Mask, Mask]:
    margin = TOLERANCE * (high - low)
    return volume.hu <= low + margin, volume.hu >= high - margin


def _solid(mask: Mask, radius_mm: float, volume: CT) -> Mask:
    patch = disc(radius_mm, volume.pixel_spacing_mm)[:, :, None]
    return np.asarray(ndimage.binary_opening(mask, structure=patch))
