"""What one case of a data set showed."""

from __future__ import annotations

from dataclasses import dataclass

from strokediff.cohort.importing.base import ListedScan
from strokediff.cohort.likeness import Likeness


@dataclass(frozen=True)
class CaseFacts:
    """What a case's image and mask showed; `lesion_ml` is None where spacing is unknown.

    `kind_voxels` are those of each kind of lesion; kinds may lie in one voxel.
    """

    case: ListedScan
    slices: int
    lesion_slices: int
    lesion_voxels: int
    lesion_ml: float | None
    values: frozenset[int]
    likeness: Likeness
    mask_digest: bytes
    kind_voxels: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def spacing_known(self) -> bool:
        """Whether millimetres mean anything."""
        return self.lesion_ml is not None
