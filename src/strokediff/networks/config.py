"""What a two-stream network is made of, as plain data that a checkpoint can carry."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from strokediff.util.kinds import JOINED, Kinds

HEADS = 4
"""Of every attention."""


class NetworkConfig(BaseModel):
    """The two-stream U-Net.

    `patch` folds patch x patch pixels into channels before the first convolution and unfolds
    them after the last (1: none, as the paper). `neighbours` slices to either side are seen beside
    the noisy one, clean (0: none, as the paper), and with `mirror` the slice mirrored about the
    plane between the hemispheres, clean too. `noise_base` is the base width of the noise
    stream's decoder (None: `base`, as the paper). `pooling` halves the encoder's features by the
    mean of 2 x 2 pixels or by their largest, as U-Net does. `label_form` is what the label decoder
    gives: "noisy" is y_t itself, as the paper; "clean" is y_0 = tanh(l / 2) in [-1, 1], from which
    y_t follows by equation (11) with the predicted noise, so that (1 + y_0) / 2 is sigmoid(l).
    `kinds` names the label's channels, one a kind of lesion.

    The bounds of single fields keep their products countable; what a network may take as a whole
    is bounded where it is built (`networks/bounds.py`).

    >>> NetworkConfig(base=16, multipliers=(1, 2, 4), neighbours=1, mirror=True).channels
    4
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: int = Field(32, ge=4, le=4096)
    noise_base: int | None = Field(None, ge=4, le=4096)
    multipliers: tuple[int, ...] = Field((1, 2, 4, 4), min_length=2, max_length=12)
    groups: int = Field(8, ge=1, le=4096)
    patch: int = Field(1, ge=1, le=64)
    neighbours: int = Field(0, ge=0, le=64)
    mirror: bool = False
    pooling: Literal["average", "max"] = "average"
    linear_attention: bool = False
    head_attention_size: int = Field(
        16, ge=1, le=128, description="largest side at which the head attends"
    )
    label_form: Literal["noisy", "clean"] = "noisy"
    kinds: Kinds = JOINED

    @model_validator(mode="after")
    def _divisible(self) -> NetworkConfig:
        if not 1 <= min(self.multipliers) <= max(self.multipliers) <= 1024:
            raise ValueError(
                f"multipliers must be from 1 to 1024, one a level, got {self.multipliers}"
            )
        for name, width in (("base", self.base), ("noise_base", self.noise_base or self.base)):
            if width % self.groups:
                raise ValueError(f"{name} ({width}) must be a multiple of groups ({self.groups})")
            if width % HEADS:
                raise ValueError(f"{name} ({width}) must be a multiple of {HEADS}, one head each")
        return self

    @property
    def channels(self) -> int:
        """Those of what the network sees: the noisy slice and what lies beside it."""
        return 1 + 2 * self.neighbours + self.mirror

    @property
    def stride(self) -> int:
        """The side of the network's grid must be a multiple of this."""
        return self.patch << (len(self.multipliers) - 1)
