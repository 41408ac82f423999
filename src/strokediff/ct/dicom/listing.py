"""What series were found, in words, for messages."""

from __future__ import annotations

from pathlib import Path

from strokediff.ct.checks.sanity import MIN_SLICES
from strokediff.ct.dicom.objections import Verdict, objection
from strokediff.ct.dicom.stacks import Stack
from strokediff.errors import InputError


def none_usable(path: Path, stacks: list[Stack], verdicts: list[Verdict]) -> InputError:
    """The error where no stack can be used: the remedy for the nearest one, and all of them."""
    kinds = [v.kind for v in verdicts]
    # The remedy speaks of what came closest to being usable.
    remedies = {
        "slices": f"a stack is too short. Give all slices of the head, at least {MIN_SLICES}",
        "position": "all slices of a series lie at one position, so they form no volume. Give the "
        "original series with ImagePositionPatient in every slice",
        "contrast": "only contrast, angiography or perfusion series are there. Give the "
        "non-contrast series, or name one with --series if its label is wrong",
        "orientation": "there is no axial series. Give the axial reconstruction",
        "mixed": "a series holds several passes over the head, and nothing recorded tells their "
        "slices apart. Give the files of one pass in a folder of their own",
        "geometry": "the place of its slices is not known. Give the original DICOM files, in which "
        "every slice has ImagePositionPatient, ImageOrientationPatient and PixelSpacing as numbers "
        "with a decimal point",
        "projection": "there are only projections or maps. Give the original slices",
        "localizer": "there are only localizers. Give the axial series",
        "modality": "there is no CT image. Give a head CT",
    }
    kind = next(k for k in remedies if k in kinds)
    return InputError(
        f"{path}: expected an axial non-contrast head CT series, but {remedies[kind]}. "
        f"Found:\n{listing(stacks)}"
    )


def listing(stacks: list[Stack], limit: int = 12) -> str:
    """The stacks, one a line, each with what is wrong with it."""
    lines = []
    for stack in stacks[:limit]:
        verdict = objection(stack)
        state = verdict.text if verdict else "usable"
        lines.append(f"  {stack.head.series_uid} {name_of(stack)}: {state}")
    if len(stacks) > limit:
        lines.append(f"  and {len(stacks) - limit} more")
    return "\n".join(lines)


def name_of(stack: Stack) -> str:
    """What a series calls itself, and how many slices it has."""
    text = f"'{stack.head.description}'" if stack.head.description else "without description"
    n = stack.geometry.n_slices if stack.geometry else len(stack.headers)
    return f"{text}, {n} slices"
