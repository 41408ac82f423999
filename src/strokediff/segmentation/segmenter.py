"""`load`: a trained model by its name or folder, and what it does: segment a head CT."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from strokediff.ct.read import in_hounsfield, read_ct
from strokediff.ct.volume import CT
from strokediff.inference.compute import Compute
from strokediff.inference.estimation import Estimation, Limits
from strokediff.segmentation.model import Model, load_model
from strokediff.segmentation.pipeline import segment_ct
from strokediff.segmentation.result import Segmentation
from strokediff.weights import DEFAULT, model_path


@dataclass(frozen=True)
class Segmenter(Model):
    """A trained model that segments; `load` makes one.

    >>> model = load("phantom-stroke", device="cpu")
    >>> isinstance(model, Segmenter), model.card.name, model.process.T, model.noise.name
    (True, 'phantom-stroke', 500, 'isotropic')
    >>> [decision.threshold for decision in model.decisions(Estimation("sal", cut=0.75))]
    [0.5]
    """

    def segment(
        self,
        ct: CT | str | Path,
        method: str = "sal",
        *,
        preset: str = "fast",
        transition: str = "isotropic",
        fusion: str = "union",
        tolerance_ml: float | None = None,
        max_evaluations: int | None = None,
        cut: float | None = None,
        seed: int = 0,
        advance: Callable[[int, int], None] = lambda done, total: None,
    ) -> Segmentation:
        """Outline and measure the lesion in one head CT, or in the file or folder that `read_ct`
        reads; for research use only.

        `method` is one of the estimates of section 2.4 (avg, sal, infer, all) or `matched`,
        `preset` fast or paper; the rest is as in `Estimation` and `Limits`. `seed` fixes every
        draw. `advance` is called with the network evaluations done since its last call, and those
        in all. Raises `UsageError` for settings that do not exist, `InputError` where no head is
        shown, or where the values of an array are not HU.

        >>> model = load("phantom-stroke", device="cpu")
        >>> found = model.segment(read_ct("scan.nii.gz"), method="avg")
        >>> round(found.volume_ml, -1), [round(ml, -1) for ml in found.interval_ml]
        (30.0, [10.0, 50.0])
        """
        ct = read_ct(ct) if isinstance(ct, (str, Path)) else ct
        limits = Limits(tolerance_ml, max_evaluations)
        estimation = Estimation(method, preset, transition, fusion, limits, cut)
        return segment_ct(in_hounsfield(ct), self, estimation, seed=seed, advance=advance)


def load(
    model: str | Path = DEFAULT,
    *,
    device: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    compile: bool = False,
) -> Segmenter:
    """Load a bundled model by its name, or a checkpoint by its folder, ready to segment.

    `device` is auto, cpu, cuda, cuda:N or mps; `precision` auto, 32 or bf16; `threads` those of a
    CPU, one a core if None, which change no result. With `compile` the network is compiled first,
    which pays on long runs. Raises `UsageError` for a model, device or precision that is not
    there, `InputError` for a checkpoint that is corrupt, foreign or of another method.

    >>> model = load("phantom-stroke", device="cpu")
    >>> model.card.method, model.grid.size, model.grid.spacing_mm
    ('sdpm', 96, 2.0)
    """
    loaded = load_model(model_path(str(model)), Compute.of(device, precision, threads))
    return Segmenter(**vars(loaded.compiled() if compile else loaded))
