"""A day of a scanner through an archive and back, with the listener killed in between.

    python benchmarks/listen.py [--series 200] [--kills 3] [--seed 0] [--model stroke-ncct]

Phantom heads of 128 x 128 pixels, a study each, and among ten of them one with a slice missing or
damaged, one with contrast and one without a head, are sent to Orthanc with dcmtk's `storescu`, two
at once; Orthanc sends each on to `strokediff listen`, which sends its SEG and SR back to Orthanc.
The listener gets SIGKILL at moments drawn from the seed and is started again; what Orthanc could
not deliver it sends again, as routers do. Counted is what the archive has in the end:

- of every head the SR once, and the SEG once where there is a lesion;
- of every other a reason, and no object.

Memory is that of each life of the listener and of its worker. Exit code 1 if a count is off. Needs
Orthanc and dcmtk.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Annotated

import numpy as np
import typer
from orthanc import Orthanc, free_port
from pydicom import dcmread
from pydicom.dataset import Dataset

from strokediff.benchmark.tables import ruled
from strokediff.phantom.dicom import write_dicom_series
from strokediff.phantom.make import Phantom, make_phantom
from strokediff.receiver.listing import Row, rows
from strokediff.receiver.study import State
from strokediff.result.record import Record
from strokediff.util.machine import machine_name
from strokediff.weights import DEFAULT

AIR = -1000
BASES = 3
"""Different heads; each study has its own patient and UIDs."""
AT_ONCE = 2
PATIENCE_S = 600.0
"""Without a change in the queue, something hangs."""
ROUTE = "/modalities/ai/store"
COUNTS = ("what", "sent", "done", "failed", "SR", "SEG", "wanted SEG", "faults")


def main(
    series: int = 200,
    kills: int = 3,
    seed: int = 0,
    model: str = DEFAULT,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Keep everything here.")] = None,
) -> None:
    folder = out or Path(tempfile.mkdtemp(prefix="listen-"))
    folder.mkdir(parents=True, exist_ok=True)
    print(f"{machine_name()}, {date.today()}", flush=True)
    studies = [Study.made(folder / "scans", number) for number in range(series)]
    begun = time.monotonic()
    with Scene(folder, model) as scene:
        scene.run(studies, kills, random.Random(seed))
        print(f"{series} studies in {time.monotonic() - begun:.0f} s, {kills} kills")
        faults = count(scene, studies)
    print("\n".join(ruled(("life", "s", "listener MB", "worker MB"), scene.lives())))
    print("\n".join(faults))
    if out is None:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if faults else 0)


@dataclass(frozen=True)
class Study:
    """What is sent: a folder of DICOM files, and whether a result is wanted."""

    kind: str
    folder: Path
    uid: str

    @classmethod
    def made(cls, place: Path, number: int) -> Study:
        """Of ten, seven heads and one each of what has no result."""
        kind = {3: "damaged", 6: "contrast", 9: "no head"}.get(number % 10, "head")
        folder = place / f"{number:04d}"
        files = write_dicom_series(base(number % BASES), folder, patient_id=f"PHANTOM-{number:04d}")
        if kind == "damaged" and number % 20 == 3:
            files[len(files) // 2].unlink()
        elif kind != "head":
            for path in files:
                dataset = dcmread(path)
                BENDS[kind](dataset)
                dataset.save_as(path)
        return cls(kind, folder, str(dcmread(files[0], stop_before_pixels=True).StudyInstanceUID))


def _damage(dataset: Dataset) -> None:
    """Half of the pixels."""
    dataset.PixelData = dataset.PixelData[: len(dataset.PixelData) // 4 * 2]


def _contrast(dataset: Dataset) -> None:
    dataset.ContrastBolusAgent = "Iodine 300"


def _no_head(dataset: Dataset) -> None:
    """A bottle of water."""
    y, x = np.ogrid[-1 : 1 : dataset.Rows * 1j, -1 : 1 : dataset.Columns * 1j]
    values = np.where(x**2 + y**2 < 0.3, 0, AIR) - int(dataset.RescaleIntercept)
    dataset.PixelData = values.astype("<u2").tobytes()


BENDS: dict[str, Callable[[Dataset], None]] = {
    "damaged": _damage,
    "contrast": _contrast,
    "no head": _no_head,
}


@lru_cache(maxsize=BASES)
def base(seed: int) -> Phantom:
    """A head of 128 x 128 pixels and slices of 8 mm."""
    return make_phantom("hemorrhage", seed, matrix=128, thickness_mm=8.0)


@dataclass
class Life:
    """One process of the listener: when it began, and its memory as time went by."""

    process: subprocess.Popen[bytes]
    began: float = field(default_factory=time.monotonic)
    memory: list[tuple[float, float]] = field(default_factory=list)
    ended: float = 0.0

    def look(self) -> None:
        """Note the memory of the process and of its worker, MB."""
        own, child = (
            rss_mb(self.process.pid),
            max(map(rss_mb, children(self.process.pid)), default=0),
        )
        if own and child:
            self.memory.append((own, child))
        self.ended = time.monotonic()

    def row(self, number: int) -> list[str]:
        """At the start, in the middle and at the end."""
        places = [self.memory[int(at * (len(self.memory) - 1))] for at in (0.0, 0.5, 1.0)]
        own, child = (", ".join(f"{one[k]:.0f}" for one in places) for k in (0, 1))
        return [str(number), f"{self.ended - self.began:.0f}", own, child]


class Scene:
    """Archive and listener, and who sends."""

    def __init__(self, folder: Path, model: str) -> None:
        self.store, self.log, self.model = folder / "store", folder / "log.txt", model
        self.port = free_port()
        self.archive = Orthanc(folder / "orthanc", {"ai": ("STROKEDIFF", "127.0.0.1", self.port)})
        self.past: list[Life] = []
        self.sent, self.lock = 0, Lock()

    def __enter__(self) -> Scene:
        self.archive.start()
        self.begin()
        return self

    def __exit__(self, *error: object) -> None:
        self.past[-1].process.kill()
        self.past[-1].process.wait()
        self.archive.kill()

    def begin(self) -> None:
        """Start the listener."""
        line = [sys.executable, "-m", "strokediff.cli.app", "listen", "--store", self.store]
        line += ["--port", self.port, "--allow", "ORTHANC", "--model", self.model]
        line += ["--send", f"ORTHANC@127.0.0.1:{self.archive.dicom}", "--method", "avg"]
        line += ["--quiet-seconds", 3, "--no-preview", "--dicom", "seg,sr"]
        with self.log.open("ab") as log:
            process = subprocess.Popen([*map(str, line)], stdout=log, stderr=log)
        self.past.append(Life(process))

    def run(self, studies: Sequence[Study], kills: int, draw: random.Random) -> None:
        """Send all, kill at drawn shares of what is sent, and wait for the end."""
        at = sorted(draw.uniform(0.1, 0.9) * len(studies) for _ in range(kills))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            sending = [pool.submit(self.deliver, study) for study in studies]
            while not all(one.done() for one in sending) or at:
                if at and self.sent >= at[0] and self.past[-1].memory:
                    time.sleep(draw.uniform(0, 3))
                    at.pop(0)
                    self.past[-1].process.kill()
                    self.past[-1].process.wait()
                    self.begin()
                self.look()
                time.sleep(0.2)
            for one in sending:
                one.result()
        self.wait()

    def deliver(self, study: Study) -> None:
        """From the scanner to the archive, and from there to the listener, until it has it."""
        scanner = ["storescu", "-aec", "ORTHANC", "127.0.0.1", str(self.archive.dicom)]
        subprocess.run([*scanner, "+sd", str(study.folder)], check=True, capture_output=True)
        (name,) = self.archive.find("Study", StudyInstanceUID=study.uid)
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                self.archive.post(
                    "/modalities/ai/store", {"Resources": [name], "Synchronous": True}
                )
                break
            except (urllib.error.URLError, OSError):
                if time.monotonic() > end:
                    raise
                time.sleep(1.0)
        with self.lock:
            self.sent += 1

    def wait(self) -> None:
        """Until nothing is under way."""
        seen: Counter[str] = Counter()
        end = time.monotonic() + PATIENCE_S
        while True:
            now = Counter(str(row.state) for row in rows(self.store))
            if set(now) <= {State.DONE, State.FAILED}:
                return
            if now != seen:
                seen, end = now, time.monotonic() + PATIENCE_S
            if time.monotonic() > end:
                raise SystemExit(f"nothing moves: {dict(now)}; {self.log} says why")
            self.look()
            time.sleep(0.5)

    def look(self) -> None:
        """Note the memory, once the model is loaded."""
        if self.log.read_bytes().count(b" listens on ") == len(self.past):
            self.past[-1].look()

    def lives(self) -> list[list[str]]:
        """A row each."""
        return [life.row(n) for n, life in enumerate(self.past, start=1)]


def count(scene: Scene, studies: Sequence[Study]) -> list[str]:
    """Print the counts; returns what is wrong."""
    found = {row.study_uid: row for row in rows(scene.store)}
    table: dict[str, Counter[str]] = {}
    faults: list[str] = []
    for study in studies:
        counts = table.setdefault(study.kind, Counter[str]())
        row = found.get(study.uid)
        has = {m: objects(scene.archive, study, m) for m in ("SR", "SEG")}
        wanted = wanted_seg(scene.store, row)
        own = fault(study, row, has, wanted)
        counts.update(sent=1, SR=has["SR"], SEG=has["SEG"], faults=len(own))
        counts.update({"wanted SEG": wanted, str(row.state) if row else "lost": 1})
        faults += own
    lines = [[kind, *(str(counts[name]) for name in COUNTS[1:])] for kind, counts in table.items()]
    print("\n".join(ruled(COUNTS, lines)))
    return faults


def fault(study: Study, row: Row | None, has: dict[str, int], wanted: int) -> list[str]:
    """What is wrong with the end of one study."""
    name = f"{study.folder.name} ({study.kind})"
    if row is None:
        return [f"{name}: lost"]
    if study.kind == "head":
        fine = row.state is State.DONE and has == {"SR": 1, "SEG": wanted}
    else:
        fine = row.state is State.FAILED and bool(row.told) and has == {"SR": 0, "SEG": 0}
    return [] if fine else [f"{name}: {row.state}, {has}, wanted {wanted} SEG; {row.told}"]


def objects(archive: Orthanc, study: Study, modality: str) -> int:
    """How many of a study's instances are of that modality."""
    return len(archive.find("Instance", StudyInstanceUID=study.uid, Modality=modality))


def wanted_seg(store: Path, row: Row | None) -> int:
    """1 where a lesion was found."""
    path = store / "results" / (row.key if row else "") / "result.json"
    if not path.is_file():
        return 0
    return int(Record.model_validate_json(path.read_text()).volume_ml > 0)


def rss_mb(pid: int) -> float:
    """Resident memory; 0 of a process that is no more."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def children(pid: int) -> list[int]:
    """The processes that a process started."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(part) for part in text.split()]


if __name__ == "__main__":
    typer.run(main)
