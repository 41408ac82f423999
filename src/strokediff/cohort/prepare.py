"""Turns a folder of scans and masks into a cohort, after checking all of it.

`labelled` finds the scans. The brain is extracted as `segment` does it, so that a network sees the
same slices in training and in use. One image under several names counts as one patient: it never
lies on both sides of a split.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strokediff.cohort.labelled import LabelledScan as LabelledScan
from strokediff.cohort.labelled import find_scans as find_scans
from strokediff.cohort.likeness import Likeness, copies, likeness_of, look_alikes
from strokediff.cohort.masks import MaskReader, chosen_kinds
from strokediff.cohort.sources import Sources
from strokediff.cohort.store import (
    PREPARED,
    RIM_MM,
    Cohort,
    CohortWriter,
    Patient,
    as_bits,
    open_cohort,
)
from strokediff.ct.brain import Bridge, extract_brain
from strokediff.ct.checks.head_size import implausible_size
from strokediff.ct.grid import GridConfig, SliceGrid
from strokediff.ct.midline import find_midline
from strokediff.ct.nifti.images import read_nifti
from strokediff.ct.volume import CT
from strokediff.errors import InputError, UsageError, raise_all
from strokediff.util.files import atomic_directory, refuse_others
from strokediff.util.plaintext import escaped
from strokediff.util.processes import in_processes

_SHOWN = 5


@dataclass(frozen=True)
class Shares:
    """How patients are split: shares held out for validation and testing, and the draw's seed."""

    val: float = 0.1
    test: float = 0.1
    seed: int = 0


def prepare_cohort(
    source: str | Path,
    out: str | Path,
    grid: GridConfig | None = None,
    *,
    seed: int = 0,
    val: float = 0.1,
    test: float = 0.1,
    kinds: Sequence[str] | None = None,
    jobs: int = 1,
    skip_damaged: bool = False,
    progress: Callable[[int, int, str], None] = lambda done, total, name: None,
) -> Cohort:
    """Write the cohort `out` from the labelled scans in `source`; nothing is left on failure.

    `jobs` processes read scans at once; the cohort does not depend on how many. A split that the
    source declares is kept (see `Sources.split`). All scans that cannot be used are told at once;
    with `skip_damaged` they are left out and told in cohort.json, unless none is sound. `source`
    holds images/NAME.nii.gz with labels/NAME.nii.gz, or nnU-Net's folders; `val` and `test` are
    shares of the patients. `kinds` are the kinds of lesion to tell apart: by default those that
    the source declares (`chosen_kinds`), ("lesion",) to join them. Raises `InputError` for scans
    that cannot be used, `UsageError` for a place that holds something else.

    >>> cohort = prepare_cohort("scans", "prepared", val=0, test=0.25)
    >>> print(cohort)
    4 patients (3 train, 0 val, 1 test); 4 with a lesion; 96 x 96 pixels of 2.0 mm
    """
    source, out, grid = Path(source), Path(out), grid or GridConfig()
    _check_place(source, out)
    scans = find_scans(source)
    sources = Sources.of(source)
    shares = Shares(val, test, seed)
    _split(sources, {scan.name: (scan.group, 0.0) for scan in scans}, shares)  # refuses early
    told = chosen_kinds([sources.labels(f) for f in dict.fromkeys(s.folder for s in scans)], kinds)
    tasks = [_Reading.of(scan, sources, told) for scan in scans]
    with atomic_directory(out) as folder:
        writer = CohortWriter(folder, grid, told)
        prepared = in_processes(partial(_tried, grid=grid), tasks, jobs)
        read = _gathered(writer, scans, prepared, sources, progress)
        if not (skip_damaged and read.sizes):
            raise_all(list(read.problems.values()))
        if not any(volume for _, volume in read.sizes.values()):
            raise InputError(
                f"{source}: no lesion in any of {len(read.sizes)} masks. Expected voxels above 0 "
                "where there is one; make the masks again."
            )
        same = copies({name: own.digest for name, own in read.likeness.items()})
        split = _split(sources, read.sizes, shares, same)
        for person, names in sources.people(read.sizes, same).items():
            for name in names:
                writer.patients[name]["patient"] = person
        writer.finish(
            split=split,
            origin={"source": source.name, "split_seed": seed, **sources.origin()},
            findings=_findings(same, read.likeness, split),
            left_out={name: " ".join(str(why).split()) for name, why in read.problems.items()},
        )
    return open_cohort(out)


@dataclass(frozen=True)
class Gathered:
    """Of the scans that were written: group and lesion volume in mL, and what they are like."""

    sizes: dict[str, tuple[str, float]] = field(default_factory=dict)
    likeness: dict[str, Likeness] = field(default_factory=dict)
    problems: dict[str, InputError] = field(default_factory=dict)
    """Why the others were not."""


def _gathered(
    writer: CohortWriter,
    scans: Sequence[LabelledScan],
    prepared: Iterable[Prepared | InputError],
    sources: Sources,
    progress: Callable[[int, int, str], None],
) -> Gathered:
    """Write what was prepared, one scan at a time."""
    read = Gathered()
    several = len({scan.folder for scan in scans}) > 1
    for done, (scan, found) in enumerate(zip(scans, prepared, strict=True)):
        progress(done, len(scans), scan.name)
        if isinstance(found, InputError):
            read.problems[scan.name] = found
            continue
        known = sources.spacing_known(scan.folder)
        source = {"source": scan.group} if several else {}
        warnings = found.details["warnings"] + (found.of_size if known else [])
        details = {**found.details, **source, "warnings": warnings}
        writer.add(found.patient, **details, spacing_known=known)
        read.sizes[scan.name] = (scan.group, found.details["volume_ml"])
        read.likeness[scan.name] = found.likeness
    progress(len(scans), len(scans), "")
    return read


def _split(
    sources: Sources,
    sizes: Mapping[str, tuple[str, float]],
    shares: Shares,
    same: Sequence[tuple[str, ...]] = (),
) -> dict[str, list[str]]:
    return sources.split(sizes, val=shares.val, test=shares.test, seed=shares.seed, same=same)


def _findings(
    same: Sequence[tuple[str, ...]],
    likeness: Mapping[str, Likeness],
    split: Mapping[str, Sequence[str]],
) -> list[str]:
    """What to know of scans that are, or may be, one."""
    part_of = {name: part for part, names in split.items() for name in names}
    alike = look_alikes(likeness)
    apart = [pair for pair in alike if len({part_of[name] for name in pair}) > 1]
    told = [
        (
            "image(s) under several names, kept together as one patient's",
            [" = ".join(names) for names in same],
        ),
        (
            "pair(s) of scans in two parts of the split look alike; if one was made of the other "
            "(JPEG, crop, resampling), take one out",
            [" ~ ".join(pair) for pair in apart],
        ),
        (
            "pair(s) of scans in one part of the split look alike",
            [" ~ ".join(pair) for pair in alike if pair not in apart],
        ),
    ]
    return [
        f"{len(found)} {what}: {', '.join(found[:_SHOWN])}{', ...' * (len(found) > _SHOWN)}"
        for what, found in told
        if found
    ]


def _check_place(source: Path, out: Path) -> None:
    """Refuse to write over anything but a prepared cohort, and over the scans themselves."""
    place = out.resolve()
    if place in (source.resolve(), *source.resolve().parents):
        raise UsageError(f"{out}: holds the scans of {source}. Choose a folder of its own.")
    refuse_others(out, PREPARED, "prepared cohort")


@dataclass(frozen=True)
class Prepared:
    """A patient on the grid, what cohort.json tells of it, and what its image is like.

    `of_size` are warnings of the head's size, which a nominal spacing says nothing about.
    """

    patient: Patient
    details: dict[str, Any]
    likeness: Likeness
    of_size: list[str]


@dataclass(frozen=True)
class _Reading:
    """A scan, how its mask is read, and the fewest slices it may have."""

    scan: LabelledScan
    masks: MaskReader
    min_slices: int

    @classmethod
    def of(cls, scan: LabelledScan, sources: Sources, kinds: tuple[str, ...]) -> _Reading:
        masks = MaskReader(kinds, sources.labels(scan.folder))
        return cls(scan, masks, sources.min_slices(scan.folder))


def _tried(task: _Reading, grid: GridConfig) -> Prepared | InputError:
    """`_on_grid`, or why not: all that is amiss with a cohort is told at once."""
    try:
        return _on_grid(task, grid)
    except InputError as problem:
        return problem


def _on_grid(task: _Reading, grid: GridConfig) -> Prepared:
    """A scan on the grid."""
    scan = task.scan
    volume = read_nifti(scan.image, min_slices=task.min_slices)
    lesions = task.masks.on(scan.label, volume)
    brain = extract_brain(volume)
    bridge = Bridge.over(volume, brain.unusable)
    slice_grid = SliceGrid(grid, volume, brain.mask)
    image = slice_grid.image_with_rim(bridge.mix(volume.hu), RIM_MM).astype(np.float16)
    mask = slice_grid.mask.astype(np.uint8)
    label = as_bits(np.stack([slice_grid.label(lesion) > 0 for lesion in lesions]))
    unusable = list(bridge.left_out)
    label[unusable] = mask[unusable] = 0  # nothing is learnt from them, nor scored in them
    patient = Patient(scan.name, image, label, mask, find_midline(image, mask))
    details = {
        "image": escaped(scan.image.name),
        **({"original": scan.original} if scan.original else {}),
        "volume_ml": volume.mask_volume_mm3(np.any(lesions, axis=0)) / 1000,
        **_volumes(task.masks.kinds, volume, lesions),
        "spacing_mm": volume.spacing_mm,
        "warnings": [*volume.warnings, *brain.warnings],
    }
    return Prepared(patient, details, likeness_of(volume), implausible_size(volume))


def _volumes(kinds: Sequence[str], ct: CT, lesions: NDArray[np.bool_]) -> dict[str, Any]:
    """The volume of each kind, where there are several."""
    if len(kinds) == 1:
        return {}
    each = [ct.mask_volume_mm3(lesion) / 1000 for lesion in lesions]
    return {"volumes_ml": dict(zip(kinds, each, strict=True))}
