"""A cohort in nnU-Net's raw layout (version 2), so that nnU-Net trains and is scored on one split.

    DatasetNNN_Name/dataset.json          one channel, CT; background 0, lesion 1, or
                                          the cohort's kinds of lesion, as regions if they overlap
    DatasetNNN_Name/imagesTr, labelsTr    training and validation
    DatasetNNN_Name/imagesTs, labelsTs    testing
    DatasetNNN_Name/splits_final.json     one fold with the cohort's training and validation
    DatasetNNN_Name/cohort.json           description, licence, spacing; for `strokediff evaluate`

nnU-Net looks for splits_final.json in its preprocessed folder: copy it there before training.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from strokediff.cohort.importing.volumes import copy_gzipped
from strokediff.cohort.labelled import LabelledScan, find_scans
from strokediff.cohort.masks import MaskReader, label_map, labels_of_map
from strokediff.cohort.sources import Sources
from strokediff.cohort.store import Cohort, as_bits
from strokediff.ct.checks.hounsfield import NOT_HU
from strokediff.ct.nifti.file import open_nifti
from strokediff.ct.nifti.images import read_nifti, save_like
from strokediff.ct.nifti.masks import check_same_grid
from strokediff.errors import InputError, UsageError
from strokediff.util.files import atomic_directory, write_json
from strokediff.util.kinds import JOINED

_PARTS = {"train": "Tr", "val": "Tr", "test": "Ts"}
DATASET_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def export_nnunet(
    source: str | Path,
    cohort: Cohort,
    out: str | Path,
    *,
    number: int,
    name: str,
    progress: Callable[[int, int, str], None] = lambda done, total, name: None,
) -> Path:
    """Write the data set into `out` and return its folder; nothing is left on failure.

    `source` holds the scans that `cohort` was prepared from. Raises `InputError` if their names
    differ, `UsageError` if the data set is there already.

    >>> cohort = open_cohort("cohort")
    >>> folder = export_nnunet("scans", cohort, "nnUNet_raw", number=501, name="Stroke")
    >>> folder.name, len(list(folder.glob("imagesTr/*"))), len(list(folder.glob("imagesTs/*")))
    ('Dataset501_Stroke', 3, 1)
    """
    source, out = Path(source), Path(out)
    if not 1 <= number <= 999 or not DATASET_NAME.fullmatch(name):
        raise UsageError(
            f"expected a data set number from 1 to 999 and a name of letters, digits, '-' and "
            f"'_', got {number} and {name!r}."
        )
    target = out / f"Dataset{number:03d}_{name}"
    if target.exists():
        raise UsageError(f"{target}: exists already. Choose another --id or --name, or remove it.")
    scans, sources = _matched(source, cohort), Sources.of(source)
    part_of = {n: _PARTS[split] for split, names in cohort.split.items() for n in names}
    with atomic_directory(target) as folder:
        for part in dict.fromkeys(_PARTS.values()):
            (folder / f"images{part}").mkdir()
            (folder / f"labels{part}").mkdir()
        for done, (case, scan) in enumerate(sorted(scans.items())):
            progress(done, len(scans), case)
            image = folder / f"images{part_of[case]}" / f"{case}_0000.nii.gz"
            write_image(scan.image, image)
            reader = MaskReader(cohort.kinds, sources.labels(scan.folder))
            _write_label(scan, reader, folder / f"labels{part_of[case]}" / f"{case}.nii.gz")
        progress(len(scans), len(scans), "")
        _write_records(folder, sources, cohort, name)
    return target


def write_image(source: Path, target: Path) -> None:
    """The image's own bytes; one whose values had to be mended to be HU is written in HU.

    Raises `InputError` if it is not whole and readable.
    """
    volume = read_nifti(source, min_slices=1)
    if any(warning.startswith(NOT_HU) for warning in volume.warnings):
        save_like(volume, volume.hu, target, dtype=np.int16, description="in HU")
    else:
        copy_gzipped(source, target)


def _matched(source: Path, cohort: Cohort) -> dict[str, LabelledScan]:
    """The scans of the cohort's patients; both sides must be the same but for those left out."""
    scans = {scan.name: scan for scan in find_scans(source)}
    wanted = {name for names in cohort.split.values() for name in names}
    for what, names in (
        (f"scans that {cohort.path} has", wanted - set(scans)),
        (f"no scans beside those of {cohort.path}", set(scans) - wanted - set(cohort.left_out)),
    ):
        if names:
            shown = ", ".join(sorted(names)[:5])
            raise InputError(
                f"{source}: expected {what}, but {len(names)} differ: {shown}. Give the folder "
                "that the cohort was prepared from, or prepare it again."
            )
    return {name: scan for name, scan in scans.items() if name in wanted}


def _write_label(scan: LabelledScan, reader: MaskReader, path: Path) -> None:
    """The map of labels, of one kind 0 and 1, with the image's own header geometry."""
    stored, masks = reader.read(scan.label)
    image: Any = nib.load(scan.image)
    check_same_grid(stored, open_nifti(scan.image))
    header = image.header.copy()
    header.set_data_dtype(np.uint8)
    labels = label_map(as_bits(np.stack(masks)), len(masks))
    nib.save(type(image)(labels, image.affine, header), path)


def _declared(sources: Sources, cohort: Cohort) -> dict[str, int | list[int]]:
    """The values of every kind in the masks that are written."""
    declared = [chain.from_iterable(sources.labels(f).values()) for f in sources.records]
    overlap = any(max(Counter(values).values(), default=0) > 1 for values in declared)
    if overlap and len(cohort.kinds) > 1:
        return {**labels_of_map(cohort.kinds)}
    return {kind: k + 1 for k, kind in enumerate(cohort.kinds)}


def _write_records(folder: Path, sources: Sources, cohort: Cohort, name: str) -> None:
    origin, declared = sources.origin(), _declared(sources, cohort)
    regions = any(isinstance(value, list) for value in declared.values())
    origin["spacing"] = origin["spacing"] if cohort.spacing_known else "unknown"
    train, val = sorted(cohort.split["train"]), sorted(cohort.split["val"])
    meta: dict[str, Any] = {
        "name": name,
        "description": origin["description"],
        "licence": origin.get("licence", "unknown"),
        "channel_names": {"0": "CT"},
        "labels": {"background": 0, **declared},
        **({"regions_class_order": [*range(1, len(declared) + 1)]} if regions else {}),
        "numTraining": len(train) + len(val),
        "file_ending": ".nii.gz",
    }
    write_json(folder / "dataset.json", meta)
    write_json(folder / "splits_final.json", [{"train": train, "val": val}])
    labels = {} if cohort.kinds == JOINED else {"labels": declared}
    write_json(folder / "cohort.json", origin | labels)
