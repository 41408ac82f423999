"""The small sound inputs that `fuzz.py` bends, one of every format."""

from __future__ import annotations

import io
import random
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset

from strokediff.cohort.store import CohortWriter, Patient
from strokediff.core.objective import LossConfig
from strokediff.ct.grid import GridConfig
from strokediff.networks.config import NetworkConfig
from strokediff.noise.low_rank import LowRankNoise
from strokediff.training.build import build_network
from strokediff.training.checkpoint import CheckpointConfig, write_checkpoint
from strokediff.training.config import NoiseConfig, TrainingConfig
from strokediff.training.noise import write_noise


def head() -> np.ndarray:
    """HU (X, Y, Z): air, a skull and brain."""
    rng = np.random.default_rng(0)
    hu = np.full((40, 40, 8), -1000, np.int16)
    hu[5:35, 5:35] = 800
    hu[7:33, 7:33] = rng.integers(20, 45, (26, 26, 8))
    return hu


def nifti_bytes(array: np.ndarray) -> bytes:
    """The array as .nii of 2 x 2 x 5 mm."""
    return nib.Nifti1Image(array, np.diag([2.0, 2.0, 5.0, 1.0])).to_bytes()


def base_series(folder: Path, kind: int) -> list[Path]:
    """Six slices of one head: plain, packed (RLE, JPEG 2000), deflated; or one multi-frame file."""
    folder.mkdir(parents=True)
    stored = (head().transpose(2, 1, 0)[1:7] + 1024).astype("<u2")
    if kind == 4:
        return [_multi_frame(folder / "frames.dcm", stored)]
    files = []
    for k, plane in enumerate(stored):
        dataset = _dataset(f"slice {k}", plane)
        dataset.InstanceNumber = k + 1
        dataset.ImagePositionPatient = [-39.0, -39.0, 5.0 * k]
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        dataset.PixelSpacing = [2.0, 2.0]
        dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
        if kind in (1, 2):
            dataset.compress(
                (uid.RLELossless, uid.JPEG2000Lossless)[kind - 1], generate_instance_uid=False
            )
        elif kind == 3:
            dataset.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
        files.append(folder / f"{k}.dcm")
        dataset.save_as(files[-1], enforce_file_format=True)
    return files


def _dataset(name: str, stored: np.ndarray) -> Any:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = uid.CTImageStorage
    dataset.SOPInstanceUID = uid.generate_uid(entropy_srcs=["fuzz", name])
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.StudyInstanceUID = uid.generate_uid(entropy_srcs=["fuzz", "study"])
    dataset.SeriesInstanceUID = uid.generate_uid(entropy_srcs=["fuzz", "series"])
    dataset.Modality, dataset.PatientID, dataset.SeriesDescription = "CT", "FUZZ", "Head 5.0 H30s"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.SeriesNumber, dataset.AcquisitionNumber = 2, 1
    dataset.ConvolutionKernel, dataset.ContrastBolusAgent = "H30s", ""
    dataset.AcquisitionTime, dataset.PixelPaddingValue = "120000", 0
    dataset.Rows, dataset.Columns = stored.shape[-2:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = 0
    dataset.PixelData = stored.tobytes()
    return dataset


def _multi_frame(path: Path, stored: np.ndarray) -> Path:
    def item(**values: Any) -> list[Dataset]:
        made = Dataset()
        for keyword, value in values.items():
            setattr(made, keyword, value)
        return [made]

    dataset = _dataset("frames", stored)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = uid.EnhancedCTImageStorage
    dataset.NumberOfFrames = len(stored)
    dataset.SharedFunctionalGroupsSequence = item(
        PixelMeasuresSequence=item(PixelSpacing=[2.0, 2.0]),
        PlaneOrientationSequence=item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
        PixelValueTransformationSequence=item(RescaleSlope=1, RescaleIntercept=-1024),
    )
    dataset.PerFrameFunctionalGroupsSequence = [
        item(
            PlanePositionSequence=item(ImagePositionPatient=[-39.0, -39.0, 5.0 * k]),
            FrameContentSequence=item(StackID="1", InStackPositionNumber=k + 1),
        )[0]
        for k in range(len(stored))
    ]
    dataset.save_as(path, enforce_file_format=True)
    return path


def make_checkpoint(folder: Path) -> None:
    """An untrained network of a few thousand weights with a low-rank noise."""
    config = TrainingConfig(
        network=NetworkConfig(base=8, multipliers=(1, 2), label_form="clean"),
        T=20,
        loss=LossConfig(label_reading="linear"),
        noise=NoiseConfig(name="low-rank", rank=4),
    )
    x = torch.randn(12, 16, 16, generator=torch.Generator().manual_seed(0))
    noise = LowRankNoise.fit(lambda: iter([(x, torch.ones_like(x))]), rank=4)
    folder.mkdir()
    write_checkpoint(
        folder,
        CheckpointConfig(
            name="fuzz",
            method="sdpm",
            noise="low-rank",
            grid=GridConfig(size=16, spacing_mm=8.0),
            training=config,
            trained_on="test phantoms",
            step=1,
        ),
        dict(build_network(config, 16).state_dict()),
        split={"train": ["a"], "val": ["b"], "test": []},
        metrics={
            "validation": [{"step": 1, "dice": 0.5}],
            "decision": {"fast/avg": {"threshold": 0.1, "least_lesion_ml": 0.5}},
        },
    )
    write_noise(folder, noise)


def make_cohort(folder: Path) -> None:
    """Three patients of five slices of 16 x 16 pixels."""
    folder.mkdir()
    writer = CohortWriter(folder, GridConfig(size=16, spacing_mm=8.0))
    rng = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        m = np.ones((5, 16, 16), np.uint8)
        y = (rng.random(m.shape) > 0.9).astype(np.uint8)
        x = rng.normal(0, 0.3, m.shape).astype(np.float16)
        writer.add(Patient(name, x, y, m), spacing_mm=[8.0, 8.0, 5.0], volume_ml=1.0, patient=name)
    split = {"train": ["a"], "val": ["b"], "test": ["c"]}
    writer.finish(split=split, origin={"description": "test phantoms", "spacing": "known"})


def zipped(members: dict[str, bytes]) -> bytes:
    """A zip of the members, whatever they are called."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return stream.getvalue()


def tarred(members: dict[str, bytes], kind: str, rng: random.Random) -> bytes:
    """A tar of the members, now and then with a link or a device among them."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz" if kind == "tar.gz" else "w") as packed:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            if rng.random() < 0.05:
                info.type, info.size = rng.choice((tarfile.SYMTYPE, tarfile.CHRTYPE)), 0
                info.linkname = "/etc/passwd"
            packed.addfile(info, io.BytesIO(content) if info.size else None)
    return stream.getvalue()
