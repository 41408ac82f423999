"""When a label estimate counts as a lesion: chosen on validation patients, kept with the model."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Decision(BaseModel):
    """A pixel is lesion where y_0 >= `threshold`; what is smaller than `least_lesion_ml` is not.

    `threshold` lies in (-1, 1), where y_0 = -1 is background and 1 lesion; 0 is halfway.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    threshold: float = Field(0.0, gt=-1, lt=1)
    least_lesion_ml: float = Field(0.0, ge=0)
