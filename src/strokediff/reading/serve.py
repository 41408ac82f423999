"""The drawing page on the loopback address: to this machine alone, under a token, until stopped."""

from __future__ import annotations

import hmac
import json
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, SimpleQueue

from strokediff.errors import StrokediffError, UsageError
from strokediff.reading.editor import Editor

HOST = "127.0.0.1"
SECONDS = 30
"""That a request may take to arrive."""


@dataclass
class Server:
    """A page that is being served at `address`."""

    address: str
    said: SimpleQueue[str]

    def until_stopped(self, tell: Callable[[str], object]) -> None:
        """Tell what was saved, until a signal ends it."""
        while True:
            with suppress(Empty):
                tell(self.said.get(timeout=0.5))


@contextmanager
def serving(editor: Editor, *, port: int = 0) -> Iterator[Server]:
    """Serve the page of `editor`; `UsageError` if the port is in use.

    Only the address with its token is answered, only to requests that name this host, and a save
    only from the page itself; other pages that the browser has open cannot reach it.
    """
    try:
        http = _Http(port, editor)
    except OSError as error:
        raise UsageError(
            f"port {port}: cannot be used ({error.strerror}). Choose another, or 0 for a free one."
        ) from None
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield Server(f"{http.origin}/{http.token}/", http.said)
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, editor: Editor) -> None:
        super().__init__((HOST, port), _Handler)
        self.editor, self.token = editor, secrets.token_urlsafe(32)
        self.origin = f"http://{HOST}:{self.server_port}"
        self.said: SimpleQueue[str] = SimpleQueue()
        self.saving = threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    server: _Http
    timeout = SECONDS
    server_version, sys_version = "strokediff", ""

    def do_GET(self) -> None:
        if not self._is_ours(""):
            return self._refuse(HTTPStatus.NOT_FOUND)
        page = self.server.editor.page("save").encode("utf-8", "backslashreplace")
        return self._answer(HTTPStatus.OK, "text/html; charset=utf-8", page)

    def do_POST(self) -> None:
        if not self._is_ours("save") or self.headers.get("Origin") != self.server.origin:
            return self._refuse(HTTPStatus.NOT_FOUND)
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) != self.server.editor.labels.size:
            return self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        try:
            with self.server.saving:
                path, volumes = self.server.editor.save(self.rfile.read(int(length)))
        except StrokediffError as error:
            return self._json(HTTPStatus.CONFLICT, {"error": str(error)})
        told = ", ".join(f"{kind} {ml:.1f} mL" for kind, ml in volumes.items())
        self.server.said.put(f"saved {path}: {told}")
        return self._json(HTTPStatus.OK, {"file": path.name, "volumes_ml": volumes})

    def _is_ours(self, page: str) -> bool:
        """Whether the request is for that page of ours, by its token and this host's name."""
        wanted = f"/{self.server.token}/{page}".encode()
        host = f"http://{self.headers.get('Host', '')}"
        return host == self.server.origin and hmac.compare_digest(
            self.path.encode("utf-8", "backslashreplace"), wanted
        )

    def _json(self, status: HTTPStatus, content: dict[str, object]) -> None:
        self._answer(status, "application/json", json.dumps(content).encode())

    def _refuse(self, status: HTTPStatus) -> None:
        self.close_connection = True
        self._answer(status, "text/plain", b"")

    def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        with suppress(ConnectionError):
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: what was saved is told."""
