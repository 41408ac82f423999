"""The montage as a secondary capture: what any viewer can show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from highdicom.sc import SCImage
from PIL import Image
from pydicom import Dataset
from pydicom.uid import RLELossless

from strokediff.pacs.finding import SERIES_NUMBER, Finding, stamped
from strokediff.pacs.maker import MANUFACTURER


def capture(found: Finding, picture: Path) -> Dataset:
    """The picture (PNG, RGB) in an object of the patient's study."""
    with Image.open(picture) as image:
        pixels = np.asarray(image.convert("RGB"))
    made = SCImage.from_ref_dataset(
        found.source.first,
        pixel_array=pixels,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        series_instance_uid=found.uid("sc", "series"),
        series_number=SERIES_NUMBER["sc"],
        sop_instance_uid=found.uid("sc", "instance", str(pixels.shape)),
        instance_number=1,
        manufacturer=MANUFACTURER,
        patient_orientation=("L", "P"),
        transfer_syntax_uid=RLELossless,
    )
    made.Modality, made.Laterality = "OT", ""
    made.BurnedInAnnotation = "YES"
    made.SeriesDescription = "Stroke lesions, montage (strokediff, research)"
    made.ImageComments = "For research use only"
    return stamped(made, found.source.first)
