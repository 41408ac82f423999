"""`write_dicom_series`: a phantom as the CT Image Storage files that a scanner would send."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from strokediff.ct.axes import as_scanned, lps_affine
from strokediff.phantom.make import Phantom

INTERCEPT = -1024


def write_dicom_series(
    phantom: Phantom,
    folder: Path,
    *,
    patient_id: str = "PHANTOM-0001",
    localizer: bool = True,
) -> list[Path]:
    """Write one file a slice into `folder` and return the axial series' paths, bottom to top.

    Rows run to the patient's left, columns to the back, as scanners store them; positions and
    orientation follow the phantom's affine, gantry tilt included. UIDs derive from the
    phantom's seed: the same phantom gives the same files. With `localizer` a lateral scout
    lies beside the series, in a series of its own, as in a real study.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stored = np.ascontiguousarray(as_scanned(phantom.hu))
    n = stored.shape[0]
    paths = []
    for k in range(n):
        dataset = new_dataset(phantom, patient_id, "axial", k + 1)
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        dataset.SeriesDescription = "strokediff phantom"
        dataset.SeriesNumber = 2
        set_geometry(dataset, phantom.affine, phantom.hu.shape, k)
        dataset.SliceThickness = decimal(phantom.meta["slice_thickness_mm"])
        dataset.GantryDetectorTilt = decimal(phantom.meta["tilt_deg"])
        set_pixels(dataset, stored[k])
        path = folder / f"CT_{k + 1:04d}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    if localizer:
        write_localizer(phantom, folder / "SC_0001.dcm", patient_id)
    return paths


def decimal(value: float) -> str:
    """A DICOM decimal string: at most 16 characters."""
    text = f"{value:.9f}".rstrip("0").rstrip(".")
    return text if len(text) <= 16 else f"{value:.8e}"


def new_dataset(phantom: Phantom, patient_id: str, series: str, number: int) -> FileDataset:
    """Everything of a CT file that does not depend on its slice."""
    key = [patient_id, phantom.meta["kind"], *map(str, phantom.meta["seed"]), str(phantom.hu.shape)]
    uid = generate_uid(entropy_srcs=[*key, series, str(number)])
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = uid
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = uid
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=[*key, "study"])
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=[*key, series])
    dataset.FrameOfReferenceUID = generate_uid(entropy_srcs=[*key, "frame"])
    dataset.PositionReferenceIndicator = "OM"
    dataset.PatientName = "PHANTOM"
    dataset.PatientID = patient_id
    dataset.PatientBirthDate = ""
    dataset.PatientSex = "O"
    dataset.PatientPosition = "HFS"
    dataset.Modality = "CT"
    dataset.Manufacturer = "strokediff"
    dataset.ManufacturerModelName = "phantom"
    dataset.InstitutionName = ""
    dataset.ReferringPhysicianName = ""
    dataset.AccessionNumber = ""
    dataset.StudyID = "1"
    dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = "20260101"
    dataset.ContentDate = "20260101"
    dataset.StudyTime = dataset.SeriesTime = "120000"
    dataset.AcquisitionTime = dataset.ContentTime = "120000"
    dataset.StudyDescription = "Head CT without contrast (synthetic)"
    dataset.BodyPartExamined = "HEAD"
    dataset.ProtocolName = "HEAD"
    dataset.KVP = "120"
    dataset.ConvolutionKernel = "STANDARD"
    dataset.AcquisitionNumber = 1
    dataset.InstanceNumber = number
    dataset.WindowCenter, dataset.WindowWidth = "40", "80"
    dataset.RescaleIntercept, dataset.RescaleSlope = str(INTERCEPT), "1"
    dataset.RescaleType = "HU"
    return dataset


def set_geometry(
    dataset: FileDataset, affine: NDArray[np.float64], shape: tuple[int, ...], k: int
) -> None:
    """Position of the first stored pixel (the right front one) and direction of rows, columns."""
    lps = lps_affine(affine)
    spacing = np.linalg.norm(affine[:3, :2], axis=0)
    first = lps @ np.array([shape[0] - 1, shape[1] - 1, k, 1.0])
    row, column = -lps[:3, 0] / spacing[0], -lps[:3, 1] / spacing[1]
    dataset.ImagePositionPatient = [decimal(v) for v in first[:3]]
    dataset.ImageOrientationPatient = [decimal(v) for v in (*row, *column)]
    dataset.PixelSpacing = [decimal(spacing[1]), decimal(spacing[0])]
    dataset.SliceLocation = decimal(float(first[2]))


def set_pixels(dataset: FileDataset, hu: NDArray[np.int16]) -> None:
    """Unsigned 16-bit pixels, HU minus the intercept."""
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = hu.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0
    dataset.PixelData = np.clip(hu.astype(np.int32) - INTERCEPT, 0, 4095).astype("<u2").tobytes()


def write_localizer(phantom: Phantom, path: Path, patient_id: str) -> None:
    """A lateral scout: attenuation summed from side to side, one pixel a millimetre."""
    attenuation = np.clip(phantom.hu.astype(np.float32) + 1000.0, 0, None).mean(axis=0)
    spacing = np.linalg.norm(phantom.affine[:3, 1:3], axis=0)
    repeat = max(round(float(spacing[1] / spacing[0])), 1)
    scout = np.repeat(as_scanned(attenuation), repeat, axis=0)
    scout = scout / max(float(scout.max()), 1.0) * 1200.0 - 200.0
    dataset = new_dataset(phantom, patient_id, "localizer", 1)
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    dataset.SeriesDescription = "Scout"
    dataset.SeriesNumber = 1
    x, y, z = phantom.hu.shape
    top = (lps_affine(phantom.affine) @ np.array([(x - 1) / 2, y - 1, z - 1, 1.0]))[:3]
    dataset.ImagePositionPatient = [decimal(v) for v in top]
    dataset.ImageOrientationPatient = ["0", "1", "0", "0", "0", "-1"]
    dataset.PixelSpacing = [decimal(spacing[1] / repeat), decimal(spacing[0])]
    dataset.SliceThickness = ""
    set_pixels(dataset, np.round(scout).astype(np.int16))
    dataset.save_as(path, enforce_file_format=True)
