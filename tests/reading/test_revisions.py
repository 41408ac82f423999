"""Laws: a save is a new revision with its reader, and touches nothing that is there."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import two_kinds

from strokediff.ct.discovery.discover import discover
from strokediff.ct.read import read_ct
from strokediff.ct.regular_grid import regular_grid
from strokediff.errors import InputError, UsageError
from strokediff.phantom.dicom import write_dicom_series
from strokediff.phantom.make import make_phantom
from strokediff.reading.editor import open_editor
from strokediff.reading.mask import read_drawn
from strokediff.reading.revisions import revision_of, revisions


def digests(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


def drawing(editor: object, value: int) -> bytes:
    """The editor's labels with one more voxel of that value."""
    labels = editor.labels.copy()  # type: ignore[attr-defined]
    labels[3, 4, 5] = value
    return labels.tobytes(order="F")


def test_saves_are_numbered_named_and_leave_the_rest_alone(place: Path) -> None:
    result, scan = place / "result", place / "scan.nii.gz"
    before = digests(result)
    editor = open_editor(result, ct=scan, by="Zoë")
    path, volumes = editor.save(drawing(editor, 1))
    assert path.name == "lesion_mask_r1.nii.gz"
    assert volumes["infarct"] == pytest.approx((editor.labels == 1).sum() * 0.108 + 0.108)
    again = open_editor(result, ct=scan, by="B")
    assert again.start == "revision 1 of Zoë" and again.labels[3, 4, 5] == 1
    assert again.save(drawing(again, 2))[0].name == "lesion_mask_r2.nii.gz"
    assert [*revisions(result)] == [1, 2]
    after = digests(result)
    assert before.items() <= after.items()
    assert not [name for name in after if name.startswith(".")]


def test_a_revision_is_measured_as_its_reader_s(place: Path) -> None:
    result, scan = place / "result", place / "scan.nii.gz"
    editor = open_editor(result, ct=scan, by="Zoë")
    path, _ = editor.save(drawing(editor, 2))
    found = read_drawn(path, read_ct(scan))
    assert (found.reader.name, found.reader.revision, found.reader.how) == ("Zoë", 1, "corrected")
    assert found.reader.time and found.reader.corrects is not None
    own = json.loads((result / "result.json").read_text())["files"]["lesion_mask.nii.gz"]
    assert found.reader.corrects.mask_sha256 == own
    assert found.labels[3, 4, 5] == 2


def test_one_that_was_changed_afterwards_is_nobody_s(place: Path) -> None:
    editor = open_editor(place / "result", ct=place / "scan.nii.gz", by="Zoë")
    path, _ = editor.save(drawing(editor, 1))
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(InputError, match="was changed since Zoë saved it"):
        revision_of(path)
    told = path.parent / "lesion_mask_r1.json"
    told.write_text("{}")
    with pytest.raises(InputError, match=r"lesion_mask_r1\.json: reader"):
        revision_of(path)


def test_a_save_that_was_killed_gives_its_number_to_nobody(place: Path) -> None:
    result = place / "result"
    (result / "lesion_mask_r4.json").write_text("{}")
    (result / ".saving-lesion_mask_r4.nii.gz").write_bytes(b"half")
    editor = open_editor(result, ct=place / "scan.nii.gz", by="Zoë")
    assert editor.save(drawing(editor, 1))[0].name == "lesion_mask_r5.nii.gz"
    assert not (result / ".saving-lesion_mask_r4.nii.gz").exists()


def test_revisions_are_no_input(place: Path) -> None:
    editor = open_editor(place / "result", ct=place / "scan.nii.gz", by="Zoë")
    editor.save(drawing(editor, 1))
    assert [case.name for case in discover(place).cases] == ["scan"]


def test_an_editor_opens_the_revision_that_is_wanted(place: Path) -> None:
    result, scan = place / "result", place / "scan.nii.gz"
    editor = open_editor(result, ct=scan, by="Zoë")
    editor.save(drawing(editor, 1))
    own = open_editor(result, ct=scan, by="B", revision=0)
    assert own.start == "the result's own mask" and own.labels[3, 4, 5] == 0
    with pytest.raises(UsageError, match="no revision 7; there are: 1"):
        open_editor(result, ct=scan, revision=7)


def test_what_cannot_be_opened_is_said(place: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Give it: --ct scan\.nii\.gz"):
        open_editor(place / "result")
    with pytest.raises(InputError, match="no result of"):
        open_editor(tmp_path)
    image = nib.load(place / "scan.nii.gz")
    nib.save(image.slicer[:, :, 1:], place / "short.nii.gz")
    with pytest.raises(InputError, match=r"lesion_mask\.nii\.gz: expected the .* of .*short"):
        open_editor(place / "result", ct=place / "short.nii.gz")


def test_a_drawing_of_another_size_or_kind_is_refused_and_nothing_is_written(place: Path) -> None:
    editor = open_editor(place / "result", ct=place / "scan.nii.gz", by="Zoë")
    for bad in (b"\1", np.full(editor.labels.size, 3, np.uint8).tobytes()):
        with pytest.raises(InputError, match="Load the page again"):
            editor.save(bad)
    assert not revisions(place / "result")


def test_of_uneven_slices_a_whole_one_is_drawn(tmp_path: Path) -> None:
    """The files are of even slices, several to a scanned one; the scan has no more than that."""
    phantom = make_phantom("hemorrhage", seed=5, matrix=96, thickness_mm=6.0)
    written = write_dicom_series(phantom, tmp_path / "scan", localizer=False)
    for path in written[len(written) // 2 :: 2]:
        path.unlink()
    ct = read_ct(tmp_path / "scan")
    assert ct.uneven
    two_kinds.model().segment(ct, method="avg").save(tmp_path / "result", pictures=False)
    editor = open_editor(tmp_path / "result", by="Zoë")
    assert editor.owners is not None
    assert (editor.owners == regular_grid(ct).owners).all()
    k = int(np.bincount(editor.owners).argmax())
    group = np.flatnonzero(editor.owners == k)
    assert len(group) > 1
    labels = editor.labels.copy()
    labels[30:33, 40, group[0]], labels[34, 40, group[-1]] = 2, 2
    path, _ = editor.save(labels.tobytes(order="F"))
    found = read_drawn(path, ct).labels
    assert (found[30:33, 40, k] == 2).all() and found[34, 40, k] == 2
    assert (found != read_drawn(tmp_path / "result" / "lesion_mask.nii.gz", ct).labels).sum() == 4
