"""A predictor from a checkpoint of any method."""

from __future__ import annotations

from pathlib import Path

from strokediff.baselines.registry import BASELINES
from strokediff.cohort.store import Cohort
from strokediff.errors import InputError, UsageError
from strokediff.inference.compute import Compute
from strokediff.inference.estimation import Estimation
from strokediff.prediction.diffusion import DiffusionPredictor
from strokediff.prediction.peer import load_peer
from strokediff.prediction.prediction import Predictor
from strokediff.segmentation.model import load_model
from strokediff.training.checkpoint import read_config


def load_predictor(
    path: Path, cohort: Cohort, estimation: Estimation, compute: Compute, seed: int = 0
) -> tuple[str, Predictor]:
    """The name of its predictions and the predictor; `estimation` is of SDPM and SADPM alone.

    Raises `InputError` if the checkpoint is of another grid than the cohort, `UsageError` for a cut
    of a method that has none.
    """
    config = read_config(path)
    if config.grid != cohort.grid:
        raise InputError(
            f"{path}: trained on {config.grid.size} pixels of {config.grid.spacing_mm} mm, and "
            f"{cohort.path} has {cohort.grid.size} of {cohort.grid.spacing_mm} mm. Prepare the "
            "cohort with the preset that the model was trained with."
        )
    if config.method in BASELINES:
        if estimation.cut is not None:
            raise UsageError(
                f"{path}: '{config.method}' is cut at one half. Leave --cut out, or cut its "
                "probabilities yourself."
            )
        return config.method, load_peer(path, compute, seed)
    model = load_model(path, compute)
    return estimation.name, DiffusionPredictor(model, [estimation], seed)
