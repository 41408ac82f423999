"""What a training by nnU-Net leaves for prediction: nothing that is unpickled, all checked.

model/model.safetensors    the weights
model/plans.json           nnU-Net's plans
model/dataset.json         nnU-Net's data set
model/nnunet.json          what was trained, its length and costs; sha256 of the weights
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import nn

from strokediff.benchmark.costs import gmacs
from strokediff.benchmark.nnunet.job import EXTRA, Job, Settings
from strokediff.benchmark.nnunet.length import Length
from strokediff.errors import InputError
from strokediff.util.extras import require
from strokediff.util.files import atomic_directory, write_json
from strokediff.util.jsonfile import read_json
from strokediff.util.tensorfile import read_tensors, write_tensors

RECORD = "nnunet.json"
_REMEDY = "Remove the model's folder; the next run makes it again."
_NETWORKS = "dynamic_network_architectures.architectures."
_PARTS = "torch.nn."


class Model(BaseModel):
    """nnunet.json. `removes` are labels of which the largest component alone is kept, in turn."""

    model_config = ConfigDict(extra="forbid")

    settings: Settings
    version: str
    mirrored: tuple[int, ...]
    removes: list[list[int]]
    images: int = Field(ge=0)
    parameters: int = Field(ge=0)
    gmacs: float = Field(ge=0)
    sha256: str


def write_model(job: Job, trainer: Any, length: Length, removes: list[list[int]]) -> None:
    """Keep what `trainer` has trained."""
    trainer.set_deep_supervision_enabled(False)
    network = getattr(trainer.network, "_orig_mod", trainer.network).eval()
    shape = (1, trainer.num_input_channels, *trainer.configuration_manager.patch_size)
    weights = {k: v.detach().cpu() for k, v in own_tensors(network).items()}
    with atomic_directory(job.model) as folder:
        model = Model(
            settings=job.settings,
            version=version("nnunetv2"),
            mirrored=tuple(trainer.inference_allowed_mirroring_axes or ()),
            removes=removes,
            images=length.images,
            parameters=sum(p.numel() for p in network.parameters()),
            gmacs=gmacs(network, [torch.zeros(shape, device=trainer.device)]),
            sha256=write_tensors(folder / "model.safetensors", weights),
        )
        write_json(folder / "plans.json", trainer.plans_manager.plans)
        write_json(folder / "dataset.json", trainer.dataset_json)
        write_json(folder / RECORD, model.model_dump(mode="json"))


def own_tensors(network: nn.Module) -> dict[str, torch.Tensor]:
    """Parameters and buffers, each once: nnU-Net's decoder has the encoder as a part too."""
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}


def read_model(folder: Path) -> Model:
    """What was trained; `InputError` if the file is damaged."""
    file = folder / RECORD
    try:
        return Model.model_validate(read_json(file, "a model by nnU-Net", remedy=_REMEDY))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(f"{file}: '{where}': {first['msg']}. {_REMEDY}") from None


def load_weights(folder: Path, model: Model, network: nn.Module) -> None:
    """Give the network its weights; `InputError` if they are not the model's, or do not fit."""
    file = folder / "model.safetensors"
    weights = read_tensors(file, model.sha256, whole="model by nnU-Net", named_in=RECORD)
    own = own_tensors(network)
    if {k: v.shape for k, v in own.items()} != {k: v.shape for k, v in weights.items()}:
        raise InputError(f"{file}: the weights do not fit the network of plans.json. {_REMEDY}")
    network.load_state_dict(weights, strict=False)


def read_plans(folder: Path, configuration: str) -> tuple[Any, Any, dict[str, Any]]:
    """nnU-Net's managers of plans and of the configuration, and its data set.

    `InputError` if the plans name classes that nnU-Net's own plans do not: they would be imported.
    """
    file = folder / "plans.json"
    plans = read_json(file, "nnU-Net's plans", remedy=_REMEDY)
    dataset = read_json(folder / "dataset.json", "nnU-Net's data set", remedy=_REMEDY)
    handler = require("nnunetv2.utilities.plans_handling.plans_handler", EXTRA)
    try:
        own = plans["configurations"][configuration]["architecture"]
        kwargs = own["arch_kwargs"]
        named = [kwargs[key] for key in own["_kw_requires_import"] if kwargs[key] is not None]
        known = own["network_class_name"].startswith(_NETWORKS)
        known = known and all(name.startswith(_PARTS) for name in named)
    except (KeyError, TypeError, AttributeError):
        known = False
    if not known:
        raise InputError(
            f"{file}: expected the network of nnU-Net's own plans ({_NETWORKS}*, of {_PARTS}*). "
            f"{_REMEDY}"
        )
    manager = handler.PlansManager(plans)
    return manager, manager.get_configuration(configuration), dataset


def build(plans: Any, configuration: Any, dataset: dict[str, Any]) -> nn.Module:
    """The network, untrained."""
    handling = require("nnunetv2.utilities.label_handling.label_handling", EXTRA)
    make: Callable[..., nn.Module] = require(
        "nnunetv2.utilities.get_network_from_plans", EXTRA
    ).get_network_from_plans
    return make(
        configuration.network_arch_class_name,
        configuration.network_arch_init_kwargs,
        configuration.network_arch_init_kwargs_req_import,
        handling.determine_num_input_channels(plans, configuration, dataset),
        plans.get_label_manager(dataset).num_segmentation_heads,
        deep_supervision=False,
    )
