"""Commands killed at random moments and run again: nothing lost, nothing torn, the same end.

    python benchmarks/kill.py [--commands segment,train,...] [--kills 50] [--seed 0] [-o FOLDER]

Each command runs once undisturbed. Then, again and again, it is sent SIGKILL at a moment drawn
evenly between 0.8 times the first change of its output and its end, and the place is looked at:

- what has its final name has the content of the old or of the new run, whole;
- no process of it is left after five seconds.

Then the same command runs to its end, which must be that of the undisturbed run to the byte
(times and dates in records aside), without a file that neither run would leave. `segment` and
`prepare` write over what they made of other patients, which must be gone or whole, never mixed;
`benchmark` begins with its cohort made.
Exit code 1 if one of these fails.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from strokediff.benchmark.budgets import budget
from strokediff.benchmark.runner import Benchmark
from strokediff.benchmark.suites import suite
from strokediff.benchmark.tables import ruled
from strokediff.util.machine import machine_name

WAIT_S = 5.0
TIMES = (
    "seconds",
    "train_seconds",
    "minutes",
    "created",
    "date",
    "machine",
    "evaluations_a_second",
)
"""What keys of records begin with that no two runs share."""
PRINTS_TIMES = ("report.html", "benchmark.csv", "benchmark.md")
"""Their figures are those of the records beside them."""
LOGS = ("logs", "locks")
"""Folders that are not part of the result: TensorBoard's, and the locks of `benchmark`."""
GROWING = ("summary.csv", "clock.json", "predict.json")
"""Records that are brought up to date as the work goes on."""
FAULTS = ("torn", "processes left", "another end")
COLUMNS = ("command", "s", "kills", "ended before", *FAULTS)


@dataclass(frozen=True)
class Command:
    """A command line that ends in the place it writes to; `before`: what an earlier run left."""

    name: str
    arguments: Sequence[str | Path]
    before: Path | None = None

    def line(self, place: Path) -> list[str]:
        """What is run."""
        own = [str(place) if part == "OUT" else str(part) for part in self.arguments]
        return [sys.executable, "-m", "strokediff.cli.app", self.name, *own]

    def fresh(self, place: Path) -> dict[str, str]:
        """The place as the earlier run left it, and its content."""
        shutil.rmtree(place.parent, ignore_errors=True)
        place.parent.mkdir(parents=True)
        if self.before is None:
            return {}
        shutil.copytree(self.before, place)
        return content_of(place)

    def start(self, place: Path) -> subprocess.Popen[bytes]:
        """In a session of its own."""
        silent = subprocess.DEVNULL
        return subprocess.Popen(
            self.line(place), stdout=silent, stderr=silent, start_new_session=True
        )

    def undisturbed(self, place: Path) -> tuple[float, float]:
        """Seconds to the first change of the place, and to the end."""
        before, start = _stamp(place.parent), time.monotonic()
        process, first = self.start(place), None
        while process.poll() is None:
            if first is None and _stamp(place.parent) != before:
                first = time.monotonic() - start
            time.sleep(0.01)
        if process.returncode:
            raise SystemExit(f"{self.name}: exit code {process.returncode} undisturbed")
        took = time.monotonic() - start
        return first or took, took


def main(
    commands: Annotated[str, typer.Option(help="Names with commas; all if not given.")] = "",
    kills: int = 50,
    seed: int = 0,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Keep the places here.")] = None,
) -> None:
    folder = out or Path(tempfile.mkdtemp(prefix="kill-"))
    folder.mkdir(parents=True, exist_ok=True)
    print(f"{machine_name()}, {date.today()}")
    print("\n".join(ruled(COLUMNS, [])))
    faults: list[str] = []
    for command in make_commands(folder):
        if not commands or command.name in commands.split(","):
            took, counts, own = try_command(command, folder / command.name, kills, seed)
            told = [str(counts[what]) for what in COLUMNS[2:]]
            print(ruled(COLUMNS, [[command.name, f"{took:.1f}", *told]])[-1], flush=True)
            faults += own
    print("\n".join(faults))
    if out is None:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if faults else 0)


def try_command(
    command: Command, folder: Path, kills: int, seed: int
) -> tuple[float, Counter[str], list[str]]:
    """One undisturbed run, then kills of others: its seconds, counts by column, and faults."""
    place = folder / "out"
    old = command.fresh(place)
    first, took = command.undisturbed(place)
    whole = content_of(place)
    counts: Counter[str] = Counter()
    told: list[str] = []
    rng = random.Random(f"{command.name} {seed}")
    while counts["kills"] < kills:
        command.fresh(place)
        moment = rng.uniform(0.8 * first, took)
        process = command.start(place)
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            counts["kills"] += 1
        else:
            counts["ended before"] += 1
            continue
        left, torn = _still_running(process.pid), torn_files(place, old, whole)
        other = _another_end(command, place, whole)
        for what, found in zip(FAULTS, (torn, left, other), strict=True):
            counts[what] += len(found)
            told += [f"{command.name} after {moment:.2f} s, {what}: {fault}" for fault in found]
    return took, counts, told


def _another_end(command: Command, place: Path, whole: dict[str, str]) -> list[str]:
    """Run it again: what is not as in the undisturbed run.

    A command whose end was reached before the kill may refuse to write over it, as `import` does.
    """
    was_whole = _is_whole(place, whole)
    again = subprocess.run(command.line(place), capture_output=True, text=True)
    if again.returncode and not was_whole:
        return [f"exit code {again.returncode}: {again.stderr[-300:]}"]
    difference = differing(content_of(place), whole)
    return [difference] if difference else []


def _is_whole(place: Path, whole: dict[str, str]) -> bool:
    try:
        return content_of(place) == whole
    except ValueError:  # half a JSON, told by `torn_files`
        return False


def _stamp(folder: Path) -> list[tuple[str, int]]:
    found = []
    for path in folder.rglob("*"):
        try:
            found.append((str(path), path.stat().st_mtime_ns))
        except OSError:
            continue
    return sorted(found)


def _still_running(session: int) -> list[str]:
    """Command lines of the processes of a session that are there after `WAIT_S`."""
    end = time.monotonic() + WAIT_S
    while (found := _of_session(session)) and time.monotonic() < end:
        time.sleep(0.1)
    return found


def _of_session(session: int) -> list[str]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            line = (stat.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(line[:100])
    return found


def content_of(place: Path) -> dict[str, str]:
    """A digest of every file below a folder, hidden ones too; times in JSON do not count."""
    found = {}
    for path in sorted(place.rglob("*")):
        name = str(path.relative_to(place))
        if path.is_file() and not any(part in LOGS for part in path.relative_to(place).parts):
            found[name] = _digest(path)
    return found


def _digest(path: Path) -> str:
    content = path.read_bytes()
    if path.suffix == ".json":
        content = json.dumps(_timeless(json.loads(content)), sort_keys=True).encode()
    elif path.name in PRINTS_TIMES:
        content = b""
    return hashlib.sha256(content).hexdigest()


def _timeless(value: object) -> object:
    if isinstance(value, dict):
        return {k: _timeless(v) for k, v in value.items() if not k.startswith(TIMES)}
    return [_timeless(v) for v in value] if isinstance(value, list) else value


def torn_files(place: Path, old: dict[str, str], whole: dict[str, str]) -> list[str]:
    """What is neither the old nor the new run's, whole, or mixes both in one folder.

    Hidden files are work in progress. Of a run that goes on, files that the end no longer has
    (older checkpoints) are looked at by its own reader when it goes on.
    """
    try:
        now = {n: d for n, d in content_of(place).items() if not _hidden(n)}
    except ValueError as error:
        return [f"half a JSON: {error}"]
    torn = []
    for folder in {str(Path(name).parent) for name in now if Path(name).name == "result.json"}:
        own = {n: d for n, d in now.items() if str(Path(n).parent) == folder}
        if not any(own.items() <= of.items() and _complete(own, of, folder) for of in (old, whole)):
            torn.append(f"{folder}: of two runs, or not whole")
    known = {n: {of.get(n) for of in (old, whole)} for n in now}
    torn += [
        f"{n} is neither the old nor the new"
        for n, digest in now.items()
        if n in whole and digest not in known[n] and Path(n).name not in GROWING
    ]
    return torn


def _complete(own: dict[str, str], of: dict[str, str], folder: str) -> bool:
    return {n for n in of if str(Path(n).parent) == folder} <= set(own)


def _hidden(name: str) -> bool:
    return any(part.startswith(".") for part in Path(name).parts)


def differing(now: dict[str, str], whole: dict[str, str]) -> str:
    """The first few files that differ, are missing or are left over."""
    names = sorted(n for n in now.keys() | whole.keys() if now.get(n) != whole.get(n))
    return ", ".join(names[:6])


def make_commands(folder: Path) -> list[Command]:
    """The commands, on small phantoms that are made first (both places call them alike)."""
    scans, others, cohort = folder / "scans", folder / "others", folder / "cohort"
    avg = ("--method", "avg", "-q")
    tried = ("--suite", "phantom-hemorrhage", "--budget", "tiny", "--methods", "unet,sdpm")
    if not (folder / "found").exists():
        phantom = ("phantom", "-n", "3", "--kind", "hemorrhage", "--matrix", "128")
        for place, seed in ((scans, 5), (others, 6)):
            run(*phantom, "--thickness", "8", "--seed", seed, "-q", "-o", place)
        nnunet(scans, folder / "raw")
        run("prepare", scans, cohort, "--quiet")
        run("prepare", others, folder / "others-cohort", "--quiet")
        Benchmark(suite("phantom-hemorrhage"), budget("tiny"), folder / "suite").cohort()
        run("segment", others / "images", *avg, "-o", folder / "found")
    tiny = ("--preset", "tiny", "--batch-size", "4", "--steps", "9", "--quiet", "--resume")
    often = ("--set", "checkpoint_every=3", "--set", "validate_every=3")
    return [
        Command("segment", (scans / "images", "-o", "OUT", *avg), folder / "found"),
        Command("train", ("--data", cohort, "-o", "OUT", *tiny, *often)),
        Command("prepare", (scans, "OUT", "-j", "2", "--quiet"), folder / "others-cohort"),
        Command("import", ("nnunet", folder / "raw", "OUT", "-q")),
        Command("benchmark", (*tried, "-o", "OUT", "--quiet"), folder / "suite"),
    ]


def run(*arguments: object) -> None:
    """A command to its end."""
    line = [sys.executable, "-m", "strokediff.cli.app", *map(str, arguments)]
    subprocess.run(line, check=True)


def nnunet(scans: Path, raw: Path) -> None:
    """The scans in nnU-Net's layout."""
    raw.mkdir()
    for source, target, ending in (("images", "imagesTr", "_0000"), ("labels", "labelsTr", "")):
        (raw / target).mkdir()
        for file in (scans / source).iterdir():
            shutil.copy(file, raw / target / f"{file.name.removesuffix('.nii.gz')}{ending}.nii.gz")
    meta = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "lesion": 1}}
    (raw / "dataset.json").write_text(json.dumps({**meta, "file_ending": ".nii.gz"}))


if __name__ == "__main__":
    typer.run(main)
