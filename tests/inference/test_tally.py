"""A tally's moments are those of the draws, however they came and whoever kept them."""

import torch

from strokediff.inference.tally import NoStore, Tally

DRAWS = torch.randn(5, 2, 1, 4, 4, generator=torch.Generator().manual_seed(0))
M = torch.ones(2, 1, 4, 4)
M[:, :, 0] = 0


def tallied(*draws: torch.Tensor) -> Tally:
    tally = Tally.empty(draws[0])
    for draw in draws:
        tally.add([0, 1], draw, M, 0.3)
    return tally


def test_moments_against_pytorch() -> None:
    tally = tallied(*DRAWS)
    areas = ((DRAWS >= 0.3) & (M > 0)).flatten(2).sum(2).double()
    torch.testing.assert_close(tally.mean, DRAWS.mean(0))
    torch.testing.assert_close(tally.variance, DRAWS.var(0))
    torch.testing.assert_close(tally.area, areas.mean(0))
    torch.testing.assert_close(tally.area_variance, areas.var(0))
    assert tally.counts.tolist() == [5, 5]


def test_rows_of_one_slice_may_share_a_batch() -> None:
    together = Tally.empty(DRAWS[0])
    rows = DRAWS.transpose(0, 1).flatten(0, 1)
    together.add([0] * 5 + [1] * 5, rows, M.repeat_interleave(5, 0), 0.3)
    for ours, one_by_one in zip(together.tensors(), tallied(*DRAWS).tensors(), strict=True):
        torch.testing.assert_close(ours, one_by_one, rtol=0, atol=1e-15)


def test_the_sum_of_two_tallies_holds_both_their_draws() -> None:
    both = tallied(*DRAWS[:2]) + tallied(*DRAWS[2:])
    torch.testing.assert_close(both.variance, DRAWS.var(0))


def test_one_draw_has_no_variance_and_none_no_mean() -> None:
    assert not tallied(DRAWS[0]).variance.any()
    empty = NoStore().load("sal", DRAWS[0])
    assert not empty.mean.any()
    assert not empty.area_variance.any()
