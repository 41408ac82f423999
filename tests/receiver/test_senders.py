"""Laws: what a destination's answers mean: taken, not now, or never."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import dicom_factory as make
import pytest
from receiving import Archive, free_port

pytest.importorskip("pynetdicom")
pytest.importorskip("dicomweb_client")
from pynetdicom import AE

from strokediff.errors import UsageError
from strokediff.receiver.senders import (
    CStoreSender,
    Nowhere,
    RejectedError,
    StowSender,
    UnreachableError,
)
from strokediff.receiver.settings import Peer

CLASSES = {"seg": "1.2.840.10008.5.1.4.1.1.66.4", "sc": "1.2.840.10008.5.1.4.1.1.7"}


@pytest.fixture
def objects(tmp_path: Path) -> list[Path]:
    """Two that are sent: of the right classes, which is all that the way sees."""
    paths = []
    for (name, sop_class), dataset in zip(CLASSES.items(), make.datasets(), strict=False):
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = sop_class
        paths.append(tmp_path / f"lesion_{name}.dcm")
        dataset.save_as(paths[-1], enforce_file_format=True)
    return paths


def to(port: int, aet: str = "ARCHIVE") -> CStoreSender:
    return CStoreSender(Peer(aet=aet, host="127.0.0.1", port=port), "STROKEDIFF", timeout_s=5)


def test_c_store_sends_all_in_order(archive: Archive, objects: list[Path]) -> None:
    to(archive.port).send(objects)
    assert [str(one.SOPClassUID) for one in archive.got] == list(CLASSES.values())


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (0xA700, UnreachableError),
        (0x0122, RejectedError),
        (0xC000, RejectedError),
        (0xB000, None),
    ],
)
def test_c_store_answers(
    archive: Archive, objects: list[Path], status: int, error: type[Exception] | None
) -> None:
    archive.status = status
    if error is None:
        to(archive.port).send(objects)
        return
    with pytest.raises(error, match=f"lesion_seg.dcm.*0x{status:04X}"):
        to(archive.port).send(objects)


def test_c_store_to_nobody_or_to_who_does_not_know_us(objects: list[Path]) -> None:
    with pytest.raises(UnreachableError, match="does not answer"):
        to(free_port()).send(objects)
    entity = AE("ARCHIVE")
    entity.require_calling_aet = ["SOMEBODY"]
    entity.add_supported_context(CLASSES["sc"])
    server = entity.start_server(("127.0.0.1", 0), block=False)
    assert server is not None
    with pytest.raises(UnreachableError, match="refuses the association"):
        to(server.server_address[1]).send(objects)
    entity.require_calling_aet = []
    with pytest.raises(RejectedError, match="lesion_seg.dcm: .*[Pp]resentation context"):
        to(server.server_address[1]).send(objects)
    entity.shutdown()


@pytest.fixture
def web() -> Iterator[Callable[[int, bytes], str]]:
    """The URL of a server with one answer."""
    made: list[HTTPServer] = []

    def begin(code: int, body: bytes = b"{}") -> str:
        class Answer(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                if "chunked" in self.headers.get("Transfer-Encoding", ""):
                    while int(self.rfile.readline(), 16):
                        pass
                else:
                    self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(code)
                self.send_header("Content-Type", "application/dicom+json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                pass

        made.append(HTTPServer(("127.0.0.1", 0), Answer))
        Thread(target=made[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{made[-1].server_port}/dicom-web"

    yield begin
    for server in made:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (200, None),
        (202, None),
        (400, RejectedError),
        (409, RejectedError),
        (401, UnreachableError),
        (404, UnreachableError),
        (503, UnreachableError),
    ],
)
def test_stow_answers(
    web: Callable[..., str], objects: list[Path], code: int, error: type[Exception] | None
) -> None:
    sender = StowSender(web(code))
    if error is None:
        sender.send(objects)
        return
    with pytest.raises(error, match=str(code)):
        sender.send(objects)


def test_stow_tells_of_single_objects(web: Callable[..., str], objects: list[Path]) -> None:
    failed = b'{"00081198": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [272]}}]}}'
    with pytest.raises(RejectedError, match="1 objects were not stored.*0x0110"):
        StowSender(web(202, failed)).send(objects)


def test_stow_to_nobody(objects: list[Path]) -> None:
    with pytest.raises(UnreachableError):
        StowSender(f"http://127.0.0.1:{free_port()}/x", timeout_s=5).send(objects)


@pytest.mark.parametrize("url", ["ftp://host/x", "host/dicom-web", "http://"])
def test_no_url_is_said(url: str) -> None:
    with pytest.raises(UsageError, match=r"expected http\(s\)"):
        StowSender(url)


def test_a_login_in_a_url_is_refused_unseen() -> None:
    with pytest.raises(UsageError, match=r"//host/x: .*\.netrc") as error:
        StowSender("https://me:secret@host/x")
    assert "secret" not in str(error.value)


def test_nowhere_takes_everything(objects: list[Path]) -> None:
    Nowhere().send(objects)
    assert all(path.exists() for path in objects)
