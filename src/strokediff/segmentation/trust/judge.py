"""`trust_of`: the checks of a scan, and how like the scans it is that the model knows."""

from __future__ import annotations

from strokediff.result.figures import Reason, Trust
from strokediff.segmentation.trust.checks import CHECKS, Case
from strokediff.segmentation.trust.features import FEATURES
from strokediff.segmentation.trust.population import Population

UNLIKE = "unlike the training"


def trust_of(case: Case, population: Population | None = None) -> Trust:
    """Ok, or every reason why not; without a `population` likeness is not looked at."""
    reasons = [reason for check in CHECKS for reason in check(case)]
    if population is None or not case.features:
        return Trust(ok=not reasons, reasons=tuple(reasons))
    reasons += unlike(case, population)
    unlikeness = round(population.unlikeness(case.features), 3)
    return Trust(ok=not reasons, reasons=tuple(reasons), unlikeness=unlikeness)


def unlike(case: Case, population: Population) -> list[Reason]:
    """A reason for every feature in which the scan is not like those of the population."""
    out, known = [], population.features
    for name, z in population.unlike(case.features).items():
        if z <= 1:
            break
        feature, value, (low, _, high) = FEATURES[name], case.features[name], known[name]
        unit = f" {feature.unit}" if feature.unit else ""
        text = (
            f"The {feature.what} is {value:.1f}{unit}; of the {population.n} {population.name} "
            f"that the model was tried on nine in ten have {low:.1f} to {high:.1f}{unit}. "
            f"{feature.remedy}"
        )
        out.append(Reason(check=UNLIKE, text=text, measured=value, expected=(low, high)))
    return out
