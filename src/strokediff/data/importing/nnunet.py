"""nnU-Net's raw layout, version 2 (version 1 is read too).

dataset.json                 channel_names {"0": "CT"}, labels by name, file_ending
imagesTr/NAME_0000.nii.gz    labelsTr/NAME.nii.gz
imagesTs/, labelsTs/         test cases, if both are there
splits_final.json            fold 0 says who validates, if it is there
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from strokediff.data.importing.base import Case, Listing, Pair
from strokediff.data.importing.names import by_stem, entries, inside, safe_name, stem
from strokediff.data.importing.volumes import SUFFIXES, VolumeLayout
from strokediff.errors import InputError

CHANNEL = "_0000"


class NnUNet(VolumeLayout):
    """One CT channel, any classes."""

    name = "nnunet"
    title = "nnU-Net raw data set"
    licence = "as the data set's owner says"
    expected = "dataset.json, imagesTr/NAME_0000.nii.gz and labelsTr/NAME.nii.gz"

    def __init__(self, source: Path) -> None:
        super().__init__(source)
        self._meta = _read_json(inside(source / "dataset.json", source), dict)
        self._check()

    @property
    def licence_note(self) -> str:
        """What dataset.json says."""
        told = self._meta.get("licence") or self._meta.get("license")
        return str(told) if told else self.licence

    @classmethod
    def recognises(cls, source: Path) -> bool:
        """Whether dataset.json and imagesTr/ are there."""
        return (source / "dataset.json").is_file() and (source / "imagesTr").is_dir()

    @property
    def labels(self) -> Mapping[str, tuple[int, ...]]:
        """The foreground classes; a region has several values."""
        return {name: values for name, values in self._all_labels().items() if name != "ignore"}

    @property
    def known_values(self) -> frozenset[int]:
        """The declared ones, 'ignore' too."""
        return frozenset({0}.union(*self._all_labels().values()))

    def list_cases(self) -> Listing:
        """Cases of imagesTr and, where labelsTs is there, of imagesTs."""
        has_test = (self.source / "labelsTs").is_dir()
        trained, stray = self._in("Tr", "train")
        tested, more = self._in("Ts", "test") if has_test else ([], [])
        held = self._validating({case.name for case in trained})
        cases = [
            Case(c.name, c.patient, c.pairs, "val" if c.name in held else c.split)
            for c in [*trained, *tested]
        ]
        if not held and not tested:
            cases = [Case(c.name, c.patient, c.pairs) for c in cases]
        notes = []
        if (self.source / "imagesTs").is_dir() and not has_test:
            notes.append("imagesTs has no labelsTs beside it: its images are left out")
        if "ignore" in self._all_labels():
            notes.append("the class 'ignore' counts as no lesion")
        return Listing(tuple(cases), (*stray, *more), notes=tuple(notes))

    def _in(self, part: str, split: str) -> tuple[list[Case], list[Path]]:
        labels = entries(self.source / f"labels{part}", self.source, *SUFFIXES)
        masks = by_stem(labels)
        cases = []
        for path in entries(self.source / f"images{part}", self.source, *SUFFIXES):
            name = safe_name(stem(path).removesuffix(CHANNEL), path)
            if not stem(path).endswith(CHANNEL):
                raise InputError(f"{path}: expected a name that ends in {CHANNEL}. Rename it.")
            cases.append(Case(name, name, (Pair(path, masks.pop(name, None)),), split))
        return cases, list(masks.values())

    def _validating(self, names: set[str]) -> set[str]:
        path = self.source / "splits_final.json"
        if not path.is_file():
            return set()
        folds = _read_json(inside(path, self.source), list)
        try:
            train, val = set(folds[0]["train"]), set(folds[0]["val"])
        except (IndexError, KeyError, TypeError) as error:
            raise InputError(
                f"{path}: expected a list of folds with 'train' and 'val' ({error!r}). Take the "
                "file out to split anew."
            ) from error
        if both := sorted(train & val):
            raise InputError(
                f"{path}: fold 0 has the same patient in train and val: {', '.join(both[:5])}. "
                "Keep each in one of them."
            )
        if unknown := sorted(map(str, (train | val) - names)):
            raise InputError(
                f"{path}: fold 0 names cases that imagesTr lacks: {', '.join(unknown[:5])}. Add "
                "their images or take the names out."
            )
        return val

    def _all_labels(self) -> dict[str, tuple[int, ...]]:
        return {n: v for n, v in _labels(self._meta["labels"]).items() if v != (0,)}

    def _check(self) -> None:
        path = self.source / "dataset.json"
        channels = self._meta.get("channel_names", self._meta.get("modality"))
        if not isinstance(channels, dict) or [str(v).lower() for v in channels.values()] != ["ct"]:
            raise InputError(
                f"{path}: expected one channel, CT, got {channels!r}. Give non-contrast CT alone."
            )
        ending = self._meta.get("file_ending", ".nii.gz")
        if ending not in SUFFIXES:
            raise InputError(f"{path}: expected file_ending .nii.gz or .nii, got {ending!r}.")
        try:
            found = self._all_labels()
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{path}: 'labels' cannot be read ({error!r}).") from error
        if not found:
            raise InputError(f"{path}: expected at least one class beside the background.")
        if mixed := [name for name, values in found.items() if min(values, default=0) < 1]:
            raise InputError(
                f"{path}: expected classes of whole numbers above 0, got {', '.join(mixed)} with 0 "
                "(the background), less or nothing. Correct 'labels'."
            )


def _labels(labels: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Name to values; version 1 wrote numbers as keys and names as values."""
    if all(str(key).isdigit() for key in labels):
        return {str(name): (int(key),) for key, name in labels.items()}
    return {
        str(name): tuple(map(int, value if isinstance(value, list) else [value]))
        for name, value in labels.items()
    }


def _read_json(path: Path, kind: type) -> Any:
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error}). Repair it.") from error
    if not isinstance(value, kind):
        raise InputError(f"{path}: expected a JSON {kind.__name__}, got {type(value).__name__}.")
    return value
