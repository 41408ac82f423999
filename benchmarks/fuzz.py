"""Mutated files through the readers: nothing but the project's own errors, within 30 s and 2 GB.

    python benchmarks/fuzz.py [--formats dicom,nifti,...] [-n 20000] [--seed 0] [--jobs 2]

Every case is made from its number alone, so that one that fails can be made again (--only NUMBER).
A case may be read or be refused with an error of `strokediff.errors`; anything else is a fault:
another exception, a value that is not finite, a crash, more than 30 s, more than 2 GB. Faults are
listed and the exit code is 1. `fuzz_formats.py` beside this has the formats and how they are bent.
"""

from __future__ import annotations

import faulthandler
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from fuzz_bending import Format

from strokediff.errors import StrokediffError

SECONDS, BYTES = 30.0, 2 * 1024**3
HANGS = 2 * SECONDS
"""A process whose case takes longer ends itself; its format may take three times that to make."""
ADDRESS_SPACE = 8 * 1024**3
"""A bomb then meets MemoryError, which is a fault, before the machine has no memory left."""
CHUNK = 500
"""Cases that a process reads before a new one takes over: its peak memory is of few cases."""
COLUMNS = ("format", "cases", "read", "refused", "faults", "slowest s", "peak MB")


def main(
    formats: Annotated[str, typer.Option(help="Names with commas; all if not given.")] = "",
    n: Annotated[int, typer.Option("-n", help="Cases of a format.")] = 20_000,
    seed: int = 0,
    jobs: int = 2,
    only: Annotated[int | None, typer.Option(help="This case alone, with its traceback.")] = None,
    child: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    from fuzz_formats import FORMATS

    from strokediff.benchmark.tables import ruled
    from strokediff.util.machine import machine_name

    names = formats.split(",") if formats else [*FORMATS]
    if child or only is not None:
        start, stop = map(int, child.split(":")) if child else (only or 0, (only or 0) + 1)
        read_cases(names[0], seed, start, stop)
        return
    print(f"{machine_name()}, {date.today()}")
    faults, lines = [], ruled(COLUMNS, [])
    print("\n".join(lines))
    for name in names:
        records = fuzzed(name, seed, n, jobs)
        counts = Counter(str(record["outcome"]) for record in records)
        slowest, peak = (max(float(r[key]) for r in records) for key in ("seconds", "peak"))
        told = [str(counts[outcome]) for outcome in ("read", "refused", "fault")]
        row = [name, str(len(records)), *told, f"{slowest:.1f}", f"{peak / 1e6:.0f}"]
        print(ruled(COLUMNS, [row])[-1], flush=True)
        faults += [f"{name} {r['number']}: {r['why']}" for r in records if r["outcome"] == "fault"]
    print("\n".join(faults))
    sys.exit(1 if faults else 0)


def fuzzed(name: str, seed: int, n: int, jobs: int) -> list[dict[str, Any]]:
    """Records of cases 0 to n - 1 of a format, read in processes of their own."""

    def chunk(start: int) -> list[dict[str, Any]]:
        return list(watched(name, seed, start, min(n, start + CHUNK)))

    with ThreadPoolExecutor(jobs) as pool:
        return [record for found in pool.map(chunk, range(0, n, CHUNK)) for record in found]


def watched(name: str, seed: int, start: int, stop: int) -> Iterator[dict[str, Any]]:
    """Records of the cases start to stop - 1; a process that hangs or dies costs its case alone."""
    while start < stop:
        options = ["--formats", name, "--seed", str(seed), "--child", f"{start}:{stop}"]
        done = subprocess.run(
            [sys.executable, __file__, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        for line in done.stdout.splitlines(keepends=True):
            if line.endswith("\n"):
                yield json.loads(line)
                start += 1
        if start < stop:
            why = f"hangs or ends its process (exit code {done.returncode})"
            yield {"number": start, "outcome": "fault", "why": why, "seconds": 0.0, "peak": 0}
            start += 1


def read_cases(name: str, seed: int, start: int, stop: int) -> None:
    """Make and read the cases, a line of JSON each."""
    from fuzz_formats import FORMATS

    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries that print must not spoil the records
    with tempfile.TemporaryDirectory() as folder:
        faulthandler.dump_traceback_later(3 * HANGS, exit=True)
        made = FORMATS[name](Path(folder))
        for number in range(start, stop):
            faulthandler.dump_traceback_later(HANGS, exit=True)
            record = read_one(made, random.Random(f"{name} {seed} {number}"))
            told.write(json.dumps({"number": number, **record}) + "\n")
            told.flush()
    faulthandler.cancel_dump_traceback_later()


def read_one(made: Format, rng: random.Random) -> dict[str, Any]:
    """Bend the format's file as `rng` says, read it, and say what became of it."""
    made.bend(rng)
    before, begun = _peak(), time.perf_counter()
    outcome, why = "read", ""
    try:
        made.read()
    except StrokediffError as error:
        outcome = "refused" if str(error).strip() else "fault"
    except BaseException as error:  # what a reader lets through is what is looked for
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(last.filename).name}:{last.lineno}"
        outcome, why = "fault", f"{type(error).__name__}: {str(error)[:150]} ({place})"
        traceback.print_exc()
    seconds, peak = time.perf_counter() - begun, _peak()
    if seconds > SECONDS:
        outcome, why = "fault", f"{seconds:.0f} s {why}"
    if peak > max(BYTES, before):
        outcome, why = "fault", f"{peak / 1e9:.1f} GB {why}"
    return {"outcome": outcome, "why": why, "seconds": seconds, "peak": peak}


def _peak() -> int:
    """Bytes that this process has held at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    typer.run(main)
