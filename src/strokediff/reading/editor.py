"""A result that is open for drawing: its page, and what a save does."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from strokediff.ct.axes import slice_axis
from strokediff.ct.nifti.masks import read_labels, read_probabilities
from strokediff.ct.nifti.on_grid import labels_on
from strokediff.ct.read import read_ct
from strokediff.ct.regular_grid import owners_of_steps
from strokediff.ct.volume import CT
from strokediff.errors import InputError, UsageError
from strokediff.reading.mask import UNNAMED, named
from strokediff.reading.revisions import revision_of, revisions, save_revision
from strokediff.result.reading import Reading
from strokediff.result.record import Record
from strokediff.segmentation.folder import ResultFolder
from strokediff.segmentation.outputs import MASK
from strokediff.segmentation.read_out import joined
from strokediff.util.kinds import JOINED
from strokediff.viewer.images import Shown, full_ct, shown_labels, shown_probability
from strokediff.viewer.page import Drawing, render_viewer


@dataclass(frozen=True)
class Editor:
    """The mask of a result folder on its scan, `by` whoever draws; `start` says whose mask it is.

    Scan and mask (X, Y, Z) are on one even grid: that of the files in the folder.
    """

    folder: Path
    ct: CT
    result: Record | Reading
    labels: NDArray[np.uint8]
    kinds: tuple[str, ...]
    by: str
    start: str
    owners: NDArray[np.intp] | None = None
    """Of uneven slices: the scanned slice that each even one of the folder's files copies."""

    def page(self, save_to: str) -> str:
        """The viewer with pens; what is drawn goes to the address `save_to`."""
        images = [full_ct(self.ct.hu, self.ct.affine), shown_labels(self.labels, self.ct.affine)]
        images += self._probability()
        return render_viewer(self.result, images, Drawing(save_to, self.by))

    def save(self, drawing: bytes) -> tuple[Path, dict[str, float]]:
        """Save what was drawn as the next revision; its file, and each kind's volume in it, mL.

        `drawing` is a byte a voxel, x fastest. Raises `InputError` where it is of another size or
        has values that are no kind, `UsageError` where it cannot be written.
        """
        flat = np.frombuffer(drawing, np.uint8)
        if flat.size != self.labels.size or (flat.size and flat.max() > len(self.kinds)):
            raise InputError(
                f"drawing: {flat.size} voxels up to {flat.max(initial=0)}, expected "
                f"{self.labels.size} up to {len(self.kinds)}. Load the page again."
            )
        labels = self._through_slices(flat.reshape(self.labels.shape, order="F"))
        path = save_revision(self.folder, self.ct, labels, self.kinds, self.by, self.result)
        return path, {
            kind: self.ct.mask_volume_mm3(labels == k) / 1000
            for k, kind in enumerate(self.kinds, start=1)
        }

    def _through_slices(self, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """What was changed in one of the even slices is changed in all of the same scanned slice.

        Else it would be a part of the slice's thickness, which the scan does not tell apart.
        """
        if self.owners is None:
            return labels
        out = labels.copy()
        for k in np.unique(self.owners):
            own = np.flatnonzero(self.owners == k)
            for n in own[(labels[:, :, own] != self.labels[:, :, own]).any(axis=(0, 1))]:
                changed = labels[:, :, n] != self.labels[:, :, n]
                out[changed, own[0] : own[-1] + 1] = labels[changed, n, None]
        return out

    def _probability(self) -> list[Shown]:
        """The model's, where the result has it."""
        path = self.folder / "lesion_prob.nii.gz"
        if not path.is_file() or not isinstance(self.result, Record):
            return []
        maps = read_probabilities(path, max(1, len(self.result.kinds)))
        own = joined([one.array for one in maps])
        return [shown_probability(self.ct.from_source(own), self.ct.affine)]


def open_editor(
    result: str | Path,
    *,
    ct: str | Path | None = None,
    by: str | None = None,
    revision: int | None = None,
) -> Editor:
    """Open a result's folder for drawing.

    `ct` is the scan where the result does not have it (NIfTI), `by` who draws (by default the name
    of the account), `revision` the one to start from (0 the result's own mask, None the last).
    Raises `InputError` for what is no result, another scan or a mask that cannot be read,
    `UsageError` for a revision that is not there.
    """
    folder = Path(result)
    record = ResultFolder(folder).read()
    if record is None:
        raise InputError(
            f"{result}: no result of 'strokediff segment' or 'measure' (result.json). Give one."
        )
    scan = _scan(folder, record, ct)
    kinds = tuple(own.name for own in record.kinds) or JOINED
    known = revisions(folder)
    number = max(known, default=0) if revision is None else revision
    if number and number not in known:
        there = ", ".join(map(str, known)) or "none"
        raise UsageError(f"{result}: no revision {number}; there are: {there}. 0 is its own mask.")
    path = known.get(number, folder / MASK)
    saved = revision_of(path)
    if saved and saved.kinds != kinds:
        raise InputError(f"{path}: is of {saved.kinds}, and {result} of {kinds}. Move it away.")
    labels = labels_on(scan, read_labels(path))
    if labels.max(initial=0) > len(kinds):
        raise InputError(f"{path}: holds the value {labels.max()}, expected 0 to {len(kinds)}.")
    start = f"revision {number} of {saved.reader.name}" if saved else "the result's own mask"
    who = named(_account() if by is None else by)
    return Editor(folder, scan, record, labels, kinds, who, start, _owners(record, scan))


def _scan(folder: Path, record: Record | Reading, ct: str | Path | None) -> CT:
    """The scan on the grid of the folder's files."""
    own = folder / "ct.nii.gz"
    if ct is not None:
        scan = read_ct(ct)
        if scan.uneven:
            raise UsageError(
                f"{ct}: has uneven slices, and masks are drawn on even ones. Leave --ct out: "
                f"{own.name} of the result has them."
            )
        return scan
    if own.is_file() and record.input.kind == "dicom":
        return read_ct(own)
    raise UsageError(
        f"{folder}: the scan is not in the result ({record.input.path} was NIfTI). Give it: --ct "
        f"{record.input.path}."
    )


def _owners(record: Record | Reading, scan: CT) -> NDArray[np.intp] | None:
    """See `Editor.owners`, from the increments that the result knows of its series."""
    steps = (record.input.model_extra or {}).get("increments_mm")
    if not record.input.uneven_slices or not isinstance(steps, list):
        return None
    upwards = slice_axis(scan.source.affine)[1]
    found = owners_of_steps(np.array(steps, np.float64)[::upwards])
    return found if len(found) == scan.hu.shape[2] else None


def _account() -> str:
    try:
        return getpass.getuser() or UNNAMED
    except (KeyError, OSError):  # no account of that number
        return UNNAMED
