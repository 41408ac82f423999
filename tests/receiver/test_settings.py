"""Laws: what makes no sense is refused before anything is opened, with what was expected."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("pynetdicom")
from strokediff.errors import UsageError
from strokediff.receiver.server import server_context
from strokediff.receiver.settings import Limits, Peer, Settings, Tls, checked


@pytest.mark.parametrize("text", ["PACS@10.0.0.7:104", "A B@pacs.example:1", "P@[::1]:11112"])
def test_a_peer_is_written_as_it_is_read(text: str) -> None:
    assert str(Peer.of(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "PACS", "PACS@host", "@host:104", "PACS@host:0", "PACS@host:70000", "PACS@:104",
     "PACS@host:x", "A@B@host:104"],
)  # fmt: skip
def test_no_peer(text: str) -> None:
    with pytest.raises(UsageError, match="expected AET@HOST:PORT"):
        Peer.of(text)


@pytest.mark.parametrize("title", ["", "SEVENTEEN LETTERS", "A\\B", "Ä", " A", "A\n"])
def test_no_ae_title(title: str) -> None:
    with pytest.raises(UsageError, match="no AE title"):
        checked(Settings, aet=title)
    with pytest.raises(UsageError, match="no AE title"):
        checked(Settings, allow=("OK", title))


def test_other_machines_only_by_name() -> None:
    for host in ("127.0.0.1", "localhost", "::1", "127.0.0.2"):
        assert Settings(host=host).host == host
    for host in ("0.0.0.0", "", "192.168.0.4", "pacs.example"):
        with pytest.raises(UsageError, match="--allow"):
            checked(Settings, host=host)
        assert Settings(host=host, allow=("CT1",)).allow == ("CT1",)


@pytest.mark.parametrize(
    ("name", "value"),
    [("disk_gb", 0), ("study_images", 0), ("pdu_bytes", 100), ("associations", 0),
     ("network_seconds", float("nan")), ("work_seconds", float("inf"))],
)  # fmt: skip
def test_a_limit_that_is_none(name: str, value: float) -> None:
    with pytest.raises(UsageError, match=name):
        checked(Limits, **{name: value})


def test_no_certificate(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("no key")
    with pytest.raises(UsageError, match="not usable for TLS"):
        server_context(Tls(cert=tmp_path / "cert", key=tmp_path / "key"))
