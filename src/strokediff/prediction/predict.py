"""`predict`: a trained model of any method over the patients of a prepared cohort."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from strokediff.cohort.record import SPLITS
from strokediff.cohort.store import Cohort
from strokediff.errors import InputError, UsageError
from strokediff.inference.compute import ON_CPU, Compute
from strokediff.inference.estimation import Estimation
from strokediff.prediction.folder import predict_cohort
from strokediff.prediction.head import OnOwnGrids, on_networks_grid
from strokediff.prediction.load import load_predictor
from strokediff.training.checkpoint import read_split
from strokediff.training.trouble import explained
from strokediff.util.locks import sole
from strokediff.weights import model_path

OWN = "own"
"""The split of the patients that the model was tested on, whatever the cohort says."""


@dataclass(frozen=True)
class Predicted:
    """Who was predicted, and where: OUT/NAME/masks and probabilities, OUT/truth.

    `seen` are those of them that the model was trained on: their scores say nothing of new ones.

    >>> done = predict(open_cohort("cohort"), "model", "out", Estimation("avg"), split="train")
    >>> len(done.patients), done.seen == done.patients
    (1, True)
    """

    name: str
    out: Path
    patients: list[str]
    seen: list[str]

    @property
    def masks(self) -> Path:
        """The predicted masks."""
        return self.out / self.name / "masks"

    @property
    def probabilities(self) -> Path:
        """The probabilities of lesion, a channel a kind."""
        return self.out / self.name / "probabilities"

    @property
    def truth(self) -> Path:
        """The cohort's own masks, on the same grid."""
        return self.out / "truth"


def predict(
    cohort: Cohort,
    model: str | Path,
    out: str | Path,
    estimation: Estimation | None = None,
    *,
    split: str = "test",
    compute: Compute = ON_CPU,
    seed: int = 0,
    scans: str | Path | None = None,
    begun: Callable[[Predicted], object] = lambda predicted: None,
    on_patient: Callable[[str], None] = lambda name: None,
) -> Predicted:
    """Predict the patients of a `split` (test, val, train, or own: the model's test patients).

    Brain and grid are the cohort's own, so that every method is judged on the same pixels; with
    `scans`, the folder that it was prepared from, they are those of the scans, as in `segment`.
    Patients that are there already are kept. `begun` is called before the first. Raises
    `InputError` for a checkpoint of another grid, or a split without patients; `UsageError` for
    names that do not exist, and a folder that holds other predictions.

    >>> done = predict(open_cohort("cohort"), "model", "out", Estimation("avg"))
    >>> found = evaluate_folders(done.masks, done.truth, done.probabilities)
    >>> round(found.summary.mean["dice"], 1), found.summary.n["dice"]
    (1.0, 1)
    """
    if split not in (*SPLITS, OWN):
        raise UsageError(f"no split '{split}'; expected one of: {', '.join((*SPLITS, OWN))}")
    path, out = model_path(str(model)), Path(out)
    name, predictor = load_predictor(path, cohort, estimation or Estimation(), compute, seed)
    names, trained_on = _patients(cohort, path, split)
    predicted = Predicted(name, out, list(names), sorted({*names} & trained_on))
    begun(predicted)
    stopped = explained(
        f"{out}: stopped", then=lambda: "The same command goes on where it stopped."
    )
    with sole(out, "predict"), stopped:
        heads = on_networks_grid if scans is None else OnOwnGrids(Path(scans))
        predict_cohort(cohort, names, predictor, [name], out, on_patient, heads)
    return predicted


def _patients(cohort: Cohort, model: Path, split: str) -> tuple[Sequence[str], set[str]]:
    """The patients of the split, and all that the model was trained on."""
    kept = read_split(model)
    names = kept.get("test", []) if split == OWN else cohort.split[split]
    if not names and split == OWN:
        raise InputError(f"{model}: trained without test patients. Name a split of the cohort.")
    if not names:
        raise InputError(
            f"{cohort.path}: no patients in split '{split}'. Prepare it with --{split} > 0."
        )
    gone = sorted({*names} - {*cohort.patients})
    if gone:
        raise InputError(
            f"{cohort.path}: {len(gone)} test patients of {model} are not in it "
            f"({', '.join(gone[:5])}). Give the cohort that the model was trained with."
        )
    return names, {*kept.get("train", ())}
