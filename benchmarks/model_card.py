"""The bundled model's figures on unseen phantoms, beside a plain U-Net trained as long.

    strokediff phantom -n 20 --kind infarct --seed 9000 -o unseen/infarct
    strokediff phantom -n 20 --kind hemorrhage --seed 9500 -o unseen/hemorrhage
    python benchmarks/model_card.py --unet RUN/model --validation SRC --data unseen -o DIR

Every phantom goes through the whole pipeline, brain extraction included, and is scored by the
project's own metrics per patient in 3D. "unet" is the plain U-Net, cut at one half; "unet tuned"
the same with threshold and least lesion chosen on the validation patients in SRC (the folder its
cohort was prepared from), as the bundled model's were. Prints a table and writes
DIR/model_card.json.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from plain_unet import PlainUNet

from strokediff.cohort.prepare import LabelledScan, find_scans
from strokediff.ct.brain import extract_brain
from strokediff.ct.lesions import Lesions
from strokediff.ct.nifti.images import read_nifti
from strokediff.ct.nifti.masks import read_mask
from strokediff.ct.volume import CT
from strokediff.evaluation.metrics import evaluate_case
from strokediff.evaluation.summary import summarize
from strokediff.inference.once import shared
from strokediff.inference.presets import METHODS, Choice
from strokediff.segmentation.calibrate.decisions import choose, scores
from strokediff.segmentation.decision import Decision
from strokediff.segmentation.model import load_model
from strokediff.segmentation.pipeline import segment_volume
from strokediff.util.machine import machine_name
from strokediff.weights import model_path


def score(scan: LabelledScan, volume: CT, mask: np.ndarray, prob: np.ndarray) -> Any:
    truth = volume.from_source(read_mask(scan.label).array)
    return evaluate_case(
        scan.name, mask_pred=mask, mask_true=truth, affine=volume.affine, prob=prob
    )


def tuned(unet: PlainUNet, data: Path) -> Decision:
    """The U-Net's own decision, chosen on its validation patients as SDPM's is."""
    found, kinds = [], []
    for scan in find_scans(data):
        if scan.name in unet.validation:
            volume = read_nifti(scan.image)
            brain = extract_brain(volume).mask
            truth = volume.from_source(read_mask(scan.label).array)
            found.append(scores(volume, unet(volume, brain), brain, truth))
            kinds.append(scan.group)
    return choose(found, kinds).decision


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="phantom-stroke")
    parser.add_argument("--unet", type=Path)
    parser.add_argument("--validation", type=Path, help="with --unet")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    parser.add_argument("-o", "--out", type=Path, required=True)
    args = parser.parse_args()
    model = load_model(model_path(args.model), torch.device("cpu"))
    unet = PlainUNet(args.unet) if args.unet else None
    decisions = {"unet": Decision()} if unet else {}
    if unet and args.validation:
        decisions["unet tuned"] = tuned(unet, args.validation)
    rows: dict[tuple[str, str], list[Any]] = defaultdict(list)
    covered: dict[str, list[bool]] = defaultdict(list)
    for scan in find_scans(args.data):
        volume = read_nifti(scan.image)
        kind = scan.group
        brain = extract_brain(volume)
        T = model.process.T
        estimators = shared({m: Choice(m).estimator(T) for m in args.methods})
        for method in args.methods:
            chosen = estimators[method]
            found = segment_volume(volume, model, Choice(method), estimator=chosen, brain=brain)
            row = score(scan, volume, found.mask, found.prob)
            rows[kind, method].append(row)
            interval = found.report["volume_interval_ml"]
            if interval and "conformal" in found.report["volume_interval_kind"]:
                low, high = interval
                covered[method].append(low <= row.volume_true_ml <= high)
        prob = unet(volume, brain.mask) if unet else None
        for name, decision in decisions.items():
            lesions = Lesions(volume, (prob >= (decision.threshold + 1) / 2) & brain.mask)
            mask = lesions.mask(decision.least_lesion_ml)
            rows[kind, name].append(score(scan, volume, mask, prob))
        print(scan.name, {m: round(r[-1].dice, 3) for (k, m), r in rows.items() if k == kind})
    report(args.out, rows, covered)


def report(out: Path, rows: dict[tuple[str, str], list[Any]], covered: dict[str, list]) -> None:
    table: dict[str, Any] = {}
    methods = list(dict.fromkeys(m for _, m in rows))
    for method in methods:
        rows["all", method] = [r for (k, m), v in rows.items() if m == method for r in v]
    print(f"\n{machine_name()}, {date.today()}")
    print("| lesion | method | n | Dice | recall | precision | HD95 mm | VDP | VC |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for (kind, method), values in rows.items():
        summary = summarize(values).to_dict()
        mean = summary["mean"]
        table[f"{kind}/{method}"] = {**summary, "rows": [vars(v) for v in values]}
        cells = [mean[k] for k in ("dice", "recall", "precision", "hd95_mm", "vdp")]
        shown = " | ".join("-" if c is None else f"{c:.3f}" for c in (*cells, summary["vc"]))
        print(f"| {kind} | {method} | {len(values)} | {shown} |")
    coverage = {method: float(np.mean(hits)) for method, hits in covered.items()}
    print("coverage of the 90 % interval:", coverage)
    out.mkdir(parents=True, exist_ok=True)
    content = {"table": table, "coverage": coverage, "date": str(date.today())}
    (out / "model_card.json").write_text(json.dumps(content, indent=1, default=str))


if __name__ == "__main__":
    main()
