"""The result of one scan: what was found on its grid, and the record that is written with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from strokediff.ct.volume import CT
from strokediff.result.figures import KindFigures, Lesion, Trust
from strokediff.result.record import Provenance, Record
from strokediff.segmentation.files import Wanted, save
from strokediff.segmentation.objects import objects_of
from strokediff.segmentation.outputs import maps_of
from strokediff.segmentation.read_out import joined


@dataclass(frozen=True)
class FoundKind:
    """One kind of lesion on the scan's grid (X, Y, Z), its figures and its lesions.

    >>> found = load("phantom-stroke", device="cpu").segment(read_ct("scan.nii.gz"), method="avg")
    >>> own = found.by_kind["lesion"]
    >>> own.figures.volume_ml == found.volume_ml, bool((own.mask == found.mask).all())
    (True, True)
    """

    mask: NDArray[np.bool_]
    probability: NDArray[np.float32]
    figures: KindFigures
    lesions: tuple[Lesion, ...]

    @property
    def volume_ml(self) -> float:
        """Its volume, mL."""
        return self.figures.volume_ml

    @property
    def interval_ml(self) -> tuple[float, float] | None:
        """The volume's interval, mL."""
        return self.figures.volume_interval_ml


@dataclass(frozen=True)
class Segmentation:
    """What was found in `ct`, all on its grid (X, Y, Z).

    `labels` is k + 1 where there is lesion of kind k: where its probability, of `probabilities`
    (K, X, Y, Z), is >= 0.5 inside the `brain`, without the lesions smaller than the least; the more
    probable kind where two are. Threshold and least volume are the model's own for the method and
    kind (0 if it was not tuned). `mask` and `probability` are of any kind, and `by_kind` has each.
    `entropy` (bits) and `variance` (between draws) are those of the most probable kind's
    (1 + y_0) / 2, whatever the threshold. `record` is result.json.

    >>> ct = read_ct("scan.nii.gz")
    >>> found = load("phantom-stroke", device="cpu").segment(ct, method="avg")
    >>> found.mask.shape == ct.hu.shape, bool((found.mask <= (found.probability >= 0.5)).all())
    (True, True)
    >>> round(found.volume_ml / ct.mask_volume_mm3(found.mask), 3), len(found.lesions)
    (0.001, 1)
    >>> list(found.by_kind), int(found.labels.max())
    (['lesion'], 1)
    """

    ct: CT
    labels: NDArray[np.uint8]
    probabilities: NDArray[np.float32]
    entropy: NDArray[np.float32]
    variance: NDArray[np.float32]
    brain: NDArray[np.bool_]
    record: Record

    def __repr__(self) -> str:
        lesions = f"{len(self.lesions)} lesion{'s' * (len(self.lesions) != 1)}"
        warnings = f"{len(self.warnings)} warning{'s' * (len(self.warnings) != 1)}"
        return f"<Segmentation of {self.ct!r}: {self.volume_ml:.1f} mL, {lesions}, {warnings}>"

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """Where there is lesion of any kind."""
        return self.labels > 0

    @cached_property
    def probability(self) -> NDArray[np.float32]:
        """Of lesion of any kind: that of the most probable one."""
        return joined(list(self.probabilities))

    @property
    def estimated(self) -> Segmentation:
        """What the model says of every voxel: itself."""
        return self

    @property
    def by_kind(self) -> Mapping[str, FoundKind]:
        """Each kind of lesion by its name, in the order of the labels."""
        return {
            own.name: FoundKind(
                mask=self.labels == k + 1,
                probability=self.probabilities[k],
                figures=own,
                lesions=tuple(lesion for lesion in self.lesions if lesion.kind == own.name),
            )
            for k, own in enumerate(self.record.kinds)
        }

    @property
    def volume_ml(self) -> float:
        """Volume of the lesion, mL, each slice counted with its own thickness."""
        return self.record.volume_ml

    @property
    def interval_ml(self) -> tuple[float, float] | None:
        """The volume's interval, mL; `record.volume_interval_kind` says of what kind."""
        return self.record.volume_interval_ml

    @property
    def lesions(self) -> tuple[Lesion, ...]:
        """Volume, centroid and kind of each lesion, largest first."""
        return self.record.lesions

    @property
    def trust(self) -> Trust | None:
        """Whether the scan is one that the model can be trusted on, or why not."""
        return self.record.trust

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know before the result is used; empty where all is well."""
        return self.record.warnings

    @property
    def provenance(self) -> Provenance:
        """Model, method, seed and settings: what somebody needs to make it again."""
        return self.record.provenance

    def named(self, case: str) -> Segmentation:
        """The same as the result of that patient."""
        return replace(self, record=self.record.named(case))

    def timed(self, seconds: Mapping[str, float]) -> Segmentation:
        """The same with the seconds that each stage took."""
        return replace(self, record=self.record.model_copy(update={"seconds": dict(seconds)}))

    def save(
        self,
        folder: str | Path,
        *,
        pictures: bool = True,
        viewer: bool | None = None,
        uncertainty: bool = False,
        dicom: Sequence[str] = (),
    ) -> Record:
        """Write what `strokediff segment` writes into `folder`; returns result.json.

        lesion_mask.nii.gz and lesion_prob.nii.gz lie on the scan's own grid; with `uncertainty`
        also lesion_entropy and lesion_variance, with `pictures` preview.png and report.html, with
        `viewer` (None: as `pictures`) viewer.html, in which the head can be turned; `dicom` names
        objects for the PACS (seg, sr, sc), of a CT that was read from DICOM. The patient is called
        as the folder, unless `named` said otherwise. An older result there is replaced, whole or
        not at all.
        Raises `UsageError` if the place cannot be written or holds files of somebody else under
        these names.

        >>> model = load("phantom-stroke", device="cpu")
        >>> found = model.segment(read_ct("scan.nii.gz"), method="avg")
        >>> sorted(found.save("out", pictures=False).files)
        ['lesion_mask.nii.gz', 'lesion_prob.nii.gz']
        """
        objects = objects_of(self.ct, dicom)
        wanted = Wanted(pictures, viewer, maps_of(uncertainty), objects)
        return save(self, self.record, Path(folder), wanted)
