"""A tally's moments are those of the draws, however they came and whoever kept them."""

import torch

from strokediff.inference.tally import NoStore, Tally, in_columns

SEVERAL = torch.randn(5, 2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
DRAWS = SEVERAL[:, :, :1]
M = torch.ones(2, 1, 4, 4)
M[:, :, 0] = 0


def tallied(*draws: torch.Tensor) -> Tally:
    tally = Tally.empty(draws[0])
    for draw in draws:
        tally.add([0, 1], draw, M, 0.3)
    return tally


def test_moments_against_pytorch() -> None:
    tally = tallied(*DRAWS)
    areas = ((DRAWS >= 0.3) & (M > 0)).flatten(3).sum(3).double()
    torch.testing.assert_close(tally.mean, DRAWS.mean(0))
    torch.testing.assert_close(tally.variance, DRAWS.var(0))
    torch.testing.assert_close(tally.area, areas.mean(0))
    torch.testing.assert_close(tally.area_variance, areas.var(0))
    assert tally.counts.tolist() == [5, 5]


def test_kinds_are_tallied_each_for_itself_and_joined() -> None:
    """Against the tallies of each kind alone, and of the lesion of any kind."""
    together = tallied(*SEVERAL)
    for kind in range(3):
        alone = tallied(*SEVERAL[:, :, kind : kind + 1])
        assert torch.equal(together.mean[:, kind], alone.mean[:, 0])
        assert torch.equal(together.variance[:, kind], alone.variance[:, 0])
        assert torch.equal(together.area[:, kind], alone.area[:, 0])
        assert torch.equal(together.area_variance[:, kind], alone.area_variance[:, 0])
    joined = tallied(*SEVERAL.amax(2, keepdim=True))
    assert torch.equal(together.joined_area, joined.joined_area)
    assert torch.equal(together.joined_area_variance, joined.area_variance[:, 0])


def test_each_kind_may_have_its_own_threshold() -> None:
    own = (0.3, -0.2, 0.9)
    tally = Tally.empty(SEVERAL[0])
    tally.add([0, 1], SEVERAL[0], M, own)
    for kind, threshold in enumerate(own):
        alone = ((SEVERAL[0][:, kind] >= threshold) & (M[:, 0] > 0)).flatten(1).sum(1)
        assert tally.area[:, kind].tolist() == alone.tolist()


def test_areas_that_were_kept_without_kinds_are_those_of_one() -> None:
    """Unfinished draws of 0.1.0 hold areas as (S,)."""
    tally = tallied(*DRAWS)
    kept = {"counts": tally.counts, "y": tally.y, "y2": tally.y2, "a": tally.a[:, 0]}
    found = Tally(**in_columns({**kept, "a2": tally.a2[:, 0]}))
    for ours, theirs in zip(found.tensors(), tally.tensors(), strict=True):
        assert torch.equal(ours, theirs)


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
