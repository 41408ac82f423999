"""Debian's Orthanc on the loopback address, with a storage of its own, to try against."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

BINARY = shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
PLUGINS = Path("/usr/share/orthanc/plugins")
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Orthanc:
    """One server; `start` after `kill` goes on with what it had.

    `modalities` are those that it may send to, by name: AE title, host and port.
    """

    def __init__(self, folder: Path, modalities: Mapping[str, tuple[str, str, int]]) -> None:
        self.folder, self.http, self.dicom = folder, free_port(), free_port()
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True)
        web = [str(path) for path in PLUGINS.glob("libOrthancDicomWeb.so*")][:1]
        settings = {
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "index"),
            "HttpPort": self.http,
            "DicomPort": self.dicom,
            "DicomAet": "ORTHANC",
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomAlwaysAllowStore": True,
            "DicomModalities": {name: list(where) for name, where in modalities.items()},
            "ConcurrentJobs": 2,
            "Plugins": web,
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        }
        (folder / "orthanc.json").write_text(json.dumps(settings))

    @property
    def url(self) -> str:
        """Of its REST interface; DICOMweb lies below /dicom-web."""
        return f"http://127.0.0.1:{self.http}"

    def start(self, seconds: float = 60.0) -> None:
        """Until it answers."""
        if BINARY is None:
            raise SystemExit("no Orthanc here: apt-get install orthanc orthanc-dicomweb")
        with (self.folder / "log.txt").open("ab") as log:
            self.process = subprocess.Popen(
                [BINARY, str(self.folder / "orthanc.json")], stdout=log, stderr=log
            )
        end = time.monotonic() + seconds
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit((self.folder / "log.txt").read_text(errors="replace")[-2000:])
            time.sleep(0.1)

    def kill(self) -> None:
        """As a crash does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def get(self, path: str) -> Any:
        """The answer to GET."""
        with _DIRECT.open(self.url + path, timeout=60) as answer:
            return json.loads(answer.read())

    def post(self, path: str, content: Any) -> Any:
        """The answer to POST."""
        request = urllib.request.Request(self.url + path, json.dumps(content).encode())
        with _DIRECT.open(request, timeout=600) as answer:
            return json.loads(answer.read())

    def find(self, level: str, **query: str) -> list[str]:
        """Its own names of what has those tags."""
        found: list[str] = self.post("/tools/find", {"Level": level, "Query": query})
        return found

    def _answers(self) -> bool:
        try:
            return bool(self.get("/system"))
        except (urllib.error.URLError, OSError):
            return False


def free_port() -> int:
    """Of the loopback address."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
