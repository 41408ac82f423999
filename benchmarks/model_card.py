"""The bundled model's figures on unseen phantoms, beside a plain U-Net trained as long.

    strokediff phantom -n 20 --kind infarct --seed 9000 -o unseen/infarct
    strokediff phantom -n 20 --kind hemorrhage --seed 9500 -o unseen/hemorrhage
    python benchmarks/model_card.py --data unseen -o DIR --unet RUN --train-on COHORT

Every phantom goes through the whole pipeline, brain extraction included, and is scored by the
project's own metrics per patient in 3D. "unet" is the plain U-Net, one view, cut at one half; it is
trained in RUN on COHORT, with the samples, law of the rate and averaging of the preset `tiny`,
unless it lies there. With --validation SRC (the folder that COHORT was prepared from) "unet tuned"
is the same with threshold and least lesion chosen on the validation patients, as the bundled
model's were. Prints a table and writes DIR/model_card.json.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray

from strokediff.benchmark.budgets import Budget
from strokediff.benchmark.peer_arm import PeerArm
from strokediff.benchmark.tables import ruled
from strokediff.cohort.labelled import find_scans
from strokediff.cohort.masks import MaskReader
from strokediff.cohort.store import open_cohort
from strokediff.ct.brain import BrainMask, extract_brain
from strokediff.ct.grid import GridConfig
from strokediff.ct.lesions import Lesions
from strokediff.ct.nifti.images import read_nifti
from strokediff.ct.surroundings import ALONE
from strokediff.ct.volume import CT
from strokediff.evaluation.metrics import CaseMetrics, evaluate_case
from strokediff.evaluation.summary import summarize
from strokediff.inference.estimation import METHODS, Estimation
from strokediff.prediction.peer import PeerPredictor, load_peer
from strokediff.segmentation.calibrate.decisions import THRESHOLDS, choose, scores
from strokediff.segmentation.decision import Decision
from strokediff.segmentation.model import load_model
from strokediff.segmentation.pipeline import segment_ct
from strokediff.segmentation.place import Scan
from strokediff.training.checkpoint import read_config, read_split
from strokediff.util.files import write_json
from strokediff.util.machine import machine_name
from strokediff.weights import model_path

Cells = dict[tuple[str, str], list[CaseMetrics]]
"""(Kind of lesion, method) -> a row a patient."""
MEANS = ("dice", "recall", "precision", "hd95_mm", "vdp")
COLUMNS = ("lesion", "method", "n", "Dice", "recall", "precision", "HD95 mm", "VDP", "VC")


def main(
    data: Annotated[Path, typer.Option(help="Phantoms, or any labelled scans.")],
    out: Annotated[Path, typer.Option("-o", "--out")],
    model: str = "phantom-stroke",
    unet: Annotated[Path | None, typer.Option(metavar="RUN")] = None,
    train_on: Annotated[Path | None, typer.Option(metavar="COHORT")] = None,
    steps: Annotated[int | None, typer.Option(help="Of the U-Net; else the preset's.")] = None,
    validation: Annotated[Path | None, typer.Option(metavar="SRC")] = None,
    methods: str = ",".join(METHODS),
) -> None:
    loaded = load_model(model_path(model))
    if unet is not None and train_on is not None:
        train(unet, train_on, steps)
    peer = load_peer(unet / "model") if unet else None
    grid = read_config(unet / "model").grid if unet else loaded.grid
    decisions = {"unet": Decision()} if unet else {}
    if unet and peer and validation:
        decisions["unet tuned"] = tuned(peer, grid, validation, read_split(unet / "model")["val"])
    rows: Cells = defaultdict(list)
    covered: dict[str, list[bool]] = defaultdict(list)
    for scan in find_scans(data):
        ct = read_nifti(scan.image)
        brain, truth = extract_brain(ct), MaskReader().on(scan.label, ct)[0]
        for method in methods.split(","):
            found = segment_ct(ct, loaded, Estimation(method), brain=brain)
            row = score(scan.name, ct, found.mask, found.probability, truth)
            rows[scan.group, method].append(row)
            if found.interval_ml and "conformal" in (found.record.volume_interval_kind or ""):
                low, high = found.interval_ml
                covered[method].append(low <= row.volume_true_ml <= high)
        prob = probability(peer, grid, ct, brain) if peer else np.zeros(ct.hu.shape, np.float32)
        for name, decision in decisions.items():
            mask = marked(ct, prob, brain, decision.threshold).mask(decision.least_lesion_ml)
            rows[scan.group, name].append(score(scan.name, ct, mask, prob, truth))
        told = {m: round(r[-1].dice, 3) for (kind, m), r in rows.items() if kind == scan.group}
        print(scan.name, told, flush=True)
    report(out, rows, covered)


def train(run: Path, cohort: Path, steps: int | None) -> None:
    """The U-Net, to its end; one that is finished is kept, one that was stopped goes on."""
    budget = Budget("model card", preset="tiny", scale="small", steps=steps)
    training = PeerArm("unet").run(run, open_cohort(cohort), budget, seed=0, device="cpu")
    if not training.finished():
        for done in training.train(resume=True):
            if done.step % 500 == 0:
                print(f"U-Net: step {done.step}, loss {done.losses['loss']:.4f}", flush=True)


@torch.inference_mode()
def probability(
    peer: PeerPredictor, grid: GridConfig, ct: CT, brain: BrainMask
) -> NDArray[np.float32]:
    """Of a lesion by one view of every slice, on the scan's grid; same brain and grid as SDPM's."""
    place = Scan(ct, brain, grid, ALONE, seed=0)
    y_0 = peer.peer.label(peer.module, place.slices.x_0, place.slices.m)
    return place.on_grid((y_0 + 1) / 2)


def marked(ct: CT, prob: NDArray[np.float32], brain: BrainMask, threshold: float) -> Lesions:
    """Lesions of any size where y_0 = 2 p - 1 is at least the threshold."""
    return Lesions(ct, (prob >= (threshold + 1) / 2) & brain.mask)


def tuned(peer: PeerPredictor, grid: GridConfig, data: Path, names: Sequence[str]) -> Decision:
    """The U-Net's own decision, chosen on its validation patients as SDPM's is."""
    found, kinds = [], []
    for scan in find_scans(data):
        if scan.name in names:
            ct = read_nifti(scan.image)
            brain, truth = extract_brain(ct), MaskReader().on(scan.label, ct)[0]
            prob = probability(peer, grid, ct, brain)
            masks = [marked(ct, prob, brain, threshold).mask(0.0) for threshold in THRESHOLDS]
            found.append(scores(ct, masks, truth))
            kinds.append(scan.group)
    return choose(found, kinds).decision


def score(
    name: str,
    ct: CT,
    mask: NDArray[np.bool_],
    prob: NDArray[np.float32],
    truth: NDArray[np.bool_],
) -> CaseMetrics:
    return evaluate_case(name, mask_pred=mask, mask_true=truth, affine=ct.affine, prob=prob)


def report(out: Path, rows: Cells, covered: Mapping[str, list[bool]]) -> None:
    for method in dict.fromkeys(method for _, method in rows):
        rows["all", method] = [r for (_, own), some in rows.items() if own == method for r in some]
    table: dict[str, Any] = {}
    cells = []
    for (kind, method), values in rows.items():
        summary = summarize(values)
        table[f"{kind}/{method}"] = {**summary.to_dict(), "rows": [asdict(v) for v in values]}
        figures = [*(summary.mean[key] for key in MEANS), summary.vc]
        told = ["-" if figure is None else f"{figure:.3f}" for figure in figures]
        cells.append([kind, method, str(len(values)), *told])
    coverage = {method: float(np.mean(hits)) for method, hits in covered.items()}
    print(f"\n{machine_name()}, {date.today()}")
    print("\n".join(ruled(COLUMNS, cells)))
    print("coverage of the 90 % interval:", coverage)
    content = {"table": table, "coverage": coverage, "date": str(date.today())}
    write_json(out / "model_card.json", content)


if __name__ == "__main__":
    typer.run(main)
