"""What yields no case is accounted for: whose folder it lies in, and whether that is a patient.

A folder below the input in which nothing can be read is a patient that failed. What lies beside
readable files of one patient is told in a note; where several patients lie in one folder, each
unreadable image is a patient too. Texts, tables and programs are counted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from strokediff.ct.discovery.cases import LeftOut
from strokediff.ct.discovery.claims import Claims
from strokediff.ct.discovery.formats import FileKind
from strokediff.ct.discovery.tree import TECHNICAL, Tree
from strokediff.util.names import name_below, stem
from strokediff.util.plaintext import visible

_SHOWN = 3
REMEDIES = {
    FileKind.VOLUME: "Convert it to NIfTI (.nii.gz), or give the DICOM files",
    FileKind.PACKED: "Unpack it and give the folder",
    FileKind.PICTURE: "Pictures hold no Hounsfield units; give the DICOM files or NIfTI",
}


@dataclass
class _Unit:
    """What was found in one folder without a case."""

    damaged: dict[Path, str] = field(default_factory=dict)
    images: dict[Path, tuple[FileKind, str]] = field(default_factory=dict)
    pictures: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    programs: bool = False
    whole: str = ""

    @property
    def is_no_image(self) -> bool:
        """Whether there is nothing that was meant to be an image of a head."""
        return not (self.damaged or self.images or self.whole)


def account(
    claims: Claims, failed_archives: Mapping[Path, str] | None = None
) -> tuple[list[LeftOut], int]:
    """What has no case, by folder; and how many other files were passed over.

    `failed_archives` are those that yield no case, with the reason: each is a patient.
    """
    failed = failed_archives or {}
    units = _units(claims)
    holders = {claims.unit(archive) for archive in failed}
    out = [
        _named(claims, path, why, is_patient=claims.is_of_its_own(path.parent))
        for path, why in failed.items()
    ]
    ignored = 0
    for place, unit in units.items():
        rows = [] if place in holders and unit.is_no_image else _rows(claims, place, unit)
        out += rows
        ignored += 0 if rows else len(unit.others) + len(unit.pictures)
    return out, ignored


def _units(claims: Claims) -> dict[Path, _Unit]:
    tree = claims.tree
    units: dict[Path, _Unit] = defaultdict(_Unit)
    lost = {p: why for p, why in tree.dicom.damaged.items() if not claims.owners(p)}
    loose = Counter(p.parent for p in lost if claims.unit(p) == p)
    for path, why in lost.items():
        # Damaged slices in one folder are one patient's rather than each another's.
        place = path.parent if loose[path.parent] > 1 else claims.unit(path)
        units[place].damaged[path] = why
    for path, found in tree.others.items():
        unit = units[claims.unit(path)]
        if found.kind in (FileKind.VOLUME, FileKind.PACKED):
            unit.images[path] = (found.kind, found.text)
        elif found.kind is FileKind.PICTURE:
            unit.pictures.append(path)
        else:
            unit.others.append(path)
            unit.programs |= found.kind is FileKind.PROGRAM
    for folder in tree.empty:
        if not claims.is_a_patients(folder):
            unit = units[claims.unit(folder, is_folder=True)]
            unit.whole = unit.whole or "the folder is empty. Copy the patient's files into it."
    for folder, why in tree.unlisted.items():
        text = f"the folder cannot be listed ({why}). Change its permissions."
        units[claims.unit(folder, is_folder=True)].whole = text
    return units


def _rows(claims: Claims, place: Path, unit: _Unit) -> list[LeftOut]:
    """What is said of one folder without a case, or of one file beside others."""
    if place in (*unit.damaged, *unit.images, *unit.pictures, *unit.others):
        return _of_a_file(claims, place, unit)
    if unit.is_no_image and _is_no_patient(claims.tree, place, unit):
        return []
    rows = []
    if len(unit.images) > 1:
        rows = [
            _named(claims, p, _image(p, *what), is_patient=True) for p, what in unit.images.items()
        ]
    if not rows or unit.damaged or unit.whole:
        is_patient = claims.is_of_its_own(place)
        rows.append(_named(claims, place, _reason(unit), is_patient=is_patient))
    return rows


def _of_a_file(claims: Claims, path: Path, unit: _Unit) -> list[LeftOut]:
    several = claims.is_of_its_own(path.parent)
    if path in unit.damaged:
        why = f"{unit.damaged[path]}. Copy it again."
        return [_named(claims, path, why, is_patient=several)]
    if path in unit.images:
        twins = {stem(f) for f in claims.single if f.parent == path.parent}
        is_patient = several and stem(path) not in twins
        return [_named(claims, path, _image(path, *unit.images[path]), is_patient=is_patient)]
    return []


def _is_no_patient(tree: Tree, place: Path, unit: _Unit) -> bool:
    """Programs, documents of a data set, and what lies beside the DICOM files of a medium."""
    on_medium = any(d.parent in place.parents for d in tree.dicom.directories)
    return unit.programs or on_medium or place.name.lower() in TECHNICAL


def _named(claims: Claims, path: Path, reason: str, *, is_patient: bool) -> LeftOut:
    is_file = not path.is_dir()
    name = name_below(claims.tree.root, path, is_file=is_file)
    return LeftOut(name, path, reason, is_patient)


def _image(path: Path, kind: FileKind, text: str) -> str:
    return f"is {text}, which is not read. {REMEDIES[kind]}."


def _reason(unit: _Unit) -> str:
    """Why a folder yields no case, the gravest first."""
    if unit.damaged:
        listed = [f"{visible(p.name)}: {why}" for p, why in list(unit.damaged.items())[:_SHOWN]]
        more = "; ..." if len(unit.damaged) > _SHOWN else ""
        return (
            f"{len(unit.damaged)} files are empty or damaged and none can be read "
            f"({'; '.join(listed)}{more}). Copy the series again."
        )
    if unit.images and len(unit.images) == 1:
        ((path, (kind, text)),) = unit.images.items()
        return f"holds only {text} ({visible(path.name)}), which is not read. {REMEDIES[kind]}."
    if unit.whole:
        return unit.whole
    if unit.pictures:
        return f"holds only {len(unit.pictures)} pictures. {REMEDIES[FileKind.PICTURE]}."
    names = ", ".join(visible(p.name) for p in unit.others[:_SHOWN])
    more = " ..." if len(unit.others) > _SHOWN else ""
    count = f"none of {len(unit.others)} files is NIfTI or DICOM"
    return f"{count} ({names}{more}). Give the head CT in one of the two."
