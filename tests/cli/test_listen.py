"""Laws: what cannot listen says why before it takes anything; the queue can be read and asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from receiving import free_port

pytest.importorskip("pynetdicom")
from strokediff.receiver.spool import Spool
from strokediff.receiver.study import State, key_of

Run = Callable[..., int]
KEY = key_of("1.2.3")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--aet", "MUCH TOO LONG A TITLE"), "no AE title"),
        (("--host", "0.0.0.0"), "name the AE titles that may send with --allow"),
        (("--send", "PACS"), "expected AET@HOST:PORT"),
        (("--stow", "pacs/dicom-web"), "expected http(s)://HOST"),
        (("--send", "A@h:1", "--stow", "http://h"), "one destination"),
        (("--tls-cert", "cert.pem"), "both --tls-cert and --tls-key"),
        (("--send", "A@h:1", "--send-tls"), "needs --tls-cert"),
        (("--max-gb", "-1"), "disk_gb"),
        (("--dicom", "rtstruct"), "no DICOM object 'rtstruct'"),
        (("--method", "median"), "no method 'median'"),
    ],
)
def test_what_makes_no_sense(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], why: str
) -> None:
    assert run("listen", "--store", tmp_path / "store", *options) == 2
    assert why in capsys.readouterr().err
    assert not (tmp_path / "store").exists()


@pytest.mark.slow
def test_what_cannot_be(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_bytes(b"")
    common = ("--port", free_port(), "--device", "cpu", "--idle-exit", 0.1)
    assert run("listen", "--store", tmp_path / "file", *common) == 2
    assert "cannot write there" in capsys.readouterr().err
    assert run("listen", "--store", tmp_path / "store", *common, "--model", "nowhere") == 2
    assert "no model 'nowhere'" in capsys.readouterr().err


def test_the_queue_is_shown_and_asked(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spool = Spool(tmp_path / "store")
    spool.create()
    spool.open(KEY, "1.2.3\x1b[31m", "CT1")
    spool.advance(KEY, State.INCOMING, State.FAILED, "no head", "a note", reason="no head")
    assert run("queue", tmp_path / "store") == 0
    told = capsys.readouterr().out
    assert f"{KEY} failed       0 images" in told and "no head" in told and "a note" in told
    assert "\x1b" not in told
    assert run("queue", tmp_path / "store", "--retry", "beef") == 2
    assert "no failed study beef" in capsys.readouterr().err
    assert run("queue", tmp_path / "store", "--retry", KEY[:6]) == 0
    assert spool.wanted_again() == [KEY] and spool.keys(State.READY) == [KEY]


def test_no_queue(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("queue", tmp_path) == 2
    assert "no store of 'strokediff listen'" in capsys.readouterr().err
