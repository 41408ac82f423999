"""Names of files: endings taken off in one place, and names of ours made from any name there is.

A name on disk may be in any script and encoding; ours is the same name wherever it can be. What
cannot stay (separators, what Windows forbids, what a shell or a spreadsheet would act on) becomes
an underscore, and `Case.original` keeps what the disk says.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from pathlib import Path

from strokediff.util.plaintext import escaped, visible

NIFTI = (".nii.gz", ".nii")
DICOM = (".dcm", ".dicom", ".ima")
TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz")
ARCHIVES = (".zip", *TARS)
PICTURES = (".jpeg", ".jpg", ".png", ".tiff", ".tif", ".bmp", ".gif", ".webp", ".heic")
OTHERS = (
    *(".nrrd", ".nhdr", ".mha", ".mhd", ".mgz", ".mgh", ".hdr", ".img", ".mnc", ".mif.gz", ".mif"),
    *(".gipl.gz", ".gipl", ".npz", ".npy", ".mat", ".h5", ".hdf5", ".vti", ".vtk", ".rar", ".7z"),
    *(".nii.bz2", ".nii.xz", ".nii.zst", ".nii.zip", ".dcm.gz", ".gz", ".bz2", ".xz", ".zst"),
)
ENDINGS = (*NIFTI, *DICOM, *ARCHIVES, *PICTURES, *OTHERS)

MAX_NAME_BYTES = 160
"""Of a name of ours, as UTF-8: file systems take 255, and names get numbers and prefixes."""
_KEPT_ASCII = frozenset(" ._-+,()'=@#")
_EDGES = " ._-"
_START = "=+@'#"
"""Not first: a spreadsheet or a shell would act on them."""
_WINDOWS = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)", re.IGNORECASE)
_OURS = {"summary.csv", "result.json", "report.html", "preview.png"}
_JOINERS = "\u200c\u200d"


def stem(path: Path | str) -> str:
    """The last part of a path without its ending; `.nii.gz` and `.tar.gz` are one ending.

    Only endings of files that are known here come off: a folder or a scan may be called `a.b`.

    >>> stem("p1.nii.gz"), stem("P1.DCM"), stem("a.b"), stem(".nii")
    ('p1', 'P1', 'a.b', '.nii')
    """
    name = path.name if isinstance(path, Path) else path
    fitting = [e for e in ENDINGS if name.lower().endswith(e) and len(name) > len(e)]
    return name[: -max(map(len, fitting))] if fitting else name


def is_nifti_name(path: Path | str) -> bool:
    """Whether the file's name ends in .nii or .nii.gz."""
    name = path.name if isinstance(path, Path) else path
    return name.lower().endswith(NIFTI)


def safe_name(text: str) -> str:
    """A name in the same script that may name a file or folder and cannot leave its folder.

    Letters, marks, digits and signs of any script stay (in composed form, NFC), and of ASCII
    spaces and ``._-+,()'=@#``, none of these at the ends. Bytes that are not UTF-8 are read as
    Windows-1252. Names longer than `MAX_NAME_BYTES` are cut and get eight digits of their hash, so
    that two that start alike stay apart. Applied twice it changes nothing more.

    >>> safe_name("../Müller, Hans"), safe_name("张伟"), safe_name(".."), safe_name("a:b")
    ('Müller, Hans', '张伟', 'case', 'a_b')
    """
    whole = unicodedata.normalize("NFC", visible(text))
    name = "".join(_kept(character) for character in whole)
    name = re.sub("\x00+", "_", name)
    name = _trimmed(re.sub(r"\.{2,}", ".", name))
    if len(name.encode()) > MAX_NAME_BYTES:
        digest = hashlib.blake2s(whole.encode()).hexdigest()[:8]
        start = name.encode()[: MAX_NAME_BYTES - 9].decode(errors="ignore")
        name = f"{start.rstrip(_EDGES + _JOINERS)}-{digest}"
    if _WINDOWS.match(name) or name.lower() in _OURS:
        head, dot, rest = name.partition(".")
        name = f"{head}-{dot}{rest}" if dot else f"{head}-1"
    return name or "case"


def name_below(root: Path, path: Path, *, is_file: bool) -> str:
    """A name from the path below `root`: PATIENT/ct.nii.gz becomes PATIENT_ct."""
    return safe_name("_".join(_parts(root, path, is_file=is_file)))


def original_below(root: Path, path: Path, *, is_file: bool) -> str:
    """The same path as it stands on disk, with slashes and escaped bytes."""
    return escaped("/".join(_parts(root, path, is_file=is_file)))


def shown_below(root: Path, path: Path) -> str:
    """The path below `root`, with the endings, bytes escaped; `root` itself is its last part."""
    inner = path.relative_to(root) if root in path.parents else Path(path.name)
    return escaped(_own(root) if path == root else inner.as_posix())


def _own(root: Path) -> str:
    """The name of the input itself: a link's own, and that of the folder one is in for `.`."""
    return root.name if root.name not in ("", "..") else root.resolve().name


def _parts(root: Path, path: Path, *, is_file: bool) -> list[str]:
    if path == root:
        return [stem(_own(root)) if is_file else _own(root)]
    parts = list(path.relative_to(root).parts) if root in path.parents else [path.name]
    return [*parts[:-1], stem(parts[-1]) if is_file else parts[-1]]


def same_name(name: str) -> str:
    """What two names share that a file system may take for one: case and composition folded."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _kept(character: str) -> str:
    if character in _KEPT_ASCII or character in _JOINERS:
        return character
    category = unicodedata.category(character)
    if category == "Zs":
        return " "
    if category[0] in "LMN" or (category[0] in "PS" and not character.isascii()):
        return character
    return character if category == "Cf" else "\x00"


def _trimmed(name: str) -> str:
    """Without signs at the ends, nor marks and joiners that would hang on what stands before."""
    start = 0
    while start < len(name) and (
        name[start] in _EDGES + _START + _JOINERS or unicodedata.category(name[start])[0] in "MC"
    ):
        start += 1
    return name[start:].rstrip(_EDGES + _JOINERS)
