"""Stroke lesion segmentation on non-contrast head CT by synchronous image-label diffusion.

    >>> import strokediff as sd
    >>> model = sd.load("phantom-stroke", device="cpu")
    >>> found = model.segment(sd.read_ct("scan.nii.gz"), method="avg")
    >>> print(f"{found.volume_ml:.0f} mL in {len(found.lesions)} lesion")
    30 mL in 1 lesion
    >>> record = found.save("out/")

Names are imported when they are first used: `import strokediff` alone loads nothing heavy. For
research use only; not a medical device.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from strokediff.version import __version__ as __version__

if TYPE_CHECKING:
    from strokediff.benchmark.runner import Benchmark as Benchmark
    from strokediff.cohort.exporting import export_nnunet as export_nnunet
    from strokediff.cohort.importing.convert import import_dataset as import_dataset
    from strokediff.cohort.prepare import prepare_cohort as prepare_cohort
    from strokediff.cohort.store import Cohort as Cohort
    from strokediff.cohort.store import open_cohort as open_cohort
    from strokediff.core.losses import P2 as P2
    from strokediff.core.losses import exact_weights as exact_weights
    from strokediff.core.objective import LossConfig as LossConfig
    from strokediff.core.objective import Objective as Objective
    from strokediff.core.oracle import Oracle as Oracle
    from strokediff.core.process import Diffused as Diffused
    from strokediff.core.process import SynchronousProcess as SynchronousProcess
    from strokediff.core.schedule import Schedule as Schedule
    from strokediff.core.schedule import sigmoid_beta_schedule as sigmoid_beta_schedule
    from strokediff.core.schedule import sigmoid_schedule as sigmoid_schedule
    from strokediff.ct.brain.extract import BrainMask as BrainMask
    from strokediff.ct.brain.extract import extract_brain as extract_brain
    from strokediff.ct.grid import GridConfig as GridConfig
    from strokediff.ct.nifti.images import save_like as save_like
    from strokediff.ct.read import read_ct as read_ct
    from strokediff.ct.volume import CT as CT
    from strokediff.errors import InputError as InputError
    from strokediff.errors import PartialFailure as PartialFailure
    from strokediff.errors import StrokediffError as StrokediffError
    from strokediff.errors import UsageError as UsageError
    from strokediff.evaluation.agreement.icc import ICC as ICC
    from strokediff.evaluation.agreement.icc import icc as icc
    from strokediff.evaluation.agreement.volumes import Agreement as Agreement
    from strokediff.evaluation.agreement.volumes import agreement as agreement
    from strokediff.evaluation.kinds import KindConfusion as KindConfusion
    from strokediff.evaluation.kinds import KindMetrics as KindMetrics
    from strokediff.evaluation.kinds import evaluate_kinds as evaluate_kinds
    from strokediff.evaluation.metrics import CaseMetrics as CaseMetrics
    from strokediff.evaluation.metrics import evaluate as evaluate
    from strokediff.evaluation.summary import Summary as Summary
    from strokediff.evaluation.summary import summarize as summarize
    from strokediff.inference.algorithm1 import Algorithm1 as Algorithm1
    from strokediff.inference.compute import Compute as Compute
    from strokediff.inference.direct import Direct as Direct
    from strokediff.inference.estimation import Estimation as Estimation
    from strokediff.inference.estimation import Limits as Limits
    from strokediff.inference.estimator import Context as Context
    from strokediff.inference.estimator import LabelEstimate as LabelEstimate
    from strokediff.inference.estimator import Slices as Slices
    from strokediff.inference.fusion import Fused as Fused
    from strokediff.inference.fusion import Staple as Staple
    from strokediff.inference.matched import Matched as Matched
    from strokediff.inference.mirrored import Mirrored as Mirrored
    from strokediff.inference.repeated import Repeated as Repeated
    from strokediff.inference.repeated import Tolerance as Tolerance
    from strokediff.inference.salient import Salient as Salient
    from strokediff.inference.salient import Stratified as Stratified
    from strokediff.networks.config import NetworkConfig as NetworkConfig
    from strokediff.networks.two_stream import TwoStreamUNet as TwoStreamUNet
    from strokediff.noise.base import NoiseModel as NoiseModel
    from strokediff.noise.calibrated import CalibratedFourierNoise as CalibratedFourierNoise
    from strokediff.noise.fourier import FourierNoise as FourierNoise
    from strokediff.noise.isotropic import IsotropicNoise as IsotropicNoise
    from strokediff.noise.low_rank import LowRankNoise as LowRankNoise
    from strokediff.noise.scanner import ScannerNoise as ScannerNoise
    from strokediff.noise.scanner_low_rank import ScannerLowRankNoise as ScannerLowRankNoise
    from strokediff.noise.standardised import (
        StandardisedFourierNoise as StandardisedFourierNoise,
    )
    from strokediff.noise.store import load_noise as load_noise
    from strokediff.noise.store import save_noise as save_noise
    from strokediff.phantom.cohort import write_cohort as write_cohort
    from strokediff.phantom.make import Phantom as Phantom
    from strokediff.phantom.make import make_phantom as make_phantom
    from strokediff.prediction.comparing import Comparison as Comparison
    from strokediff.prediction.comparing import compare_folders as compare_folders
    from strokediff.prediction.ensemble import Ensemble as Ensemble
    from strokediff.prediction.ensemble import load_ensemble as load_ensemble
    from strokediff.prediction.predict import Predicted as Predicted
    from strokediff.prediction.predict import predict as predict
    from strokediff.prediction.scoring import Evaluation as Evaluation
    from strokediff.prediction.scoring import evaluate_folders as evaluate_folders
    from strokediff.reading.drawn import Drawn as Drawn
    from strokediff.reading.drawn import measure_mask as measure_mask
    from strokediff.report.agreement import write_agreement_figure as write_agreement_figure
    from strokediff.result.figures import Exceeds as Exceeds
    from strokediff.result.figures import KindFigures as KindFigures
    from strokediff.result.figures import Lesion as Lesion
    from strokediff.result.figures import Reason as Reason
    from strokediff.result.figures import Trust as Trust
    from strokediff.result.reading import Reader as Reader
    from strokediff.result.reading import Reading as Reading
    from strokediff.result.record import Provenance as Provenance
    from strokediff.result.record import Record as Record
    from strokediff.result.schema import json_schema as json_schema
    from strokediff.segmentation.calibrate.rules import NearlyBestDice as NearlyBestDice
    from strokediff.segmentation.calibrate.rules import Sparing as Sparing
    from strokediff.segmentation.calibrate.run import answers as answers
    from strokediff.segmentation.calibrate.run import calibrate as calibrate
    from strokediff.segmentation.calibrate.run import calibrate_from as calibrate_from
    from strokediff.segmentation.calibrate.table import intervals_from as intervals_from
    from strokediff.segmentation.objects import export_objects as export_objects
    from strokediff.segmentation.patients.job import Outcome as Outcome
    from strokediff.segmentation.patients.run import segment_folder as segment_folder
    from strokediff.segmentation.result import Segmentation as Segmentation
    from strokediff.segmentation.segmenter import Segmenter as Segmenter
    from strokediff.segmentation.segmenter import load as load
    from strokediff.training.config import TrainingConfig as TrainingConfig
    from strokediff.training.config import training_preset as training_preset
    from strokediff.training.train import train as train

_HOMES = {
    # Segment a scan.
    "load": "segmentation.segmenter",
    "Segmenter": "segmentation.segmenter",
    "load_ensemble": "prediction.ensemble",
    "Ensemble": "prediction.ensemble",
    "read_ct": "ct.read",
    "CT": "ct.volume",
    "Segmentation": "segmentation.result",
    "Record": "result.record",
    "Lesion": "result.figures",
    "KindFigures": "result.figures",
    "Exceeds": "result.figures",
    "Trust": "result.figures",
    "Reason": "result.figures",
    "Provenance": "result.record",
    "json_schema": "result.schema",
    "segment_folder": "segmentation.patients.run",
    "export_objects": "segmentation.objects",
    "Outcome": "segmentation.patients.job",
    "extract_brain": "ct.brain.extract",
    "BrainMask": "ct.brain.extract",
    "save_like": "ct.nifti.images",
    # Measure a mask that somebody drew.
    "measure_mask": "reading.drawn",
    "Drawn": "reading.drawn",
    "Reader": "result.reading",
    "Reading": "result.reading",
    # Score masks.
    "evaluate": "evaluation.metrics",
    "CaseMetrics": "evaluation.metrics",
    "evaluate_kinds": "evaluation.kinds",
    "KindMetrics": "evaluation.kinds",
    "KindConfusion": "evaluation.kinds",
    "evaluate_folders": "prediction.scoring",
    "Evaluation": "prediction.scoring",
    "summarize": "evaluation.summary",
    "Summary": "evaluation.summary",
    # Compare two readers.
    "agreement": "evaluation.agreement.volumes",
    "Agreement": "evaluation.agreement.volumes",
    "icc": "evaluation.agreement.icc",
    "ICC": "evaluation.agreement.icc",
    "compare_folders": "prediction.comparing",
    "Comparison": "prediction.comparing",
    "write_agreement_figure": "report.agreement",
    # Train.
    "import_dataset": "cohort.importing.convert",
    "prepare_cohort": "cohort.prepare",
    "open_cohort": "cohort.store",
    "Cohort": "cohort.store",
    "export_nnunet": "cohort.exporting",
    "GridConfig": "ct.grid",
    "TrainingConfig": "training.config",
    "training_preset": "training.config",
    "train": "training.train",
    "predict": "prediction.predict",
    "Predicted": "prediction.predict",
    "calibrate": "segmentation.calibrate.run",
    "NearlyBestDice": "segmentation.calibrate.rules",
    "Sparing": "segmentation.calibrate.rules",
    "answers": "segmentation.calibrate.run",
    "calibrate_from": "segmentation.calibrate.run",
    "intervals_from": "segmentation.calibrate.table",
    "Compute": "inference.compute",
    "make_phantom": "phantom.make",
    "Phantom": "phantom.make",
    "write_cohort": "phantom.cohort",
    "Benchmark": "benchmark.runner",
    # Research on the method.
    "Schedule": "core.schedule",
    "sigmoid_beta_schedule": "core.schedule",
    "sigmoid_schedule": "core.schedule",
    "SynchronousProcess": "core.process",
    "Diffused": "core.process",
    "Objective": "core.objective",
    "LossConfig": "core.objective",
    "P2": "core.losses",
    "exact_weights": "core.losses",
    "Oracle": "core.oracle",
    "NoiseModel": "noise.base",
    "IsotropicNoise": "noise.isotropic",
    "FourierNoise": "noise.fourier",
    "StandardisedFourierNoise": "noise.standardised",
    "CalibratedFourierNoise": "noise.calibrated",
    "LowRankNoise": "noise.low_rank",
    "ScannerNoise": "noise.scanner",
    "ScannerLowRankNoise": "noise.scanner_low_rank",
    "save_noise": "noise.store",
    "load_noise": "noise.store",
    "NetworkConfig": "networks.config",
    "TwoStreamUNet": "networks.two_stream",
    "Estimation": "inference.estimation",
    "Limits": "inference.estimation",
    "Slices": "inference.estimator",
    "Context": "inference.estimator",
    "LabelEstimate": "inference.estimator",
    "Direct": "inference.direct",
    "Matched": "inference.matched",
    "Salient": "inference.salient",
    "Stratified": "inference.salient",
    "Algorithm1": "inference.algorithm1",
    "Repeated": "inference.repeated",
    "Tolerance": "inference.repeated",
    "Mirrored": "inference.mirrored",
    "Fused": "inference.fusion",
    "Staple": "inference.fusion",
    # Errors.
    "StrokediffError": "errors",
    "UsageError": "errors",
    "InputError": "errors",
    "PartialFailure": "errors",
}
"""Public name to the module that it lives in."""

__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'strokediff' has no attribute {name!r}")
    value = getattr(import_module(f"strokediff.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
