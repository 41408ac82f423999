"""Laws: the page answers this machine's browser under its token, and nobody else."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from strokediff.errors import UsageError
from strokediff.reading.editor import Editor, open_editor
from strokediff.reading.revisions import revisions
from strokediff.reading.serve import Server, serving


@pytest.fixture
def served(place: Path) -> Iterator[tuple[Editor, Server]]:
    editor = open_editor(place / "result", ct=place / "scan.nii.gz", by="Zoë")
    with serving(editor) as server:
        yield editor, server


def ask(
    server: Server, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, bytes, http.client.HTTPResponse]:
    at = urlsplit(server.address)
    connection = http.client.HTTPConnection(at.hostname or "", at.port or 0, timeout=20)
    connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
    answer = connection.getresponse()
    found = answer.status, answer.read(), answer
    connection.close()
    return found


def origin(server: Server) -> str:
    at = urlsplit(server.address)
    return f"{at.scheme}://{at.netloc}"


def test_the_page_comes_under_its_token_alone(served: tuple[Editor, Server]) -> None:
    _, server = served
    own = urlsplit(server.address).path
    status, page, answer = ask(server, "GET", own)
    assert status == 200 and b"Content-Security-Policy" in page
    assert b"connect-src data: &#39;self&#39;" in page or b"connect-src data: 'self'" in page
    assert answer.headers["Cache-Control"] == "no-store"
    for other in ("/", own[:-1], own[:-2] + "x/", own + "../", "/etc/passwd", own + "x"):
        assert ask(server, "GET", other)[0] == 404, other
    assert len(own) > 40


def test_other_hosts_and_other_pages_are_not_answered(served: tuple[Editor, Server]) -> None:
    """A name that points at this machine, as DNS rebinding has it; a page of somebody else."""
    editor, server = served
    own, body = urlsplit(server.address).path, editor.labels.tobytes(order="F")
    assert ask(server, "GET", own, Host="evil.example")[0] == 404
    assert ask(server, "POST", own + "save", body)[0] == 404
    assert ask(server, "POST", own + "save", body, Origin="http://evil.example")[0] == 404
    assert not revisions(editor.folder)


def test_a_save_is_written_and_told(served: tuple[Editor, Server]) -> None:
    editor, server = served
    own, body = urlsplit(server.address).path, editor.labels.tobytes(order="F")
    status, answer, _ = ask(server, "POST", own + "save", body, Origin=origin(server))
    found = json.loads(answer)
    assert status == 200 and found["file"] == "lesion_mask_r1.nii.gz"
    assert set(found["volumes_ml"]) == {"infarct", "haemorrhage"}
    assert "lesion_mask_r1.nii.gz" in server.said.get(timeout=5)


def test_what_is_no_drawing_is_refused_with_its_reason(served: tuple[Editor, Server]) -> None:
    editor, server = served
    own, at = urlsplit(server.address).path, origin(server)
    assert ask(server, "POST", own + "save", b"short", Origin=at)[0] == 413
    status, answer, _ = ask(server, "POST", own + "save", b"\xff" * editor.labels.size, Origin=at)
    assert status == 409 and "Load the page again" in json.loads(answer)["error"]
    assert not revisions(editor.folder)


def test_a_port_in_use_is_said(served: tuple[Editor, Server]) -> None:
    editor, server = served
    port = urlsplit(server.address).port or 0
    with (
        pytest.raises(UsageError, match=rf"port {port}: cannot be used"),
        serving(editor, port=port),
    ):
        pass
