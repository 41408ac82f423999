"""The single lesions of a mask: connected components (26 neighbours) on the scan's own grid."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from strokediff.ct.volume import CT


class Lesions:
    """The components of `mask` (X, Y, Z) and the volume of each in mL, in `volume_ml`."""

    def __init__(self, volume: CT, mask: NDArray[np.bool_]) -> None:
        import cc3d

        labels, count = cc3d.connected_components(mask, connectivity=26, return_N=True)
        self.volume = volume
        self.labels: NDArray[np.integer[Any]] = labels
        self.index = np.argwhere(labels)
        self.owner = labels[tuple(self.index.T)]
        self._mm3 = volume.voxel_volumes_mm3[self.index[:, 2]]
        sums = np.bincount(self.owner, weights=self._mm3, minlength=count + 1)
        self.volume_ml: NDArray[np.float64] = sums[1:] / 1000

    def mask(self, least_ml: float = 0.0) -> NDArray[np.bool_]:
        """The mask without the lesions that are smaller than `least_ml`."""
        keep = np.concatenate([[False], self.volume_ml >= least_ml])
        return np.asarray(keep[self.labels])

    def describe(self, least_ml: float = 0.0) -> list[dict[str, Any]]:
        """`volume_ml` and `centroid_mm` (RAS+) of what `mask` keeps, largest first."""
        found = []
        for number, volume_ml in enumerate(self.volume_ml, start=1):
            if volume_ml < least_ml:
                continue
            own = self.owner == number
            world, weights = self.volume.index_to_world(self.index[own]), self._mm3[own]
            centroid = (world * weights[:, None]).sum(0) / weights.sum()
            found.append(
                {
                    "volume_ml": float(volume_ml),
                    "centroid_mm": [round(float(c), 2) for c in centroid],
                }
            )
        return sorted(found, key=lambda lesion: -lesion["volume_ml"])
