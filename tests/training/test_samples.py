"""Sample n is the same sample, whoever asks; lesions are drawn as often as the share says."""

from pathlib import Path

import numpy as np
import pytest
import torch

from strokediff.cohort.store import Cohort, CohortWriter, Patient, open_cohort
from strokediff.ct.grid import GridConfig
from strokediff.ct.surroundings import Surroundings
from strokediff.errors import InputError
from strokediff.training.samples import TrainingSamples

SIDE = 16


def samples(cohort: Cohort, **changes: object) -> TrainingSamples:
    options = {"seed": 0, "lesion_share": 0.5, "augmentation": "plain", **changes}
    return TrainingSamples(cohort, cohort.split["train"], **options)  # type: ignore[arg-type]


def test_a_sample_depends_on_its_number_and_the_seed_alone(cohort: Cohort) -> None:
    one, other = samples(cohort), samples(cohort)
    for _ in range(3):
        other[5]
    for key in ("x", "y", "m"):
        assert torch.equal(one[7][key], other[7][key])
    assert not torch.equal(one[7]["x"], samples(cohort, seed=1)[7]["x"])


def test_values_stay_in_range_and_masked_under_augmentation(cohort: Cohort) -> None:
    made = samples(cohort)
    for n in range(40):
        sample = made[n]
        assert sample["x"].shape == sample["y"].shape == sample["m"].shape == (1, SIDE, SIDE)
        assert set(sample["y"].unique().tolist()) <= {-1.0, 1.0}
        assert set(sample["m"].unique().tolist()) <= {0.0, 1.0}
        assert sample["x"].abs().max() <= 1
        assert not (sample["x"] * (1 - sample["m"])).any()
        assert {type(sample[key]) for key in ("x", "y", "m")} == {torch.Tensor}  # no MetaTensor


@pytest.mark.parametrize(("share", "expected"), [(1.0, 300), (0.0, 0), (0.5, 150)])
def test_share_of_lesion_slices(cohort: Cohort, share: float, expected: int) -> None:
    made = samples(cohort, lesion_share=share, augmentation="none")
    count = sum(bool((made[n]["y"] > 0).any()) for n in range(300))
    assert count == pytest.approx(expected, abs=45)


def test_patients_are_drawn_equally_whatever_the_number_of_their_slices(tmp_path: Path) -> None:
    writer = CohortWriter(tmp_path, GridConfig(size=SIDE, spacing_mm=8.0))
    for name, slices, value in (("long", 20, -1), ("short", 2, 1)):
        x = np.full((slices, SIDE, SIDE), value, np.float16)
        writer.add(Patient(name, x, np.ones_like(x, np.uint8), np.ones_like(x, np.uint8)))
    writer.finish(split={"train": ["long", "short"], "val": [], "test": []}, origin={})
    made = samples(open_cohort(tmp_path), lesion_share=1.0, augmentation="none")
    short = sum(bool(made[n]["x"].max() == 1) for n in range(300))
    assert short == pytest.approx(150, abs=45)


def test_sources_are_drawn_by_their_shares(tmp_path: Path) -> None:
    writer = CohortWriter(tmp_path, GridConfig(size=SIDE, spacing_mm=8.0))
    for name, source, value in (("a", "made", -1), ("b", "made", -1), ("c", "real", 1)):
        x = np.full((3, SIDE, SIDE), value, np.float16)
        all_of_it = np.ones_like(x, np.uint8)
        writer.add(Patient(name, x, all_of_it, all_of_it), source=source)
    writer.finish(split={"train": ["a", "b", "c"], "val": [], "test": []}, origin={})
    cohort = open_cohort(tmp_path)

    def of_real(**shares: float) -> int:
        made = samples(cohort, augmentation="none", source_shares=shares)
        return sum(bool(made[n]["x"].max() == 1) for n in range(300))

    assert of_real() == pytest.approx(100, abs=45)
    assert of_real(real=4, made=1) == pytest.approx(240, abs=45)
    assert (of_real(real=1), of_real(made=1, real=0)) == (300, 0)


def test_no_patients_and_no_lesions_are_said(cohort: Cohort) -> None:
    with pytest.raises(InputError, match="no patients to train on"):
        TrainingSamples(cohort, [], seed=0, lesion_share=0.5, augmentation="none")


def test_augmentation_moves_the_brains_edge_both_ways_and_shows_the_rim(tmp_path: Path) -> None:
    """Masks come smaller, equal and larger; a larger one shows what x holds beyond m."""
    y, x = np.mgrid[:32, :32] - 15.5
    m = np.asarray(y**2 + x**2 <= 64, np.uint8)[None].repeat(2, 0)
    image = np.where(m, 0.0, 1.0).astype(np.float16)
    lesion = np.zeros_like(m)
    lesion[:, 14:18, 14:18] = 1
    writer = CohortWriter(tmp_path, GridConfig(size=32, spacing_mm=2.0))
    writer.add(Patient("one", image, lesion, m))
    writer.finish(split={"train": ["one"], "val": [], "test": []}, origin={})
    made = samples(open_cohort(tmp_path), lesion_share=1.0)
    drawn = [made[n] for n in range(60)]
    areas = np.array([float(s["m"].sum()) for s in drawn])
    assert areas.min() < 0.8 * m[0].sum() < 1.2 * m[0].sum() < areas.max()
    bright = [float((s["x"] > 0.5).sum()) for s in drawn]
    assert np.corrcoef(areas, bright)[0, 1] > 0.9
    assert all(float((s["y"] > 0).sum()) < 40 for s in drawn)


@pytest.mark.parametrize(("slice_mm", "step"), [(5.0, 1), (2.5, 2)])
def test_neighbours_are_the_patients_own_each_in_its_mask(
    tmp_path: Path, slice_mm: float, step: int
) -> None:
    """Slice k of a patient is k + 1 everywhere; beyond its ends and outside each mask is 0."""
    writer = CohortWriter(tmp_path, GridConfig(size=SIDE, spacing_mm=8.0))
    values = np.arange(1, 7, dtype=np.float16)[:, None, None] / 10
    x = values * np.ones((6, SIDE, SIDE), np.float16)
    m = np.ones((6, SIDE, SIDE), np.uint8)
    m[::2, :4] = 0
    for name in ("a", "b"):
        writer.add(Patient(name, x, m.copy(), m), spacing_mm=[1.0, 1.0, slice_mm])
    writer.finish(split={"train": ["a", "b"], "val": [], "test": []}, origin={})
    around = Surroundings(neighbours=1)
    made = samples(
        open_cohort(tmp_path), lesion_share=1.0, augmentation="none", surroundings=around
    )
    for n in range(40):
        sample = made[n]
        assert sample["beside"].shape == (2, SIDE, SIDE)
        k = round(float(sample["x"].max()) * 10) - 1
        for channel, at in enumerate((k - step, k + step)):
            expected = torch.zeros(SIDE, SIDE)
            if 0 <= at < 6:
                expected = torch.from_numpy((x[at] * m[at]).astype(np.float32))
            assert torch.equal(sample["beside"][channel], expected)


@pytest.mark.parametrize(
    ("around", "channels"),
    [
        (Surroundings(neighbours=1), 2),
        (Surroundings(mirror=True), 1),
        (Surroundings(neighbours=1, mirror=True), 3),
    ],
)
def test_what_lies_beside_a_slice_is_augmented_with_it(
    tmp_path: Path, around: Surroundings, channels: int
) -> None:
    """Three equal slices, each its own mirror image, stay alike however they are turned."""
    half = np.random.default_rng(0).uniform(-0.5, 0.5, (1, SIDE, SIDE // 2)).repeat(3, 0)
    x = np.concatenate([half, half[:, :, ::-1]], axis=2).astype(np.float16)
    m = np.ones((3, SIDE, SIDE), np.uint8)
    y = np.zeros_like(m)
    y[1, 5:9, 5:9] = 1
    writer = CohortWriter(tmp_path, GridConfig(size=SIDE, spacing_mm=8.0))
    writer.add(Patient("one", x, y, m))
    writer.finish(split={"train": ["one"], "val": [], "test": []}, origin={})
    made = samples(open_cohort(tmp_path), lesion_share=1.0, surroundings=around)
    for n in range(20):
        seen = torch.cat([made[n]["x"], made[n]["beside"]]).flatten(1)
        assert len(seen) == 1 + channels
        assert torch.corrcoef(seen).min() > 0.8


@pytest.mark.parametrize("brain", [0, 1])
def test_a_cohort_without_a_lesion_to_train_on_says_what_to_do(tmp_path: Path, brain: int) -> None:
    """No lesion at all, or lesions where no brain is."""
    writer = CohortWriter(tmp_path, GridConfig(size=SIDE, spacing_mm=8.0))
    y = np.full((2, SIDE, SIDE), 1 - brain, np.uint8)
    writer.add(Patient("a", np.ones(y.shape, np.float16), y, np.full_like(y, brain)))
    writer.finish(split={"train": ["a"], "val": [], "test": []}, origin={})
    with pytest.raises(InputError, match=r"shows a lesion: none of the 1 scans .* Give labels"):
        samples(open_cohort(tmp_path))
