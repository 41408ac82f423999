"""How far into the noise should `fast` look? The salient mean on validation patients.

    python benchmarks/choose_salient.py RUN/model --data COHORT [--fractions 0.02 0.05 0.1 0.2]

Per patient in 3D on the network's grid, y_0 cut at 0, no least lesion; every kind of lesion (the
name before the last underscore) apart. T_i = 0 is the direct estimate. Test patients are not read.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

from strokediff.cohort.store import open_cohort
from strokediff.evaluation.metrics import Confusion, volume_difference
from strokediff.inference.direct import Direct
from strokediff.inference.estimator import Context, Estimator
from strokediff.inference.executor import denoiser_on
from strokediff.inference.repeated import Repeated
from strokediff.inference.salient import Stratified
from strokediff.prediction.diffusion import slices_of
from strokediff.segmentation.model import load_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fractions", type=float, nargs="+", default=[0.02, 0.05, 0.1, 0.2])
    parser.add_argument("--points", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=1)
    args = parser.parse_args()
    model, cohort = load_model(args.model, torch.device("cpu")), open_cohort(args.data)
    estimators: dict[float, Estimator] = {0.0: Repeated(Direct())}
    for fraction in args.fractions:
        T_i = max(1, round(model.process.T * fraction))
        estimators[fraction] = Repeated(Stratified(T_i, args.points), args.repeats)
    found: dict[tuple[str, float], list[tuple[float, float]]] = defaultdict(list)
    with denoiser_on(model.network, model.device) as network, torch.inference_mode():
        context = Context(network, model.process, model.noise)
        for name in cohort.split["val"]:
            patient = cohort.read(name)
            slices = slices_of(cohort, patient, model)
            truth = patient.y[slices.keys] > 0
            for fraction, chosen in estimators.items():
                y_0 = chosen.estimate(slices, context).y_0
                mask = ((y_0 >= 0) & (slices.m > 0))[:, 0].numpy()
                found[name.rpartition("_")[0], fraction].append(scores(mask, truth))
    print("| lesion | T_i / T | evaluations | Dice | VDP |")
    print("| --- | --- | --- | --- | --- |")
    for (kind, fraction), values in sorted(found.items()):
        dice, vdp = np.array(values).T
        evaluations = estimators[fraction].evaluations()
        print(
            f"| {kind} | {fraction} | {evaluations} | {dice.mean():.3f} | {np.nanmean(vdp):.3f} |"
        )


def scores(mask: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Dice and VDP; VDP is NaN without a lesion."""
    vdp = volume_difference(volume_pred_ml=mask.sum(), volume_true_ml=truth.sum())
    return Confusion.of(mask, truth).dice, np.nan if vdp is None else vdp


if __name__ == "__main__":
    main()
