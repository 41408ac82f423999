"""CPAISD (Umerenkov et al. 2024, Zenodo 10892316): acute ischaemic stroke, core and penumbra.

    {train,val,test}/STUDY/SLICE/image.npz   one slice, HU      (array "image")
    {train,val,test}/STUDY/SLICE/mask.npz    0, 1 core, 2 penumbra  (array "mask")
    {train,val,test}/STUDY/SLICE/raw.dcm     the slice's DICOM header gives spacing and order

The lesion is core and penumbra together unless the user chooses one or tells them apart. The
layout is taken from the paper and from published loaders; it was not tried on a full copy. A study
stands for a patient: the data do not say whether two studies are of one. Where headers are missing
or disagree, slices are ordered by the number in their folder's name and spacing is unknown.

Also read: single slices (images/NAME.png, 0 to 255 HU; masks/NAME.png, core red, penumbra green).
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from strokediff.cohort.importing.base import (
    Classes,
    Layout,
    ListedScan,
    Listing,
    MaskedImage,
    SizeError,
)
from strokediff.cohort.importing.headers import stack_of
from strokediff.cohort.importing.names import by_number, composed, entries, inside
from strokediff.cohort.importing.pictures import (
    SinglePictures,
    nominal_affine,
    read_colour,
    upright,
)
from strokediff.cohort.record import SPLITS
from strokediff.ct.arrays import FLOOR_HU
from strokediff.ct.checks.hounsfield import as_hounsfield
from strokediff.ct.checks.sanity import MAX_PIXELS
from strokediff.ct.volume import CT, Source
from strokediff.errors import InputError
from strokediff.util.kinds import INFARCT
from strokediff.util.names import safe_name

_TITLE = "CPAISD, core and penumbra of acute ischaemic stroke"
_LICENCE = "CC BY 4.0 (Zenodo 10892316)"
_CLASSES = {"core": (1,), "penumbra": (2,)}
COLOURS = {0xFF0000: 1, 0x00FF00: 2}


class Cpaisd(Layout):
    """The published folders of NumPy archives."""

    name = "cpaisd"
    title = _TITLE
    licence = _LICENCE
    expected = "train|val|test/STUDY/SLICE/image.npz and mask.npz"
    kind = INFARCT
    labels: Mapping[str, tuple[int, ...]] | None = _CLASSES

    def __init__(self, source: Path) -> None:
        super().__init__(source)
        self._affine: dict[str, NDArray[np.float64] | None] = {}

    @classmethod
    def recognises(cls, source: Path) -> bool:
        """Whether one of train/, val/ and test/ is there."""
        return any((source / split).is_dir() for split in SPLITS)

    def list_cases(self) -> Listing:
        """One case a study, with the split of its folder."""
        cases: list[ListedScan] = []
        stray, empty = [], []
        for split in SPLITS:
            for study in entries(self.source / split, self.source):
                slices = sorted(entries(study, self.source), key=by_number)
                images = [p for p in slices if (p / "image.npz").is_file()]
                stray += [p / "mask.npz" for p in slices if p not in images and _mask_in(p)]
                empty += [p for p in slices if p not in images and not _mask_in(p)]
                if not images:
                    empty += [] if slices else [study]
                    continue
                for folder in images:
                    inside(folder / "raw.dcm", self.source)
                name = safe_name(f"cpaisd_{study.name}")
                ordered, self._affine[name] = stack_of(images)
                pairs = tuple(self._pair(p) for p in ordered)
                # Names such as UIDs number nothing, and headers that agree order by position.
                plain = all(p.name.isdecimal() for p in ordered) and self._affine[name] is None
                numbers = tuple(int(p.name) for p in ordered) if plain else ()
                cases.append(ListedScan(name, composed(study.name), pairs, split, numbers))
        return Listing(tuple(cases), tuple(stray), tuple(empty))

    def classes(self, case: ListedScan) -> Classes:
        """As `Layout.classes`; every array of a case must be of one size."""
        size = read_archive(case.pairs[0].image, "image").shape
        slices = []
        for pair in case.pairs:
            assert pair.mask is not None, "checked by check_listing"
            mask = read_archive(pair.mask, "mask")
            for path, shape in (
                (pair.image, read_archive(pair.image, "image").shape),
                (pair.mask, mask.shape),
            ):
                if shape != size:
                    raise SizeError(
                        f"{path}: expected the size of the study's first image, {size}, got "
                        f"{shape}. Download it again."
                    )
            if not np.array_equal(mask, np.rint(mask)):
                raise InputError(
                    f"{pair.mask}: expected whole numbers, a class a pixel, got others. Download "
                    "it again."
                )
            slices.append(upright(mask.astype(np.int32)))
        values = np.stack(slices, axis=2)
        affine = self._affine[case.name]
        known = affine is not None
        return Classes(values, nominal_affine(values.shape) if affine is None else affine, known)

    def image(self, case: ListedScan) -> CT:
        """As `Layout.image`; the arrays must hold HU."""
        slices = [read_archive(pair.image, "image") for pair in case.pairs]
        hu = np.stack([upright(s.astype(np.float32)) for s in slices], axis=2)
        folder = case.pairs[0].image.parent.parent
        hu, said = as_hounsfield(folder, hu)
        affine = self._affine[case.name]
        affine = nominal_affine(hu.shape) if affine is None else affine
        whole = np.rint(np.clip(hu, FLOOR_HU, np.iinfo(np.int16).max))
        source = Source(folder, "array", hu.shape, affine)
        return CT.from_source_array(whole, source, warnings=tuple(said))

    def write_image(self, case: ListedScan, path: Path) -> None:
        """As `Layout.write_image`, int16."""
        volume = self.image(case)
        stored = volume.to_source(volume.hu).astype(np.int16)
        nib.save(nib.Nifti1Image(stored, volume.source.affine), path)

    def _pair(self, folder: Path) -> MaskedImage:
        image = inside(folder / "image.npz", self.source)
        return MaskedImage(
            image, inside(folder / "mask.npz", self.source) if _mask_in(folder) else None
        )


class CpaisdPictures(SinglePictures):
    """Single slices, core red and penumbra green, 0 to 255 HU."""

    name = "cpaisd"
    prefix = "cpaisd"
    title = f"{_TITLE}, single slices"
    licence = _LICENCE
    window_hu = (0.0, 255.0)
    kind = INFARCT
    labels: Mapping[str, tuple[int, ...]] | None = _CLASSES

    def read_classes(self, path: Path) -> NDArray[np.int32]:
        """Red is 1, green is 2, other colours stay as 0xRRGGBB."""
        colours = read_colour(path)
        classes = colours.copy()
        for colour, value in COLOURS.items():
            classes[colours == colour] = value
        return classes

    def shown(self, value: int) -> str:
        """As in HTML."""
        return f"#{value:06x}"


def read_archive(path: Path, key: str) -> NDArray[Any]:
    """The 2D array `key` of an .npz, or its only one; nothing in it is ever unpickled."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > 16 * MAX_PIXELS**2:
            raise InputError(f"{path}: {size} bytes once unpacked, too large for a slice.")
        with np.load(path, allow_pickle=False) as archive:
            names = list(archive)
            chosen = key if key in names else names[0] if len(names) == 1 else None
            array = np.asarray(archive[chosen]) if chosen else None
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(
            f"{path}: expected a NumPy archive of a slice, but it cannot be read "
            f"({type(error).__name__}: {str(error)[:100]}). Download it again."
        ) from error
    if array is None:
        raise InputError(f"{path}: expected an array {key!r}, got {', '.join(names) or 'none'}.")
    if array.ndim != 2 or array.dtype.kind not in "biuf" or not array.size:
        raise InputError(
            f"{path}: expected a 2D array of numbers, got shape {array.shape} of {array.dtype}. "
            "Download it again."
        )
    return array


def _mask_in(folder: Path) -> bool:
    return (folder / "mask.npz").is_file()
