"""Numbers depend on neither batch size nor thread count, to the last bit."""

import time

import pytest
import torch

from strokediff.core.schedule import sigmoid_schedule
from strokediff.inference.executor import ChunkedDenoiser, denoiser_on, seconds_a_row
from strokediff.networks.config import NetworkConfig
from strokediff.networks.two_stream import TwoStreamUNet


@pytest.fixture(scope="module")
def network() -> TwoStreamUNet:
    torch.manual_seed(0)
    config = NetworkConfig(base=16, multipliers=(1, 2, 2), patch=2, label_form="clean")
    net = TwoStreamUNet(config, sigmoid_schedule(), size=32)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return net.eval()


@pytest.mark.parametrize(("threads", "batch"), [(1, 1), (1, 5), (2, 3), (2, 11), (3, 11)])
def test_bitwise_equal(network: TwoStreamUNet, threads: int, batch: int) -> None:
    g = torch.Generator().manual_seed(1)
    x = torch.randn(11, 1, 32, 32, generator=g)
    t = torch.randint(0, 501, (11,), generator=g)
    cpu = torch.device("cpu")
    with denoiser_on(network, cpu, threads=1) as run:
        reference = run(x, t)
    with denoiser_on(network, cpu, threads=threads) as run:
        parts = [run(x[i : i + batch], t[i : i + batch]) for i in range(0, 11, batch)]
    for ours, theirs in zip(zip(*parts, strict=True), reference, strict=True):
        assert torch.equal(torch.cat(ours), theirs)


def test_it_is_the_network_itself(network: TwoStreamUNet) -> None:
    x, t = torch.randn(4, 1, 32, 32), torch.tensor([0, 10, 200, 500])
    with denoiser_on(network, torch.device("cpu")) as run, torch.inference_mode():
        for ours, direct in zip(run(x, t), network(x, t), strict=True):
            torch.testing.assert_close(ours, direct, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("side", "cpu", "gpu"), [(96, 4, 64), (192, 4, 64), (256, 2, 36), (448, 1, 11), (4000, 1, 1)]
)
def test_a_chunk_of_large_slices_has_the_pixels_of_one_of_small_ones(
    side: int, cpu: int, gpu: int
) -> None:
    x = torch.empty(1, 1, 1, 1).expand(9, 3, side, side)
    for device, size in (("cpu", cpu), ("meta", gpu)):
        assert ChunkedDenoiser(lambda x, t: (x, x), torch.device(device), None).chunk(x) == size


def test_the_thread_setting_is_given_back(network: TwoStreamUNet) -> None:
    before = torch.get_num_threads()
    with denoiser_on(network, torch.device("cpu"), threads=1) as run:
        run(torch.zeros(1, 1, 32, 32), torch.zeros(1, dtype=torch.long))
    assert torch.get_num_threads() == before


def test_an_error_in_a_worker_reaches_the_caller() -> None:
    def broken(x_t: torch.Tensor, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        raise RuntimeError("out of memory")

    with (
        pytest.raises(RuntimeError, match="out of memory"),
        denoiser_on(broken, torch.device("cpu"), threads=2) as run,
    ):
        run(torch.zeros(9, 1, 8, 8), torch.zeros(9, dtype=torch.long))


def test_bf16_is_near_and_as_independent_of_batches(network: TwoStreamUNet) -> None:
    """Half precision changes the numbers a little, and not from batch to batch."""
    x, t, cpu = torch.randn(9, 1, 32, 32), torch.full((9,), 20), torch.device("cpu")
    with denoiser_on(network, cpu, threads=2) as run:
        single = run(x, t)[1]
    with denoiser_on(network, cpu, threads=2, precision="bf16") as run:
        half = run(x, t)[1]
        alone = torch.cat([run(x[i : i + 1], t[i : i + 1])[1] for i in range(9)])
    assert torch.equal(half, alone)
    assert not torch.equal(half, single)
    torch.testing.assert_close(half, single, atol=0.05, rtol=0.05)


def test_seconds_are_for_one_row_of_a_full_pack(network: TwoStreamUNet) -> None:
    """The rows are repeated to fill the pack, and the first call does not count."""
    sizes: list[int] = []

    def counted(x_t: torch.Tensor, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        sizes.append(len(x_t))
        time.sleep(0.5 if len(sizes) == 1 else 0.02)
        return x_t, x_t

    each = seconds_a_row(counted, torch.zeros(3, 1, 8, 8), rows=10)
    assert sizes == [10, 10]
    assert 0.002 <= each < 0.05
