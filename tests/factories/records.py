"""A result.json of an imaginary patient, any field of it changed."""

from __future__ import annotations

from typing import Any

from strokediff.result.record import Record

CARD = {
    "name": "phantom-stroke",
    "method": "sdpm",
    "noise": "isotropic",
    "noise_settings": {},
    "trained_on": "phantoms (seed 0)",
    "steps": 100,
    "sha256": "0" * 64,
    "strokediff": "0.1.0",
}
CONTENT: dict[str, Any] = {
    "case": "patient-01",
    "volume_ml": 0.0,
    "volume_mm3": 0.0,
    "mask_file_volume_ml": 0.0,
    "n_lesions": 0,
    "lesions": [],
    "brain_volume_ml": 1400.0,
    "spacing_mm": [0.5, 0.5, 5.0],
    "truncated": False,
    "warnings": [],
    "unusable_slices": [],
    "input": {"path": "scan.nii.gz", "kind": "nifti", "shape": [6, 5, 4], "uneven_slices": False},
    "doubt_ml": 0.0,
    "volume_interval_ml": None,
    "volume_interval_kind": "none: one draw and no calibration for this preset and method",
    "model": CARD,
    "method": "sal",
    "threshold": 0.0,
    "least_lesion_ml": 0.0,
    "preset": "fast",
    "transition": "isotropic",
    "fusion": None,
    "cut": None,
    "tolerance_ml": None,
    "max_evaluations": None,
    "n_samples": 4,
    "network_evaluations": 16,
    "seed": 0,
    "device": "cpu",
    "precision": "32",
    "compiled": False,
    "seconds": {},
}


def record(**own: Any) -> Record:
    """The record with `own` in place of some of its fields."""
    return Record.model_validate({**CONTENT, **own})
