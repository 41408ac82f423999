"""Turn a training run into a bundled model: weights, calibration on its validation patients.

    python benchmarks/make_bundle.py RUN/model --data SRC -o src/strokediff/models/NAME

SRC is the folder that the run's cohort was prepared from. The validation patients (split.json)
go through the whole pipeline with every fast method. The threshold of y_0 with the least volume
error at nearly the best Dice, and the conformal quantile of the volume errors at that threshold, go
into metrics.json under "threshold" and "calibration". Test patients are never touched.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from once import fast_estimators

from strokediff.data.brain import extract_brain
from strokediff.data.masks import read_mask
from strokediff.data.nifti import read_nifti
from strokediff.data.prepare import LabelledScan, find_scans
from strokediff.inference.intervals import calibrate
from strokediff.inference.presets import METHODS
from strokediff.model import Model, load_model
from strokediff.predict import Segmentation, segment_volume

FILES = ("config.json", "model.safetensors", "split.json", "metrics.json")
THRESHOLDS = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--population", default="patients", help="e.g. phantoms")
    parser.add_argument("-o", "--out", type=Path, required=True)
    args = parser.parse_args()
    model = replace(load_model(args.run, torch.device("cpu")), thresholds={})
    names = set(json.loads((args.run / "split.json").read_text())["val"])
    heads = [Head(scan, model) for scan in find_scans(args.data) if scan.name in names]
    thresholds = {f"fast/{method}": choose(heads, method) for method in METHODS}
    tuned = replace(model, thresholds=thresholds)
    true = [head.true_ml for head in heads]
    calibration = {}
    for method in METHODS:
        found = [head.segment(tuned, method).report["volume_ml"] for head in heads]
        calibrated = calibrate(found, true, population=args.population)
        calibration[f"fast/{method}"] = asdict(calibrated)
    args.out.mkdir(parents=True, exist_ok=True)
    for file in FILES:
        shutil.copyfile(args.run / file, args.out / file)
    if (args.run / "noise").is_dir():
        shutil.copytree(args.run / "noise", args.out / "noise", dirs_exist_ok=True)
    metrics = json.loads((args.out / "metrics.json").read_text())
    metrics |= {"threshold": thresholds, "calibration": calibration}
    (args.out / "metrics.json").write_text(json.dumps(metrics, indent=1))
    print(thresholds, calibration)


class Head:
    """A validation patient: estimated once with every method, scored at every threshold."""

    def __init__(self, scan: LabelledScan, model: Model) -> None:
        self.kind = scan.name.split("_")[0]
        self.volume = read_nifti(scan.image)
        self.brain = extract_brain(self.volume)
        self.estimators = fast_estimators(model.process.T)
        truth = self.volume.from_source(read_mask(scan.label).array)
        self.true_ml = self.volume.mask_volume_mm3(truth) / 1000
        self.scores = {}
        for method in METHODS:
            found = self.segment(model, method)
            masks = [(found.prob >= (t + 1) / 2) & self.brain.mask for t in THRESHOLDS]
            self.scores[method] = [score(mask, truth) for mask in masks]
        print(scan.name, round(self.true_ml, 1), {m: s[0] for m, s in self.scores.items()})

    def segment(self, model: Model, method: str) -> Segmentation:
        """Through the whole pipeline; a second time costs no network evaluation."""
        chosen = self.estimators[method]
        return segment_volume(self.volume, model, chosen, preset="fast", brain=self.brain)


def score(mask: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Dice and VDP (NaN where the truth is empty)."""
    found, true, both = (float(a.sum()) for a in (mask, truth, mask & truth))
    vdp = abs(found - true) / true if true else math.nan
    return (2 * both / (found + true) if found + true else 1.0), vdp


def choose(heads: list[Head], method: str) -> float:
    """The threshold of least mean VDP among those with a mean Dice within 0.01 of the best.

    Every kind of lesion counts the same, however many patients have it.
    """
    kinds = sorted({head.kind for head in heads})
    means = [np.nanmean([h.scores[method] for h in heads if h.kind == k], axis=0) for k in kinds]
    dice, vdp = np.mean(means, axis=0).T
    for row in zip(THRESHOLDS, dice, vdp, strict=True):
        print(method, "threshold {:.1f}: Dice {:.3f}, VDP {:.3f}".format(*row))
    return THRESHOLDS[int(np.argmin(np.where(dice >= dice.max() - 0.01, vdp, np.inf)))]


if __name__ == "__main__":
    main()
