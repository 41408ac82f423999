"""Minuscule data sets in each public layout: a box of brain in a box of bone in air."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
from PIL import Image

SIDE = 96
AFFINE = np.diag([-2.4, -2.4, 5.0, 1.0])
BRAIN_GREY, LESION = 112, (slice(30, 40), slice(24, 36))
"""The lesion's rows and columns: towards the front (row 0) and the picture's left."""


def grey(patient: int = 0) -> np.ndarray:
    """One slice as a picture with the front up; a mark of fluid in front of the lesion.

    The back of the brain is the patient's own, so that no two look alike.
    """
    picture = np.zeros((SIDE, SIDE), np.uint8)
    picture[10:86, 14:82] = 255
    picture[16:80, 20:76] = BRAIN_GREY
    picture[20:24, 40:56] = 30
    own = np.random.default_rng(patient).integers(60, 180, (4, 14), np.uint8)
    picture[64:80, 20:76] = np.kron(own, np.ones((4, 4), np.uint8))
    return picture


def drawn(value: int | tuple[int, int, int], dtype: type = np.uint8) -> np.ndarray:
    """A mask of the lesion with a value or a colour in it."""
    shape = (SIDE, SIDE, 3) if isinstance(value, tuple) else (SIDE, SIDE)
    mask = np.zeros(shape, dtype)
    mask[LESION] = value
    return mask


def save(path: Path, array: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path


def phe_sich(root: Path, patients: int = 2, slices: int = 6) -> Path:
    """As published: turned anticlockwise, so that the front is on the left."""
    for patient in range(1, patients + 1):
        for k in range(slices):
            name = f"{patient:04d}_{k:02d}.png"
            save(root / "images" / name, np.rot90(grey(patient)))
            mask = drawn(255) if k in (2, 3) else drawn(0)
            save(root / "masks" / name, np.rot90(mask))
    return root


def aisd(root: Path, patients: tuple[str, ...] = ("0072723", "0073410")) -> Path:
    """Slices 1 to 5 of a patient hold the class of their number."""
    for i, patient in enumerate(patients):
        for k in range(6):
            save(root / "image" / patient / f"{k:03d}.png", grey(i))
            save(root / "mask" / patient / f"{k:03d}.png", drawn(k))
    return root


def single(root: Path, colours: tuple[tuple[int, int, int], ...], suffix: str = "png") -> Path:
    for i, colour in enumerate(colours):
        picture = np.repeat(grey(i)[..., None], 3, axis=2)
        save(root / "images" / f"{100 + i}.{suffix}", picture)
        save(root / "masks" / f"{100 + i}.png", drawn(colour))
    return root


def hounsfield(patient: int = 0) -> np.ndarray:
    """A head (X, Y, Z) in HU."""
    picture = grey(patient).T
    brain = picture.astype(int) * 80 // 255
    hu = np.select([picture == 255, picture == 0], [900, -1000], brain)
    return np.repeat(hu[:, :, None], 6, axis=2).astype(np.int16)


def labels(value: int = 1) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE, 6), np.uint8)
    mask[:, :, 2:4] = drawn(value).T[:, :, None]
    return mask


def nifti(path: Path, array: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, affine), path)
    return path


def cpaisd(root: Path, *, train: int = 2, test: int = 1) -> Path:
    """Studies of HU; slices 2 to 3 hold core, 4 penumbra; folders numbered without padding."""
    for i in range(train + test):
        split = "train" if i < train else "test"
        for k in range(12):
            folder = root / split / f"1.2.{i}" / str(k)
            folder.mkdir(parents=True)
            image = hounsfield(i)[:, :, 0].T.astype(np.float32)
            image[60, 60] = 40 + k
            value = {2: 1, 3: 1, 4: 2}.get(k, 0)
            np.savez_compressed(folder / "image.npz", image=image)
            np.savez_compressed(folder / "mask.npz", mask=drawn(value))
    return root


def ctich(root: Path) -> Path:
    for i, name in enumerate(("049", "050")):
        nifti(root / "ct_scans" / f"{name}.nii", hounsfield(i))
        nifti(root / "masks" / f"{name}.nii", labels(255 if i else 1))
    return root


def ctich_folders(root: Path, slices: int = 6) -> Path:
    """Version 1.0.0: 049 bleeds on slices 3 and 4, 050 nowhere; JPEG blurs its masks."""
    for i, patient in enumerate(("049", "050")):
        folder = root / "Patients_CT" / patient / "brain"
        for k in range(1, slices + 1):
            save(folder / f"{k}.jpg", grey(i))
        for k in (3, 4) if patient == "049" else ():
            save(folder / f"{k}_HGE_Seg.jpg", drawn(255))
    return root


def nnunet(root: Path, *, test: bool = True, **changes: object) -> Path:
    for part, names in (("Tr", "abc"), ("Ts", "d" if test else "")):
        for name in names:
            nifti(root / f"images{part}" / f"{name}_0000.nii.gz", hounsfield(ord(name)))
            nifti(root / f"labels{part}" / f"{name}.nii.gz", labels(1 + (name == "b")))
    meta = {
        "channel_names": {"0": "CT"},
        "labels": {"background": 0, "infarct": 1, "bleed": 2},
        "file_ending": ".nii.gz",
        "licence": "CC0",
    }
    (root / "dataset.json").write_text(json.dumps(meta | changes))
    (root / "splits_final.json").write_text(json.dumps([{"train": ["a", "b"], "val": ["c"]}]))
    return root


def bids(root: Path) -> Path:
    for i, session in enumerate(("sub-01/ses-01", "sub-01/ses-02", "sub-02")):
        name = session.replace("/", "_")
        nifti(root / session / "anat" / f"{name}_ct.nii.gz", hounsfield(i))
        folder = root / "derivatives" / "manual" / session / "anat"
        nifti(folder / f"{name}_label-lesion_mask.nii.gz", labels())
        nifti(folder / f"{name}_desc-brain_mask.nii.gz", labels())
    return root
