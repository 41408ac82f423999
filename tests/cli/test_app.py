"""The command line as a whole: help without heavy imports, version, codes."""

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from strokediff import __version__

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
    "command", ["segment", "demo", "phantom", "prepare", "train", "evaluate", "import", "export"]
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


def test_an_unknown_command_is_a_usage_error(run: Run) -> None:
    assert run("segmnet") == 2
