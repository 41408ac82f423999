"""Kinds of lesion as values of masks: what is written, and how what is declared is read back.

`cohort.masks` has the values of a map of labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strokediff.cohort.masks import Labels, MaskReader, chosen_kinds, read_labels_of
from strokediff.cohort.sources import labels_beside
from strokediff.ct.discovery.own_results import own_result
from strokediff.ct.nifti.masks import StoredArray, read_probabilities
from strokediff.errors import UsageError
from strokediff.util.kinds import JOINED


def several(kinds: Sequence[str]) -> bool:
    """Whether kinds are told apart."""
    return len(kinds) > 1


def parsed_labels(text: str) -> Labels:
    """The labels in "infarct=1,haemorrhage=2+3"; `UsageError` if they cannot be read.

    >>> parsed_labels("infarct=1,haemorrhage=2+3")
    {'infarct': (1,), 'haemorrhage': (2, 3)}
    """
    given: dict[str, Any] = {}
    for part in text.split(","):
        name, _, values = part.partition("=")
        try:
            given[name.strip()] = [int(value) for value in values.split("+")]
        except ValueError:
            raise UsageError(
                f"--labels {text}: expected NAME=VALUE, several with commas, as in "
                "infarct=1,haemorrhage=2 (2+3 for a kind of two values)."
            ) from None
    try:
        return read_labels_of({"labels": given})
    except TypeError as error:
        raise UsageError(f"--labels {text}: {str(error).removeprefix('labels: ')}.") from None


def labels_of_prediction(mask: Path) -> Labels:
    """What is declared of a predicted mask: by the result of `segment` beside it, or cohort.json.

    Empty where nothing tells kinds apart.
    """
    result = own_result(mask.parent / "result.json")
    if result is None:
        return labels_beside(mask.parent)
    kinds = result.get("kinds")  # version 0.1.0 told none apart
    told = [one for one in kinds if isinstance(one, dict)] if isinstance(kinds, list) else []
    names = [str(one.get("name")) for one in told]
    return {name: (k,) for k, name in enumerate(names, start=1)} if several(names) else {}


@dataclass(frozen=True)
class KindsReader:
    """Reads masks of truth and prediction as the same `kinds`, each by its own labels.

    `true` are the labels of the truth, `pred` those of the predictions by their folder.
    """

    kinds: tuple[str, ...]
    true: Labels
    pred: Mapping[Path, Labels]

    @classmethod
    def of(cls, truth: Path, masks: Sequence[Path], given: Labels | None = None) -> KindsReader:
        """What the truth in a folder and the predicted `masks` tell apart together.

        `given` are labels of the truth, and of predictions beside which none are declared. Kinds
        that a truth does not declare are nowhere in it; where one side tells none apart, lesions
        of any kind are joined.
        """
        true = labels_beside(truth) if given is None else given
        one_a_folder = {mask.parent: mask for mask in masks}
        pred = {
            folder: labels_of_prediction(mask) or given or {}
            for folder, mask in one_a_folder.items()
        }
        return cls(chosen_kinds([true, *pred.values()], None), true, pred)

    def truth(self, path: Path) -> tuple[StoredArray, NDArray[np.bool_]]:
        """The file, and its masks (K, X, Y, Z)."""
        return self._read(path, self.true)

    def prediction(self, path: Path) -> tuple[StoredArray, NDArray[np.bool_]]:
        """The file, and its masks (K, X, Y, Z)."""
        return self._read(path, self.pred[path.parent])

    def probabilities(self, path: Path, mask: Path) -> tuple[StoredArray, NDArray[np.float32]]:
        """The file, and the probability of each kind (K, X, Y, Z), by what `mask` declares.

        Kinds that were not sought have none; joined, that of the most probable kind counts.
        """
        names = list(self.pred[mask.parent]) or list(JOINED)
        found = read_probabilities(path, len(names))
        if not several(self.kinds):
            return found[0], np.maximum.reduce([own.array for own in found])[None]
        maps: Mapping[str, NDArray[np.float32]] = dict(
            zip(names, (own.array for own in found), strict=True)
        )
        nothing = np.zeros(found[0].shape, np.float32)
        return found[0], np.stack([maps.get(kind, nothing) for kind in self.kinds])

    def _read(self, path: Path, labels: Labels) -> tuple[StoredArray, NDArray[np.bool_]]:
        stored, masks = MaskReader(self.kinds, labels).read(path)
        return stored, np.stack(masks)
