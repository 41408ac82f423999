"""Which scans of a folder have a mask.

Layouts: images/NAME.nii.gz with labels/NAME.nii.gz (as `strokediff phantom` writes them), or
nnU-Net's imagesTr/NAME_0000.nii.gz and labelsTr/NAME.nii.gz; or a folder of such folders. A name
that several of them have is told apart by the folder's: FOLDER_NAME.
"""

from __future__ import annotations

import shlex
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from strokediff.ct.nifti.images import nifti_files
from strokediff.errors import InputError
from strokediff.util.names import safe_name, same_name
from strokediff.util.plaintext import escaped

_LAYOUTS = (("images", "labels", ""), ("imagesTr", "labelsTr", "_0000"))


@dataclass(frozen=True)
class LabelledScan:
    """A scan with its lesion mask.

    `name` is the file's, in any script, made safe to name a file or folder; `original` as it is on
    the disk, where that differs. `known_as` is what its folder calls it, where another folder has
    a scan of that name.
    """

    name: str
    image: Path
    label: Path
    original: str | None = None
    known_as: str = ""

    @property
    def folder(self) -> Path:
        """The folder that holds images/ and labels/."""
        return self.image.parent.parent

    @property
    def group(self) -> str:
        """Patients of one group are split alike: the name of their folder."""
        return safe_name(self.folder.name)


def find_scans(source: Path) -> list[LabelledScan]:
    """Every labelled scan under `source`; `InputError` lists images and masks without another."""
    if not source.is_dir():
        raise InputError(f"{source}: no such folder. Expected one with images/ and labels/.")
    folders = [source, *sorted(p for p in source.iterdir() if p.is_dir())]
    scans: list[LabelledScan] = []
    for folder in folders:
        for images, labels, ending in _LAYOUTS:
            scans += _scans_in(folder / images, folder / labels, ending)
        _refuse_declared_test(folder)
    if not scans:
        raise InputError(
            f"{source}: no labelled scans. Expected images/NAME.nii.gz with labels/NAME.nii.gz, "
            "or nnU-Net's imagesTr/NAME_0000.nii.gz with labelsTr/NAME.nii.gz."
        )
    scans = [
        _with_folder(scan) if len({one.folder for one in own}) > 1 else scan
        for own in _by_name(scans)
        for scan in own
    ]
    doubled = [own for own in _by_name(scans) if len(own) > 1]
    if doubled:
        shown = "; ".join(" and ".join(str(scan.image) for scan in own) for own in doubled[:5])
        raise InputError(
            f"{source}: the same name twice: {doubled[0][0].name} ({shown}). Letter case does not "
            "tell names apart. Rename one of them."
        )
    return scans


def _by_name(scans: Sequence[LabelledScan]) -> list[list[LabelledScan]]:
    """Those that letter case does not tell apart, together, in the order of the first."""
    found: dict[str, list[LabelledScan]] = defaultdict(list)
    for scan in scans:
        found[same_name(scan.name)].append(scan)
    return list(found.values())


def _with_folder(scan: LabelledScan) -> LabelledScan:
    return replace(scan, name=safe_name(f"{scan.folder.name}_{scan.name}"), known_as=scan.name)


def _scans_in(images: Path, labels: Path, ending: str) -> list[LabelledScan]:
    masks: dict[str, list[Path]] = defaultdict(list)
    for stem, mask in nifti_files(labels):
        masks[_composed(stem)].append(mask)
    scans, unlabelled = [], []
    if not images.is_dir():
        return []
    for stem, image in nifti_files(images):
        own = stem.removesuffix(ending)
        found = masks.pop(_composed(own), [])
        if len(found) > 1:
            raise InputError(f"{found[0]} and {found[1]}: two masks of one scan. Take one out.")
        if found:
            name = safe_name(own)
            scans.append(LabelledScan(name, image, found[0], None if name == own else escaped(own)))
        else:
            unlabelled.append(image.name)
    if unlabelled:
        raise InputError(
            f"{images}: {len(unlabelled)} image(s) without a mask of the same name in {labels}: "
            f"{', '.join(unlabelled[:5])}. Add the masks or take the images out."
        )
    if masks:
        stray = [mask.name for found in masks.values() for mask in found]
        raise InputError(
            f"{labels}: {len(stray)} mask(s) without an image of the same name in {images}: "
            f"{', '.join(stray[:5])}. Add the images or take the masks out."
        )
    return scans


def _composed(stem: str) -> str:
    """One form for names whose accents are stored apart from their letters, or not."""
    return unicodedata.normalize("NFC", stem)


def _refuse_declared_test(folder: Path) -> None:
    """A raw folder of nnU-Net may keep test patients apart; others must not take their place."""
    kept = [mask.name for _, mask in nifti_files(folder / "labelsTs")]
    if kept:
        raise InputError(
            f"{folder / 'labelsTs'}: declares {len(kept)} test patients, and 'prepare' would draw "
            f"others. Import the folder, which keeps its split: strokediff import nnunet "
            f"{shlex.quote(str(folder))} SCANS"
        )
