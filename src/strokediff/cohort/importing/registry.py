"""The layouts by the names that the user gives."""

from __future__ import annotations

from pathlib import Path

from strokediff.cohort.importing.aisd import Aisd, AisdPictures
from strokediff.cohort.importing.base import Layout
from strokediff.cohort.importing.bids import Bids
from strokediff.cohort.importing.cpaisd import Cpaisd, CpaisdPictures
from strokediff.cohort.importing.ctich import CtIch, CtIchPictures
from strokediff.cohort.importing.ctich_folders import CtIchFolders
from strokediff.cohort.importing.nnunet import NnUNet
from strokediff.cohort.importing.phe_sich import PheSich
from strokediff.ct.checks.sanity import PIXEL_LIMITS_MM
from strokediff.errors import InputError, UsageError

LAYOUTS: tuple[type[Layout], ...] = (
    PheSich,
    Aisd,
    AisdPictures,
    Cpaisd,
    CpaisdPictures,
    CtIch,
    CtIchFolders,
    CtIchPictures,
    NnUNet,
    Bids,
)
"""The first of a name that recognises a folder reads it."""


def open_layout(name: str, source: Path, *, pixel_mm: float | None = None) -> Layout:
    """The layout `name` on the folder `source`; errors list what there is and what is expected.

    `pixel_mm` replaces the side of a pixel that a layout assumes; `UsageError` if it assumes none.
    """
    named = [layout for layout in LAYOUTS if layout.name == name]
    if not named:
        names = ", ".join(dict.fromkeys(layout.name for layout in LAYOUTS))
        raise UsageError(f"{name!r} is no layout. Expected one of: {names}.")
    if not source.is_dir():
        what = "a file" if source.exists() else "nothing"
        raise InputError(f"{source}: expected a folder of {named[0].title}, found {what} there.")
    for layout in named:
        if layout.recognises(source):
            return _with_pixels(layout(source), pixel_mm)
    expected = "; or ".join(layout.expected for layout in named)
    there = ", ".join(sorted(path.name for path in source.iterdir())[:8]) or "nothing"
    raise InputError(
        f"{source}: not the layout of {name}. Expected {expected}. Found {there}. Give the folder "
        "that holds these."
    )


def _with_pixels(layout: Layout, pixel_mm: float | None) -> Layout:
    if pixel_mm is None:
        return layout
    if layout.assumed_pixel_mm is None:
        raise UsageError(
            f"--pixel-mm: {layout.source} has its spacing in its files, or none that its authors "
            f"tell. Leave it out; it is for {', '.join(_assuming())}."
        )
    low, high = PIXEL_LIMITS_MM
    if not low <= pixel_mm <= high:
        raise UsageError(f"--pixel-mm: expected {low} to {high} mm, got {pixel_mm:g}.")
    layout.assumed_pixel_mm = pixel_mm
    return layout


def _assuming() -> list[str]:
    return [f"{own.name} ({own.expected})" for own in LAYOUTS if own.assumed_pixel_mm is not None]
