"""Commands killed at random moments and run again: nothing lost, nothing torn, the same end.

    python benchmarks/kill.py [--commands segment train ...] [--kills 50] [--seed 0] [-o FOLDER]

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

import argparse
import hashlib
import json
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

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


@dataclass(frozen=True)
class Command:
    """A command that writes into a place; `before` fills the place as an earlier run left it."""

    name: str
    arguments: Callable[[Path], list[str]]
    before: Callable[[Path], None] = lambda place: None


@dataclass
class Outcome:
    """What came of the kills of one command."""

    kills: int = 0
    too_late: int = 0
    torn: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    differs: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        """All of them."""
        return self.torn + self.left + self.differs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", nargs="+", default=None)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--out", type=Path, help="keep the places here")
    args = parser.parse_args()
    folder = args.out or Path(tempfile.mkdtemp(prefix="kill-"))
    folder.mkdir(parents=True, exist_ok=True)
    commands = make_commands(folder)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {date.today()}")
    print("| command | s | kills | ended before | torn | processes left | another end |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    faults = []
    for command in commands:
        if args.commands and command.name not in args.commands:
            continue
        took, outcome = try_command(command, folder / command.name, args.kills, args.seed)
        print(
            f"| {command.name} | {took:.1f} | {outcome.kills} | {outcome.too_late} "
            f"| {len(outcome.torn)} | {len(outcome.left)} | {len(outcome.differs)} |",
            flush=True,
        )
        faults += [f"{command.name} {fault}" for fault in outcome.faults]
    for fault in faults:
        print(fault)
    if args.out is None:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if faults else 0)


def try_command(command: Command, folder: Path, kills: int, seed: int) -> tuple[float, Outcome]:
    """One undisturbed run, then kills of others."""
    place = folder / "out"
    old = _fresh(command, place)
    first, took = _undisturbed(command, place)
    whole = content_of(place)
    outcome = Outcome()
    rng = random.Random(f"{command.name} {seed}")
    while outcome.kills < kills:
        _fresh(command, place)
        moment = rng.uniform(0.8 * first, took)
        what = f"after {moment:.2f} s"
        process = _start(command, place)
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            outcome.kills += 1
        else:
            outcome.too_late += 1
            continue
        outcome.left += [f"{what}: {name}" for name in _still_running(process.pid)]
        outcome.torn += [f"{what}: {torn}" for torn in torn_files(place, old, whole)]
        was_whole = _is_whole(place, whole)
        again = subprocess.run(_line(command, place), capture_output=True, text=True)
        if again.returncode and not was_whole:
            outcome.differs.append(f"{what}: exit code {again.returncode}: {again.stderr[-300:]}")
            continue
        difference = differing(content_of(place), whole)
        outcome.differs += [f"{what}: {difference}"] if difference else []
    return took, outcome


def _is_whole(place: Path, whole: dict[str, str]) -> bool:
    """Whether the end was reached before the kill: `import` then refuses to write over it."""
    try:
        return content_of(place) == whole
    except ValueError:  # half a JSON, told by `torn_files`
        return False


def _fresh(command: Command, place: Path) -> dict[str, str]:
    shutil.rmtree(place.parent, ignore_errors=True)
    place.parent.mkdir(parents=True)
    command.before(place)
    return content_of(place) if place.exists() else {}


def _line(command: Command, place: Path) -> list[str]:
    return [sys.executable, "-m", "strokediff.cli.app", *command.arguments(place)]


def _start(command: Command, place: Path) -> subprocess.Popen[bytes]:
    silent = subprocess.DEVNULL
    return subprocess.Popen(
        _line(command, place), stdout=silent, stderr=silent, start_new_session=True
    )


def _undisturbed(command: Command, place: Path) -> tuple[float, float]:
    """Seconds to the first change of the place, and to the end."""
    before = _stamp(place.parent)
    start = time.monotonic()
    process = _start(command, place)
    first = None
    while process.poll() is None:
        if first is None and _stamp(place.parent) != before:
            first = time.monotonic() - start
        time.sleep(0.01)
    if process.returncode:
        raise SystemExit(f"{command.name}: exit code {process.returncode} undisturbed")
    took = time.monotonic() - start
    return first or took, took


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


GROWING = ("summary.csv", "clock.json", "predict.json")
"""Records that are brought up to date as the work goes on."""


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
    scans, others = folder / "scans", folder / "others"
    if not (folder / "found").exists():
        for place, seed in ((scans, 5), (others, 6)):
            if not place.exists():
                run(
                    *("phantom", "-n", "3", "--kind", "hemorrhage", "-o", str(place), "-q"),
                    *("--seed", str(seed), "--matrix", "128", "--thickness", "8"),
                )
        nnunet(scans, folder / "raw")
        run("prepare", str(scans), str(folder / "cohort"), "--quiet")
        run("prepare", str(others), str(folder / "others-cohort"), "--quiet")
        make_suite(folder / "suite")
        run("segment", str(others / "images"), "-o", str(folder / "found"), "--method", "avg", "-q")
    tiny = ("--preset", "tiny", "--batch-size", "4", "--steps", "9", "--quiet")
    often = ("--set", "checkpoint_every=3", "--set", "validate_every=3")
    return [
        Command(
            "segment",
            lambda out: ["segment", str(scans / "images"), "-o", str(out), "--method", "avg", "-q"],
            lambda out: _copied(folder / "found", out),
        ),
        Command(
            "train",
            lambda out: [
                *("train", "--data", str(folder / "cohort"), "-o", str(out), "--resume"),
                *(*tiny, *often),
            ],
        ),
        Command(
            "prepare",
            lambda out: ["prepare", str(scans), str(out), "-j", "2", "--quiet"],
            lambda out: _copied(folder / "others-cohort", out),
        ),
        Command("import", lambda out: ["import", "nnunet", str(folder / "raw"), str(out), "-q"]),
        Command(
            "benchmark",
            lambda out: [
                *("benchmark", "--suite", "phantom-hemorrhage", "--budget", "tiny", "-o", str(out)),
                *("--methods", "unet,sdpm", "--quiet"),
            ],
            lambda out: _copied(folder / "suite", out),
        ),
    ]


def make_suite(out: Path) -> None:
    """The phantoms and the cohort of the suite."""
    from strokediff.benchmark.budgets import budget
    from strokediff.benchmark.runner import Benchmark
    from strokediff.benchmark.suites import suite

    Benchmark(suite("phantom-hemorrhage"), budget("tiny"), out).cohort()


def _copied(source: Path, place: Path) -> None:
    shutil.copytree(source, place)


def run(*arguments: str) -> None:
    """A command to its end."""
    subprocess.run([sys.executable, "-m", "strokediff.cli.app", *arguments], check=True)


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
    main()
