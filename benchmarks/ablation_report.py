"""The tables of `ablation.py`: figures, bootstrap intervals, and differences from SDPM."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from strokediff.cohort.store import Cohort
from strokediff.evaluation.bootstrap import bootstrap
from strokediff.evaluation.metrics import CaseMetrics
from strokediff.evaluation.summary import volume_correlation
from strokediff.util.files import write_json, write_text
from strokediff.util.machine import machine_name

METHODS = ("avg", "sal", "infer", "all")
FIGURES = ("dice", "vc", "vdp", "hd95_mm")
Found = dict[str, dict[int, dict[str, list[CaseMetrics]]]]
"""Metrics of each patient, by arm, seed and method."""


def figure(name: str, seeds: list[list[CaseMetrics]]) -> Callable[[np.ndarray], float]:
    """The figure of patients by index, the mean over seeds; NaN where it does not exist."""

    def column(field: str) -> np.ndarray:
        return np.array([[getattr(c, field) for c in cases] for cases in seeds], dtype=np.float64)

    if name == "vc":
        pred, true = column("volume_pred_ml"), column("volume_true_ml")

        def vc(i: np.ndarray) -> float:
            found = [volume_correlation(p[i], t[i])[0] for p, t in zip(pred, true, strict=True)]
            there = [value for value in found if value is not None]
            return float(np.mean(there)) if there else float("nan")

        return vc
    values = column(name)

    def mean(i: np.ndarray) -> float:
        present = values[:, i][~np.isnan(values[:, i])]
        return float(present.mean()) if len(present) else float("nan")

    return mean


def write_report(
    out: Path, settings: dict[str, Any], cohort: Cohort, split: str, found: Found
) -> None:
    """Write OUT/ablation.json and OUT/ablation.md of the seeds that are done, and print it."""
    content = {
        "cohort": str(cohort.origin.get("description") or cohort.path.name),
        "split": split,
        "patients": len(cohort.split[split]),
        "unit": "mm" if cohort.spacing_known else "px",
        "train_patients": len(cohort.split["train"]),
        "seeds": sorted(next(iter(found.values()))),
        "settings": settings,
        "machine": machine_name(settings["device"]),
        "date": str(date.today()),
        "table": table(found, len(cohort.split[split]), settings["reference"]),
        "cases": {
            f"{arm}/{method}/seed-{seed}": [asdict(c) for c in cases]
            for arm, seeds in found.items()
            for seed, methods in seeds.items()
            for method, cases in methods.items()
        },
    }
    write_json(out / "ablation.json", content)
    text = markdown(content)
    write_text(out / "ablation.md", text)
    print("\n" + text, flush=True)


def table(found: Found, patients: int, reference: str) -> dict[str, Any]:
    """ARM/METHOD -> the figures, their differences from those of `reference`, each seed's Dice."""
    rows: dict[str, Any] = {}
    base_of = [*found.get(reference, {}).values()]
    for arm, seeds in found.items():
        for method in next(iter(seeds.values())):
            own = [methods[method] for methods in seeds.values()]
            row: dict[str, Any] = {"dice_by_seed": [mean_dice(cases) for cases in own]}
            for name in FIGURES:
                row[name] = asdict(bootstrap(figure(name, own), patients))
                if base_of and method in base_of[0] and arm != reference:
                    base = [methods[method] for methods in base_of]
                    row[f"{name}_minus_{reference}"] = asdict(
                        bootstrap(difference(figure(name, own), figure(name, base)), patients)
                    )
            rows[f"{arm}/{method}"] = row
    return rows


def difference(
    first: Callable[[np.ndarray], float], second: Callable[[np.ndarray], float]
) -> Callable[[np.ndarray], float]:
    return lambda i: first(i) - second(i)


def mean_dice(cases: list[CaseMetrics]) -> float:
    return float(np.mean([c.dice for c in cases]))


def markdown(content: dict[str, Any]) -> str:
    """One table a method; brackets are 95 % bootstrap intervals over patients."""
    lines = [
        f"{content['cohort']}; {content['train_patients']} patients to train on, "
        f"{content['patients']} {content['split']} patients, seeds {content['seeds']}, "
        f"{content['machine']}, {content['date']}",
    ]
    reference = content["settings"]["reference"]
    shown_methods = {key.split("/")[1] for key in content["table"]}
    for method in (m for m in METHODS if m in shown_methods):
        lines += ["", f"Method `{method}`:", ""]
        head = f"| arm | Dice | VC | VDP | HD95 {content['unit']} "
        lines.append(f"{head}| Dice - that of {reference} | Dice by seed |")
        lines.append("| --- | --- | --- | --- | --- | --- | --- |")
        for key, row in content["table"].items():
            arm, own = key.split("/")
            if own == method:
                cells = [shown(row[name], 1 if name == "hd95_mm" else 3) for name in FIGURES]
                cells.append(shown(row.get(f"dice_minus_{reference}"), 3))
                cells.append(", ".join(f"{v:.3f}" for v in row["dice_by_seed"]))
                lines.append(f"| {arm} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def shown(found: dict[str, Any] | None, digits: int) -> str:
    if found is None or found["value"] is None:
        return "-"
    if found["low"] is None:
        return f"{found['value']:.{digits}f}"
    return f"{found['value']:.{digits}f} [{found['low']:.{digits}f}, {found['high']:.{digits}f}]"
