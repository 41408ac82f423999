"""BIDS: CT under the subjects, lesion masks under derivatives/.

    sub-X/[ses-Y/]{anat,ct}/*_ct.nii.gz
    derivatives/PIPELINE/sub-X/[ses-Y/]**/*_mask.nii.gz or *_dseg.nii.gz

A mask belongs to the scan of its subject and session. Where masks with `label-lesion` are there,
only they count; masks of the brain never do. Two scans, or two masks, of one session are refused.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

from strokediff.data.importing.base import Case, Listing, Pair
from strokediff.data.importing.names import entries, safe_name, stem
from strokediff.data.importing.volumes import SUFFIXES, VolumeLayout
from strokediff.errors import InputError

FOLDERS = ("anat", "ct")
Session = tuple[str, str]
"""Subject and session, "sub-01" and "ses-02" or ""."""


class Bids(VolumeLayout):
    """One case a session."""

    name = "bids"
    title = "BIDS data set"
    licence = "as the data set's owner says"
    expected = (
        "sub-X/[ses-Y/]{anat,ct}/*_ct.nii.gz and derivatives/PIPELINE/sub-X/.../*_mask.nii.gz"
    )

    @classmethod
    def recognises(cls, source: Path) -> bool:
        """Whether there are folders of subjects."""
        return any(p.name.startswith("sub-") for p in entries(source, source))

    @property
    def labels(self) -> Mapping[str, tuple[int, ...]] | None:
        """Not declared: any whole number."""
        return None

    def list_cases(self) -> Listing:
        """One case for each subject and session with a CT."""
        scans = self._files(self.source, ("_ct",), _anatomy)
        masks: dict[Session, list[Path]] = defaultdict(list)
        for pipeline in entries(self.source / "derivatives", self.source):
            for session, paths in self._files(pipeline, ("_mask", "_dseg"), _all_below).items():
                masks[session] += paths
        chosen = {session: _lesions(paths) for session, paths in masks.items()}
        cases = [self._case(session, paths, chosen) for session, paths in scans.items()]
        stray = [p for session, paths in chosen.items() if session not in scans for p in paths]
        return Listing(tuple(cases), tuple(stray))

    def _case(
        self, session: Session, scans: list[Path], masks: Mapping[Session, list[Path]]
    ) -> Case:
        name = "_".join(part for part in session if part)
        found = masks.get(session, [])
        for what, paths in (("CT images", scans), ("lesion masks", found)):
            if len(paths) > 1:
                shown = ", ".join(str(path.relative_to(self.source)) for path in paths[:5])
                raise InputError(
                    f"{self.source}: {name} has {len(paths)} {what}: {shown}. Expected one; take "
                    "the others out, or name the lesion's mask label-lesion."
                )
        pair = Pair(scans[0], found[0] if found else None)
        return Case(safe_name(name, scans[0]), session[0], (pair,))

    def _files(
        self, root: Path, endings: tuple[str, ...], folders: Callable[[Path, Path], list[Path]]
    ) -> dict[Session, list[Path]]:
        """Files whose stem ends so in `folders` of a subject or session, by those."""
        found: dict[Session, list[Path]] = defaultdict(list)
        for subject in _folders(root, self.source, "sub-"):
            for session in [subject, *_folders(subject, self.source, "ses-")]:
                key = (subject.name, "" if session is subject else session.name)
                for folder in folders(session, self.source):
                    for path in entries(folder, self.source, *SUFFIXES):
                        if stem(path).endswith(endings):
                            found[key].append(path)
        return dict(found)


def _folders(root: Path, source: Path, prefix: str) -> list[Path]:
    return [path for path in entries(root, source) if path.name.startswith(prefix)]


def _anatomy(session: Path, source: Path) -> list[Path]:
    """Where a session's CT may lie."""
    return [session, *(session / part for part in FOLDERS)]


def _all_below(session: Path, source: Path) -> list[Path]:
    """A folder and all in it, without other sessions, and without links: they may go in circles."""
    found = [session]
    for folder in found:
        below = entries(folder, source)
        found += [p for p in below if not (p.name.startswith("ses-") or p.is_symlink())]
    return found


def _lesions(paths: list[Path]) -> list[Path]:
    """The lesion's masks among a session's."""
    named = [path for path in paths if "_label-lesion_" in path.name]
    return named or [p for p in paths if "desc-brain" not in p.name and "label-brain" not in p.name]
