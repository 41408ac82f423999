"""What a file is that is neither NIfTI nor DICOM, told from its name and its first bytes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from strokediff.util.names import DICOM, NIFTI, PICTURES

FIRST_BYTES = 512
NOT_DICOM = "no DICOM file, whatever its name says"


class FileKind(Enum):
    """What a file means for the patient it lies with."""

    VOLUME = "volume"  # an image of a whole head, in a format that is not read
    PACKED = "packed"  # an archive that is not read
    DAMAGED = "damaged"  # called a format that is read, but is not that
    PICTURE = "picture"  # one of many, or nothing that matters
    PART = "part"  # belongs to another file: the pixels of a header
    PROGRAM = "program"
    OTHER = "other"  # a text, a table, anything


@dataclass(frozen=True)
class Format:
    """A file's kind and what to call it in a message: "an NRRD image"."""

    kind: FileKind
    text: str


_UNFINISHED = (".part", ".partial", ".crdownload", ".download", ".filepart", ".!ut", ".aria2")
_PROGRAMS = (".exe", ".dll", ".jar", ".bat", ".inf", ".msi", ".com", ".so", ".dylib", ".class")
_VOLUMES = {
    (".nrrd", ".nhdr"): "an NRRD image",
    (".mha", ".mhd"): "a MetaImage",
    (".mgz", ".mgh"): "a FreeSurfer image (MGH)",
    (".hdr",): "an Analyze image or a NIfTI pair",
    (".mnc",): "a MINC image",
    (".mif", ".mif.gz"): "an MRtrix image",
    (".gipl", ".gipl.gz"): "a GIPL image",
    (".nii.bz2", ".nii.xz", ".nii.zst"): "a NIfTI file compressed in another way than gzip",
    (".par",): "a Philips PAR/REC image",
    (".vti", ".vtk"): "a VTK file",
    (".npy", ".npz"): "a NumPy array",
    (".mat",): "a MATLAB file",
    (".h5", ".hdf5"): "an HDF5 file",
    (".dcm.gz", ".dcm.bz2"): "a compressed DICOM file",
}
_PACKED = {
    (".rar",): "a RAR archive",
    (".7z",): "a 7z archive",
    (".tar.zst", ".tzst", ".tar.lz4"): "a tar archive compressed in a way that is not read",
    (".iso", ".dmg", ".cab", ".arj", ".lzh"): "a disk image or archive that is not read",
    (".zip.001", ".7z.001", ".z01", ".001"): "a part of a split archive",
    (".gz", ".bz2", ".xz", ".zst"): "a compressed file",
}
_PARTS = (".raw", ".zraw", ".raw.gz", ".rec")
_MAGIC = (
    (0, b"NRRD00", FileKind.VOLUME, "an NRRD image"),
    (0, b"ObjectType", FileKind.VOLUME, "a MetaImage"),
    (0, b"NDims", FileKind.VOLUME, "a MetaImage"),
    (344, b"n+1\0", FileKind.VOLUME, "a NIfTI file without the ending .nii"),
    (344, b"ni1\0", FileKind.VOLUME, "a NIfTI pair"),
    (4, b"n+2\0\r\n\x1a\n", FileKind.VOLUME, "a NIfTI file without the ending .nii"),
    (0, b"\x89HDF\r\n\x1a\n", FileKind.VOLUME, "an HDF5 file"),
    (0, b"CDF\x01", FileKind.VOLUME, "a MINC image"),
    (0, b"Rar!\x1a\x07", FileKind.PACKED, "a RAR archive"),
    (0, b"7z\xbc\xaf\x27\x1c", FileKind.PACKED, "a 7z archive"),
    (0, b"PK\x03\x04", FileKind.PACKED, "a zip archive without the ending .zip"),
    (257, b"ustar", FileKind.PACKED, "a tar archive without the ending .tar"),
    (0, b"\x1f\x8b", FileKind.PACKED, "a compressed file"),
    (0, b"BZh", FileKind.PACKED, "a compressed file"),
    (0, b"\xfd7zXZ\0", FileKind.PACKED, "a compressed file"),
    (0, b"\x28\xb5\x2f\xfd", FileKind.PACKED, "a compressed file"),
    (0, b"\xff\xd8\xff", FileKind.PICTURE, "a JPEG picture"),
    (0, b"\x89PNG\r\n\x1a\n", FileKind.PICTURE, "a PNG picture"),
    (0, b"MZ", FileKind.PROGRAM, "a program"),
    (0, b"\x7fELF", FileKind.PROGRAM, "a program"),
)
_TEXTS = (
    *(".txt", ".md", ".rst", ".csv", ".tsv", ".json", ".xml", ".html", ".htm", ".yaml", ".yml"),
    *(".pdf", ".doc", ".docx", ".xls", ".xlsx", ".ods", ".odt", ".ppt", ".pptx", ".log", ".toml"),
    *(".py", ".sh", ".r", ".m", ".ipynb", ".ini", ".cfg", ".bval", ".bvec", ".sha256", ".md5"),
)
_OTHER = Format(FileKind.OTHER, "a file of another kind")


def format_of(path: Path) -> Format:
    """What a file is that has been found to be no DICOM, and is not called NIfTI.

    The name decides; the first bytes where the name says nothing. Nothing is opened that is no
    regular file: a pipe would wait forever.
    """
    name = path.name.lower()
    if path.is_symlink() and not path.exists():
        wanted = name.endswith((*NIFTI, *DICOM)) or _by_name(name).kind in (
            FileKind.VOLUME,
            FileKind.PACKED,
        )
        text = "a link that leads nowhere"
        return Format(FileKind.DAMAGED, text) if wanted or "." not in name else _OTHER
    if not path.is_file():
        return _OTHER
    if name.endswith(DICOM):
        return Format(FileKind.DAMAGED, NOT_DICOM)
    named = _by_name(name)
    if named is not _OTHER or name.endswith(_TEXTS):
        return named
    return _by_content(path)


def _by_name(name: str) -> Format:
    if name.endswith(_UNFINISHED):
        return Format(FileKind.DAMAGED, "an unfinished download")
    for table, kind in ((_VOLUMES, FileKind.VOLUME), (_PACKED, FileKind.PACKED)):
        for endings, text in table.items():
            if name.endswith(endings):
                return Format(kind, text)
    if name.endswith((".img", *_PARTS)):
        return Format(FileKind.PART, "the pixels of another file")
    if name.endswith(PICTURES):
        return Format(FileKind.PICTURE, "a picture")
    return Format(FileKind.PROGRAM, "a program") if name.endswith(_PROGRAMS) else _OTHER


def _by_content(path: Path) -> Format:
    try:
        with path.open("rb") as stream:
            head = stream.read(FIRST_BYTES)
    except OSError as error:
        return Format(FileKind.DAMAGED, f"not readable ({error.strerror})")
    for start, magic, kind, text in _MAGIC:
        if head[start : start + len(magic)] == magic:
            return Format(kind, text)
    # Slices on a medium have no ending: empty ones were slices, too.
    return Format(FileKind.DAMAGED, "an empty file") if not head and not path.suffix else _OTHER
