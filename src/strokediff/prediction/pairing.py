"""Which prediction belongs to which true mask, by name, and which must not be scored at all.

Names of `segment`'s folders are made from the input's, which its result.json keeps: so its own
output finds its truth whatever the names are. What could belong to two is refused.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from strokediff.cohort.importing.nnunet import CHANNEL
from strokediff.ct.nifti.images import nifti_files
from strokediff.errors import InputError
from strokediff.prediction.layouts import (
    Image,
    Predictions,
    check_folder,
    nested_in,
    no_images,
    predictions_in,
)
from strokediff.util.names import safe_name, same_name
from strokediff.util.plaintext import escaped, visible

SHOWN = 10


@dataclass(frozen=True)
class Pair:
    """The files of one patient."""

    case: str
    pred: Path
    true: Path
    prob: Path | None
    within: Path | None = None


def pair_cases(
    pred_dir: Path, truth_dir: Path, prob_dir: Path | None, within_dir: Path | None = None
) -> tuple[list[Pair], list[str]]:
    """Match files by name; return the pairs, sorted, and the names of predictions left over.

    Raises `InputError` if a folder holds no masks, a true mask has no prediction (or, with
    `prob_dir`, no probabilities, or with `within_dir` no file there), or has one of a run that
    failed: a patient who is missing must not improve a mean. Also where a name fits two.
    """
    true = _true_masks(truth_dir)
    pred, extra = _matched(predictions_in(pred_dir, "lesion_mask"), true, pred_dir, "prediction")
    if prob_dir is not None:
        prob, _ = _matched(
            predictions_in(prob_dir, "lesion_prob"), true, prob_dir, "probability map"
        )
    else:
        maps = {n: p.parent / p.name.replace("lesion_mask", "lesion_prob") for n, p in pred.items()}
        whole = all(p.name.startswith("lesion_prob") and p.is_file() for p in maps.values())
        prob = maps if whole else {}
    within = {} if within_dir is None else _within(within_dir, true)
    pairs = [Pair(n, pred[n], true[n], prob.get(n), within.get(n)) for n in sorted(true)]
    return pairs, extra


def listed(names: Collection[str]) -> str:
    """Some of many names, safe to print."""
    shown = ", ".join(visible(name) for name in sorted(names)[:SHOWN])
    return shown + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def _true_masks(folder: Path) -> dict[str, Path]:
    check_folder(folder)
    nested = [Image(p.parent.name, p) for p in nested_in(folder, "lesion_mask")]
    images = [*(Image(n, p) for n, p in nifti_files(folder)), *nested]
    if not images:
        raise no_images(folder, "lesion_mask")
    return {image.name: image.path for image in unique_images(images)}


def unique_images(images: list[Image]) -> list[Image]:
    """The same; `InputError` if two have one name."""
    taken: dict[str, Path] = {}
    for image in images:
        other = taken.setdefault(image.name, image.path)
        if other is not image.path:
            raise InputError(
                f"{image.path}: a second file for '{visible(image.name)}' beside {other}. Keep one "
                "of them."
            )
    return images


def _within(folder: Path, true: Mapping[str, Path]) -> dict[str, Path]:
    """The mask or scan of each true mask that says which voxels count."""
    check_folder(folder)
    images = unique_images([Image(name, path) for name, path in nifti_files(folder)])
    found = matched_images(without_channel(images, true), true)
    missing = sorted(set(true) - set(found))
    if missing:
        there = listed([image.name for image in images]) or "none"
        raise InputError(
            f"{folder}: {len(missing)} of {len(true)} true masks have no file that says which "
            f"voxels count: {listed(missing)}. Expected NAME.nii.gz for each, a mask of the brain "
            f"or the head, or the scan (found {there})."
        )
    return {name: image.path for name, image in found.items()}


def _matched(
    found: Predictions, true: Mapping[str, Path], folder: Path, what: str
) -> tuple[dict[str, Path], list[str]]:
    """The image of each true mask, and the names of images without one."""
    images = without_channel(unique_images(found.images), true)
    matched = matched_images(images, true)
    missing = sorted(set(true) - set(matched))
    if missing:
        raise _missing(found, images, missing, len(true), folder, what)
    given = {image.path for image in matched.values()}
    extra = [image.name for image in images if image.path not in given]
    return {name: image.path for name, image in matched.items()}, sorted(extra)


def matched_images(images: list[Image], true: Mapping[str, Path]) -> dict[str, Image]:
    """The image of each name of `true`, where there is one; `InputError` where a name fits two."""
    claims = {name: _candidates(name, images, true) for name in true}
    given: dict[Path, list[str]] = defaultdict(list)
    for name, fitting in claims.items():
        if len(fitting) > 1:
            raise InputError(
                f"{true[name]}: could belong to {fitting[0].path} and to {fitting[1].path}. Rename "
                f"or remove one of them."
            )
        for image in fitting:
            given[image.path].append(name)
    for path, names in given.items():
        if len(names) > 1:
            raise InputError(
                f"{path}: could belong to {true[names[0]]} and to {true[names[1]]}. Give the two "
                "names that differ in more than what was replaced or in letter case."
            )
    return {name: fitting[0] for name, fitting in claims.items() if fitting}


def _candidates(name: str, images: list[Image], true: Mapping[str, Path]) -> list[Image]:
    """The images that may be of a true mask: by name or by what the input was called.

    Where none is, by the name that `segment` makes of the mask's; one that is another mask's by
    its input is none of them.
    """
    elsewhere = {escaped(other) for other in true if other != name}
    own = escaped(name)

    def fits(image: Image, names: Iterable[str]) -> bool:
        return image.original == own or (image.name in names and image.original not in elsewhere)

    exact = [image for image in images if fits(image, (name, visible(name)))]
    made = safe_name(name)
    return exact or [
        image
        for image in images
        if (made == image.name or made == safe_name(image.name)) and image.original not in elsewhere
    ]


def without_channel(images: list[Image], true: Collection[str]) -> list[Image]:
    """What `segment` made of nnU-Net's images, NAME_0000, by the names of its masks, NAME."""
    wanted = {safe_name(name) for name in true}
    bare = [image.bare() for image in images]
    names, short = ({safe_name(i.name) for i in some} for some in (images, bare))
    fits = len(short) == len(images) and not names & wanted and short & wanted
    return bare if fits else images


def _missing(
    found: Predictions, images: list[Image], missing: list[str], total: int, folder: Path, what: str
) -> InputError:
    reasons = {same_name(safe_name(name)): why for name, why in found.failed.items()}
    told = [
        f"\n  {visible(name)}: {visible(why)}"
        for name in missing
        for keys in [(name, f"{name}{CHANNEL}")]
        for why in [reasons[k] for k in map(same_name, map(safe_name, keys)) if k in reasons][:1]
    ]
    more = f"\n  and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
    return InputError(
        f"{folder}: {len(missing)} of {total} true masks have no {what}: {listed(missing)}. "
        f"Expected a file of the same name for each (found {listed([i.name for i in images])}). If "
        f"nothing was found in a patient, give an empty mask." + "".join(told[:SHOWN]) + more
    )
