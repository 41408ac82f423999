"""Turn a training run into a bundled model: weights, calibration on its validation patients.

    python benchmarks/make_bundle.py RUN/model --data SRC -o src/strokediff/models/NAME

SRC is the folder that the run's cohort was prepared from. The validation patients (split.json)
go through the whole pipeline with every fast method; the conformal quantile of their volume
errors is stored in metrics.json under "calibration". Test patients are never touched.
"""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import asdict
from pathlib import Path

import torch
from once import fast_estimators

from strokediff.data.brain import extract_brain
from strokediff.data.masks import read_mask
from strokediff.data.nifti import read_nifti
from strokediff.data.prepare import find_scans
from strokediff.inference.intervals import calibrate
from strokediff.inference.presets import METHODS
from strokediff.model import load_model
from strokediff.predict import segment_volume

FILES = ("config.json", "model.safetensors", "split.json", "metrics.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--population", default="patients", help="e.g. phantoms")
    parser.add_argument("-o", "--out", type=Path, required=True)
    args = parser.parse_args()
    model = load_model(args.run, torch.device("cpu"))
    names = set(json.loads((args.run / "split.json").read_text())["val"])
    scans = [scan for scan in find_scans(args.data) if scan.name in names]
    found: dict[str, list[float]] = {method: [] for method in METHODS}
    true = []
    for scan in scans:
        volume = read_nifti(scan.image)
        brain = extract_brain(volume)
        truth = volume.from_source(read_mask(scan.label).array)
        true.append(volume.mask_volume_mm3(truth) / 1000)
        for method, chosen in fast_estimators(model.process.T).items():
            result = segment_volume(volume, model, chosen, preset="fast", brain=brain)
            found[method].append(result.report["volume_ml"])
        print(scan.name, round(true[-1], 1), {m: round(v[-1], 1) for m, v in found.items()})
    calibration = {
        f"fast/{m}": asdict(calibrate(v, true, population=args.population))
        for m, v in found.items()
    }
    args.out.mkdir(parents=True, exist_ok=True)
    for file in FILES:
        shutil.copyfile(args.run / file, args.out / file)
    if (args.run / "noise").is_dir():
        shutil.copytree(args.run / "noise", args.out / "noise", dirs_exist_ok=True)
    metrics = json.loads((args.out / "metrics.json").read_text())
    metrics["calibration"] = calibration
    (args.out / "metrics.json").write_text(json.dumps(metrics, indent=1))
    print(calibration)


if __name__ == "__main__":
    main()
