"""The formats of `fuzz.py`: a small sound input each, ways to bend it, and the reader.

A format is made once in a folder; `bend(rng)` writes the case, `read()` reads it and checks what
came. Bending knows the format, so that most cases get past the first look: elements of DICOM get
another type, length or value, fields of NIfTI another number, JSON other values, and a tensor
file that was bent has its sha256 put right.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import shutil
import struct
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import fuzz_bending as bending
import fuzz_inputs as inputs
import nibabel as nib
import numpy as np
import torch

from strokediff.cohort.sources import Sources, spacing_known_beside
from strokediff.cohort.store import open_cohort
from strokediff.ct.discovery.discover import discover, load_case
from strokediff.ct.nifti.images import read_nifti
from strokediff.ct.nifti.masks import read_labels, read_mask, read_probability
from strokediff.ct.volume import CT
from strokediff.errors import InputError
from strokediff.segmentation.model import load_model
from strokediff.training.checkpoint import read_split


class DicomSeries:
    """Six slices, or one multi-frame file; one to three of the files are bent."""

    ENDS = (b"2", b"2.1", b"2.1.99", b"2.2", b"2.4.50", b"2.4.70", b"2.4.80", b"2.4.90", b"2.5")
    VRS = (*b"SQ FD US SS UL DS IS LO CS UI OB OW UN AT FL SL PN TM DA UT ZZ".split(), b"\0\0")

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "dicom"
        self.bases = [inputs.base_series(folder / f"base{i}", i) for i in range(5)]
        self.content = [[f.read_bytes() for f in base] for base in self.bases]

    def bend(self, rng: random.Random) -> None:
        """Write the series with bent files."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        files = list(rng.choice(self.content))
        for _ in range(rng.randint(1, 3)):
            k = rng.randrange(len(files))
            files[k] = self.bent(files[k], rng)
        for k, content in enumerate(files):
            (self.folder / f"{k:03d}.dcm").write_bytes(content)

    def bent(self, content: bytes, rng: random.Random) -> bytes:
        """One file: an element changed where the file can be walked, else its bytes."""
        found = bending.elements(content)
        if not found or rng.random() < 0.3:
            return bending.bent_bytes(content, rng)
        way = rng.random()
        start, value_at, length, long = rng.choice(found)
        if way < 0.3:
            return content[: start + 4] + rng.choice(self.VRS) + content[start + 6 :]
        if way < 0.45:
            size = rng.choice((0, 1, 2, 3, 7, 65534, 65535))
            told = struct.pack("<I", size + rng.choice((0, 2**31))) if long else b""
            return content[: value_at - len(told or b"xx")] + (
                (told or struct.pack("<H", size)) + content[value_at:]
            )
        if way < 0.55:
            syntax = next(
                (e for e in found if content[e[0] : e[0] + 4] == b"\x02\x00\x10\x00"), None
            )
            if syntax is not None:
                return bending.with_value(
                    content, syntax, b"1.2.840.10008.1." + rng.choice(self.ENDS)
                )
        if way < 0.65:
            return content[:start] + content[value_at + length :]
        if way < 0.75:
            return content[:start] + content[start : value_at + length] * 2 + content[start:]
        numbers = struct.pack("<q", rng.choice(bending.HOSTILE_NUMBERS))[: rng.choice((1, 2, 4, 8))]
        value = rng.choice((*bending.HOSTILE_TEXT, numbers, rng.randbytes(rng.randint(0, 40))))
        return bending.with_value(content, (start, value_at, length, long), value)

    def read(self) -> None:
        """As `segment` does."""
        read_cases(self.folder)


class Nifti:
    """A head of 40 x 40 x 8 voxels, .nii and .nii.gz, as image, mask, labels and probabilities."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fields: dict[str, Any] = dict(nib.Nifti1Header.template_dtype.fields or {})
        self.image = inputs.nifti_bytes(inputs.head())
        self.mask = inputs.nifti_bytes((inputs.head() > 300).astype(np.uint8))
        self.file = folder / "case.nii"
        self.is_image = True

    def bend(self, rng: random.Random) -> None:
        """Write the file, packed or not."""
        self.is_image = rng.random() < 0.6
        content = self.image if self.is_image else self.mask
        for _ in range(rng.randint(1, 3)):
            way = self.bent if rng.random() < 0.75 else bending.bent_bytes
            content = way(content, rng)
        self.file.unlink(missing_ok=True)
        self.file = self.folder / rng.choice(("case.nii", "case.nii.gz"))
        if self.file.suffix == ".gz":
            content = gzip.compress(content, 1, mtime=0)
            if rng.random() < 0.3:
                content = bending.bent_bytes(content, rng)
            content += rng.choice((b"", b"", b"\0" * 100, content[:50]))
        self.file.write_bytes(content)

    def bent(self, content: bytes, rng: random.Random) -> bytes:
        """One field of the header changed."""
        name = rng.choice([*self.fields])
        dtype, offset = self.fields[name][:2]
        base, count = (
            (dtype.subdtype[0], int(np.prod(dtype.shape))) if dtype.subdtype else (dtype, 1)
        )
        at = offset + rng.randrange(count) * base.itemsize
        if base.kind == "f":
            value = rng.choice((0.0, -1.0, 1e-30, 1e30, np.nan, np.inf, -np.inf, rng.gauss(0, 100)))
            raw = np.array(value, base).tobytes()
        elif base.kind in "iu":
            info = np.iinfo(base)
            value = rng.choice((*bending.HOSTILE_NUMBERS, rng.randint(-300, 300)))
            raw = np.array(min(max(value, info.min), info.max), base).tobytes()
        else:
            raw = rng.randbytes(base.itemsize)
        return content[:at] + raw + content[at + len(raw) :]

    def read(self) -> None:
        """As an image, or as whatever a mask can be; the last refusal is passed on."""
        if self.is_image:
            check_volume(read_nifti(self.file))
            return
        readers: tuple[Callable[[Path], Any], ...] = (read_mask, read_labels, read_probability)
        try_all(partial(self._read_as, reader) for reader in readers)

    def _read_as(self, reader: Callable[[Path], Any]) -> None:
        assert np.isfinite(reader(self.file).array).all()


class FolderOfFiles:
    """A folder of which one file is bent: its JSON as such, others by `bent`, or taken away."""

    often: tuple[Path, ...] = ()
    missing: float

    def __init__(self, folder: Path, make: Callable[[Path], None]) -> None:
        self.base, self.folder = folder / "base", folder / "case"
        make(self.base)
        self.files = sorted(p.relative_to(self.base) for p in self.base.rglob("*") if p.is_file())

    def bend(self, rng: random.Random) -> None:
        """Write the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.base, self.folder)
        file = self.folder / rng.choice((*self.often, *self.files))
        if file.suffix == ".json" and rng.random() < 0.8:
            file.write_text(bending.bent_json(file.read_text(), rng))
        elif rng.random() < self.missing:
            file.unlink()
        else:
            self.bent(file, rng)

    def bent(self, file: Path, rng: random.Random) -> None:
        """Bend the file's bytes."""
        file.write_bytes(bending.bent_bytes(file.read_bytes(), rng))


class Checkpoint(FolderOfFiles):
    """A small model with a fitted noise, bent in its JSON or its tensors, as `segment` loads it."""

    missing = 0.03

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, inputs.make_checkpoint)

    def bent(self, file: Path, rng: random.Random) -> None:
        """Bend a tensor file; its sha256 is put right in most cases."""
        file.write_bytes(bending.bent_tensors(file.read_bytes(), rng))
        if file.suffix == ".safetensors" and rng.random() < 0.7:
            _put_sha_right(file)

    def read(self) -> None:
        """Load it, and what `--resume` reads too."""
        model = load_model(self.folder)
        read_split(self.folder)
        assert all(bool(torch.isfinite(p).all()) for p in model.network.parameters())


class CohortFolder(FolderOfFiles):
    """A prepared cohort of three patients, bent in its JSON, its metadata or its arrays."""

    often, missing = (Path("cohort.json"),), 0.05

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, inputs.make_cohort)

    def read(self) -> None:
        """Open it and read every patient of the split."""
        cohort = open_cohort(self.folder)
        cohort.by_patient([name for names in cohort.split.values() for name in names])
        for names in cohort.split.values():
            for name in names:
                cohort.slice_spacing_mm(name)
                cohort.read(name)


class Record:
    """The cohort.json of a folder of scans, as `prepare` and `evaluate` read it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        told = {"description": "PHE", "licence": "NC", "spacing": "known", "partial_heads": False}
        split = {"train": ["a", "b"], "test": ["c"]}
        patients = {"a": {"patient": "p"}, "b": {"patient": "q"}, "c": {}}
        self.text = json.dumps({**told, "declared_split": split, "patients": patients})

    def bend(self, rng: random.Random) -> None:
        """Write the file."""
        text = self.text
        for _ in range(rng.randint(1, 2)):
            text = bending.bent_json(text, rng)
        (self.folder / "cohort.json").write_text(text)

    def read(self) -> None:
        """Split ten scans as it says."""
        sources = Sources.of(self.folder)
        sources.origin()
        scans = dict.fromkeys("abcdefghij", ("g", 1.0))
        sources.split(scans, val=0.1, test=0.1, seed=0)
        spacing_known_beside(self.folder)


class Archive:
    """A zip or tar of a DICOM series and a NIfTI file, its members' names and bytes bent."""

    NAMES = ("../x.dcm", "/abs.dcm", "a/../../b.dcm", "C:\\x.dcm", "a" * 300, "\x1b[31m.dcm", "con")

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "archives"
        series = inputs.base_series(folder / "base", 0)
        self.members = {f"p/{f.name}": f.read_bytes() for f in series}
        self.nifti = {"p/ct.nii": inputs.nifti_bytes(inputs.head())}

    def bend(self, rng: random.Random) -> None:
        """Write the archive."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        members = dict(rng.choice((self.members, self.nifti)))
        if rng.random() < 0.4:
            members[rng.choice(self.NAMES)] = rng.choice(list(members.values()))
        if rng.random() < 0.2:
            name = rng.choice(list(members))
            members[name] = bending.bent_bytes(members[name], rng)
        kind = rng.choice(("zip", "tar", "tar.gz"))
        content = inputs.zipped(members) if kind == "zip" else inputs.tarred(members, kind, rng)
        if rng.random() < 0.6:
            content = bending.bent_bytes(content, rng)
        (self.folder / f"patient.{kind}").write_bytes(content)

    def read(self) -> None:
        """Find the cases and read each; nothing may appear beside the archive."""
        try:
            read_cases(self.folder)
        finally:
            beside = [p.name for p in self.folder.parent.iterdir() if p != self.folder]
            assert beside == ["base"], f"written outside: {beside}"


def _put_sha_right(file: Path) -> None:
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    beside = file.parent / {"model": "config.json", "noise": "noise.json"}[file.stem]
    meta = json.loads(beside.read_text())
    meta["sha256"] = sha256
    beside.write_text(json.dumps(meta))


def read_cases(folder: Path) -> None:
    """As `segment` does: find the cases, read each; the last refusal is passed on."""
    try_all(partial(lambda case: check_volume(load_case(case)), c) for c in discover(folder).cases)


def try_all(readings: Iterable[Callable[[], None]]) -> None:
    """Each of them; the last refusal is passed on."""
    refused = None
    for reading in readings:
        try:
            reading()
        except InputError as error:
            refused = error
    if refused is not None:
        raise refused


def check_volume(volume: CT) -> None:
    """What a volume promises: finite HU of three axes, finite places, positive thickness."""
    assert volume.hu.ndim == 3 and np.isfinite(volume.hu).all()
    assert np.abs(volume.hu).max() < 1e5
    assert np.isfinite(volume.affine).all() and (volume.slice_increments_mm > 0).all()


FORMATS: dict[str, Callable[[Path], bending.Format]] = {
    "dicom": DicomSeries,
    "nifti": Nifti,
    "checkpoint": Checkpoint,
    "cohort": CohortFolder,
    "record": Record,
    "archive": Archive,
}
