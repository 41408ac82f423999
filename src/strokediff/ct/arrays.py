"""What arrays of a head are called, and the Hounsfield units that several modules mean alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]
Affine = NDArray[np.float64]
"""(4, 4), index to mm."""

FLOOR_HU = -1024.0
"""No voxel of a `CT` that was read is lower: what is, is padding."""
AIR_HU = -1000.0
HEAD_HU = -300.0
"""Whatever is denser than air; the skin's edge."""
AIR_BELOW_HU = -200.0
"""Lower than any tissue, fat included."""
BONE_HU = 150.0
