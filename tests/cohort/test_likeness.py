"""Laws: a copy is found however it is stored; what is not one is not called so."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import layout_factory as make
import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import zoom

from strokediff.cohort.likeness import Likeness, copies, digest, likeness_of, look_alikes
from strokediff.ct.nifti.images import read_nifti

FLIP = np.diag([-1.0, 1.0, 1.0, 1.0])
FLIP[0, 3] = make.SIDE - 1


def head() -> np.ndarray:
    """Noise makes it a scan: no two voxels of a plane are alike by design."""
    noise = np.random.default_rng(7).normal(0, 4, (make.SIDE, make.SIDE, 6))
    return np.rint(make.hounsfield(1) + noise).astype(np.int16)


def of(path: Path) -> Likeness:
    return likeness_of(read_nifti(path))


def scaled(path: Path) -> None:
    image = nib.Nifti1Image((head().astype(np.int16) + 1024) * 2, make.AFFINE)
    image.header.set_slope_inter(1, 0)
    nib.save(image, path)
    raw = bytearray(path.read_bytes())
    raw[112:120] = np.array([0.5, -1024], "<f4").tobytes()  # scl_slope, scl_inter
    path.write_bytes(raw)


def big_endian(path: Path) -> None:
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(np.int16)
    nib.save(nib.Nifti1Image(head(), make.AFFINE, header), path)


def gzipped(path: Path) -> None:
    make.nifti(path, head())
    path.with_suffix(".nii.gz").write_bytes(gzip.compress(path.read_bytes(), 1, mtime=5))
    path.unlink()


def described(path: Path) -> None:
    image = nib.Nifti1Image(head(), make.AFFINE)
    image.header["descrip"] = b"converted again"
    image.set_qform(make.AFFINE, 2)
    nib.save(image, path)


SAME: dict[str, Callable[[Path], object]] = {
    "gzip": gzipped,
    "float32": lambda p: make.nifti(p, head().astype(np.float32)),
    "float64 with rounding": lambda p: make.nifti(p, head() + 1e-7),
    "int32": lambda p: make.nifti(p, head().astype(np.int32)),
    "slope": scaled,
    "big endian": big_endian,
    "NIfTI-2": lambda p: nib.save(nib.Nifti2Image(head(), make.AFFINE), p),
    "header": described,
    "left to right": lambda p: make.nifti(p, head()[::-1], make.AFFINE @ FLIP),
    "axes": lambda p: make.nifti(p, np.moveaxis(head(), 2, 0), make.AFFINE[:, [2, 0, 1, 3]].copy()),
    "another origin and spacing": lambda p: make.nifti(p, head(), np.diag([-2.0, -2.0, 4.0, 1.0])),
    "padded with air": lambda p: make.nifti(
        p, np.pad(head(), ((9, 0), (5, 7), (0, 1)), constant_values=-1000)
    ),
    "padding of another value": lambda p: make.nifti(p, np.where(head() < -900, -3024, head())),
    "bone cut": lambda p: make.nifti(p, np.minimum(head(), 600)),
    "mirrored": lambda p: make.nifti(p, head()[::-1]),
}


@pytest.mark.parametrize("kind", SAME)
def test_one_image_stored_in_two_ways_is_one(tmp_path: Path, kind: str) -> None:
    SAME[kind](tmp_path / "b.nii")
    (stored,) = tmp_path.iterdir()
    make.nifti(tmp_path / "a.nii.gz", head())
    found = {p.name: of(p).digest for p in (tmp_path / "a.nii.gz", stored)}
    assert copies(found) == [("a.nii.gz", stored.name)]


def test_images_that_differ_by_one_voxel_are_two_but_look_alike(tmp_path: Path) -> None:
    other = head()
    other[50, 50, 3] += 1
    found = {}
    for name, hu in (("a", head()), ("b", other), ("c", make.hounsfield(2))):
        found[name] = of(make.nifti(tmp_path / f"{name}.nii", hu))
    assert copies({name: own.digest for name, own in found.items()}) == []
    assert look_alikes(found) == [("a", "b")]


def jpeg(hu: np.ndarray, path: Path) -> np.ndarray:
    """Through a brain window as JPEG and back, bone and air put back."""
    slices = []
    for k in range(hu.shape[2]):
        grey = np.clip((hu[:, :, k] + 20) / 120 * 255, 0, 255).astype(np.uint8)
        Image.fromarray(grey).save(path, quality=60)
        slices.append(np.asarray(Image.open(path)) / 255 * 120 - 20)
    seen = np.stack(slices, axis=2)
    return np.where(seen > 95, 800, np.where(seen < -15, -1000, seen))


@pytest.mark.parametrize(
    "kind", ["jpeg", "noise", "finer pixels", "coarser pixels", "another offset"]
)
def test_a_copy_that_was_changed_on_its_way_looks_alike(tmp_path: Path, kind: str) -> None:
    hu = np.kron(make.hounsfield(1), np.ones((4, 4, 1), np.float32))
    hu += np.random.default_rng(7).normal(0, 6, hu.shape).astype(np.float32)
    changed = {
        "jpeg": lambda: jpeg(hu, tmp_path / "slice.jpg"),
        "noise": lambda: hu + np.random.default_rng(0).normal(0, 2, hu.shape),
        "finer pixels": lambda: zoom(hu, (1.3, 1.3, 1), order=1),
        "coarser pixels": lambda: zoom(hu, (0.7, 0.7, 1), order=1),
        "another offset": lambda: hu + 3,
    }[kind]()
    found = {
        name: of(make.nifti(tmp_path / f"{name}.nii", array))
        for name, array in (("a", hu), ("b", changed.astype(np.float32)))
    }
    assert look_alikes(found) == [("a", "b")]


def test_many_different_heads_do_not_look_alike(tmp_path: Path) -> None:
    """Boxes of one shape that differ in a fifth of the brain only: harder than heads."""
    found = {f"p{i}": of(make.nifti(tmp_path / f"{i}.nii", make.hounsfield(i))) for i in range(12)}
    assert look_alikes(found) == [] and len({own.digest for own in found.values()}) == 12


@pytest.mark.parametrize("shape", [(0, 4, 4), (1, 1, 1), (3, 2, 1)])
def test_a_volume_of_nothing_has_a_digest(shape: tuple[int, int, int]) -> None:
    assert len(digest(np.zeros(shape))) == 32
