"""The rows and what is said of the cohort, as a table (CSV) and as plain values for JSON.

A value that does not exist is an empty field in the table; in JSON it is null, with the reason as
its `note`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from strokediff.evaluation.agreement.bland_altman import BlandAltman, Trend
from strokediff.evaluation.agreement.cohort import CohortAgreement
from strokediff.evaluation.agreement.estimate import Estimate
from strokediff.evaluation.agreement.kappa import Decisions
from strokediff.evaluation.agreement.masks import MaskAgreement
from strokediff.evaluation.unit import Unit
from strokediff.util.plaintext import csv_cell

FIGURES = (
    "volume_a_ml",
    "volume_b_ml",
    "difference_ml",
    "mean_ml",
    "ratio",
    "dice",
    "iou",
    "a_in_b",
    "b_in_a",
    "hd_mm",
    "hd95_mm",
    "kappa_voxels",
)
BY_BOTH = "both"
POLICY = (
    "Neither reader is the truth: A and B are the folders in the order in which they were given. "
    "Differences are A - B, ratios A / B.",
    "Both masks empty: Dice, IoU and the shares 1, HD and HD95 0. One mask empty: Dice, IoU and "
    "the shares 0, HD and HD95 the diagonal of the image's box. dice_marked_mean leaves out "
    "patients in whom neither found a lesion.",
    "Intervals are 95 % confidence intervals unless 'level' says otherwise: of Dice, IoU, HD95 and "
    "kappa_voxels by bootstrap over patients; of limits of agreement exact for normal differences.",
    "Limits of agreement are for 95 % of patients. Where spread_grows is true, differences grow "
    "with the volume, and the limits of the ratio are to be read.",
    "A patient of whom a volume is 0 has no ratio; ratio.left_out counts them.",
    "For research use only. Not a medical device.",
)


@dataclass(frozen=True)
class Unpaired:
    """A patient of whom only one reader, A or B, has a mask, and why if that is known."""

    case: str
    reader: str
    reason: str = ""


def column(name: str, unit: Unit) -> str:
    """A field's name in the unit; spacing unknown, volumes are counts and distances pixels.

    >>> column("difference_ml", Unit.PX), column("dice", Unit.PX)
    ('difference_px', 'dice')
    """
    return name if unit is Unit.MM else name.replace("_ml", "_px").replace("_mm", "_px")


def format_csv(
    rows: Sequence[tuple[str, MaskAgreement]], unpaired: Iterable[Unpaired], unit: Unit
) -> str:
    """A line a patient and kind of lesion, then one for each whom only one reader has.

    `rows` are kinds and figures; numbers have 10 digits, and names that a spreadsheet would compute
    are escaped.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["case", "kind", "readers", *(column(f, unit) for f in FIGURES), "reason"])
    for kind, row in rows:
        cells = [_cell(getattr(row, name)) for name in FIGURES]
        writer.writerow([csv_cell(row.case), kind, BY_BOTH, *cells, ""])
    for one in unpaired:
        nothing = [""] * len(FIGURES)
        only = f"only {one.reader}"
        writer.writerow([csv_cell(one.case), "", only, *nothing, csv_cell(one.reason)])
    return text.getvalue()


def plain(found: CohortAgreement) -> dict[str, Any]:
    """One kind's figures as plain values, named with their unit."""
    volumes, overlap, unit = found.volumes, found.overlap, found.unit
    return {
        "n_patients": volumes.n,
        column("difference_ml", unit): _limits(volumes.difference, column("sd_ml", unit)),
        "ratio": _limits(volumes.ratio, "sd_of_log"),
        "spread_grows": volumes.spread_grows,
        **{name: _estimate(own) for name, own in vars(volumes.icc).items()},
        "ccc": _estimate(volumes.ccc),
        "lesion_present": _decisions(volumes.lesion, volumes.level),
        "volume_at_least": [
            {column("volume_ml", unit): volume, **_decisions(own, volumes.level)}
            for volume, own in volumes.at_least.items()
        ],
        "dice_mean": _estimate(overlap.dice),
        "dice_marked_mean": {**_estimate(overlap.dice_marked), "n": overlap.n_marked},
        "iou_mean": _estimate(overlap.iou),
        column("hd95_mm_mean", unit): _estimate(overlap.hd95_mm),
        "kappa_voxels": _estimate(overlap.kappa_voxels),
    }


def _limits(found: BlandAltman, sd: str) -> dict[str, Any]:
    return {
        "n": found.n,
        "left_out": found.left_out,
        "bias": _estimate(found.bias),
        sd: found.sd,
        "lower_limit": _estimate(found.lower),
        "upper_limit": _estimate(found.upper),
        "proportional_bias": _trend(found.proportional),
        "spread": _trend(found.spread),
    }


def _trend(found: Trend) -> dict[str, Any]:
    return {"slope": _estimate(found.slope), "intercept": found.intercept, "p": found.p}


def _decisions(found: Decisions, level: float) -> dict[str, Any]:
    return {
        **asdict(found),
        "observed_agreement": found.observed,
        "kappa": _estimate(found.kappa(level)),
    }


def _estimate(found: Estimate) -> dict[str, Any]:
    return asdict(found)


def _cell(value: float | None) -> str:
    return "" if value is None else format(value, ".10g")
