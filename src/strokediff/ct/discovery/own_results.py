"""Which files of a folder `segment` wrote: results that lie in an input are never input.

Known by content, so that a folder of results may be called anything and lie anywhere: by its
result.json, by the description in a mask's header, by the first line of a summary.csv.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterable
from pathlib import Path

from strokediff.errors import InputError
from strokediff.util.jsonfile import read_json
from strokediff.util.names import is_nifti_name, stem

_MASKS = ("lesion_mask", "lesion_prob", "lesion_entropy", "lesion_variance")
"""Never input, wherever they lie: a mask that was copied out of its folder is still a mask."""
_REVISION = re.compile(r"lesion_mask_r\d+\.nii")
"""Masks that readers drew over a result's."""
_PAGES = ("result.json", "preview.png", "report.html", "viewer.html")
SUMMARY_NAME = "summary.csv"
SUMMARY_STARTS = b"case,volume_ml,"
MARK = b"strokediff "
_DESCRIPTION = slice(148, 228)


def own_files(folder: Path, names: Iterable[str]) -> frozenset[str]:
    """Of the files in `folder`, those that an earlier run wrote.

    A scan that lies in a folder of results is none of them: results may be put beside their input.
    """
    there = set(names)
    own = {n for n in there if is_nifti_name(n) and (stem(n) in _MASKS or _REVISION.match(n))}
    if SUMMARY_NAME in there and is_segment_summary(folder / SUMMARY_NAME):
        own.add(SUMMARY_NAME)
    result = own_result(folder / "result.json") if "result.json" in there else None
    if result is not None:
        listed = result.get("files")
        own |= there & set(_PAGES)
        own |= {n for n in there & set(listed if isinstance(listed, dict) else ()) if _is_ours(n)}
        source = result.get("input")
        if not isinstance(source, dict) or source.get("kind") != "nifti":
            own |= there & {"ct.nii.gz"}
    elif any(is_marked(folder / n) for n in own if n != SUMMARY_NAME):
        own |= there & set(_PAGES[1:])
        own |= {n for n in there & {"ct.nii.gz"} if is_marked(folder / n)}
    return frozenset(own)


def _is_ours(name: str) -> bool:
    """Whether an output may have that name: what a file lists is not trusted beyond it."""
    return name.startswith("lesion_")


def own_result(path: Path) -> dict[str, object] | None:
    """The content of a result.json that `segment` wrote; None for any other file."""
    try:
        found = read_json(path, "a result of strokediff segment")
    except InputError:
        return None
    ours = found.get("research_use_only") is True and {"version", "volume_ml"} <= found.keys()
    return found if ours else None


def is_segment_summary(path: Path) -> bool:
    """Whether the table is a summary.csv of `segment`."""
    try:
        with path.open("rb") as stream:
            return stream.read(len(SUMMARY_STARTS)) == SUMMARY_STARTS
    except OSError:
        return False


def is_marked(path: Path) -> bool:
    """Whether a NIfTI file's description says that we made it."""
    try:
        with path.open("rb") as stream:
            zipped = stream.read(2) == b"\x1f\x8b"
        with gzip.open(path) if zipped else path.open("rb") as stream:
            return MARK in stream.read(348)[_DESCRIPTION]
    except (OSError, EOFError, zlib.error):
        return False
