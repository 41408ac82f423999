"""What a process is told to train, and where nnU-Net keeps what."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

DATASET = "Dataset001_Cohort"
NUMBER, NAME = 1, "Cohort"
PLANS = "nnUNetPlans"
EXTRA = "nnunet"


class Settings(BaseModel):
    """All that a training depends on; `images` None is nnU-Net's own length.

    `cohort` and `split` are fingerprints of the patients, and of who is trained on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    configuration: Literal["2d", "3d_fullres"]
    seed: int
    images: int | None = Field(ge=1)
    kinds: tuple[str, ...] = Field(min_length=1)
    cohort: str
    split: str


class Job(BaseModel):
    """A training in `folder`, for the process `parent`.

    `validates` says whether the split has patients to validate on: if not, nnU-Net's fold is "all",
    which validates on those that it is trained on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path
    settings: Settings
    validates: bool
    device: str
    processes: int = Field(ge=1)
    parent: int

    @property
    def fold(self) -> int | str:
        """As nnU-Net calls it."""
        return 0 if self.validates else "all"

    @property
    def raw(self) -> Path:
        """The data set as it was exported."""
        return self.folder / "nnUNet_raw" / DATASET

    @property
    def preprocessed(self) -> Path:
        """Plans, and the patients that it was planned for."""
        return self.folder / "nnUNet_preprocessed" / DATASET

    @property
    def model(self) -> Path:
        """What is left of it for prediction."""
        return self.folder / "model"

    def environment(self) -> dict[str, str]:
        """nnU-Net's variables: its folders are the run's own, and nothing is sent anywhere."""
        folders = ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")
        return {
            **{name: str(self.folder / name) for name in folders},
            **_only(self.device),
            "nnUNet_def_n_proc": str(self.processes),
            "nnUNet_wandb_enabled": "0",
        }


def _only(device: str) -> dict[str, str]:
    """The variable by which one GPU of several is the only one: nnU-Net takes the first."""
    name, _, index = device.partition(":")
    if name != "cuda" or not index:
        return {}
    seen = [own for own in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if own]
    return {"CUDA_VISIBLE_DEVICES": seen[int(index)] if seen else index}
