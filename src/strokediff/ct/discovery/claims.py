"""Which files and folders belong to a case, so that the rest can be told from them."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from strokediff.ct.dicom.read import common_folder
from strokediff.ct.discovery.formats import FileKind
from strokediff.ct.discovery.tree import Tree


@dataclass(frozen=True)
class Claims:
    """The files of every case.

    `dicom` are the files of each DICOM case, `single` NIfTI files and archives that yield cases.
    """

    tree: Tree
    dicom: list[list[Path]]
    single: list[Path]

    @cached_property
    def covered(self) -> set[Path]:
        """Every folder with a case's file in or below it, up to the root and above."""
        return _above([*self.single, *(f for files in self.dicom for f in files)])

    @cached_property
    def top(self) -> Path:
        """The lowest folder that holds all there is: patients are told apart from here on."""
        return top_of(self.tree)

    @cached_property
    def folders(self) -> list[Path]:
        """Of each DICOM case the highest folder below `top` with its files and no other's.

        Files that nobody claims are another's too, where their folder holds no case.
        """
        damaged, unread = (
            self.tree.dicom.damaged,
            self.tree.of_kind(FileKind.VOLUME, FileKind.PACKED),
        )
        lost = [p for p in (*damaged, *unread) if p.parent not in self.covered]
        foreign = _above([*lost, *self.tree.unlisted])
        claimed = Counter(up for files in self.dicom for up in _above(files))
        out = []
        for files in self.dicom:
            best = common_folder(files)
            while self.top in best.parents and best.parent != self.top:
                if best.parent in foreign or claimed[best.parent] > 1:
                    break
                best = best.parent
            out.append(best)
        return out

    @cached_property
    def _direct(self) -> dict[Path, list[int]]:
        """The DICOM cases with files directly in a folder."""
        found: dict[Path, list[int]] = defaultdict(list)
        for k, files in enumerate(self.dicom):
            for folder in {f.parent for f in files}:
                found[folder].append(k)
        return found

    @cached_property
    def _beside(self) -> Counter[Path]:
        """How many cases have files directly in a folder."""
        counts = Counter(f.parent for f in self.single)
        counts.update({folder: len(cases) for folder, cases in self._direct.items()})
        return counts

    def is_of_its_own(self, folder: Path) -> bool:
        """Whether an image in this folder that is not read is a patient, not another's file.

        It is where no case lies in or below the folder, where several have files there, and
        where files of single patients lie side by side.
        """
        if folder not in self.covered:
            return True
        if folder == self.top and any(f.parent == folder for f in self.single):
            return True
        return self._beside[folder] != 1

    def is_a_patients(self, folder: Path) -> bool:
        """Whether a folder without files lies in the folder of one DICOM case: part of it."""
        if folder.parent == self.top:
            return self._beside[self.top] == 1 and not self.single
        return any(own in folder.parents for own in self.folders)

    def unit(self, path: Path, *, is_folder: bool = False) -> Path:
        """The highest folder around `path` without any case; `path` itself if there is none."""
        folder = path if is_folder else path.parent
        lone = path == self.tree.root or (folder == self.top and not is_folder)
        if lone or folder in self.covered:
            return path
        ends = {self.top, self.tree.root, *self.top.parents}
        while not {folder, folder.parent} & ends and folder.parent not in self.covered:
            folder = folder.parent
        return folder

    def owners(self, path: Path) -> list[int]:
        """The DICOM cases that a damaged file goes with: those beside it, or around it."""
        here = path.parent
        if here not in self.covered:
            return []
        direct = self._direct.get(here, [])
        if direct or (len(self.dicom) == 1 and not self.single):
            return direct or [0]
        return [k for k, own in enumerate(self.folders) if own == here or own in here.parents]


def top_of(tree: Tree) -> Path:
    """The lowest folder that holds all images, read or not, and all empty folders."""
    read = [*tree.niftis, *tree.archives, *(h.path for h in tree.dicom.slices)]
    unread = [
        *tree.dicom.damaged,
        *tree.of_kind(FileKind.VOLUME, FileKind.PACKED, FileKind.PICTURE),
    ]
    parents = {p.parent for p in (*read, *unread, *tree.empty, *tree.unlisted)}
    return Path(os.path.commonpath(list(parents))) if parents else tree.root


def _above(paths: Iterable[Path]) -> set[Path]:
    parents = {p.parent for p in paths}
    return {up for parent in parents for up in (parent, *parent.parents)}
