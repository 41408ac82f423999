"""Laws: one image never lies on both sides of a split, whatever its files are like."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import layout_factory as make
import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from strokediff.cohort.importing.registry import open_layout
from strokediff.cohort.importing.survey import survey


def findings(layout: str, source: Path) -> list[tuple[str, str, str]]:
    """All but that a kind of lesion is nowhere, where a scan that showed it was replaced."""
    found = survey(open_layout(layout, source)).findings
    told = [(f.severity.value, f.what, ", ".join(f.where)) for f in found]
    return [each for each in told if each[1] != "kinds of lesion that no scan shows"]


def packed_again(image: Path) -> None:
    image.write_bytes(gzip.compress(gzip.decompress(image.read_bytes()), 1, mtime=3))


def as_floats(image: Path) -> None:
    old = nib.load(image)
    make.nifti(image, old.get_fdata(dtype=np.float32), old.affine)


def turned_round(image: Path) -> None:
    """Stored from right to left; the affine says so."""
    old = nib.load(image)
    array = np.asarray(old.dataobj)[::-1]
    flip = np.diag([-1.0, 1, 1, 1])
    flip[0, 3] = array.shape[0] - 1
    make.nifti(image, array, old.affine @ flip)


def in_air(image: Path) -> None:
    old = nib.load(image)
    array = np.pad(np.asarray(old.dataobj), ((8, 8), (0, 0), (0, 0)), constant_values=-1024)
    make.nifti(image, array, old.affine)
    mask = Path(str(image).replace("images", "labels").replace("_0000", ""))
    make.nifti(mask, np.pad(np.asarray(nib.load(mask).dataobj), ((8, 8), (0, 0), (0, 0))))


COPIES: dict[str, Callable[[Path], None]] = {
    "gzipped again": packed_again,
    "as float32": as_floats,
    "stored from right to left": turned_round,
    "with air around it": in_air,
}


@pytest.mark.parametrize("kind", COPIES)
@pytest.mark.parametrize("split", ["test", "val", "train"])
def test_a_copy_in_another_split_is_refused_and_in_one_a_warning(
    tmp_path: Path, kind: str, split: str
) -> None:
    """a is in train; d is in test, c validates, b is in train too."""
    source = make.nnunet(tmp_path)
    name, part = {"test": ("d", "Ts"), "val": ("c", "Tr"), "train": ("b", "Tr")}[split]
    make.nifti(source / f"images{part}" / f"{name}_0000.nii.gz", make.hounsfield(ord("a")))
    make.nifti(source / f"labels{part}" / f"{name}.nii.gz", make.labels())
    COPIES[kind](source / f"images{part}" / f"{name}_0000.nii.gz")
    if kind == "stored from right to left":
        turned_round(source / f"labels{part}" / f"{name}.nii.gz")
    expected = {
        "train": ("warning", "copies of one image", "a = b"),
        "val": ("error", "copies of one image in two splits", "a = c"),
        "test": ("error", "copies of one image in two splits", "a = d"),
    }
    assert findings("nnunet", source) == [expected[split]]


def test_a_copy_whose_mask_is_another_says_so(tmp_path: Path) -> None:
    source = make.nnunet(tmp_path)
    make.nifti(source / "imagesTr" / "b_0000.nii.gz", make.hounsfield(ord("a")))
    make.nifti(source / "labelsTr" / "b.nii.gz", np.roll(make.labels(), 1, 2) | make.labels())
    make.nifti(source / "imagesTs" / "d_0000.nii.gz", make.hounsfield(ord("a")))
    ((_, _, where),) = findings("nnunet", source)
    assert where == "a = b = d (2 different masks)"


def test_a_copy_with_a_little_noise_is_warned_of(tmp_path: Path) -> None:
    source = make.nnunet(tmp_path)
    noise = np.random.default_rng(0).integers(-2, 3, make.hounsfield().shape)
    make.nifti(
        source / "imagesTs" / "d_0000.nii.gz", make.hounsfield(ord("a")) + noise.astype("i2")
    )
    expected = ("warning", "images in two splits that look alike", "a ~ d")
    assert findings("nnunet", source) == [expected]


def saved_again(path: Path) -> None:
    Image.open(path).save(path, compress_level=0)


def as_palette(path: Path) -> None:
    picture = Image.fromarray(np.asarray(Image.open(path)), mode="P")
    picture.putpalette(bytes(np.repeat(np.arange(256, dtype=np.uint8), 3)))
    picture.save(path)


def as_colours(path: Path) -> None:
    Image.open(path).convert("RGB").save(path)


def beside(path: Path) -> None:
    """The whole picture a few pixels to the side."""
    make.save(path, np.roll(np.asarray(Image.open(path)), 3, axis=1))


@pytest.mark.parametrize("change", [saved_again, as_palette, as_colours, beside])
def test_a_copy_of_pictures_is_found(tmp_path: Path, change: Callable[[Path], None]) -> None:
    source = make.aisd(tmp_path)
    for part in ("image", "mask"):
        for path in (source / part / "0072723").iterdir():
            (source / part / "0073410" / path.name).write_bytes(path.read_bytes())
    for path in (source / "image" / "0073410").iterdir():
        change(path)
    assert findings("aisd", source) == [
        ("warning", "copies of one image", "aisd_0072723 = aisd_0073410")
    ]


def test_two_sessions_with_one_image_are_warned_of(tmp_path: Path) -> None:
    source = make.bids(tmp_path)
    for session in ("ses-01", "ses-02"):
        folder = source / "sub-01" / session / "anat"
        make.nifti(folder / f"sub-01_{session}_ct.nii.gz", make.hounsfield(5))
    assert findings("bids", source) == [
        ("warning", "copies of one image", "sub-01_ses-01 = sub-01_ses-02")
    ]


def test_the_record_holds_the_warning(tmp_path: Path, imported) -> None:
    source = make.nnunet(tmp_path / "src")
    make.nifti(source / "imagesTr" / "b_0000.nii.gz", make.hounsfield(ord("a")))
    (kept,) = imported("nnunet", source).meta["findings"]
    assert (kept["severity"], kept["where"]) == ("warning", ["a = b (2 different masks)"])
