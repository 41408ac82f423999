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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from fuzz_bending import (
    HOSTILE_NUMBERS,
    HOSTILE_TEXT,
    bent_bytes,
    bent_json,
    bent_tensors,
    elements,
    with_value,
)
from fuzz_inputs import (
    base_series,
    head,
    make_checkpoint,
    make_cohort,
    nifti_bytes,
    tarred,
    zipped,
)


class DicomSeries:
    """Six slices, or one multi-frame file; one to three of the files are bent."""

    SYNTAXES = (b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.1", b"1.2.840.10008.1.2.1.99")
    SYNTAXES += (b"1.2.840.10008.1.2.2", b"1.2.840.10008.1.2.4.50", b"1.2.840.10008.1.2.4.70")
    SYNTAXES += (b"1.2.840.10008.1.2.4.80", b"1.2.840.10008.1.2.4.90", b"1.2.840.10008.1.2.5")
    VRS = (b"SQ", b"FD", b"US", b"SS", b"UL", b"DS", b"IS", b"LO", b"CS", b"UI", b"OB", b"OW")
    VRS += (b"UN", b"AT", b"FL", b"SL", b"PN", b"TM", b"DA", b"UT", b"ZZ", b"\x00\x00")

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "dicom"
        self.bases = [base_series(folder / f"base{i}", i) for i in range(5)]
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
        found = elements(content)
        if not found or rng.random() < 0.3:
            return bent_bytes(content, rng)
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
                return with_value(content, syntax, rng.choice(self.SYNTAXES))
        if way < 0.65:
            return content[:start] + content[value_at + length :]
        if way < 0.75:
            return content[:start] + content[start : value_at + length] * 2 + content[start:]
        numbers = struct.pack("<q", rng.choice(HOSTILE_NUMBERS))[: rng.choice((1, 2, 4, 8))]
        value = rng.choice((*HOSTILE_TEXT, numbers, rng.randbytes(rng.randint(0, 40))))
        return with_value(content, (start, value_at, length, long), value)

    def read(self) -> None:
        """As `segment` does: find the cases, read each."""
        from strokediff.ct.discovery.discover import discover, load_case
        from strokediff.errors import InputError

        last = None
        for case in discover(self.folder).cases:
            try:
                check_volume(load_case(case))
            except InputError as error:
                last = error
        if last is not None:
            raise last


class Nifti:
    """A head of 40 x 40 x 8 voxels, .nii and .nii.gz, as image, mask, labels and probabilities."""

    FIELDS = nib.Nifti1Header.template_dtype

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.image, self.mask = nifti_bytes(head()), nifti_bytes((head() > 300).astype(np.uint8))
        self.file = folder / "case.nii"
        self.is_image = True

    def bend(self, rng: random.Random) -> None:
        """Write the file, packed or not."""
        self.is_image = rng.random() < 0.6
        content = self.image if self.is_image else self.mask
        for _ in range(rng.randint(1, 3)):
            content = self.bent(content, rng) if rng.random() < 0.75 else bent_bytes(content, rng)
        self.file.unlink(missing_ok=True)
        self.file = self.folder / rng.choice(("case.nii", "case.nii.gz"))
        if self.file.suffix == ".gz":
            content = gzip.compress(content, 1, mtime=0)
            if rng.random() < 0.3:
                content = bent_bytes(content, rng)
            content += rng.choice((b"", b"", b"\0" * 100, content[:50]))
        self.file.write_bytes(content)

    def bent(self, content: bytes, rng: random.Random) -> bytes:
        """One field of the header changed."""
        name = rng.choice(self.FIELDS.names)
        dtype, offset = self.FIELDS.fields[name][:2]
        base, count = (
            (dtype.subdtype[0], int(np.prod(dtype.shape))) if dtype.subdtype else (dtype, 1)
        )
        at = offset + rng.randrange(count) * base.itemsize
        if base.kind == "f":
            value = rng.choice((0.0, -1.0, 1e-30, 1e30, np.nan, np.inf, -np.inf, rng.gauss(0, 100)))
            raw = np.array(value, base).tobytes()
        elif base.kind in "iu":
            info = np.iinfo(base)
            value = rng.choice((*HOSTILE_NUMBERS, rng.randint(-300, 300)))
            raw = np.array(min(max(value, info.min), info.max), base).tobytes()
        else:
            raw = rng.randbytes(base.itemsize)
        return content[:at] + raw + content[at + len(raw) :]

    def read(self) -> None:
        """As an image, or as whatever a mask can be; the last refusal is passed on."""
        from strokediff.ct.nifti.images import read_nifti
        from strokediff.ct.nifti.masks import read_labels, read_mask, read_probability
        from strokediff.errors import InputError

        if self.is_image:
            check_volume(read_nifti(self.file))
            return
        refused = None
        readers: tuple[Callable[[Path], Any], ...] = (read_mask, read_labels, read_probability)
        for reader in readers:
            try:
                assert np.isfinite(reader(self.file).array).all()
            except InputError as error:
                refused = error
        if refused is not None:
            raise refused


class Checkpoint:
    """A small model with a fitted noise, bent in its JSON or its tensors, as `segment` loads it."""

    def __init__(self, folder: Path) -> None:
        self.base, self.folder = folder / "base", folder / "case"
        make_checkpoint(self.base)
        self.files = sorted(p.relative_to(self.base) for p in self.base.rglob("*") if p.is_file())

    def bend(self, rng: random.Random) -> None:
        """Write the folder with one file bent; sha256 is put right in half of the cases."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.base, self.folder)
        file = self.folder / rng.choice(self.files)
        if file.suffix == ".json" and rng.random() < 0.8:
            file.write_text(bent_json(file.read_text(), rng))
            return
        if rng.random() < 0.03:
            file.unlink()
            return
        file.write_bytes(bent_tensors(file.read_bytes(), rng))
        if file.suffix == ".safetensors" and rng.random() < 0.7:
            _put_sha_right(file)

    def read(self) -> None:
        """Load it, and what `--resume` reads too."""
        import torch

        from strokediff.segmentation.model import load_model
        from strokediff.training.checkpoint import read_split

        model = load_model(self.folder, torch.device("cpu"))
        read_split(self.folder)
        assert all(bool(torch.isfinite(p).all()) for p in model.network.parameters())


class CohortFolder:
    """A prepared cohort of three patients, bent in its JSON, its metadata or its arrays."""

    def __init__(self, folder: Path) -> None:
        self.base, self.folder = folder / "base", folder / "case"
        make_cohort(self.base)
        self.files = sorted(p.relative_to(self.base) for p in self.base.rglob("*") if p.is_file())

    def bend(self, rng: random.Random) -> None:
        """Write the folder with one file bent."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.base, self.folder)
        file = self.folder / rng.choice((Path("cohort.json"), *self.files))
        if file.suffix == ".json" and rng.random() < 0.8:
            file.write_text(bent_json(file.read_text(), rng))
        elif rng.random() < 0.05:
            file.unlink()
        else:
            file.write_bytes(bent_bytes(file.read_bytes(), rng))

    def read(self) -> None:
        """Open it and read every patient of the split."""
        from strokediff.cohort.store import open_cohort

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
        self.text = json.dumps(
            {
                "description": "PHE",
                "licence": "NC",
                "spacing": "known",
                "partial_heads": False,
                "declared_split": {"train": ["a", "b"], "test": ["c"]},
                "patients": {"a": {"patient": "p"}, "b": {"patient": "q"}, "c": {}},
            }
        )

    def bend(self, rng: random.Random) -> None:
        """Write the file."""
        text = self.text
        for _ in range(rng.randint(1, 2)):
            text = bent_json(text, rng)
        (self.folder / "cohort.json").write_text(text)

    def read(self) -> None:
        """Split three scans as it says."""
        from strokediff.cohort.sources import Sources, spacing_known_beside

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
        series = base_series(folder / "base", 0)
        self.members = {f"p/{f.name}": f.read_bytes() for f in series}
        self.nifti = {"p/ct.nii": nifti_bytes(head())}

    def bend(self, rng: random.Random) -> None:
        """Write the archive."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        members = dict(rng.choice((self.members, self.nifti)))
        if rng.random() < 0.4:
            members[rng.choice(self.NAMES)] = rng.choice(list(members.values()))
        if rng.random() < 0.2:
            name = rng.choice(list(members))
            members[name] = bent_bytes(members[name], rng)
        kind = rng.choice(("zip", "tar", "tar.gz"))
        content = zipped(members) if kind == "zip" else tarred(members, kind, rng)
        if rng.random() < 0.6:
            content = bent_bytes(content, rng)
        (self.folder / f"patient.{kind}").write_bytes(content)

    def read(self) -> None:
        """Find the cases and read each; nothing may appear beside the archive."""
        from strokediff.ct.discovery.discover import discover, load_case
        from strokediff.errors import InputError

        last = None
        try:
            for case in discover(self.folder).cases:
                try:
                    check_volume(load_case(case))
                except InputError as error:
                    last = error
        finally:
            beside = [p.name for p in self.folder.parent.iterdir() if p != self.folder]
            assert beside == ["base"], f"written outside: {beside}"
        if last is not None:
            raise last


def _put_sha_right(file: Path) -> None:
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    beside = file.parent / {"model": "config.json", "noise": "noise.json"}[file.stem]
    meta = json.loads(beside.read_text())
    meta["sha256"] = sha256
    beside.write_text(json.dumps(meta))


def check_volume(volume: Any) -> None:
    """What a volume promises: finite HU of three axes, finite places, positive thickness."""
    assert volume.hu.ndim == 3 and np.isfinite(volume.hu).all()
    assert np.abs(volume.hu).max() < 1e5
    assert np.isfinite(volume.affine).all() and (volume.slice_increments_mm > 0).all()


FORMATS: dict[str, Callable[[Path], Any]] = {
    "dicom": DicomSeries,
    "nifti": Nifti,
    "checkpoint": Checkpoint,
    "cohort": CohortFolder,
    "record": Record,
    "archive": Archive,
}
