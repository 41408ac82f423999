"""The process that trains by nnU-Net: `python -m strokediff.benchmark.nnunet.worker < JOB`.

It plans, preprocesses, trains, validates and looks for a post-processing, each by nnU-Net's own
code, goes on where it was stopped, and leaves FOLDER/model. A line of JSON on its standard output
says how far it is; all that nnU-Net prints goes to standard error.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any, TextIO

from strokediff.benchmark.nnunet.job import EXTRA, NUMBER, PLANS, Job
from strokediff.benchmark.nnunet.length import Length
from strokediff.errors import UsageError
from strokediff.util.extras import require
from strokediff.util.files import write_json
from strokediff.util.jsonfile import read_json
from strokediff.util.processes import end_with

SPLITS = "splits_final.json"
PREPARED = "prepared.json"
"""In nnU-Net's preprocessed folder: it is whole."""


def main() -> None:
    """Train what standard input asks for."""
    job = Job.model_validate_json(sys.stdin.read())
    end_with(job.parent)
    os.register_at_fork(after_in_child=_follow)
    told = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    _prepare(job)
    trainer, length = _trained(job, told)
    removes = _post_processing(job, trainer)
    from strokediff.benchmark.nnunet.model import write_model

    write_model(job, trainer, length, removes)


def _follow() -> None:
    """Loaders end with the process that feeds on them."""
    end_with(os.getppid())


def _prepare(job: Job) -> None:
    """Plan and preprocess, if that is not done."""
    mark = job.preprocessed / PREPARED
    if mark.is_file():
        return
    api = require("nnunetv2.experiment_planning.plan_and_preprocess_api", EXTRA)
    configuration = job.settings.configuration
    api.extract_fingerprints([NUMBER], num_processes=job.processes, clean=True)
    api.plan_experiments([NUMBER])
    planned = _plans(job)["configurations"]
    if configuration not in planned:
        raise UsageError(
            f"{job.raw}: nnU-Net plans no configuration '{configuration}' for these scans, it has "
            f"{', '.join(planned)}. Leave that method out."
        )
    api.preprocess([NUMBER], PLANS, [configuration], [job.processes])
    shutil.copyfile(job.raw / SPLITS, job.preprocessed / SPLITS)
    write_json(mark, {"configuration": configuration})


def _plans(job: Job) -> dict[str, Any]:
    return read_json(job.preprocessed / f"{PLANS}.json", "nnU-Net's plans")


def _trained(job: Job, told: TextIO) -> tuple[Any, Length]:
    """The trainer at the end of its training, and how long that was."""
    import torch

    from strokediff.benchmark.nnunet.trainer import paced_trainer

    if job.device == "cpu":
        os.environ.update(nnUNet_n_proc_DA="0")  # loaders that wait for one another's core
    plans, settings = _plans(job), job.settings
    dataset = read_json(job.preprocessed / "dataset.json", "nnU-Net's data set")
    results = job.folder / "nnUNet_results"
    trainer = paced_trainer()(
        plans={**plans, "continue_training": results.is_dir()},
        configuration=settings.configuration,
        fold=job.fold,
        dataset_json=dataset,
        device=torch.device(job.device.partition(":")[0]),
    )
    own = trainer.configuration_manager
    length = Length.of(settings.images, own.batch_size, own.patch_size)

    def on_epoch(done: int, kept: bool) -> None:
        print(json.dumps({"done": done, "total": length.epochs, "kept": kept}), file=told)

    trainer.pace(length, settings.seed, on_epoch)
    _run(trainer)
    return trainer, length


def _run(trainer: Any) -> None:
    """As `nnUNetv2_train --c`, whose last checkpoint says that nothing is left to train."""
    place = Path(trainer.output_folder)
    kept = [place / f"checkpoint_{name}.pth" for name in ("final", "latest")]
    last = next((file for file in kept if file.is_file()), None)
    if last is not None:
        trainer.load_checkpoint(str(last))
    if last is None or last.name != "checkpoint_final.pth":
        trainer.run_training()


def _post_processing(job: Job, trainer: Any) -> list[list[int]]:
    """The labels of which nnU-Net keeps the largest component alone, one set after another.

    It does so where that helps on the patients it validates on.
    """
    module = require("nnunetv2.postprocessing.remove_connected_components", EXTRA)
    trainer.perform_actual_validation()
    place = Path(trainer.output_folder) / "validation"
    functions, arguments = module.determine_postprocessing(
        str(place),
        str(job.preprocessed / "gt_segmentations"),
        trainer.plans_manager.plans,
        trainer.dataset_json,
        num_processes=job.processes,
        keep_postprocessed_files=False,
    )
    known = module.remove_all_but_largest_component_from_segmentation
    if any(function is not known for function in functions):
        raise UsageError("nnU-Net: an unknown post-processing. Expected its version 2.")
    return [flat(own["labels_or_regions"]) for own in arguments]


def flat(labels: Any) -> list[int]:
    """The values of a label, of a region, or of a list of them.

    >>> flat([1, (2, 3)])
    [1, 2, 3]
    """
    if isinstance(labels, list | tuple):
        return [value for own in labels for value in flat(own)]
    return [int(labels)]


if __name__ == "__main__":
    main()
