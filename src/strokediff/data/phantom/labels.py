"""Anatomy from whole-head label maps: FreeSurfer brain structures plus extra-cerebral classes."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from strokediff.data.phantom.anatomy import Atlas, assemble
from strokediff.data.phantom.fields import Array
from strokediff.errors import InputError

GREY = (3, 8, 42, 47, 10, 11, 12, 13, 17, 18, 26, 49, 50, 51, 52, 53, 54, 58)
WHITE = (2, 7, 41, 46, 16, 28, 60, 77, 85, 251, 252, 253, 254, 255)
DEEP = (10, 11, 12, 13, 26, 49, 50, 51, 52, 58)
VENTRICLE = (4, 5, 14, 15, 43, 44, 72)
