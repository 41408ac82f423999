"""The masks as a DICOM segmentation: BINARY, a segment a kind of lesion, on the source's slices."""

from __future__ import annotations

import numpy as np
from highdicom.color import CIELabColor
from highdicom.seg import Segmentation, SegmentDescription
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.valuerep import DSfloat

from strokediff.ct.axes import transposed
from strokediff.pacs import codes
from strokediff.pacs.finding import SERIES_NUMBER, Finding, stamped
from strokediff.pacs.maker import MANUFACTURER
from strokediff.result.figures import KindFigures


def segmentation(found: Finding) -> Dataset | None:
    """The SEG of all kinds of which there is any; None where there is none.

    Viewers show BINARY ones in place and in colour, also on tilted and uneven series; the segments
    carry the tracking identifiers of the report.
    """
    if not found.present:
        return None
    made = Segmentation(
        source_images=found.source.instances,
        pixel_array=_frames(found),
        segmentation_type="BINARY",
        segment_descriptions=[_description(found, n, own) for n, own in found.present],
        series_instance_uid=found.uid("seg", "series"),
        series_number=SERIES_NUMBER["seg"],
        sop_instance_uid=found.uid("seg", "instance"),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=found.maker.model,
        software_versions=found.record.version,
        device_serial_number=found.maker.serial,
        content_description="Stroke lesions, for research use only",
        content_label="STROKE_LESIONS",
    )
    made.SeriesDescription = "Stroke lesions (strokediff, research)"
    (measures,) = made.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence
    measures.SliceThickness = DSfloat(found.source.increment_mm, auto_format=True)
    for own in (*made.DimensionOrganizationSequence, *made.DimensionIndexSequence):
        own.DimensionOrganizationUID = found.uid("seg", "dimensions")
    return stamped(made, found.source.first)


def _frames(found: Finding) -> NDArray[np.uint8]:
    """(frames, rows, columns, segments), in the order of the source's instances or frames."""
    kinds = [found.place_of(own.name) for _, own in found.present]
    masks = np.stack([transposed(found.mask(k)) for k in kinds], axis=-1).astype(np.uint8)
    slices = found.source.slices
    if slices[0].frame is None:
        return masks
    frames = int(slices[0].dataset.NumberOfFrames)
    out = np.zeros((frames, *masks.shape[1:]), np.uint8)
    out[[one.frame or 0 for one in slices]] = masks
    return out


def _description(found: Finding, number: int, own: KindFigures) -> SegmentDescription:
    colour = codes.COLOURS.get(own.name, codes.OTHER_COLOUR)
    return SegmentDescription(
        segment_number=number,
        segment_label=own.name[:64],
        segmented_property_category=codes.ABNORMAL,
        segmented_property_type=codes.finding(own.name),
        **found.maker.segment,
        tracking_uid=found.uid("tracking", own.name),
        tracking_id=f"{own.name} (strokediff)"[:64],
        anatomic_regions=[codes.BRAIN],
        display_color=CIELabColor.from_rgb(*colour),
    )
