"""nnU-Net's training in a run's folder, by a process of its own.

RUN/nnUNet_raw             the cohort's scans, by its split
RUN/nnUNet_preprocessed    nnU-Net's plans, and what it made of the scans
RUN/nnUNet_results         its checkpoints (pickles, by nnU-Net's own code) and validation
RUN/training.json          what is trained there
RUN/nnunet.log             all that it printed
RUN/model                  what predicts
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from strokediff.benchmark.arm import Step
from strokediff.benchmark.nnunet.job import NAME, NUMBER, Job
from strokediff.benchmark.nnunet.model import RECORD, read_model
from strokediff.cohort.exporting import export_nnunet
from strokediff.cohort.store import Cohort
from strokediff.errors import UsageError
from strokediff.util.files import write_json
from strokediff.util.jsonfile import read_json
from strokediff.util.plaintext import visible
from strokediff.util.processes import GRACE_S

LOG = "nnunet.log"
_KEPT = "training.json"
_LAST_LINES = 4000


@dataclass(frozen=True)
class NNUNetTraining:
    """The training `job` of the scans in `source`, which `cohort` was prepared from."""

    job: Job
    cohort: Cohort
    source: Path

    @property
    def folder(self) -> Path:
        """The run's."""
        return self.job.folder

    def finished(self) -> bool:
        """Whether the model is there; `UsageError` if it, or what is begun, is of another run."""
        there = (self.job.model / RECORD).is_file()
        if there:
            self._check(self.job.model / RECORD, read_model(self.job.model).settings.model_dump())
        elif (self.folder / _KEPT).is_file():
            kept = read_json(self.folder / _KEPT, "what is trained there")
            self._check(self.folder / _KEPT, kept)
        return there

    def train(self) -> Iterator[Step]:
        """Train to the last epoch, reporting each; `UsageError` if nnU-Net fails."""
        write_json(self.folder / _KEPT, self.job.settings.model_dump(mode="json"))
        if not self.job.raw.is_dir():
            export_nnunet(self.source, self.cohort, self.job.raw.parent, number=NUMBER, name=NAME)
        with _process(self.job) as process:
            for line in process.stdout or ():
                yield Step(**json.loads(line))
        if process.returncode:
            raise UsageError(
                f"{self.folder / LOG}: nnU-Net stopped with exit code {process.returncode}, and "
                f"said last: {_last(self.folder / LOG)}"
            )

    def costs(self) -> Mapping[str, Any]:
        """Of the model."""
        return read_model(self.job.model).model_dump(include={"images", "parameters", "gmacs"})

    def _check(self, file: Path, kept: dict[str, Any]) -> None:
        asked = self.job.settings.model_dump(mode="json")
        kept = json.loads(json.dumps(kept))
        differ = [
            f"{key}: {kept.get(key)} there, {value} asked for"
            for key, value in asked.items()
            if kept.get(key) != value
        ]
        if differ:
            raise UsageError(
                f"{file}: was trained on other patients or otherwise ({'; '.join(differ)}). Choose "
                "another folder with -o, or remove this one."
            )


@contextmanager
def _process(job: Job) -> Iterator[subprocess.Popen[str]]:
    """The process, and its own: none of them runs on."""
    command = [sys.executable, "-m", "strokediff.benchmark.nnunet.worker"]
    with (job.folder / LOG).open("a") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, **job.environment()},
            start_new_session=True,
        )
        try:
            with suppress(BrokenPipeError):
                assert process.stdin is not None
                process.stdin.write(job.model_dump_json())
                process.stdin.close()
            yield process
            process.wait()
        finally:
            _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """Stop it with all that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _last(log: Path) -> str:
    """The last line that is not empty."""
    text = log.read_bytes()[-_LAST_LINES:].decode(errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return visible(lines[-1]) if lines else "nothing"
