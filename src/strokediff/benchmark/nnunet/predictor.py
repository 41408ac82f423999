"""nnU-Net's prediction of a scan on its own grid: its preprocessing, tiles, mirrors, resampling."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from strokediff.benchmark.nnunet.job import EXTRA
from strokediff.benchmark.nnunet.model import Model, build, load_weights, read_model, read_plans
from strokediff.cohort.exporting import write_image
from strokediff.ct.axes import transposed
from strokediff.errors import InputError, UsageError
from strokediff.inference.compute import Compute
from strokediff.prediction.head import Head, ScanHead
from strokediff.prediction.prediction import Prediction
from strokediff.util.extras import require


@dataclass(frozen=True)
class NNUNetPredictor:
    """A network that nnU-Net trained; `engine` is nnU-Net's own predictor of it.

    Labels are nnU-Net's: the most probable class, or each region that is as probable as not, after
    the post-processing it found. Of `evaluations` each is one patch, seen one way round.
    """

    name: str
    model: Model
    engine: Any

    @property
    def settings(self) -> Mapping[str, Any]:
        """The model."""
        own = self.model.model_dump(mode="json", include={"version", "sha256", "removes"})
        return {"model": {"name": self.name, **own}}

    @property
    def kinds(self) -> tuple[str, ...]:
        """As it was trained."""
        return self.model.settings.kinds

    def __call__(self, head: Head) -> Mapping[str, Prediction]:
        """The scan's prediction; `UsageError` for a head that is no scan."""
        if not isinstance(head, ScanHead):
            raise UsageError(f"{self.name}: predicts scans on their own grids alone (--own-grids).")
        start = time.perf_counter()
        with _Counted(self.engine.network) as counted, redirect_stdout(io.StringIO()):
            labels, probs = self._stored(head)
        labels = self._post_processed(labels)
        ct = head.ct
        if labels.shape != ct.source.shape:
            raise InputError(
                f"{head.scan.image}: nnU-Net reads {labels.shape} voxels where the scan has "
                f"{ct.source.shape}. Write the scan again, as a plain 3D image."
            )
        return {
            self.name: Prediction(
                ct.from_source(labels).astype(np.uint8),
                np.stack([ct.from_source(own) for own in probs]).astype(np.float32),
                counted.evaluations,
                ct.hu.shape[2],
                time.perf_counter() - start,
            )
        }

    def _stored(self, head: ScanHead) -> tuple[NDArray[Any], NDArray[Any]]:
        """Labels (X, Y, Z) and probabilities (K, X, Y, Z) on the axes of the file."""
        reader = self.engine.plans_manager.image_reader_writer_class()
        with TemporaryDirectory() as folder:
            image = Path(folder) / f"{head.name}_0000.nii.gz"
            write_image(head.scan.image, image)
            array, properties = reader.read_images([str(image)])
        labels, probs = self.engine.predict_single_npy_array(
            array, properties, save_or_return_probabilities=True
        )
        lesions = probs[-len(self.kinds) :]  # before them the background, where classes exclude it
        return transposed(labels), np.stack([transposed(own) for own in lesions])

    def _post_processed(self, labels: NDArray[Any]) -> NDArray[Any]:
        for values in self.model.removes:
            theirs = require("nnunetv2.postprocessing.remove_connected_components", EXTRA)
            labels = theirs.remove_all_but_largest_component_from_segmentation(labels, values)
        return labels


class _Counted:
    """Counts the patches that a network sees."""

    def __init__(self, network: nn.Module) -> None:
        self.network, self.evaluations = network, 0

    def __enter__(self) -> _Counted:
        self.handle = self.network.register_forward_pre_hook(self._seen)
        return self

    def __exit__(self, *_: object) -> None:
        self.handle.remove()

    def _seen(self, module: nn.Module, arguments: tuple[Any, ...]) -> None:
        self.evaluations += len(arguments[0])


def load_nnunet(folder: Path, name: str, compute: Compute) -> NNUNetPredictor:
    """Read a model; `InputError` if it is damaged."""
    model = read_model(folder)
    plans, configuration, dataset = read_plans(folder, model.settings.configuration)
    network = build(plans, configuration, dataset)
    load_weights(folder, model, network)
    predicting = require("nnunetv2.inference.predict_from_raw_data", EXTRA)
    with redirect_stdout(io.StringIO()):
        engine = predicting.nnUNetPredictor(device=compute.device, allow_tqdm=False)
    engine.manual_initialization(
        *(network.to(compute.device).eval(), plans, configuration, [network.state_dict()], dataset),
        *(name, model.mirrored or None),
    )
    return NNUNetPredictor(name, model, engine)
