"""nnU-Net's raw layout, version 2 (version 1 is read too).

dataset.json                 channel_names {"0": "CT"}, labels by name (a list of
                             values is a region), file_ending
imagesTr/NAME_0000.nii.gz    labelsTr/NAME.nii.gz
imagesTs/, labelsTs/         test cases, if both are there
splits_final.json            fold 0 says who validates, if it is there
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from strokediff.cohort.importing.base import ListedScan, Listing, MaskedImage
from strokediff.cohort.importing.names import by_stem, composed, composed_stem, entries, inside
from strokediff.cohort.importing.nnunet_terms import is_plain_ct_channel, label_values
from strokediff.cohort.importing.volumes import VolumeLayout
from strokediff.errors import InputError
from strokediff.util.jsonfile import read_json, read_json_list
from strokediff.util.names import NIFTI, safe_name
from strokediff.util.plaintext import visible

CHANNEL = "_0000"


class NnUNet(VolumeLayout):
    """One CT channel, any classes."""

    name = "nnunet"
    one_data_set = False
    title = "nnU-Net raw data set"
    licence = "as the data set's owner says"
    expected = "dataset.json, imagesTr/NAME_0000.nii.gz and labelsTr/NAME.nii.gz"
    needed = ("dataset.json", "imagesTr")

    def __init__(self, source: Path) -> None:
        super().__init__(source)
        path = inside(source / "dataset.json", source)
        self._meta = read_json(path, "nnU-Net's description of a data set", remedy="Repair it.")
        self._check()
        classes = self._all_labels()
        self.labels = {name: values for name, values in classes.items() if name != "ignore"}

    @property
    def licence_note(self) -> str:
        """What dataset.json says."""
        told = self._meta.get("licence") or self._meta.get("license")
        return visible(str(told))[:200] if told else self.licence

    @property
    def known_values(self) -> frozenset[int]:
        """The declared ones, 'ignore' too."""
        return frozenset({0}.union(*self._all_labels().values()))

    def list_cases(self) -> Listing:
        """Cases of imagesTr and, where labelsTs is there, of imagesTs."""
        has_test = (self.source / "labelsTs").is_dir()
        trained, stray = self._in("Tr", "train")
        tested, more = self._in("Ts", "test") if has_test else ([], [])
        held = self._validating({case.patient for case in trained})
        cases = [
            replace(c, split="val") if c.split == "train" and c.patient in held else c
            for c in [*trained, *tested]
        ]
        if not held and not tested:
            cases = [replace(c, split=None) for c in cases]
        notes = []
        if (self.source / "imagesTs").is_dir() and not has_test:
            notes.append("imagesTs has no labelsTs beside it: its images are left out")
        if "ignore" in self._all_labels():
            notes.append("the class 'ignore' counts as no lesion")
        return Listing(tuple(cases), (*stray, *more), notes=tuple(notes))

    def _in(self, part: str, split: str) -> tuple[list[ListedScan], list[Path]]:
        labels = entries(self.source / f"labels{part}", self.source, *NIFTI)
        masks = by_stem(labels)
        cases = []
        for path in entries(self.source / f"images{part}", self.source, *NIFTI):
            if not composed_stem(path).endswith(CHANNEL):
                raise InputError(f"{path}: expected a name that ends in {CHANNEL}. Rename it.")
            own = composed_stem(path).removesuffix(CHANNEL)
            cases.append(
                ListedScan(safe_name(own), own, (MaskedImage(path, masks.pop(own, None)),), split)
            )
        return cases, list(masks.values())

    def _validating(self, names: set[str]) -> set[str]:
        path = self.source / "splits_final.json"
        if not path.is_file():
            return set()
        remedy = "Take the file out to split anew."
        folds = read_json_list(inside(path, self.source), "nnU-Net's folds", remedy=remedy)
        fold = folds[0] if folds else None
        sides = [fold.get(part) if isinstance(fold, dict) else None for part in ("train", "val")]
        if not all(map(_are_names, sides)):
            raise InputError(
                f"{path}: expected a list of folds, each with lists of names as 'train' and 'val'. "
                f"{remedy}"
            )
        trained, held = ({composed(name) for name in own or ()} for own in sides)
        if both := sorted(trained & held):
            raise InputError(
                f"{path}: fold 0 has the same patient in train and val: {', '.join(both[:5])}. "
                "Keep each in one of them."
            )
        if unknown := sorted((trained | held) - names):
            raise InputError(
                f"{path}: fold 0 names cases that imagesTr lacks: {', '.join(unknown[:5])}. Add "
                "their images or take the names out."
            )
        return held

    def _all_labels(self) -> dict[str, tuple[int, ...]]:
        return {n: v for n, v in label_values(self._meta["labels"]).items() if v != (0,)}

    def _check(self) -> None:
        path = self.source / "dataset.json"
        channels = self._meta.get("channel_names", self._meta.get("modality"))
        named = list(channels.values()) if isinstance(channels, dict) else []
        if len(named) != 1 or not is_plain_ct_channel(named[0]):
            raise InputError(
                f"{path}: expected one channel, CT, got {_short(channels)}. Give non-contrast CT "
                'alone; if it is that, write {"0": "CT"}.'
            )
        ending = self._meta.get("file_ending", ".nii.gz")
        if ending not in NIFTI:
            raise InputError(
                f"{path}: expected file_ending .nii.gz or .nii, got {_short(ending)}. Convert the "
                "images to NIfTI."
            )
        try:
            found = self._all_labels()
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{path}: 'labels' cannot be read ({_short(error)}). Expected names with whole "
                "numbers, such as "
                '{"background": 0, "lesion": 1}.'
            ) from error
        if not found:
            raise InputError(
                f"{path}: expected at least one class beside the background. Correct 'labels'."
            )
        if mixed := [name for name, values in found.items() if min(values, default=0) < 1]:
            raise InputError(
                f"{path}: expected classes of whole numbers above 0, got {', '.join(mixed)} with 0 "
                "(the background), less or nothing. Correct 'labels'."
            )


def _are_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _short(value: object) -> str:
    return visible(repr(value))[:120]
