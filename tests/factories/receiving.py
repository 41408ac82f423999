"""Small head CTs as a scanner sends them, a listener in this process, and one in its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dicom_factory as make
import numpy as np
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, AllStoragePresentationContexts
from pynetdicom.association import Association
from small_head import SPACING_MM, small_head

from strokediff.receiver.arrivals import Arrivals
from strokediff.receiver.server import Server
from strokediff.receiver.spool import Spool

WAIT_S = 90.0


class Clock:
    """A time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def head_series(patient: str, *, seed: int = 0, slices: int = 16, **bend: Any) -> list[Dataset]:
    """A head of 64 x 64 x 16 voxels, a dataset a slice; another study for another patient."""
    hu = small_head(seed=seed).transpose(2, 1, 0)[:slices].round()
    wanted = {
        "hu": hu,
        "z": SPACING_MM[2] * np.arange(slices),
        "spacing": SPACING_MM[:2],
        "series": f"{patient}-ct",
        "study": f"{patient}-study",
        "patient": patient,
        "BodyPartExamined": "HEAD",
        "StudyDate": "20260101",
        "StudyTime": "120000",
        "PatientBirthDate": "",
        "PatientSex": "O",
        "AccessionNumber": "",
        "StudyID": "1",
        "ReferringPhysicianName": "",
        "PatientPosition": "HFS",
        "FrameOfReferenceUID": make.uid(f"{patient}-frame"),
    }
    return list(make.datasets(**{**wanted, **bend}))


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def until(true: Callable[[], bool], what: str, seconds: float = WAIT_S) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.05)


@dataclass
class Here:
    """A receiver in this process: spool, arrivals and server, without workers."""

    spool: Spool
    arrivals: Arrivals
    server: Server
    clock: Clock
    told: list[str]


def associated(port: int, calling: str = "SCANNER", called: str = "STROKEDIFF", **own: Any) -> Any:
    """An association that proposes what scanners send, and more; it may be refused."""
    entity = AE(ae_title=calling)
    for context in AllStoragePresentationContexts[:120]:
        entity.add_requested_context(
            context.abstract_syntax, [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
        )
    entity.add_requested_context("1.2.840.10008.1.1")
    return entity.associate("127.0.0.1", port, ae_title=called, **own)


def send(port: int, datasets: Sequence[Dataset], **own: Any) -> list[int]:
    """The statuses of a C-STORE each."""
    link: Association = associated(port, **own)
    assert link.is_established
    try:
        return [link.send_c_store(dataset).Status for dataset in datasets]
    finally:
        link.release()


@dataclass
class Archive:
    """A destination: keeps what comes, in order, with a status that a test may choose."""

    port: int
    got: list[Dataset] = field(default_factory=list)
    status: int = 0

    def classes(self) -> list[str]:
        return [one.Modality for one in self.got]

    def unique(self) -> set[str]:
        return {str(one.SOPInstanceUID) for one in self.got}


class Listener:
    """`strokediff listen` in a process of its own."""

    def __init__(self, store: Path, port: int, model: Path, *options: object) -> None:
        self.port, self.log = port, store.parent / "log.txt"
        line = ["-m", "strokediff.cli.app", "listen", "--store", store, "--port", port]
        line += ["--model", model, "--method", "avg", "--no-preview", "--dicom", "seg,sr"]
        line += ["--device", "cpu", "--threads", "1", "--quiet-seconds", "1", *options]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, *map(str, line)],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
        before = self.told.count("listens on")
        until(lambda: self.told.count("listens on") > before or self.ended, "it listens")
        assert not self.ended, self.told

    @property
    def told(self) -> str:
        return self.log.read_text()

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)
