"""The formats of `fuzz.py`: a small sound input each, ways to bend it, and the reader.

A format is made once in a folder; `bend(rng)` writes the case, `read()` reads it and checks what
came. Bending knows the format, so that most cases get past the first look: elements of DICOM get
another type, length or value, fields of NIfTI another number, JSON other values, and a tensor
file that was bent has its sha256 put right.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import shutil
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

HOSTILE_NUMBERS = (0, -1, 1, 2, 255, 256, 32767, -32768, 65535, 2**31 - 1, -(2**31), 2**32 - 1)
HOSTILE_TEXT = (
    b"",
    b"inf",
    b"-inf",
    b"nan",
    b"1e400",
    b"1e30",
    b"-1",
    b"0",
    b"0\\0",
    b"1\\0\\0\\1\\0\\0",
    b"1\\0\\0\\0\\1\\0\\7",
    b"0,5\\0,5",
    b"99999999999999999999",
    b"../../etc/passwd",
    b"\xff\xfe\x00\x01",
    b"\x1b[31m",
    b"A" * 70000,
    b"\\" * 200,
    "單純".encode(),
)
HOSTILE_JSON: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1,
    2**63,
    10**400,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "../../x",
    "\x1b[31m",
    "a" * 100_000,
    [],
    {},
    [[]],
    {"a": {"b": 1}},
    [1, "a", None],
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
        from strokediff.data.discover import discover, load_case
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
    """A head of 24 x 24 x 8 voxels, .nii and .nii.gz, as image, mask, labels and probabilities."""

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
        from strokediff.data.masks import read_labels, read_mask, read_probability
        from strokediff.data.nifti import read_nifti
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

        from strokediff.model import load_model
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
        from strokediff.data.cohort import open_cohort

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
        from strokediff.data.sources import Sources, spacing_known_beside

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
        from strokediff.data.discover import discover, load_case
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


FORMATS: dict[str, Callable[[Path], Any]] = {
    "dicom": DicomSeries,
    "nifti": Nifti,
    "checkpoint": Checkpoint,
    "cohort": CohortFolder,
    "record": Record,
    "archive": Archive,
}


def bent_bytes(content: bytes, rng: random.Random) -> bytes:
    """Flipped, cut, doubled, inserted or overwritten bytes."""
    way, n = rng.randrange(6), len(content)
    at = rng.randrange(n) if n else 0
    if way == 0:
        flipped = bytearray(content)
        for _ in range(rng.choice((1, 1, 3, 20))):
            if n:
                flipped[rng.randrange(n)] = rng.randrange(256)
        return bytes(flipped)
    if way == 1:
        return content[: rng.choice((0, 1, 131, 132, at))]
    if way == 2:
        return content[:at] + content[at + rng.randint(1, 64) :]
    if way == 3:
        return content[:at] + rng.randbytes(rng.randint(1, 64)) + content[at:]
    if way == 4:
        return content[:at] + b"\xff" * rng.randint(1, 16) + content[at + 16 :]
    return content + rng.choice((b"\0" * 4096, content[at:], rng.randbytes(64)))


def bent_json(text: str, rng: random.Random) -> str:
    """One value anywhere replaced, taken out or renamed; or the text itself bent."""
    if rng.random() < 0.1:
        return bent_bytes(text.encode(), rng).decode(errors="replace")
    if rng.random() < 0.02:
        return "[" * 100_000
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return text
    holders = [(content, key) for key in _keys(content)]
    for holder, key in holders:
        inner = holder[key]
        if len(holders) < 500:
            holders += [(inner, k) for k in _keys(inner)]
    if not holders:
        return text
    holder, key = rng.choice(holders)
    way = rng.random()
    if way < 0.15:
        del holder[key]
    elif way < 0.25 and isinstance(holder, dict):
        holder[rng.choice(("", "../x", "a" * 300, "x"))] = holder.pop(key)
    else:
        holder[key] = rng.choice(HOSTILE_JSON)
    return json.dumps(content)


def _keys(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value)
    return list(range(len(value))) if isinstance(value, list) else []


def bent_tensors(content: bytes, rng: random.Random) -> bytes:
    """A safetensors file: its header's JSON, its length or its bytes."""
    if rng.random() < 0.4 or len(content) < 8:
        return bent_bytes(content, rng)
    (length,) = struct.unpack("<Q", content[:8])
    if rng.random() < 0.2:
        return struct.pack("<Q", rng.choice((0, 1, 2**63, 2**40, length + 1))) + content[8:]
    header = bent_json(content[8 : 8 + length].decode(errors="replace"), rng).encode()
    return struct.pack("<Q", len(header)) + header + content[8 + length :]


def _put_sha_right(file: Path) -> None:
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    beside = file.parent / {"model": "config.json", "noise": "noise.json"}[file.stem]
    meta = json.loads(beside.read_text())
    meta["sha256"] = sha256
    beside.write_text(json.dumps(meta))


def elements(content: bytes) -> list[tuple[int, int, int, bool]]:
    """Top-level elements of an explicit little endian file: start, value, length, long form."""
    found, at = [], 132
    while at + 8 <= len(content):
        vr = content[at + 4 : at + 6]
        long = vr in (b"OB", b"OW", b"SQ", b"UN", b"UT", b"OD", b"OF", b"UC", b"UR", b"OL")
        if long:
            value_at = at + 12
            (length,) = struct.unpack("<I", content[at + 8 : at + 12].ljust(4, b"\0"))
        else:
            value_at = at + 8
            (length,) = struct.unpack("<H", content[at + 6 : at + 8])
        if not vr.isalpha() or length == 0xFFFFFFFF or value_at + length > len(content):
            break
        found.append((at, value_at, length, long))
        at = value_at + length
    return found


def with_value(content: bytes, element: tuple[int, int, int, bool], value: bytes) -> bytes:
    """The file with another value of an element, its length told rightly."""
    _, value_at, length, long = element
    value = value[: 2**16 - 2]
    value += b" " * (len(value) % 2)
    told = struct.pack("<I", len(value)) if long else struct.pack("<H", len(value))
    head_ = content[: value_at - len(told)]
    return head_ + told + value + content[value_at + length :]


def head() -> np.ndarray:
    """HU (X, Y, Z): air, a skull and brain."""
    rng = np.random.default_rng(0)
    hu = np.full((24, 24, 8), -1000, np.int16)
    hu[3:21, 3:21] = 800
    hu[5:19, 5:19] = rng.integers(20, 45, (14, 14, 8))
    return hu


def nifti_bytes(array: np.ndarray) -> bytes:
    """The array as .nii of 2 x 2 x 5 mm."""
    return nib.Nifti1Image(array, np.diag([2.0, 2.0, 5.0, 1.0])).to_bytes()


def base_series(folder: Path, kind: int) -> list[Path]:
    """Six slices of one head: plain, packed (RLE, JPEG 2000), deflated; or one multi-frame file."""
    from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEG2000Lossless, RLELossless

    folder.mkdir(parents=True)
    stored = (head().transpose(2, 1, 0)[1:7] + 1024).astype("<u2")
    if kind == 4:
        return [_multi_frame(folder / "frames.dcm", stored)]
    files = []
    for k, plane in enumerate(stored):
        dataset = _dataset(f"slice {k}", plane)
        dataset.InstanceNumber = k + 1
        dataset.ImagePositionPatient = [-23.0, -23.0, 5.0 * k]
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        dataset.PixelSpacing = [2.0, 2.0]
        dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
        if kind in (1, 2):
            dataset.compress((RLELossless, JPEG2000Lossless)[kind - 1], generate_instance_uid=False)
        elif kind == 3:
            dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        files.append(folder / f"{k}.dcm")
        dataset.save_as(files[-1], enforce_file_format=True)
    return files


def _dataset(name: str, stored: np.ndarray) -> Any:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=["fuzz", name])
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=["fuzz", "study"])
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=["fuzz", "series"])
    dataset.Modality, dataset.PatientID, dataset.SeriesDescription = "CT", "FUZZ", "Head 5.0 H30s"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.SeriesNumber, dataset.AcquisitionNumber = 2, 1
    dataset.ConvolutionKernel, dataset.ContrastBolusAgent = "H30s", ""
    dataset.AcquisitionTime, dataset.PixelPaddingValue = "120000", 0
    dataset.Rows, dataset.Columns = stored.shape[-2:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = 0
    dataset.PixelData = stored.tobytes()
    return dataset


def _multi_frame(path: Path, stored: np.ndarray) -> Path:
    from pydicom.dataset import Dataset
    from pydicom.uid import EnhancedCTImageStorage

    def item(**values: Any) -> list[Dataset]:
        made = Dataset()
        for keyword, value in values.items():
            setattr(made, keyword, value)
        return [made]

    dataset = _dataset("frames", stored)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = EnhancedCTImageStorage
    dataset.NumberOfFrames = len(stored)
    dataset.SharedFunctionalGroupsSequence = item(
        PixelMeasuresSequence=item(PixelSpacing=[2.0, 2.0]),
        PlaneOrientationSequence=item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
        PixelValueTransformationSequence=item(RescaleSlope=1, RescaleIntercept=-1024),
    )
    dataset.PerFrameFunctionalGroupsSequence = [
        item(
            PlanePositionSequence=item(ImagePositionPatient=[-23.0, -23.0, 5.0 * k]),
            FrameContentSequence=item(StackID="1", InStackPositionNumber=k + 1),
        )[0]
        for k in range(len(stored))
    ]
    dataset.save_as(path, enforce_file_format=True)
    return path


def make_checkpoint(folder: Path) -> None:
    """An untrained network of a few thousand weights with a low-rank noise."""
    import torch

    from strokediff.data.preprocess import GridConfig
    from strokediff.networks.config import NetworkConfig
    from strokediff.noise.low_rank import LowRankNoise
    from strokediff.training.build import build_network
    from strokediff.training.checkpoint import CheckpointConfig, write_checkpoint
    from strokediff.training.config import LossConfig, NoiseConfig, TrainingConfig
    from strokediff.training.noise import write_noise

    config = TrainingConfig(
        network=NetworkConfig(base=8, multipliers=(1, 2), label_form="clean"),
        T=20,
        loss=LossConfig(label_reading="linear"),
        noise=NoiseConfig(name="low-rank", rank=4),
    )
    x = torch.randn(12, 16, 16, generator=torch.Generator().manual_seed(0))
    noise = LowRankNoise.fit(lambda: iter([(x, torch.ones_like(x))]), rank=4)
    folder.mkdir()
    write_checkpoint(
        folder,
        CheckpointConfig(
            name="fuzz",
            method="sdpm",
            noise="low-rank",
            grid=GridConfig(size=16, spacing_mm=8.0),
            training=config,
            trained_on="test phantoms",
            step=1,
        ),
        dict(build_network(config, 16).state_dict()),
        split={"train": ["a"], "val": ["b"], "test": []},
        metrics={
            "validation": [{"step": 1, "dice": 0.5}],
            "decision": {"fast/avg": {"threshold": 0.1, "least_lesion_ml": 0.5}},
        },
    )
    write_noise(folder, noise)


def make_cohort(folder: Path) -> None:
    """Three patients of five slices of 16 x 16 pixels."""
    from strokediff.data.cohort import CohortWriter, Patient
    from strokediff.data.preprocess import GridConfig

    folder.mkdir()
    writer = CohortWriter(folder, GridConfig(size=16, spacing_mm=8.0))
    rng = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        m = np.ones((5, 16, 16), np.uint8)
        y = (rng.random(m.shape) > 0.9).astype(np.uint8)
        x = rng.normal(0, 0.3, m.shape).astype(np.float16)
        writer.add(Patient(name, x, y, m), spacing_mm=[8.0, 8.0, 5.0], volume_ml=1.0, patient=name)
    split = {"train": ["a"], "val": ["b"], "test": ["c"]}
    writer.finish(split=split, origin={"description": "test phantoms", "spacing": "known"})


def check_volume(volume: Any) -> None:
    """What a volume promises: finite HU of three axes, finite places, positive thickness."""
    assert volume.hu.ndim == 3 and np.isfinite(volume.hu).all()
    assert np.abs(volume.hu).max() < 1e5
    assert np.isfinite(volume.affine).all() and (volume.slice_increments_mm > 0).all()


def zipped(members: dict[str, bytes]) -> bytes:
    """A zip of the members, whatever they are called."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return stream.getvalue()


def tarred(members: dict[str, bytes], kind: str, rng: random.Random) -> bytes:
    """A tar of the members, now and then with a link or a device among them."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz" if kind == "tar.gz" else "w") as packed:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            if rng.random() < 0.05:
                info.type, info.size = rng.choice((tarfile.SYMTYPE, tarfile.CHRTYPE)), 0
                info.linkname = "/etc/passwd"
            packed.addfile(info, io.BytesIO(content) if info.size else None)
    return stream.getvalue()
