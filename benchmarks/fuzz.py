"""Mutated files through the readers: nothing but the project's own errors, within 30 s and 2 GB.

    python benchmarks/fuzz.py [--formats dicom nifti ...] [-n 20000] [--seed 0] [--jobs 2]

Every case is made from its number alone, so that one that fails can be made again (--only NUMBER).
A case may be read or be refused with an error of `strokediff.errors`; anything else is a fault:
another exception, a value that is not finite, a crash, more than 30 s, more than 2 GB. Faults are
listed and the exit code is 1. `fuzz_formats.py` beside this has the formats and how they are bent.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from queue import Empty, Queue

SECONDS, BYTES = 30.0, 2 * 1024**3
ADDRESS_SPACE = 8 * 1024**3
"""A bomb then meets MemoryError, which is a fault, before the machine has no memory left."""
CHUNK = 500
"""Cases that a process reads before a new one takes over: its peak memory is of few cases."""


@dataclass
class Tally:
    """What became of the cases of one format."""

    counts: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    peak_bytes: int = 0
    faults: list[str] = field(default_factory=list)

    def add(self, record: dict[str, object]) -> None:
        """Count one case's record."""
        self.counts[str(record["outcome"])] += 1
        self.slowest_s = max(self.slowest_s, float(str(record["seconds"])))
        self.peak_bytes = max(self.peak_bytes, int(str(record["peak"])))
        if record["outcome"] == "fault":
            self.faults.append(f"{record['number']}: {record['why']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--formats", nargs="+", default=None)
    parser.add_argument("-n", type=int, default=20_000, help="cases of a format")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", type=int, help="this case alone, with its traceback")
    parser.add_argument("--child", nargs=2, type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child is not None:
        child(args.formats[0], args.seed, *args.child)
        return
    if args.only is not None:
        child(args.formats[0], args.seed, args.only, args.only + 1)
        return
    names = args.formats or all_formats()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {date.today()}")
    print("| format | cases | read | refused | faults | slowest s | peak MB |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    faults: list[str] = []
    for name in names:
        tally = fuzz(name, args.seed, args.n, args.jobs)
        counts = tally.counts
        print(
            f"| {name} | {sum(counts.values())} | {counts['read']} | {counts['refused']} "
            f"| {counts['fault']} | {tally.slowest_s:.1f} | {tally.peak_bytes / 1e6:.0f} |",
            flush=True,
        )
        faults += [f"{name} {fault}" for fault in tally.faults]
    for fault in faults:
        print(fault)
    sys.exit(1 if faults else 0)


def all_formats() -> list[str]:
    """Names of the formats, without loading what they need."""
    from fuzz_formats import FORMATS

    return list(FORMATS)


def fuzz(name: str, seed: int, n: int, jobs: int) -> Tally:
    """Cases 0 to n - 1 of a format, in processes that are watched from outside."""
    tally = Tally()
    chunks: Queue[tuple[int, int]] = Queue()
    for start in range(0, n, CHUNK):
        chunks.put((start, min(n, start + CHUNK)))
    lock = threading.Lock()

    def work() -> None:
        while True:
            try:
                start, stop = chunks.get_nowait()
            except Empty:
                return
            for record in watched(name, seed, start, stop):
                with lock:
                    tally.add(record)

    threads = [threading.Thread(target=work) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tally


def watched(name: str, seed: int, start: int, stop: int) -> Iterator[dict[str, object]]:
    """Records of the cases start to stop - 1; a process that hangs or dies costs its case alone."""
    while start < stop:
        command = [sys.executable, __file__, "--formats", name, "--seed", str(seed)]
        process = subprocess.Popen(
            [*command, "--child", str(start), str(stop)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        lines: Queue[str] = Queue()
        assert process.stdout is not None
        reader = threading.Thread(target=_pump, args=(process.stdout, lines), daemon=True)
        reader.start()
        while start < stop:
            try:
                line = lines.get(timeout=SECONDS + 60.0 * (start == 0) + 30.0)
            except Empty:
                line = ""
            if not line:
                process.kill()
                code = process.wait()
                yield _fault(start, f"hangs or ends its process (exit code {code})")
                start += 1
                break
            yield json.loads(line)
            start += 1
        process.kill()
        process.wait()


def _pump(stream: object, lines: Queue[str]) -> None:
    for line in stream:  # type: ignore[attr-defined]
        lines.put(line)
    lines.put("")


def _fault(number: int, why: str) -> dict[str, object]:
    return {"number": number, "outcome": "fault", "why": why, "seconds": 0.0, "peak": 0}


def child(name: str, seed: int, start: int, stop: int) -> None:
    """Make and read the cases, a line of JSON each."""
    from fuzz_formats import FORMATS

    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries that print must not spoil the records
    with tempfile.TemporaryDirectory() as folder:
        made = FORMATS[name](Path(folder))
        for number in range(start, stop):
            record = read_one(made, random.Random(f"{name} {seed} {number}"))
            told.write(json.dumps({"number": number, **record}) + "\n")
            told.flush()


def read_one(made: object, rng: random.Random) -> dict[str, object]:
    """Bend the format's file as `rng` says, read it, and say what became of it."""
    from strokediff.errors import StrokediffError

    made.bend(rng)  # type: ignore[attr-defined]
    before, begun = _peak(), time.perf_counter()
    outcome, why = "read", ""
    try:
        made.read()  # type: ignore[attr-defined]
    except StrokediffError as error:
        outcome = "refused" if str(error).strip() else "fault"
    except BaseException as error:  # what a reader lets through is what is looked for
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(last.filename).name}:{last.lineno}"
        outcome, why = "fault", f"{type(error).__name__}: {str(error)[:150]} ({place})"
        traceback.print_exc()
    seconds = time.perf_counter() - begun
    peak = _peak()
    if seconds > SECONDS:
        outcome, why = "fault", f"{seconds:.0f} s {why}"
    if peak > max(BYTES, before):
        outcome, why = "fault", f"{peak / 1e9:.1f} GB {why}"
    return {"outcome": outcome, "why": why, "seconds": seconds, "peak": peak}


def _peak() -> int:
    """Bytes that this process has held at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
