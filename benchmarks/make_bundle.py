"""Turn a training run into a bundled model: weights, calibration on its validation patients.

    python benchmarks/make_bundle.py RUN/model --data SRC -o src/strokediff/models/NAME

SRC is the folder that the run's cohort was prepared from. The validation patients (split.json)
go through the whole pipeline with the fast methods (--methods; all unless said). The threshold of
y_0 and the least lesion with the least volume error at nearly the best Dice, and the conformal
quantile of the volume errors with them, go into metrics.json under "decision" and "calibration".
Test patients are never touched.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from decisions import choose, scores

from strokediff.data.brain import extract_brain
from strokediff.data.masks import read_mask
from strokediff.data.nifti import read_nifti
from strokediff.data.prepare import LabelledScan, find_scans
from strokediff.inference.intervals import Measured, narrowest
from strokediff.inference.once import shared
from strokediff.inference.presets import METHODS, Choice
from strokediff.model import Model, load_model
from strokediff.predict import Segmentation, segment_volume

FILES = ("config.json", "model.safetensors", "split.json", "metrics.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--population", default="patients", help="e.g. phantoms")
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    parser.add_argument("-o", "--out", type=Path, required=True)
    args = parser.parse_args()
    model = replace(load_model(args.run, torch.device("cpu")), decisions={})
    names = set(json.loads((args.run / "split.json").read_text())["val"])
    scans = [scan for scan in find_scans(args.data) if scan.name in names]
    heads = [Head(scan, model, args.methods) for scan in scans]
    kinds = [head.kind for head in heads]
    decisions = {
        f"fast/{method}": choose([head.scores[method] for head in heads], kinds, method)
        for method in args.methods
    }
    final = replace(model, decisions=decisions)
    true = [head.true_ml for head in heads]
    calibration = {}
    for method in args.methods:
        reports = [head.segment(final, method).report for head in heads]
        found = [Measured(r["volume_ml"], r["doubt_ml"]) for r in reports]
        calibration[f"fast/{method}"] = narrowest(found, true, population=args.population)
    chosen: dict[str, dict[str, Any]] = {"decision": decisions, "calibration": calibration}
    write_bundle(args.run, args.out, chosen)
    print(chosen)


def write_bundle(run: Path, out: Path, chosen: dict[str, dict[str, Any]]) -> None:
    """The checkpoint's files, with what was chosen in metrics.json."""
    out.mkdir(parents=True, exist_ok=True)
    for file in FILES:
        shutil.copyfile(run / file, out / file)
    if (run / "noise").is_dir():
        shutil.copytree(run / "noise", out / "noise", dirs_exist_ok=True)
    metrics = json.loads((out / "metrics.json").read_text())
    for key, by_method in chosen.items():
        metrics[key] = {name: value.model_dump() for name, value in by_method.items()}
    (out / "metrics.json").write_text(json.dumps(metrics, indent=1))


class Head:
    """A validation patient: estimated once with every method, scored at every decision."""

    def __init__(self, scan: LabelledScan, model: Model, methods: Sequence[str]) -> None:
        self.kind = scan.group
        self.volume = read_nifti(scan.image)
        self.brain = extract_brain(self.volume)
        T = model.process.T
        self.estimators = shared({m: Choice(m).estimator(T) for m in methods})
        truth = self.volume.from_source(read_mask(scan.label).array)
        self.true_ml = self.volume.mask_volume_mm3(truth) / 1000
        self.scores = {
            method: scores(self.volume, self.segment(model, method).prob, self.brain.mask, truth)
            for method in methods
        }
        print(scan.name, round(self.true_ml, 1), flush=True)

    def segment(self, model: Model, method: str) -> Segmentation:
        """Through the whole pipeline; a second time costs no network evaluation."""
        chosen = self.estimators[method]
        return segment_volume(
            self.volume, model, Choice(method), estimator=chosen, brain=self.brain
        )


if __name__ == "__main__":
    main()
