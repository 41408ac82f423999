"""One image under several names: a leak where a split lies between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from strokediff.cohort.importing.base import ListedScan
from strokediff.cohort.importing.check import Finding, error, warning
from strokediff.cohort.likeness import Likeness, copies, look_alikes

Known = tuple[ListedScan, Likeness, bytes]
"""A case, what its image is like, and the digest of its mask."""


def check_copies(scans: Sequence[Known]) -> list[Finding]:
    """Images that are the same however they are stored, and those that nearly are."""
    case_of = {case.name: case for case, _, _ in scans}
    mask_of = {case.name: mask for case, _, mask in scans}
    likeness = {case.name: own for case, own, _ in scans}
    groups = copies({name: own.digest for name, own in likeness.items()})
    leaks = [group for group in groups if len(_splits(group, case_of)) > 1]
    alike = look_alikes(likeness)
    apart = [pair for pair in alike if len(_splits(pair, case_of)) > 1]

    def shown(group: Sequence[str], sign: str) -> str:
        masks = len({mask_of[name] for name in group})
        return sign.join(group) + (f" ({masks} different masks)" if masks > 1 else "")

    return [
        *error(
            "copies of one image in two splits",
            (shown(g, " = ") for g in leaks),
            "Keep one of them.",
        ),
        *warning(
            "copies of one image",
            (shown(g, " = ") for g in groups if g not in leaks),
            "Keep one of them; `prepare` keeps them in one part of its split.",
        ),
        *warning(
            "images in two splits that look alike",
            (" ~ ".join(pair) for pair in apart),
            "If one was made of the other (JPEG, crop, resampling), keep one of them.",
        ),
        *warning(
            "images that look alike",
            (" ~ ".join(pair) for pair in alike if pair not in apart),
            "If one was made of the other (JPEG, crop, resampling), keep one of them.",
        ),
    ]


def _splits(names: Iterable[str], case_of: dict[str, ListedScan]) -> set[str | None]:
    return {case_of[name].split for name in names}
