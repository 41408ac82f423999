"""The figures as a structured report: Comprehensive 3D SR by TID 1500.

Each kind of lesion has a volumetric group on its segment (TID 1411) with the volume and its
interval, and a planar group (TID 1410) with its outline in the slice that shows most of it, to
which viewers jump; the kind of which there is most is first. A kind of which there is none has its
0 mL without a region (TID 1501): beside the measurements of the others, under "Findings", as OHIF
shows nothing of a report where a measurement among others has no region.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from contourpy import contour_generator
from highdicom.sr import (
    Comprehensive3DSR,
    ContainerContentItem,
    ContentSequence,
    FindingSite,
    ImageRegion,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    ReferencedSegment,
    SourceImageForRegion,
    SourceSeriesForSegmentation,
    TextContentItem,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.sr.codedict import codes as dicom

from strokediff.pacs import codes
from strokediff.pacs.finding import SERIES_NUMBER, Finding, stamped
from strokediff.pacs.maker import MANUFACTURER
from strokediff.result.figures import KindFigures

Group = (
    VolumetricROIMeasurementsAndQualitativeEvaluations
    | PlanarROIMeasurementsAndQualitativeEvaluations
    | MeasurementsAndQualitativeEvaluations
)


def report(found: Finding, segmentation: Dataset | None) -> Dataset:
    """The SR of the result, whose segments are those of `segmentation`, if there are any."""
    groups: list[Group] = []
    nothing: list[Group] = []
    numbers = {own.name: n for n, own in found.present}
    for own in sorted(found.record.kinds, key=lambda own: -own.volume_ml):
        if segmentation is None or own.name not in numbers:
            nothing.append(_nothing(found, own))
        else:
            groups.append(_volume(found, own, segmentation, numbers[own.name]))
            groups.append(_key_slice(found, own))
    content = MeasurementReport(
        observation_context=found.maker.observer(found.uid("observer")),
        procedure_reported=codes.CT_HEAD,
        imaging_measurements=groups or nothing,
        title=dicom.DCM.ImagingMeasurementReport,
    )
    if groups and nothing:
        content[0].ContentSequence.append(_findings(nothing))
    for note in found.notes:
        content[0].ContentSequence.append(
            TextContentItem(codes.COMMENT, note, relationship_type="CONTAINS")
        )
    evidence = [*found.source.instances, *([] if segmentation is None else [segmentation])]
    made = Comprehensive3DSR(
        evidence=evidence,
        content=content[0],
        series_instance_uid=found.uid("sr", "series"),
        series_number=SERIES_NUMBER["sr"],
        sop_instance_uid=found.uid("sr", "instance"),
        instance_number=1,
        manufacturer=MANUFACTURER,
        is_complete=True,
        is_final=False,
        is_verified=False,
        performed_procedure_codes=[codes.CT_HEAD],
    )
    made.SeriesDescription = "Stroke lesions, measured (strokediff, research)"
    return stamped(made, found.source.first)


def _common(found: Finding, own: KindFigures) -> dict[str, Any]:
    return {
        "tracking_identifier": TrackingIdentifier(
            found.uid("tracking", own.name), f"{own.name} (strokediff)"[:64]
        ),
        "finding_category": codes.ABNORMAL,
        "finding_type": codes.finding(own.name),
        "finding_sites": [FindingSite(codes.BRAIN, laterality=codes.SIDES.get(own.side or ""))],
        "algorithm_id": found.maker.algorithm(own),
    }


def _volumes(own: KindFigures) -> list[Measurement]:
    """The volume; where a model is sure of them the ends of its interval, and P(V >= c)."""
    found = [(codes.VOLUME, own.volume_ml)]
    if own.volume_interval_ml is not None:
        low, high = own.volume_interval_ml
        found += [(codes.LOWER, low), (codes.UPPER, high)]
    return [
        *(Measurement(name, round(value, 6), codes.MILLILITRE) for name, value in found),
        *(
            Measurement(
                codes.at_least(one.volume_ml), round(100 * one.probability, 2), codes.PERCENT
            )
            for one in own.exceeds
        ),
    ]


def _volume(found: Finding, own: KindFigures, segmentation: Dataset, number: int) -> Group:
    segment = ReferencedSegment(
        sop_class_uid=segmentation.SOPClassUID,
        sop_instance_uid=segmentation.SOPInstanceUID,
        segment_number=number,
        source_series=SourceSeriesForSegmentation(found.source.first.SeriesInstanceUID),
    )
    return VolumetricROIMeasurementsAndQualitativeEvaluations(
        referenced_segment=segment, measurements=_volumes(own), **_common(found, own)
    )


def _nothing(found: Finding, own: KindFigures) -> Group:
    return MeasurementsAndQualitativeEvaluations(measurements=_volumes(own), **_common(found, own))


def _key_slice(found: Finding, own: KindFigures) -> Group:
    mask = found.mask(found.place_of(own.name))
    n = int(mask.sum(axis=(0, 1)).argmax())
    at = found.source.slices[n]
    source = SourceImageForRegion(
        at.dataset.SOPClassUID,
        at.dataset.SOPInstanceUID,
        None if at.frame is None else [at.frame + 1],
    )
    region = ImageRegion("POLYLINE", outline(mask[:, :, n].T), source)
    area = float(mask[:, :, n].sum()) * np.prod(found.source.spacing_mm)
    measured = [Measurement(codes.AREA, round(float(area), 3), codes.SQUARE_MM), *_volumes(own)[:1]]
    return PlanarROIMeasurementsAndQualitativeEvaluations(
        referenced_region=region, measurements=measured, **_common(found, own)
    )


def _findings(groups: Sequence[Group]) -> ContainerContentItem:
    """Groups beside the measurements of regions."""
    item = ContainerContentItem(dicom.DCM.Findings, relationship_type="CONTAINS")
    item.ContentSequence = ContentSequence([one for group in groups for one in group])
    return item


def outline(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The longest outline of a mask (rows, columns), closed: (N, 2) columns and rows of an image.

    In a DICOM image the middle of its first pixel is at (0.5, 0.5), its corner at (0, 0).

    >>> mask = np.zeros((4, 5), dtype=bool)
    >>> mask[1:3, 2] = True
    >>> outline(mask).min(axis=0).tolist(), outline(mask).max(axis=0).tolist()
    ([2.0, 1.0], [3.0, 3.0])
    """
    padded = np.pad(mask, 1).astype(np.float64)
    lines: Any = contour_generator(z=padded).lines(0.5)
    return np.asarray(max(lines, key=len)) - 0.5
