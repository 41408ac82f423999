"""A DICOMweb archive and a web viewer on the loopback address, for as long as a block lasts.

    with archive(folder) as address:
        send(address, paths)
        with site(pages, OHIF, address) as viewer:
            ...  # a browser opens it

The archive is Orthanc with its DICOMweb plugin. The site hands what is below /dicom-web on to it,
so that for a browser all is of one origin.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from orthanc import Orthanc

from strokediff.errors import InputError, UsageError

ROOT = "/dicom-web"
CONFIGURATION = "/app-config.js"
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}
"""Headers of one connection, not of what is sent."""
PATIENCE_S = 60.0
SOURCE = {
    "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
    "sourceName": "archive",
    "configuration": {
        "friendlyName": "Orthanc",
        "name": "archive",
        **dict.fromkeys(("qidoRoot", "wadoRoot", "wadoUriRoot"), ROOT),
        "qidoSupportsIncludeField": False,
        "supportsWildcard": True,
        "imageRendering": "wadors",
        "thumbnailRendering": "wadors",
        "enableStudyLazyLoad": True,
        "omitQuotationForMultipartRequest": True,
        "bulkDataURI": {"enabled": True},
    },
}
OHIF = {
    "routerBasename": None,
    "extensions": [],
    "modes": [],
    "customizationService": {},
    "showStudyList": True,
    "investigationalUseDialog": {"option": "never"},
    "defaultDataSourceName": "archive",
    "dataSources": [SOURCE],
}
"""OHIF's settings."""


@contextmanager
def archive(folder: Path) -> Iterator[str]:
    """An Orthanc that keeps its files in `folder`; gives its address and ends it afterwards.

    Raises `UsageError` where it has no DICOMweb.
    """
    server = Orthanc(folder, {})
    try:
        server.start()
        status, _, _ = asked(server.url, "GET", f"{ROOT}/studies")
        if status != 200:
            raise UsageError(
                f"Orthanc answers {ROOT}/studies with {status}: expected its DICOMweb plugin. "
                "Install it (Debian: apt install orthanc-dicomweb)."
            )
        yield server.url
    finally:
        server.kill()


def send(address: str, paths: Sequence[Path]) -> None:
    """Store DICOM files. Raises `InputError` with the name of one that the archive refuses."""
    for path in paths:
        status, _, told = asked(address, "POST", "/instances", path.read_bytes())
        if status != 200:
            raise InputError(f"{path}: Orthanc refuses it ({status}): {told.decode()}")


@contextmanager
def site(pages: Path, settings: Mapping[str, Any], upstream: str) -> Iterator[str]:
    """Serve the folder `pages`, and what is below /dicom-web from `upstream`; gives the address.

    /app-config.js has the viewer's `settings`, whatever the folder has; a path that is no file is
    the page itself, as viewers of one page want it.
    """

    class Own(Handler):
        folder, behind = pages.resolve(), upstream
        config = f"window.config = {json.dumps(settings)};".encode()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Own)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Handler(SimpleHTTPRequestHandler):
    """Answers one request, see `site`."""

    folder: Path
    config: bytes
    behind: str

    def do_GET(self) -> None:
        """A file, the configuration, or the archive's answer."""
        path = urlsplit(self.path).path
        if path.startswith(f"{ROOT}/"):
            self._hand_on()
        elif path == CONFIGURATION:
            self._answer(200, {"Content-Type": "text/javascript"}, self.config)
        else:
            super().do_GET()

    def translate_path(self, path: str) -> str:
        """A file of the folder, never beyond it; the page for all else."""
        wanted = (self.folder / urlsplit(path).path.lstrip("/")).resolve()
        inside = wanted.is_relative_to(self.folder) and wanted.is_file()
        return str(wanted if inside else self.folder / "index.html")

    def end_headers(self) -> None:
        """With what lets a page share memory between its threads, as viewers do."""
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is told."""

    def _hand_on(self) -> None:
        headers = {k: v for k, v in self.headers.items() if k.lower() not in HOP_BY_HOP}
        # Not the encodings of browsers: the answer goes on as it came.
        headers["Accept-Encoding"] = "identity"
        status, told, content = asked(self.behind, "GET", self.path, None, headers)
        self._answer(
            status, {k: v for k, v in told.items() if k.lower() not in HOP_BY_HOP}, content
        )

    def _answer(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def asked(
    address: str,
    method: str,
    path: str,
    content: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, dict[str, str], bytes]:
    """The answer of a server: status, headers and content."""
    there = HTTPConnection(urlsplit(address).netloc, timeout=PATIENCE_S)
    try:
        there.request(method, path, content, dict(headers or {}))
        answer = there.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        there.close()
