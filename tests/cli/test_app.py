"""The command line as a whole: help without heavy imports, version, codes."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from strokediff.cli.stopping import stopped_by_signals
from strokediff.errors import InputError, UsageError
from strokediff.version import __version__

Run = Callable[..., int]
HEAVY = "torch matplotlib SimpleITK scipy nilearn monai zarr highdicom nibabel numpy pydantic"


def test_help_loads_nothing_heavy() -> None:
    """What makes --help slow is imports, so they are what is tested, not seconds."""
    code = (
        "import sys; sys.argv = ['strokediff', '--help']\n"
        "from strokediff.cli.app import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print('LOADED', [m for m in {HEAVY.split()!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "segment" in done.stdout
    assert "LOADED []" in done.stdout


def test_version(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out.strip() == f"strokediff {__version__}"


@pytest.mark.parametrize(
    "command",
    ["segment", "demo", "phantom", "prepare", "train", "evaluate", "compare", "import", "export"],
)
def test_every_command_explains_itself(
    run: Run, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command, "--help") == 0
    assert "--help" in capsys.readouterr().out


def test_a_place_without_permission_is_named_without_a_traceback(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Whoever tests as root may read everything, so the system's refusal is played."""
    closed = tmp_path / "closed"
    closed.mkdir()

    def refuse(self: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert run("import", "aisd", closed, tmp_path / "out") == 3
    assert capsys.readouterr().err == (
        f"strokediff: {closed}: Permission denied. Change its permissions.\n"
    )


def test_a_disk_that_fails_is_told_without_a_traceback(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def fail(self: Path) -> None:
        raise OSError(errno.EIO, "Input/output error", str(self))

    monkeypatch.setattr(Path, "iterdir", fail)
    assert run("import", "aisd", tmp_path, tmp_path / "out") == 3
    told = capsys.readouterr().err
    assert told.startswith("strokediff: ") and "Input/output error" in told
    assert told.count("\n") == 1


def test_ctrl_c_is_told(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def interrupt(self: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "iterdir", interrupt)
    assert run("import", "aisd", tmp_path, tmp_path / "out") == 130
    assert capsys.readouterr().err.strip() == "strokediff: stopped"


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (MemoryError(), "the memory does not suffice"),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
            "memory does not suffice",
        ),
        (RuntimeError("CUDA out of memory"), "--device cpu"),
        (RecursionError("maximum recursion depth exceeded"), "nested too deeply"),
        (UnicodeEncodeError("ascii", "张", 0, 1, "ordinal not in range"), "cannot be read or"),
        (OSError(errno.ENOSPC, "No space left on device", "x"), "No space left on device: 'x'"),
        (TimeoutError(errno.ETIMEDOUT, "Connection timed out", "share"), "timed out: 'share'"),
        (InputError("a\nstrokediff: all is well"), "a\n  strokediff: all is well"),
        (UsageError("x\x1b[31mred\x1b]0;title\x07.nii"), "xred.nii"),
        (InputError("M\udcfcller.nii: bad"), "Müller.nii: bad"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_ends_a_run_is_one_sentence_that_drives_no_terminal(
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    error: Exception,
    says: str,
) -> None:
    def fail(self: Path) -> None:
        raise error

    monkeypatch.setattr(Path, "iterdir", fail)
    assert run("import", "aisd", tmp_path, tmp_path / "out") in (2, 3)
    told = capsys.readouterr().err
    assert told.startswith("strokediff: ") and says in told
    assert told.count("\nstrokediff") == 0 and "\x1b" not in told and "Traceback" not in told


def test_a_bug_is_not_hidden(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Path, "iterdir", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run("import", "aisd", tmp_path, tmp_path / "out")


@pytest.mark.skipif(os.name == "nt", reason="no such signals")
@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129), ("SIGINT", 130)])
def test_a_signal_to_stop_passes_through_every_block_once(
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    name: str,
    code: int,
) -> None:
    """The block that clears up is not cut short by a second signal, and handlers are put back."""
    number, cleared = getattr(signal, name), []
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background

    def stop(self: Path) -> None:
        try:
            os.kill(os.getpid(), number)
            raise AssertionError("goes on")
        finally:
            if name != "SIGINT":
                os.kill(os.getpid(), number)
            cleared.append(name)

    monkeypatch.setattr(Path, "iterdir", stop)
    try:
        assert run("import", "aisd", tmp_path, tmp_path / "out") == code
    finally:
        signal.signal(signal.SIGINT, before)
    assert cleared == [name]
    assert capsys.readouterr().err == "strokediff: stopped\n"
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.skipif(os.name == "nt", reason="no such signals")
def test_what_somebody_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as `nohup` does
    try:
        with stopped_by_signals():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


SPEAKS = r"""
from strokediff.cli import app
from strokediff.errors import InputError
def speak():
    print("张\udcfc")
    raise InputError("张\udcfc\x1b[1m: bad")
app.app = speak
app.main()
"""
PIPES = """
import sys, time
from strokediff.cli import app
def chatty():
    for i in range(100000):
        print("x" * 100)
app.app = chatty
app.main()
"""


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", "cp1252"])
def test_a_terminal_of_any_encoding_is_told(encoding: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SPEAKS],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": f"{encoding}:strict"},
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 3
    told = done.stderr.decode(encoding)
    assert "Traceback" not in told and "\x1b" not in told
    assert ("张" if encoding == "utf-8" else "\\u5f20") in told


@pytest.mark.skipif(os.name == "nt", reason="a shell's pipe")
@pytest.mark.parametrize("ends", ["| head -n 1", "2>&1 | true", ">&-", ">&- 2>&-"])
def test_a_reader_that_goes_away_is_no_error_of_ours(ends: str) -> None:
    done = subprocess.run(
        f"\"{sys.executable}\" -c '{PIPES}' {ends}", shell=True, capture_output=True, check=False
    )
    assert done.stderr == b""


def test_an_unknown_command_is_a_usage_error(run: Run) -> None:
    assert run("segmnet") == 2
