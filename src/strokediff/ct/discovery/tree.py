"""Everything that lies below an input, sorted by what it can be; nothing is passed over unseen."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from strokediff.ct.dicom.headers import ScannedFiles, scan
from strokediff.ct.discovery.formats import FileKind, Format, format_of
from strokediff.ct.discovery.own_results import SUMMARY_NAME, own_files
from strokediff.util.names import ARCHIVES, is_nifti_name

TECHNICAL = {
    *("code", "derivatives", "doc", "docs", "documentation", "logs", "phenotype", "scripts"),
    *("src", "stimuli", "tmp"),
}
"""Folders of data sets that hold no patients, unless they hold images."""


@dataclass
class Tree:
    """The files below `root`, by what they are; hidden ones and our own results left out.

    `others` are files that are neither NIfTI nor DICOM nor an archive that is read. `empty` are
    folders without files, `unlisted` those that the system does not let us list, with its reason.
    """

    root: Path
    niftis: list[Path] = field(default_factory=list)
    archives: list[Path] = field(default_factory=list)
    dicom: ScannedFiles = field(default_factory=ScannedFiles)
    others: dict[Path, Format] = field(default_factory=dict)
    empty: list[Path] = field(default_factory=list)
    unlisted: dict[Path, str] = field(default_factory=dict)

    @property
    def n_files(self) -> int:
        """All files but our own results."""
        return len(self.niftis) + len(self.archives) + self.dicom.n_files

    def of_kind(self, *kinds: FileKind) -> dict[Path, Format]:
        """The other files of some kinds."""
        return {p: f for p, f in self.others.items() if f.kind in kinds}


def survey_folder(root: Path, out: Path | None = None) -> Tree:
    """List, sort and scan what lies below a folder. Folders in `out` may be empty: runs end so."""
    tree = Tree(root)
    rest = []
    for path in _walk(tree, out):
        if is_nifti_name(path):
            tree.niftis.append(path)
        elif path.name.lower().endswith(ARCHIVES):
            tree.archives.append(path)
        else:
            rest.append(path)
    _scan(tree, rest)
    return tree


def survey_files(root: Path, files: Iterable[Path]) -> Tree:
    """Scan files that are known to be no archives: one file, or those that a DICOMDIR names."""
    tree = Tree(root)
    _scan(tree, list(files))
    return tree


def _scan(tree: Tree, files: list[Path]) -> None:
    tree.dicom = scan(files)
    known = {h.path for h in tree.dicom.slices} | set(tree.dicom.directories)
    for path in files:
        if path in known:
            continue
        found = format_of(path)
        of_a_pair = found.kind is FileKind.PART and path.with_suffix(".hdr").exists()
        if found.kind is FileKind.DAMAGED and (not path.exists() or path not in tree.dicom.damaged):
            tree.dicom.damaged[path] = found.text
        elif path not in tree.dicom.damaged or of_a_pair:
            tree.dicom.damaged.pop(path, None)
            tree.others[path] = found
    _pair(tree)


def _pair(tree: Tree) -> None:
    """The pixels of an Analyze pair go with their header; alone they are an image in pieces."""
    headers = {p.with_suffix("") for p in tree.of_kind(FileKind.VOLUME)}
    alone = {
        ".img": Format(FileKind.VOLUME, "an Analyze image without its .hdr"),
        ".rec": Format(FileKind.VOLUME, "a Philips PAR/REC image"),
    }
    for path in tree.of_kind(FileKind.PART):
        if path.suffix.lower() in alone and path.with_suffix("") not in headers:
            tree.others[path] = alone[path.suffix.lower()]


def _walk(tree: Tree, out: Path | None) -> list[Path]:
    """All files in a fixed order; pipes, sockets and devices left out: opening one can hang."""
    files: list[Path] = []
    seen: set[str] = set()
    inside: dict[Path, bool] = defaultdict(bool)
    folders_seen: list[Path] = []
    runs: set[Path] = {out.resolve()} if out is not None else set()

    def refuse(error: OSError) -> None:
        tree.unlisted[Path(os.fsdecode(error.filename))] = error.strerror or "unreadable"

    for parent, folders, names in os.walk(tree.root, followlinks=True, onerror=refuse):
        here, real = Path(parent), os.path.realpath(parent)
        if real in seen:
            folders.clear()
            inside[here] = True
            continue
        seen.add(real)
        folders[:] = sorted(f for f in folders if not f.startswith((".", "__MACOSX")))
        visible = sorted(n for n in names if not n.startswith("."))
        own = own_files(here, visible)
        if SUMMARY_NAME in own:
            runs.add(Path(real))
        kept = [here / n for n in visible if n not in own]
        kept = [p for p in kept if p.is_symlink() or p.is_file()]
        files += kept
        folders_seen.append(here)
        inside[here] |= bool(visible) or bool({Path(real), *Path(real).parents} & runs)
    for folder in tree.unlisted:
        inside[folder] = inside[folder.parent] = True
    _note_empty(tree, folders_seen, inside)
    return files


def _note_empty(tree: Tree, folders: list[Path], inside: dict[Path, bool]) -> None:
    """The highest folders below the root in which no file lies at any depth."""
    for folder in reversed(folders):
        if inside[folder] and folder != tree.root:
            inside[folder.parent] = True
    for folder in folders:
        top = folder.parent == tree.root or inside[folder.parent]
        if folder != tree.root and top and not inside[folder]:
            tree.empty.append(folder)
