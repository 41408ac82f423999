"""Training samples by number: sample n is the same whatever the workers, batches or restarts.

The patient, slice, augmentation, t and noise of sample n derive from (seed, n), so resuming at
step k is asking for samples k * batch_size onwards. The patient is drawn before the slice, so
that one with many slices or a large lesion is not seen more often than the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from strokediff.cohort.brain_slices import MIN_BRAIN_PIXELS
from strokediff.cohort.store import Cohort, by_kind
from strokediff.core.seeds import derive_seed
from strokediff.ct.midline import place
from strokediff.ct.surroundings import ALONE, Surroundings
from strokediff.errors import InputError
from strokediff.training.augmentation.recipes import RECIPES, RecipeName
from strokediff.training.augmentation.view import View
from strokediff.training.draws import SliceDraws


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
        augmentation: RecipeName,
        surroundings: Surroundings = ALONE,
        source_shares: Mapping[str, float] | None = None,
    ) -> None:
        self.seed = seed
        self.recipe, self.grid = RECIPES[augmentation], cohort.grid
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
            surroundings.around(p.x, p.m, cohort.slice_spacing_mm(p.name), p.midline)
            for p in patients
        ]
        brain = self.m.sum(axis=(1, 2)) >= MIN_BRAIN_PIXELS
        lesion = self.y.any(axis=(1, 2))
        sources = [cohort.source_of(name) for name in names] if source_shares else ()
        self.draws = SliceDraws(
            owner, brain & lesion, brain & ~lesion, lesion_share, sources, source_shares
        )
        if not self.draws.with_lesion:
            raise InputError(
                f"{cohort.path}: no slice to train on shows a lesion: none of the {len(names)} "
                f"scans in 'train' has one on a slice with {MIN_BRAIN_PIXELS} pixels of brain or "
                "more. Give labels that are not empty, or prepare it with more patients or a lower "
                "--val and --test."
            )

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Sample `number`, from 0 without end."""
        rng = np.random.default_rng(derive_seed(self.seed, "slice", number))
        view = self._view(self.draws(rng))
        drawn = self.recipe.draw(np.random.default_rng(rng.integers(2**31)), self.grid)
        view = drawn.apply(view)
        x, m = (torch.from_numpy(array) for array in view.seen())
        label = 2.0 * torch.from_numpy(view.y) * m[:1] - 1.0
        seen = x * m
        return {"x": seen[:1], "y": label, "m": m[:1], "beside": seen[1:], "number": number}

    def _view(self, index: int) -> View:
        """The slice with its neighbours, its label and where its mirror image lies."""
        owner = self.owner[index]
        head, around = self.heads[owner], self.around[owner]
        k, slices = index - head.start, head.stop - head.start
        along = place(k, slices)
        neighbours = replace(around, line=None)
        x, m = (
            np.concatenate([values[index][None].astype(np.float32), neighbours(values[head], k)])
            for values in (self.x, self.m)
        )
        return View(
            x=x,
            m=m,
            y=by_kind(self.y[index], self.kinds).astype(np.float32),
            mirror=around.line and around.line.reflection(self.grid.size, along),
            spacing_mm=self.grid.spacing_mm,
            unit_hu=self.grid.window_width / 2,
            height=along + 0.5,
        )


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
