"""What the system refuses is one sentence with a remedy; a bug stays a traceback."""

from __future__ import annotations

import errno
import os
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import SafetensorError

from strokediff.cohort.store import Cohort
from strokediff.errors import InputError, UsageError
from strokediff.training import trouble
from strokediff.training.board import board
from strokediff.training.config import TrainingConfig
from strokediff.training.resume import checkpoints
from strokediff.training.trouble import explained
from strokediff.util.files import atomic_directory

from .test_loop import run_in, train

CAUGHT = "Caught {0} in DataLoader worker process 0.\nOriginal Traceback:\n  File x\n{0}: {1}"
BUS = (
    "DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that dataloader's "
    "workers are out of shared memory. Please try to raise your shared memory limit."
)


def of_system(number: int, path: str | None = None) -> OSError:
    return OSError(number, os.strerror(number), path)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (of_system(errno.ENOSPC, "a/b"), trouble.DISK_FULL),
        (of_system(errno.EDQUOT), trouble.DISK_FULL),
        (SafetensorError("Error: I/O error: No space left (os error 28)"), trouble.DISK_FULL),
        (RuntimeError(CAUGHT.format("OSError", "x (os error 28)")), trouble.DISK_FULL),
        (of_system(errno.EACCES, "a"), trouble.DENIED),
        (of_system(errno.EROFS), trouble.DENIED),
        (of_system(errno.ENOENT, "cohort/patients.zarr/p0/x/c/0"), trouble.GONE),
        (of_system(errno.EMFILE), trouble.FILES),
        (RuntimeError("received 0 items of ancdata"), trouble.FILES),
        (RuntimeError("unable to open shared memory: Too many open files (24)"), trouble.FILES),
        (of_system(errno.EIO), trouble.SYSTEM),
        (of_system(errno.ENOMEM), trouble.MEMORY),
        (MemoryError(), trouble.MEMORY),
        (np.exceptions.TooHardError("x"), None),
        (RuntimeError("unable to allocate shared memory(shm) for file"), trouble.SHARED_MEMORY),
        (RuntimeError("unable to write to file </torch_9_1_0>: No space"), trouble.SHARED_MEMORY),
        (RuntimeError(BUS), trouble.SHARED_MEMORY),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "), trouble.WORKER),
        (RuntimeError("DataLoader worker (pid(s) 7, 8) exited unexpectedly"), trouble.WORKER),
        (BrokenProcessPool("A process in the process pool was terminated"), trouble.WORKER),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to"), trouble.GPU_MEMORY),
        (RuntimeError("CUDA error: out of memory\nCompile with ..."), trouble.GPU_MEMORY),
        (RuntimeError("MPS backend out of memory (MPS allocated: 1)"), trouble.GPU_MEMORY),
        (RuntimeError("[enforce fail] . DefaultCPUAllocator: not enough memory: you tried to "
                      "allocate 9 bytes."), trouble.MEMORY),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), trouble.MEMORY),
        (RuntimeError("std::bad_alloc"), trouble.MEMORY),
        (RuntimeError("CUDA error: device-side assert triggered"), trouble.GPU),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), trouble.GPU),
        (RuntimeError("Found no NVIDIA driver on your system."), trouble.GPU),
        (RuntimeError("The size of tensor a (3) must match that of b"), None),
        (RuntimeError(CAUGHT.format("IndexError", "out of range")), None),
        (RuntimeError(""), None),
        (KeyError("shared memory"), None),
        (ValueError("not enough memory"), None),
        (OSError("no number"), None),
        (of_system(errno.EPIPE), None),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, Exception) else "",
)  # fmt: skip
def test_every_trouble_is_told_from_the_others_and_from_bugs(
    error: Exception, told: trouble.Trouble | None
) -> None:
    if told is None:
        with pytest.raises(type(error)), explained("run: stopped"):
            raise error
        return
    with pytest.raises(UsageError) as caught, explained("run: stopped", then=lambda: "Go on."):
        raise error
    said = str(caught.value)
    assert said.startswith(f"run: stopped: {told.what} (") and f"{told.remedy} Go on." in said
    assert "\n" not in said and "Traceback" not in said and len(said) < 800
    assert caught.value.__cause__ is error


def test_the_projects_own_errors_pass_and_those_of_a_place_say_how_to_go_on(
    tmp_path: Path,
) -> None:
    with pytest.raises(InputError, match="^mine$"), explained("run", then=lambda: "Go on."):
        raise InputError("mine")
    with pytest.raises(UsageError, match="^mine$"), explained("run", then=lambda: "Go on."):
        raise UsageError("mine")
    written = pytest.raises(UsageError, match=r"new: cannot be written \(No space.*Go on\.$")
    with written, explained("run", then=lambda: "Go on."), atomic_directory(tmp_path / "new"):
        raise of_system(errno.ENOSPC)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (of_system(errno.ENOSPC), "No space left on device"),
        (of_system(errno.EACCES), "Permission denied"),
        (MemoryError(), "the memory does not suffice"),
        (RuntimeError("CUDA error: unspecified launch failure"), "the GPU failed"),
    ],
)
def test_whatever_ends_a_checkpoint_the_one_before_it_is_whole_and_named(
    tmp_path: Path, cohort: Cohort, config: TrainingConfig,
    monkeypatch: pytest.MonkeyPatch, error: Exception, said: str,
) -> None:  # fmt: skip
    run = run_in(tmp_path / "run", cohort, config)

    def refuse(*_: object) -> str:
        if checkpoints(run.folder):
            raise error
        return "0"

    monkeypatch.setattr("strokediff.training.state.write_tensors", refuse)
    told = r"Checkpoint step-0000002 is whole: the run goes on from it \(train --resume\)\.$"
    with pytest.raises(UsageError, match=rf"{said}.*{told}"):
        train(run)
    assert [p.name for p in (run.folder / "checkpoints").iterdir()] == ["step-0000002"]


def test_weights_that_are_not_finite_are_not_written(
    tmp_path: Path, cohort: Cohort, config: TrainingConfig
) -> None:
    """The last step diverged: no gradient would tell it any more."""
    run = run_in(tmp_path / "run", cohort, config)
    with pytest.raises(UsageError, match=r"diverged, the weights of step 6 .*step-0000004"):
        for report in run.train(resume=False):
            if report.step == 6:
                with torch.no_grad():
                    next(run.module.parameters()).fill_(torch.inf)
    assert [p.name for p in checkpoints(run.folder)] == ["step-0000002", "step-0000004"]
    assert not (run.folder / "model").exists()


@pytest.mark.parametrize("error", [EOFError(), ConnectionResetError(104, "reset"),
                                   FileNotFoundError(2, "no socket")])  # fmt: skip
@pytest.mark.parametrize("workers", [0, 1])
def test_a_workers_end_looks_like_one_whatever_it_was_sending(
    tmp_path: Path, cohort: Cohort, config: TrainingConfig, error: Exception, workers: int
) -> None:
    run = run_in(tmp_path / "run", cohort, config, workers=workers)

    def loader() -> object:
        yield 1
        raise error

    batches = run._received(loader())
    assert next(batches) == 1
    with pytest.raises(type(error) if not workers else RuntimeError) as caught:
        next(batches)
    found = trouble.trouble_of(caught.value)
    assert (found is trouble.WORKER) is bool(workers)


def test_logs_that_cannot_be_written_cost_a_warning_and_not_the_run(
    tmp_path: Path, cohort: Cohort, config: TrainingConfig
) -> None:
    (tmp_path / "logs").write_text("a file is in the way")
    warned: list[str] = []
    with board(tmp_path / "logs", warned.append) as logs:
        for report in run_in(tmp_path / "run", cohort, config).train(resume=False):
            logs.log(report)
    assert len(warned) == 1 and "the training goes on" in warned[0]
    assert (tmp_path / "run" / "model").is_dir()


def test_logs_whose_disk_fills_up_are_given_up(
    tmp_path: Path, cohort: Cohort, config: TrainingConfig, capfd: pytest.CaptureFixture[str]
) -> None:
    """TensorBoard's thread dies of it, and tells the next who writes."""
    warned: list[str] = []
    with board(tmp_path / "logs", warned.append) as logs:
        reports = train(run_in(tmp_path / "run", cohort, config))
        logs.log(reports[2])
        thread = logs._writer.file_writer.event_writer._async_writer._worker

        def full(*_: object) -> None:
            raise of_system(errno.ENOSPC)

        thread._record_writer.write = full
        logs.log(reports[2])
        thread.join(60)
        for _ in range(3):
            logs.log(reports[2])
    assert len(warned) == 1 and "No space left on device" in warned[0]
    assert "Traceback" not in capfd.readouterr().err
