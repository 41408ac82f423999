"""A small phantom patient, a tiny untrained checkpoint, and the command line in-process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import pytest
import torch

from strokediff.ct.grid import GridConfig
from strokediff.networks.config import NetworkConfig
from strokediff.phantom.make import Phantom, make_phantom
from strokediff.training.build import build_network
from strokediff.training.checkpoint import CheckpointConfig, write_checkpoint
from strokediff.training.config import TrainingConfig

Run = Callable[..., int]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """`strokediff ARGS` with its exit code."""
    from strokediff.cli.app import main

    def call(*arguments: object) -> int:
        monkeypatch.setattr("sys.argv", ["strokediff", *map(str, arguments)])
        try:
            main()
        except SystemExit as stop:
            return int(stop.code or 0)
        return 0

    return call


@pytest.fixture(scope="session")
def patient() -> Phantom:
    return make_phantom("infarct", 3, matrix=96, thickness_mm=10.0)


@pytest.fixture(scope="session")
def scan(patient: Phantom, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scan") / "patient.nii.gz"
    nib.save(nib.Nifti1Image(patient.hu, patient.affine), path)
    return path


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained, its weights shaken so that it marks some of the brain."""
    folder = tmp_path_factory.mktemp("run") / "model"
    folder.mkdir()
    network = NetworkConfig(base=8, multipliers=(1, 2), label_form="clean")
    training = TrainingConfig(network=network, T=50)
    grid = GridConfig(size=48, spacing_mm=4.5)
    module = build_network(training, grid.size)
    g = torch.Generator().manual_seed(0)
    weights = {
        k: v + 0.1 * torch.randn(v.shape, generator=g) for k, v in module.state_dict().items()
    }
    config = CheckpointConfig(
        name="untrained",
        method="sdpm",
        grid=grid,
        training=training,
        trained_on="nothing (a phantom test)",
        step=0,
    )
    write_checkpoint(folder, config, weights, split={}, metrics={})
    return folder
