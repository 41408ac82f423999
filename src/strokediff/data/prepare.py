"""Turns a folder of scans and masks into a cohort, after checking all of it.

Layouts: images/NAME.nii.gz with labels/NAME.nii.gz (as `strokediff phantom` writes them), or
nnU-Net's imagesTr/NAME_0000.nii.gz and labelsTr/NAME.nii.gz; or a folder of such folders. The brain
is extracted as `segment` does it, so that a network sees the same slices in training and in use.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strokediff.data.brain import extract_brain
from strokediff.data.cohort import (
    PREPARED,
    RIM_MM,
    Cohort,
    CohortWriter,
    Patient,
    open_cohort,
)
from strokediff.data.files import atomic_directory, refuse_others
from strokediff.data.masks import Grid, check_same_grid, read_mask
from strokediff.data.nifti import SUFFIXES, nifti_files, read_nifti
from strokediff.data.preprocess import GridConfig, SliceGrid
from strokediff.data.processes import in_processes
from strokediff.data.sanity import MIN_SLICES
from strokediff.data.sources import Sources
from strokediff.data.volume import Volume
from strokediff.errors import InputError, UsageError, raise_all

LAYOUTS = (("images", "labels", ""), ("imagesTr", "labelsTr", "_0000"))


@dataclass(frozen=True)
class LabelledScan:
    """A scan with its lesion mask; `group` is the folder that holds images/ and labels/."""

    name: str
    image: Path
    label: Path

    @property
    def folder(self) -> Path:
        """The folder that holds images/ and labels/."""
        return self.image.parent.parent

    @property
    def group(self) -> str:
        """Patients of one group are split alike."""
        return self.folder.name


def find_scans(source: Path) -> list[LabelledScan]:
    """Every labelled scan under `source`; `InputError` lists images and masks without another."""
    if not source.is_dir():
        raise InputError(f"{source}: no such folder. Expected one with images/ and labels/.")
    folders = [source, *sorted(p for p in source.iterdir() if p.is_dir())]
    scans: list[LabelledScan] = []
    for folder in folders:
        for images, labels, ending in LAYOUTS:
            scans += _scans_in(folder / images, folder / labels, ending)
        _refuse_declared_test(folder)
    if not scans:
        raise InputError(
            f"{source}: no labelled scans. Expected images/NAME.nii.gz with labels/NAME.nii.gz, "
            "or nnU-Net's imagesTr/NAME_0000.nii.gz with labelsTr/NAME.nii.gz."
        )
    names = [scan.name for scan in scans]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise InputError(
            f"{source}: the same name twice: {', '.join(doubled)}. Rename one of them."
        )
    return scans


def prepare(
    source: Path,
    out: Path,
    grid: GridConfig,
    *,
    seed: int = 0,
    val: float = 0.1,
    test: float = 0.1,
    jobs: int = 1,
    progress: Callable[[int, int, str], None] = lambda done, total, name: None,
) -> Cohort:
    """Write the cohort `out` from the labelled scans in `source`; nothing is left on failure.

    `jobs` processes read scans at once; the cohort does not depend on how many. A split that the
    source declares is kept (see `Sources.split`).
    """
    _check_place(source, out)
    scans = find_scans(source)
    sources = Sources.of(source)
    sizes = {scan.name: (scan.group, 0.0) for scan in scans}
    sources.split(sizes, val=val, test=test, seed=seed)  # refuses now what it would refuse later
    patient_of = {n: patient for patient, own in sources.people(sizes).items() for n in own}
    tasks = [(s, 1 if sources.partial_heads(s.folder) else MIN_SLICES) for s in scans]
    with atomic_directory(out) as folder:
        writer = CohortWriter(folder, grid)
        prepared = in_processes(partial(_tried, grid=grid), tasks, jobs)
        problems = []
        for done, (scan, found) in enumerate(zip(scans, prepared, strict=True)):
            progress(done, len(scans), scan.name)
            if isinstance(found, InputError):
                problems.append(found)
                continue
            patient, details = found
            known = sources.spacing_known(scan.folder)
            whose = patient_of[scan.name]
            writer.add(patient, **details, spacing_known=known, patient=whose)
            sizes[scan.name] = (scan.group, details["volume_ml"])
        progress(len(scans), len(scans), "")
        raise_all(problems)
        if not any(volume for _, volume in sizes.values()):
            raise InputError(
                f"{source}: no lesion in any of {len(scans)} masks. Expected voxels above 0 where "
                "there is one; make the masks again."
            )
        split = sources.split(sizes, val=val, test=test, seed=seed)
        origin = {"source": source.name, "split_seed": seed, **sources.origin()}
        writer.finish(split=split, origin=origin)
    return open_cohort(out)


def _check_place(source: Path, out: Path) -> None:
    """Refuse to write over anything but a prepared cohort, and over the scans themselves."""
    place = out.resolve()
    if place in (source.resolve(), *source.resolve().parents):
        raise UsageError(f"{out}: holds the scans of {source}. Choose a folder of its own.")
    refuse_others(out, PREPARED, "prepared cohort")


def _scans_in(images: Path, labels: Path, ending: str) -> list[LabelledScan]:
    if not images.is_dir():
        return []
    scans, unlabelled = [], []
    for stem, image in nifti_files(images):
        name = stem.removesuffix(ending)
        label = _with_stem(labels, name)
        if label is None:
            unlabelled.append(image.name)
        else:
            scans.append(LabelledScan(name, image, label))
    if unlabelled:
        raise InputError(
            f"{images}: {len(unlabelled)} image(s) without a mask of the same name in {labels}: "
            f"{', '.join(unlabelled[:5])}. Add the masks or take the images out."
        )
    names = {scan.name for scan in scans}
    stray = [mask.name for stem, mask in nifti_files(labels) if stem not in names]
    if stray:
        raise InputError(
            f"{labels}: {len(stray)} mask(s) without an image of the same name in {images}: "
            f"{', '.join(stray[:5])}. Add the images or take the masks out."
        )
    return scans


def _refuse_declared_test(folder: Path) -> None:
    """A raw folder of nnU-Net may keep test patients apart; others must not take their place."""
    kept = [mask.name for _, mask in nifti_files(folder / "labelsTs")]
    if kept:
        raise InputError(
            f"{folder / 'labelsTs'}: declares {len(kept)} test patients, and 'prepare' would draw "
            f"others. Import the folder, which keeps its split: strokediff import nnunet "
            f"{shlex.quote(str(folder))} SCANS"
        )


def _with_stem(folder: Path, name: str) -> Path | None:
    found = [p for s in SUFFIXES if (p := folder / f"{name}{s}").is_file()]
    if len(found) > 1:
        raise InputError(f"{found[0]} and {found[1]}: two masks of one scan. Take one out.")
    return found[0] if found else None


Prepared = tuple[Patient, dict[str, Any]]


def _tried(task: tuple[LabelledScan, int], grid: GridConfig) -> Prepared | InputError:
    """`_on_grid`, or why not: all that is amiss with a cohort is told at once."""
    try:
        return _on_grid(task, grid)
    except InputError as problem:
        return problem


def _on_grid(task: tuple[LabelledScan, int], grid: GridConfig) -> Prepared:
    """A scan, and the fewest slices it may have, on the grid."""
    scan, min_slices = task
    volume = read_nifti(scan.image, min_slices=min_slices)
    lesion = mask_on(scan.label, volume)
    brain = extract_brain(volume)
    slice_grid = SliceGrid(grid, volume, brain.mask)
    patient = Patient(
        scan.name,
        slice_grid.image_with_rim(volume.hu, RIM_MM).astype(np.float16),
        slice_grid.label(lesion),
        slice_grid.mask.astype(np.uint8),
    )
    details = {
        "image": scan.image.name,
        "volume_ml": volume.mask_volume_mm3(lesion) / 1000,
        "spacing_mm": volume.spacing_mm,
        "warnings": [*volume.warnings, *brain.warnings],
    }
    return patient, details


def mask_on(path: Path, volume: Volume) -> NDArray[np.bool_]:
    """Read a mask and bring it to the volume's axes; refused if it lies on another grid."""
    mask = read_mask(path)
    stored = Grid(volume.source.path, volume.to_source(volume.hu), volume.source.affine)
    check_same_grid(mask, stored)
    return volume.from_source(mask.array)
