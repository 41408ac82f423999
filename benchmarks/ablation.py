"""The same training with one thing changed an arm: what `ablation_noise` and `ablation_options` do.

Same network, samples, seeds and budget in every arm; COHORT is split by patient (`strokediff
prepare`). A run is DIR/ARM/seed-K; finished ones are skipped and interrupted ones resumed, so the
same command goes on where it was stopped. The figures are of the test patients, or the validation
patients where none are held out, per patient in 3D on the network's grid, with the `fast` preset.
Each patient's figure is the mean over the seeds; intervals (95 %) are a bootstrap over patients,
and differences from the arm `--reference` are paired. Where spacing is unknown, distances are in
pixels. A network trained at t = 0 alone has only `avg`.
Writes DIR/ablation.json and DIR/ablation.md.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from ablation_report import METHODS, write_report

from strokediff.cohort.store import Cohort, open_cohort, split_patients
from strokediff.errors import InputError
from strokediff.evaluation.metrics import CaseMetrics, evaluate_case
from strokediff.evaluation.unit import Unit
from strokediff.inference.presets import Choice
from strokediff.prediction.diffusion import DiffusionPredictor
from strokediff.prediction.prediction import on_axes, patient_volume
from strokediff.segmentation.model import Model, load_model
from strokediff.training.build import build_network, build_task
from strokediff.training.config import TrainingConfig, changed, training_preset, with_settings
from strokediff.training.loop import Run
from strokediff.training.resume import check_own, noise_of_run
from strokediff.training.start import StartModel
from strokediff.util.files import write_json


@dataclass(frozen=True)
class Arm:
    """What an arm changes in the preset, as `strokediff train --set` takes it.

    With `start`, a bundled model or a path, it goes on from that model's weights and settings.
    """

    settings: Sequence[str] = ()
    start: str = ""


Arms = Mapping[str, Arm]
Scores = dict[str, list[CaseMetrics]]
"""Every patient's metrics, by method."""


def run(arms: Arms, about: str | None) -> None:
    """Train and evaluate every arm at every seed, and write the tables."""
    args = arguments(arms, about)
    cohort = open_cohort(args.data)
    if args.hold_out:
        cohort = developing(cohort, args.hold_out)
    split = "test" if cohort.split["test"] else "val"
    if not cohort.split[split]:
        raise InputError(f"{args.data}: no test or validation patients. Prepare it with --test.")
    found: dict[str, dict[int, Scores]] = {arm: {} for arm in args.arms}
    for seed in args.seeds:  # seed by seed, so that a stopped ablation compares whole seeds
        for arm in args.arms:
            folder = args.out / arm / f"seed-{seed}"
            start = StartModel.of(arms[arm].start) if arms[arm].start else None
            config = configuration(args, arms[arm], start, seed)
            trained(folder, cohort, config, start, args)
            found[arm][seed] = evaluated(folder, cohort, split, methods_of(config, args), args)
        settings = {k: str(v) if isinstance(v, Path) else v for k, v in vars(args).items()}
        write_report(args.out, settings, cohort, split, found)


def developing(cohort: Cohort, share: float) -> Cohort:
    """The patients that are not for testing, `share` of them held out; test patients are gone."""
    scans = cohort.by_patient([*cohort.split["train"], *cohort.split["val"]])
    volumes = {
        patient: sum(float(cohort.patients[name]["volume_ml"]) for name in names)
        for patient, names in scans.items()
    }
    drawn = split_patients({p: ("", v) for p, v in volumes.items()}, val=share, test=0.0, seed=0)
    split = {part: sorted(n for p in drawn[part] for n in scans[p]) for part in drawn}
    return replace(cohort, split=split)


def arguments(arms: Arms, about: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument(
        "--hold-out", type=float, help="Leave the test patients alone: score this share of others."
    )
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--patch", type=int)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--precision", choices=("32", "bf16"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--arms", nargs="+", default=list(arms), choices=arms)
    parser.add_argument("--reference", default="sdpm", choices=arms)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--report-every", type=int, default=500, help="Steps between lines.")
    return parser.parse_args()


def configuration(
    args: argparse.Namespace, arm: Arm, start: StartModel | None, seed: int
) -> TrainingConfig:
    base = start.preset.training if start else training_preset(args.preset).training
    steps = args.steps or base.steps
    network = base.network.model_dump() | ({"patch": args.patch} if args.patch else {})
    config = changed(
        base,
        network=network,
        steps=steps,
        batch_size=args.batch_size,
        precision=args.precision,
        seed=seed,
        validate_every=steps,
        checkpoint_every=min(base.checkpoint_every, max(1, steps // 3)),
    )
    return with_settings(config, arm.settings)


def methods_of(config: TrainingConfig, args: argparse.Namespace) -> list[str]:
    """Those that such a network can give: one that never saw t > 0 has `avg` only."""
    return [m for m in args.methods if config.time_sampler != "clean" or m == "avg"]


def trained(
    folder: Path,
    cohort: Cohort,
    config: TrainingConfig,
    begin: StartModel | None,
    args: argparse.Namespace,
) -> None:
    """Train, or go on, unless it is done; a run of another configuration is refused."""
    name = f"{folder.parent.name}/{folder.name}"
    if (folder / "model" / "config.json").is_file():
        check_own(folder / "model", config, cohort)
        print(f"{name}: trained already", flush=True)
        return
    task = build_task(config, noise_of_run(folder, cohort, config, resume=True))
    module = build_network(config, cohort.grid.size)
    if begin:
        begin.load_into(module)
    about = begin.about if begin else ""
    run = Run(
        folder, cohort, config, task, module, name=name, device=args.device, started_from=about
    )
    start = time.perf_counter()
    for report in run.train(resume=True):
        if report.step % args.report_every == 0 or report.step == config.steps:
            spent = time.perf_counter() - start
            loss = report.losses["loss"]
            print(f"{name}: step {report.step}, loss {loss:.4f}, {spent:.0f} s", flush=True)


def evaluated(
    folder: Path, cohort: Cohort, split: str, methods: Sequence[str], args: argparse.Namespace
) -> Scores:
    """Every patient's metrics by method, from DIR's evaluation.json if that is of this model."""
    file = folder / "evaluation.json"
    device = torch.device("cuda" if args.device.startswith("cuda") else "cpu")
    model = load_model(folder / "model", device)
    if file.is_file():
        kept = json.loads(file.read_text())
        same = (kept["sha256"], kept["split"]) == (model.card["sha256"], split)
        if same and set(methods) <= set(kept["cases"]):
            return {m: [CaseMetrics.of(row) for row in kept["cases"][m]] for m in methods}
    scores: Scores = {method: [] for method in methods}
    for name in cohort.split[split]:
        for method, metrics in segmented(model, cohort, name, methods):
            scores[method].append(metrics)
        shown = {method: round(cases[-1].dice, 3) for method, cases in scores.items()}
        print(f"{folder.parent.name}/{folder.name}: {name}: {shown}", flush=True)
    cases = {method: [asdict(c) for c in rows] for method, rows in scores.items()}
    write_json(file, {"sha256": model.card["sha256"], "split": split, "cases": cases})
    return scores


def segmented(
    model: Model, cohort: Cohort, name: str, methods: Sequence[str]
) -> Iterator[tuple[str, CaseMetrics]]:
    """One patient by every method, as `strokediff predict` does it, on the network's grid."""
    patient = cohort.read(name)
    volume = patient_volume(cohort, patient)
    unit = Unit.MM if cohort.spacing_known else Unit.PX
    predictor = DiffusionPredictor(model, [Choice(method) for method in methods])
    for method, found in predictor(cohort, patient).items():
        yield (
            method,
            evaluate_case(
                name,
                mask_pred=on_axes(found.mask),
                mask_true=on_axes(patient.y),
                affine=volume.affine,
                unit=unit,
            ),
        )
