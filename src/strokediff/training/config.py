"""What a training run is, as plain data, and the presets that name whole configurations."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from strokediff.core.objective import LossConfig
from strokediff.core.schedule import ScheduleName
from strokediff.errors import UsageError
from strokediff.networks.config import NetworkConfig
from strokediff.noise.registry import NOISE_MODELS
from strokediff.training.augmentation.recipes import RecipeName

MAX_NOISE_FEATURES = 2**16
"""Of a noise: its covariance has the square of as many numbers."""


class NoiseConfig(BaseModel):
    """The noise model and its settings; None leaves a setting at the model's default.

    `margin` is how far its support reaches beyond the training brains, as a share of the grid's
    side: augmentation turns, scales and shifts them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str = "isotropic"
    D: int | None = Field(None, ge=1, le=MAX_NOISE_FEATURES)
    rank: int | None = Field(None, ge=1, le=MAX_NOISE_FEATURES)
    share: float | None = Field(None, ge=0, le=1)
    shrinkage: float | None = Field(None, ge=0, le=1)
    margin: float = Field(0.1, ge=0, le=1)

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in NOISE_MODELS:
            raise ValueError(f"no such noise model; expected one of: {', '.join(NOISE_MODELS)}")
        return name

    def given(self) -> dict[str, Any]:
        """The settings that were not left at the default."""
        own = self.model_dump(exclude={"name", "margin"})
        return {key: value for key, value in own.items() if value is not None}


class TrainingConfig(BaseModel):
    """One training run.

    `noise_loss` is the norm of eps_hat - eps in L_d2: squared, or that of the noise's covariance.
    `schedule` is a sigmoid curve on alpha_bar, or on beta ("sigmoid-beta").
    A batch goes through the network in `accumulate` parts, whose gradients are added up, and with
    `gradient_checkpointing` its features are computed again on the way back: less memory, the same
    gradients to rounding but for Dice, which is over a part.
    `start` is the sha256 of the weights that the run starts from, "" for random ones.
    `augmentation` varies the slices: "none", "plain" as the papers do, or "scanners" as heads and
    scanners differ. `source_shares` weights the folders that the scans came from; {} draws every
    patient alike. The defaults are the papers', but for `steps` and `batch_size`.

    >>> config = TrainingConfig(network=NetworkConfig(base=16), steps=1000, lr=1e-3)
    >>> config.T, config.lr, config.noise.name
    (500, 0.001, 'isotropic')
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    network: NetworkConfig
    T: int = Field(500, ge=2, le=100_000)
    schedule: ScheduleName = "sigmoid"
    noise: NoiseConfig = NoiseConfig()
    noise_loss: Literal["mse", "mahalanobis"] = "mse"
    loss: LossConfig = LossConfig()
    time_sampler: Literal["uniform", "power", "clean-mixture", "clean"] = "uniform"
    steps: int = Field(20_000, ge=1, le=10**9)
    batch_size: int = Field(16, ge=1, le=2**16)
    accumulate: int = Field(1, ge=1, le=2**16)
    gradient_checkpointing: bool = False
    lr: float = Field(1e-4, ge=0)
    lr_min: float = Field(6e-5, ge=0)
    ema: float = Field(0.995, ge=0, lt=1)
    ema_every: int = Field(10, ge=1)
    clip_norm: float = Field(1.0, gt=0)
    lesion_share: float = Field(0.5, ge=0, le=1)
    source_shares: dict[str, Annotated[float, Field(ge=0)]] = {}
    augmentation: RecipeName = "plain"
    precision: Literal["32", "bf16"] = "32"
    validate_every: int = Field(1000, ge=1)
    checkpoint_every: int = Field(500, ge=1)
    seed: int = Field(0, ge=0, lt=2**63)
    start: str = ""

    @model_validator(mode="before")
    @classmethod
    def _of_before(cls, content: Any) -> Any:
        """Configurations of 0.1.0 say `augment`, true or false."""
        if not isinstance(content, dict) or not isinstance(content.get("augment"), bool):
            return content
        rest = {key: value for key, value in content.items() if key != "augment"}
        return {"augmentation": "plain" if content["augment"] else "none", **rest}

    @model_validator(mode="after")
    def _parts_are_of_one_size(self) -> TrainingConfig:
        if self.batch_size % self.accumulate:
            raise ValueError(
                f"batch_size {self.batch_size} cannot be accumulated in {self.accumulate} parts of "
                "the same size: choose one that divides it"
            )
        return self

    @model_validator(mode="after")
    def _label_fits_its_reading(self) -> TrainingConfig:
        if self.loss.label_reading == "linear" and self.network.label_form != "clean":
            raise ValueError(
                "label_reading 'linear' needs a label in [-1, 1]: use label_form 'clean', or read "
                "the label with 'sigmoid'"
            )
        return self


class TrainingPreset(BaseModel):
    """A named training configuration and the grid it expects of a cohort: pixels, and mm each."""

    model_config = ConfigDict(frozen=True)

    size: int
    spacing_mm: float
    training: TrainingConfig


_TINY = NetworkConfig(
    base=16, noise_base=8, multipliers=(1, 2, 4, 5, 6), patch=1, label_form="clean"
)
_SMALL = NetworkConfig(
    base=32, multipliers=(1, 2, 4, 8), patch=1, linear_attention=True, label_form="clean"
)
_STROKE = NetworkConfig(
    base=32,
    noise_base=8,
    multipliers=(1, 2, 4, 6),
    patch=2,
    neighbours=1,
    mirror=True,
    pooling="max",
    label_form="clean",
)
_PAPER = NetworkConfig(
    base=32, multipliers=(2, 4, 4, 8, 16, 16, 16), patch=1, linear_attention=True
)

_LABEL_FIRST = LossConfig(
    d1=0.25,
    p=0.25,
    dice=2.0,
    dice_window=0.1,
    label_likelihood="bernoulli",
    label_reading="linear",
)

TRAINING_PRESETS = {
    "tiny": TrainingPreset(
        size=96,
        spacing_mm=2.0,
        training=TrainingConfig(
            network=_TINY,
            loss=_LABEL_FIRST,
            time_sampler="clean-mixture",
            steps=5_000,
            lr=1e-3,
            validate_every=500,
        ),
    ),
    "small": TrainingPreset(
        size=192,
        spacing_mm=1.0,
        training=TrainingConfig(
            network=_SMALL,
            loss=_LABEL_FIRST,
            time_sampler="clean-mixture",
            steps=50_000,
            lr=3e-4,
            precision="bf16",
        ),
    ),
    "stroke": TrainingPreset(
        size=160,
        spacing_mm=1.25,
        training=TrainingConfig(
            network=_STROKE,
            loss=_LABEL_FIRST,
            time_sampler="clean-mixture",
            steps=20_000,
            lr=1e-3,
            augmentation="scanners",
            precision="bf16",
        ),
    ),
    "paper": TrainingPreset(
        size=448,
        spacing_mm=0.45,
        training=TrainingConfig(
            network=_PAPER,
            steps=200_000,
            batch_size=8,
            accumulate=4,
            gradient_checkpointing=True,
        ),
    ),
}


def training_preset(name: str) -> TrainingPreset:
    """The preset of that name, or `UsageError` naming them all.

    >>> training_preset("tiny").size, training_preset("paper").training.steps
    (96, 200000)
    """
    if name not in TRAINING_PRESETS:
        raise UsageError(
            f"no training preset '{name}'; expected one of: {', '.join(TRAINING_PRESETS)}"
        )
    return TRAINING_PRESETS[name]


def changed(config: TrainingConfig, **changes: Any) -> TrainingConfig:
    """`config` with those changes that are not None; `UsageError` says what a field expects.

    >>> changed(training_preset("tiny").training, lr=0.002, seed=None).lr
    0.002
    """
    wanted = {key: value for key, value in changes.items() if value is not None}
    return _validated({**config.model_dump(), **wanted})


def with_settings(config: TrainingConfig, settings: Sequence[str]) -> TrainingConfig:
    """`config` with every "FIELD=VALUE" in `settings`, such as "network.mirror=true".

    A field inside another has a dot; a value is read as JSON where it is JSON, and as text where
    not. `UsageError` if a field does not exist or does not take the value.

    >>> tiny = training_preset("tiny").training
    >>> with_settings(tiny, ["network.mirror=true", "lr=0.002"]).network.channels
    2
    """
    content = config.model_dump()
    for setting in settings:
        path, equals, text = setting.partition("=")
        *outer, last = path.split(".")
        place: Any = content
        for key in outer:
            place = place.get(key) if isinstance(place, dict) else None
        if not equals or not isinstance(place, dict) or last not in place:
            inside = isinstance(place, dict)
            known = sorted(place if inside else content)
            raise UsageError(
                f"--set {setting}: expected FIELD=VALUE, e.g. network.mirror=true; "
                f"{'.'.join([*(outer if inside else ()), 'FIELD'])} is one of: {', '.join(known)}."
            )
        place[last] = _value(text)
    return _validated(content)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _validated(content: dict[str, Any]) -> TrainingConfig:
    try:
        return TrainingConfig(**content)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        value = "" if isinstance(first["input"], dict) else f" = {first['input']!r}"
        raise UsageError(f"{field or 'configuration'}{value}: {first['msg']}.") from None
