"""Which mask of one reader belongs to which of the other, and who has a mask of only one.

A reader is a folder of masks (NAME.nii.gz, or NAME/lesion_mask.nii.gz as `segment` writes them), a
result of `segment`, or a single mask. Names are matched as `evaluate` matches them; neither side is
the truth, so nobody who is missing is an error: all are listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from strokediff.cohort.masks import Labels, chosen_kinds
from strokediff.cohort.sources import labels_beside
from strokediff.ct.discovery.own_results import own_result
from strokediff.errors import InputError
from strokediff.evaluation.agreement.tables import Unpaired
from strokediff.prediction.labels import KindsReader, labels_of_prediction
from strokediff.prediction.layouts import Image, predictions_in
from strokediff.prediction.pairing import (
    listed,
    matched_images,
    unique_images,
    without_channel,
)
from strokediff.util.names import is_nifti_name, safe_name, same_name, stem
from strokediff.util.plaintext import visible

MASK = "lesion_mask"
A, B, NEITHER = "A", "B", "neither"


@dataclass(frozen=True)
class Reader:
    """Where one reader's masks are; `alone` if it is a single mask, `failed` who has none."""

    place: Path
    images: list[Image]
    failed: Mapping[str, str]
    alone: bool

    @classmethod
    def of(cls, place: Path) -> Reader:
        """The masks at a place; `InputError` if there are none, or two of one name."""
        if place.is_file():
            if not is_nifti_name(place):
                raise InputError(
                    f"{place}: expected a mask as NIfTI (.nii.gz or .nii), or a folder of them."
                )
            name = place.absolute().parent.name if stem(place) == MASK else stem(place)
            return cls(place, [Image(name, place)], {}, alone=True)
        found = predictions_in(place, MASK)
        alone = len(found.images) == 1 and (place / f"{MASK}.nii.gz").is_file()
        return cls(place, unique_images(found.images), found.failed, alone)

    @property
    def folder(self) -> Path:
        """Beside which a cohort.json may lie."""
        return self.place.parent if self.place.is_file() else self.place


@dataclass(frozen=True)
class ReadTwice:
    """A patient of whom both have a mask."""

    case: str
    a: Path
    b: Path


def pair_readers(a: Reader, b: Reader) -> tuple[list[ReadTwice], list[Unpaired]]:
    """The patients of both, and those of only one or (failed) of neither; each sorted by name.

    Two single masks are of one patient whatever they are called. Raises `InputError` where a name
    fits two, or nobody is in both.
    """
    if a.alone and b.alone:
        (one,), (other,) = a.images, b.images
        same = one.name == other.name
        name = one.name if same else f"{one.name} and {other.name}"
        return [ReadTwice(name, one.path, other.path)], []
    images_a = without_channel(a.images, _by_name(b.images))
    named_a = _by_name(images_a)
    images_b = without_channel(b.images, named_a)
    matched = matched_images(images_b, named_a)
    if not matched:
        raise InputError(
            f"{a.place} and {b.place}: no patient is in both ({listed(named_a)}; "
            f"{listed(_by_name(images_b))}). Expected masks of the same names, as in "
            "A/p1.nii.gz and B/p1.nii.gz or B/p1/lesion_mask.nii.gz."
        )
    pairs = [ReadTwice(name, named_a[name], image.path) for name, image in matched.items()]
    taken = {image.path for image in matched.values()}
    left_a = [name for name in named_a if name not in matched]
    left_b = [name for name, path in _by_name(images_b).items() if path not in taken]
    return sorted(pairs, key=lambda pair: pair.case), _unpaired(a, b, left_a, left_b)


def _by_name(images: list[Image]) -> dict[str, Path]:
    """Images by what their input was called where that is known and one of a kind."""
    original = {image.original or image.name: image.path for image in images}
    return original if len(original) == len(images) else {i.name: i.path for i in images}


def _unpaired(a: Reader, b: Reader, left_a: list[str], left_b: list[str]) -> list[Unpaired]:
    failed_a, failed_b = _reasons(a), _reasons(b)
    found = [Unpaired(name, A, failed_b.pop(_key(name), ("", ""))[1]) for name in left_a]
    found += [Unpaired(name, B, failed_a.pop(_key(name), ("", ""))[1]) for name in left_b]
    for key, (name, why) in {**failed_a, **failed_b}.items():
        reasons = dict.fromkeys([why, failed_b.get(key, (name, why))[1]])
        found.append(Unpaired(name, NEITHER, "; ".join(reasons)))
    return sorted(found, key=lambda one: one.case)


def _reasons(reader: Reader) -> dict[str, tuple[str, str]]:
    """Name and reason of whom a reader has nothing of, by what names may share."""
    return {_key(name): (name, why) for name, why in reader.failed.items()}


def _key(name: str) -> str:
    return same_name(safe_name(name))


def kinds_reader(readers: tuple[Reader, Reader], given: Labels | None) -> KindsReader:
    """Reads both sides' masks as the kinds that they tell apart together; joined if one does not.

    What `segment` says of its own masks holds; for others `given`, or what a cohort.json declares.
    """
    labels: dict[Path, Labels] = {}
    for reader in readers:
        for image in reader.images:
            folder = image.path.parent
            if folder not in labels:
                labels[folder] = _labels(image.path, reader.folder, given)
    return KindsReader(chosen_kinds(labels.values(), None), {}, labels)


def _labels(mask: Path, root: Path, given: Labels | None) -> Labels:
    told = own_result(mask.parent / "result.json") is not None
    own = labels_of_prediction(mask) if told or given is None else {}
    return own or given or labels_beside(root)


def names_of(a: Reader, b: Reader) -> tuple[str, str]:
    """What pictures and tables call both, besides A and B: the ends of their paths that differ."""
    parts = [reader.place.absolute().parts for reader in (a, b)]
    least = min(map(len, parts))
    for length in range(1, least + 1):
        names = ["/".join(own[-length:]) for own in parts]
        if names[0] != names[1]:
            break
    else:
        names = [own[-1] for own in parts]
    return visible(names[0]), visible(names[1])
