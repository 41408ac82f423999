"""Training samples by number: sample n is the same whatever the workers, batches or restarts.

The patient, slice, augmentation, t and noise of sample n derive from (seed, n), so resuming at
step k is asking for samples k * batch_size onwards. The patient is drawn before the slice, so
that one with many slices or a large lesion is not seen more often than the others.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from strokediff.cohort.brain_slices import MIN_BRAIN_PIXELS
from strokediff.cohort.store import RIM_MM, Cohort, by_kind
from strokediff.core.seeds import derive_seed
from strokediff.ct.grid import widened
from strokediff.ct.surroundings import ALONE, Surroundings
from strokediff.errors import InputError
from strokediff.util.extras import require

EDGES_MM = (-RIM_MM / 2, 0.0, 0.0, RIM_MM / 2, RIM_MM)
"""How far augmentation moves the edge of the brain, each as often."""


class TrainingSamples(Dataset[dict[str, Any]]):
    """x, m (1, S, S) and y (K, S, S) as float32, y in {-1, +1}, with the sample's number.

    `beside` (C, S, S) is what the network sees beside the slice, clean, each in its own mask.
    """

    def __init__(
        self,
        cohort: Cohort,
        names: list[str],
        *,
        seed: int,
        lesion_share: float,
        augment: bool,
        surroundings: Surroundings = ALONE,
    ) -> None:
        self.seed = seed
        self.lesion_share = lesion_share
        self.augmentation = Augmentation(cohort.grid.spacing_mm) if augment else None
        patients = [cohort.read(name) for name in names]
        if not patients:
            raise InputError(f"{cohort.path}: no patients to train on. Prepare it with more.")
        self.x = np.concatenate([p.x for p in patients])
        self.y = np.concatenate([p.y for p in patients])
        self.kinds = len(cohort.kinds)
        self.m = np.concatenate([p.m for p in patients])
        owner = np.repeat(np.arange(len(patients)), [len(p.x) for p in patients])
        self.owner = owner
        self.heads = [slice(*np.searchsorted(owner, [n, n + 1])) for n in range(len(patients))]
        self.around = [
            surroundings.around(p.x, p.m, cohort.slice_spacing_mm(p.name)) for p in patients
        ]
        brain = self.m.sum(axis=(1, 2)) >= MIN_BRAIN_PIXELS
        lesion = self.y.any(axis=(1, 2))
        self.with_lesion = _by_patient(owner, brain & lesion)
        self.without_lesion = _by_patient(owner, brain & ~lesion)
        if not self.with_lesion:
            raise InputError(
                f"{cohort.path}: no slice to train on shows a lesion: none of the {len(names)} "
                f"scans in 'train' has one on a slice with {MIN_BRAIN_PIXELS} pixels of brain or "
                "more. Give labels that are not empty, or prepare it with more patients or a lower "
                "--val and --test."
            )

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Sample `number`, from 0 without end."""
        rng = np.random.default_rng(derive_seed(self.seed, "slice", number))
        lesion = rng.random() < self.lesion_share or not self.without_lesion
        patients = self.with_lesion if lesion else self.without_lesion
        index = int(rng.choice(patients[rng.integers(len(patients))]))
        x, m = self._seen(self.x, index), self._seen(self.m, index, order=0)
        y = by_kind(self.y[index], self.kinds).astype(np.float32)
        sample = {"x": torch.from_numpy(x), "y": torch.from_numpy(y), "m": torch.from_numpy(m)}
        if self.augmentation:
            sample = self.augmentation(sample, int(rng.integers(2**31)))
        seen = sample["x"] * sample["m"]
        inside = sample["m"][:1]
        label = 2.0 * sample["y"] * inside - 1.0
        return {"x": seen[:1], "y": label, "m": inside, "beside": seen[1:], "number": number}

    def _seen(self, array: NDArray[Any], index: int, order: int = 1) -> NDArray[np.float32]:
        """The slice and what lies beside it, (C, S, S)."""
        owner = self.owner[index]
        head = self.heads[owner]
        beside = self.around[owner](array[head], index - head.start, order)
        return np.concatenate([array[index][None].astype(np.float32), beside])


def _by_patient(owner: NDArray[Any], wanted: NDArray[Any]) -> list[NDArray[Any]]:
    """The wanted slices of each patient that has some."""
    return [np.flatnonzero(wanted & (owner == p)) for p in np.unique(owner[wanted])]


class Augmentation:
    """Noise, rotation, scaling and in-plane flip (SDPM section 3), a shift of the window, and
    another edge of the brain: its mask moves by up to RIM_MM.

    Brain extraction leaves a rim of skull in one head and takes one of cortex in another. A
    network that saw one edge only calls the other a lesion.
    """

    def __init__(self, spacing_mm: float) -> None:
        self.spacing_mm = spacing_mm
        transforms = require("monai.transforms", "train")
        keys = ["x", "y", "m"]
        self.transform = transforms.Compose(
            [
                transforms.RandFlipd(keys, prob=0.5, spatial_axis=1),
                transforms.RandAffined(
                    keys,
                    prob=0.8,
                    rotate_range=np.deg2rad(15.0),
                    scale_range=(0.12, 0.12),
                    translate_range=(2.0, 2.0),
                    mode=["bilinear", "nearest", "nearest"],
                    padding_mode="zeros",
                ),
                transforms.RandScaleIntensityd("x", factors=0.1, prob=0.3),
                transforms.RandShiftIntensityd("x", offsets=0.08, prob=0.3),
                transforms.RandGaussianNoised("x", prob=0.3, std=0.05),
            ]
        )

    def __call__(self, sample: dict[str, Tensor], seed: int) -> dict[str, Any]:
        """Augment one sample; the seed fixes every draw."""
        edge = EDGES_MM[np.random.default_rng(seed).integers(len(EDGES_MM))]
        if edge:
            m = widened(sample["m"].numpy() > 0, edge, self.spacing_mm)
            sample = {**sample, "m": torch.from_numpy(m.astype(np.float32))}
        self.transform.set_random_state(seed)
        out = self.transform(sample)
        plain = {key: out[key].as_subclass(Tensor).float() for key in ("x", "y", "m")}
        plain["x"] = plain["x"].clamp(-1, 1)
        return plain


class SampleNumbers(torch.utils.data.Sampler[int]):
    """The numbers of the samples from step `start` to `stop`."""

    def __init__(self, start: int, stop: int, batch_size: int) -> None:
        self.range = range(start * batch_size, stop * batch_size)

    def __iter__(self) -> Any:
        return iter(self.range)

    def __len__(self) -> int:
        return len(self.range)


def sample_seeds(seed: int, numbers: NDArray[Any] | Tensor, what: str) -> list[int]:
    """One seed a sample for the draw `what`."""
    return [derive_seed(seed, what, n) for n in numbers.tolist()]
