"""Draws until the volume is known: the tolerance holds, and no slice draws more than it needs."""

import dataclasses

import pytest
import torch

from strokediff.core.process import SynchronousProcess
from strokediff.inference.estimator import Context, Slices
from strokediff.inference.repeated import Repeated, Tolerance
from strokediff.inference.tally import Tally
from strokediff.noise.isotropic import IsotropicNoise


@dataclasses.dataclass(frozen=True)
class Coin:
    """Every pixel is lesion with the probability that x_0 shows."""

    name: str = "coin"

    def evaluations(self) -> int:
        return 3

    def draw(self, slices: Slices, context: Context) -> torch.Tensor:
        uniform = torch.special.ndtr(context.draw(slices, "coin"))
        return torch.where(uniform < slices.x_0, 1.0, -1.0)


def head(*levels: float, pixel_ml: float = 0.1) -> Slices:
    x_0 = torch.tensor(levels)[:, None, None, None].expand(-1, 1, 6, 6).clone()
    n = len(levels)
    return Slices(x_0, torch.ones_like(x_0), list(range(n)), 1, (), torch.full((n,), pixel_ml))


@pytest.fixture
def context(process: SynchronousProcess) -> Context:
    return Context(lambda x, t: (x, x), process, IsotropicNoise())


def test_the_tolerance_holds(context: Context) -> None:
    """Over many seeds the mean volume misses its expectation by more in 10 % of the cases."""
    slices, ml, missed = head(0.5, 0.1, 0.0), 0.2, 0
    expected = 0.6 * 36 * 0.1
    for seed in range(200):
        case = dataclasses.replace(slices, seed=seed)
        tally = Repeated(Coin(), 1000, Tolerance(ml)).estimate(case, context).tally
        missed += abs(float((tally.joined_area * 0.1).sum()) - expected) > ml
    assert missed <= 40  # 20 expected


def test_slices_without_doubt_stop_first(context: Context) -> None:
    estimate = Repeated(Coin(), 1000, Tolerance(0.1)).estimate(head(0.5, 0.02, 0), context)
    often, seldom, once = estimate.tally.counts.tolist()
    assert often > seldom >= once == Tolerance(0.1).least


def test_repeats_are_the_most_that_a_tolerance_spends(context: Context) -> None:
    estimate = Repeated(Coin(), 10, Tolerance(1e-6)).estimate(head(0.5, 0.0), context)
    assert estimate.tally.counts.tolist() == [10, 4]
    assert estimate.evaluations == 14 * 3


def test_a_smaller_tolerance_continues_the_same_draws(context: Context) -> None:
    """Draw n of a slice is the same draw whenever it is made."""
    few = Repeated(Coin(), 4).estimate(head(0.5), context)
    many = Repeated(Coin(), 8).estimate(head(0.5), context)
    rest = Coin().draw(head(0.5).rows([0] * 4, [4, 5, 6, 7]), context)
    expected = (few.tally.mean * 4 + rest.sum(0)) / 8
    torch.testing.assert_close(many.tally.mean, expected)


@pytest.mark.parametrize("pack", [1, 2, 5, 64])
def test_packs_change_nothing(pack: int, context: Context) -> None:
    slices = head(0.5, 0.2, 0.9)
    alone = Repeated(Coin(), 7).estimate(slices, context)
    packed = Repeated(Coin(), 7).estimate(slices, dataclasses.replace(context, pack=pack))
    assert torch.equal(packed.y_0, alone.y_0)


@pytest.mark.parametrize("repeats", [2, 30])
def test_memory_does_not_grow_with_the_draws(repeats: int, context: Context) -> None:
    """No call sees more rows than a pack, and what is kept has the size of the head."""
    rows: list[int] = []

    @dataclasses.dataclass(frozen=True)
    class Watched(Coin):
        def draw(self, slices: Slices, context: Context) -> torch.Tensor:
            rows.append(len(slices.keys))
            return super().draw(slices, context)

    slices = head(0.5, 0.2, 0.9)
    small = dataclasses.replace(context, pack=4)
    tally = Repeated(Watched(), repeats).estimate(slices, small).tally
    assert max(rows) == 4
    assert sum(rows) == 3 * repeats
    assert sum(t.numel() for t in tally.tensors()) == 2 * slices.x_0.numel() + 3 * 3


class Kept:
    """A store in memory; it keeps what it is told after `stop` packs, then breaks off."""

    def __init__(self, stop: int) -> None:
        self.left = stop
        self.tally: Tally | None = None

    def load(self, name: str, like: torch.Tensor) -> Tally:
        return self.tally or Tally.empty(like)

    def keep(self, name: str, tally: Tally) -> None:
        self.tally = Tally(*(v.clone() for v in tally.tensors()))
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


@pytest.mark.parametrize("tolerance", [None, Tolerance(0.05)])
def test_a_stopped_estimate_goes_on_where_it_was(
    tolerance: Tolerance | None, context: Context
) -> None:
    slices, estimator = head(0.5, 0.2, 0.9), Repeated(Coin(), 12, tolerance)
    whole = estimator.estimate(slices, context)
    store, spent = Kept(stop=3), []
    context = dataclasses.replace(context, pack=4, store=store, advance=spent.append)
    with pytest.raises(KeyboardInterrupt):
        estimator.estimate(slices, context)
    resumed = estimator.estimate(slices, context)
    assert torch.equal(resumed.y_0, whole.y_0)
    assert resumed.evaluations == whole.evaluations
    assert spent == [0, 12 * 3]  # told of what was kept; the coin itself asks no network


def test_settings_outside_the_definition_are_refused(context: Context) -> None:
    with pytest.raises(ValueError, match="repeats >= 1"):
        Repeated(Coin(), 0)
    with pytest.raises(ValueError, match="ml > 0"):
        Tolerance(0.0)
    with pytest.raises(ValueError, match="needs the volume of a pixel"):
        bare = dataclasses.replace(head(0.5), pixel_ml=None)
        Repeated(Coin(), 8, Tolerance(1.0)).estimate(bare, context)
