"""Fusions: what each one says of votes, STAPLE against SimpleITK's, and no NaN from nothing."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from strokediff.inference.estimation import FUSIONS
from strokediff.inference.fusion import Fusion, Staple, majority, mean, union

M = torch.ones(2, 1, 16, 16)
M[:, :, :2] = 0


def votes(seed: int, flips: tuple[float, ...] = (0.05, 0.1, 0.3)) -> torch.Tensor:
    """Raters who see the same square and err at their own rate, as labels in [-1, 1]."""
    g = torch.Generator().manual_seed(seed)
    truth = torch.zeros(2, 1, 16, 16, dtype=torch.bool)
    truth[:, :, 5:11, 4:12] = True
    wrong = torch.stack([torch.rand(truth.shape, generator=g) < f for f in flips])
    return torch.where(truth ^ wrong, 0.9, -0.8) * M


@pytest.mark.parametrize("name", FUSIONS)
def test_the_order_of_the_parts_does_not_matter(name: str) -> None:
    labels = votes(0)
    fuse = FUSIONS[name]
    torch.testing.assert_close(fuse(labels, M), fuse(labels.flip(0), M))


@pytest.mark.parametrize("name", FUSIONS)
@pytest.mark.parametrize("value", [-1.0, 1.0])
def test_agreement_is_kept_and_never_nan(name: str, value: float) -> None:
    """All empty gives empty, all full gives full: STAPLE alone would divide by zero."""
    fused = FUSIONS[name](torch.full((3, 2, 1, 16, 16), value), M)
    assert torch.equal(fused[M > 0], torch.full_like(fused[M > 0], value))


@pytest.mark.parametrize("name", FUSIONS)
def test_no_slices_and_no_brain(name: str) -> None:
    fuse = FUSIONS[name]
    assert fuse(torch.empty(3, 0, 1, 4, 4), torch.empty(0, 1, 4, 4)).shape == (0, 1, 4, 4)
    nothing = fuse(-torch.ones(3, 1, 1, 4, 4), torch.zeros(1, 1, 4, 4))
    assert not (nothing > 0).any()


def test_union_majority_and_mean_by_definition() -> None:
    labels = votes(1)
    positive = labels > 0
    assert torch.equal(union(labels, M) > 0, positive.any(0))
    assert torch.equal(majority(labels, M) > 0, positive.sum(0) >= 2)
    torch.testing.assert_close(mean(labels, M), labels.mean(0))
    even = votes(1, (0.1, 0.2))
    assert torch.equal(majority(even, M) > 0, (even > 0).all(0))  # half is not more than half


@pytest.mark.parametrize("seed", range(3))
def test_staple_against_simpleitk(seed: int) -> None:
    labels = votes(seed)
    rows = labels[:, M > 0] > 0
    images = [sitk.GetImageFromArray(r.numpy().astype(np.uint8)[None]) for r in rows]
    theirs = sitk.STAPLE(images, 1.0, 1.0, 50)
    ours = (Staple()(labels, M)[M > 0] + 1) / 2
    expected = torch.from_numpy(sitk.GetArrayFromImage(theirs)[0])
    torch.testing.assert_close(ours.double(), expected.double(), atol=2e-3, rtol=0)


def test_staple_gives_probabilities_however_its_sums_round() -> None:
    """A rater who is never wrong, over so many pixels that two threads add them up apart."""
    g, threads = torch.Generator().manual_seed(0), torch.get_num_threads()
    truth = torch.rand(300_000, generator=g) < 0.2
    seen = [truth & (torch.rand(truth.shape, generator=g) < q) for q in (0.3, 0.5, 0.7, 0.9)]
    torch.set_num_threads(2)
    try:
        w = Staple()._posterior(torch.stack([*seen, truth]).double())
    finally:
        torch.set_num_threads(threads)
    assert w.min() >= 0 and w.max() <= 1


def test_staple_trusts_the_better_rater() -> None:
    """Where one good rater stands against two poor ones, most votes lose."""
    labels = votes(3, (0.01, 0.4, 0.4))
    truth = votes(3, (0.0,))[0] > 0
    inside = M > 0

    def errors(fuse: Fusion) -> int:
        return int(((fuse(labels, M) > 0) != truth)[inside].sum())

    assert errors(Staple()) < errors(majority)
