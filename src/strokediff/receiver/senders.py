"""Objects to their destination: by C-STORE or DICOMweb's STOW-RS. A new way is one class here."""

from __future__ import annotations

import re
import ssl
from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from pydicom import Dataset, dcmread
from pydicom.uid import (
    Comprehensive3DSRStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)

from strokediff.errors import UsageError
from strokediff.receiver.settings import Peer
from strokediff.util.extras import require
from strokediff.util.plaintext import visible

SENT = (SegmentationStorage, Comprehensive3DSRStorage, SecondaryCaptureImageStorage)
OUT_OF_RESOURCES = range(0xA700, 0xA800)
WARNINGS = (0xB000, 0xB006, 0xB007)
FOR_GOOD = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
"""Answers to what was sent; others are of the server's own state, and are tried again."""


class UnreachableError(Exception):
    """Not now: the destination is down, busy, or does not know us. It is tried again."""


class RejectedError(Exception):
    """Not ever: the destination has seen the objects and does not take them."""


class Sender(Protocol):
    """A destination."""

    @property
    def name(self) -> str:
        """For messages."""
        ...

    def send(self, objects: Sequence[Path]) -> None:
        """Send them all, in that order; raises `UnreachableError` or `RejectedError`.

        Sent twice is sent once: the objects of a result always have the same UIDs.
        """
        ...


class Nowhere:
    """No destination: results stay in the store."""

    name = ""

    def send(self, objects: Sequence[Path]) -> None:
        """Nothing."""


class CStoreSender:
    """By C-STORE, an association a study."""

    def __init__(
        self,
        peer: Peer,
        calling: str,
        *,
        tls: ssl.SSLContext | None = None,
        timeout_s: float = 30.0,
    ) -> None:
        from pynetdicom import AE

        self.peer, self.tls = peer, tls
        self.entity = AE(ae_title=calling)
        self.entity.acse_timeout = self.entity.dimse_timeout = timeout_s
        self.entity.network_timeout = self.entity.connection_timeout = timeout_s
        for sop_class in SENT:
            syntaxes = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
            self.entity.add_requested_context(sop_class, syntaxes)

    @property
    def name(self) -> str:
        """AET@HOST:PORT."""
        return str(self.peer)

    def send(self, objects: Sequence[Path]) -> None:
        """One after the other."""
        peer = self.peer
        tls = None if self.tls is None else (self.tls, peer.host)
        try:
            link = self.entity.associate(peer.host, peer.port, ae_title=peer.aet, tls_args=tls)
        except (OSError, RuntimeError) as error:  # a host that is not found, say
            raise UnreachableError(str(error)) from error
        if not link.is_established:
            why = "refuses the association" if link.is_rejected else "does not answer"
            raise UnreachableError(f"it {why} (as {self.entity.ae_title})")
        try:
            for path in objects:
                _check(path, self._store(link, path))
        finally:
            with suppress(Exception):
                link.release()

    def _store(self, link: Any, path: Path) -> Dataset:
        try:
            answer: Dataset = link.send_c_store(dcmread(path))
        except ValueError as error:  # no presentation context
            raise RejectedError(f"{path.name}: {error}") from error
        except (OSError, RuntimeError) as error:
            raise UnreachableError(f"{path.name}: {error}") from error
        return answer


def _check(path: Path, answer: Dataset) -> None:
    status = answer.get("Status")
    if status is None:
        raise UnreachableError(f"{path.name}: the association ended")
    if status in OUT_OF_RESOURCES:
        raise UnreachableError(f"{path.name}: out of resources (0x{status:04X})")
    if status and status not in WARNINGS:
        comment = visible(str(answer.get("ErrorComment", "")))
        raise RejectedError(f"{path.name}: 0x{status:04X} {comment}".strip())


class StowSender:
    """By DICOMweb, a request a study.

    Who has to log in keeps name and password in ~/.netrc: in a URL, everybody would see them.
    """

    def __init__(self, url: str, *, ca: Path | None = None, timeout_s: float = 30.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"destination '{url}': expected http(s)://HOST[:PORT]/PATH.")
        if parts.username or parts.password:
            shown = re.sub("//[^@]*@", "//", url)
            raise UsageError(f"destination {shown}: leave the login out of the URL; use ~/.netrc.")
        web, requests = require("dicomweb_client", "listen"), require("requests", "listen")
        session = requests.Session()
        if ca is not None:
            session.verify = str(ca)
        self.url = url.rstrip("/")
        self.client = web.DICOMwebClient(self.url, session=session, timeout=timeout_s)
        self.client.set_http_retry_params(retry=False)  # the queue tries again, and outlives us
        self._failures = requests.RequestException

    @property
    def name(self) -> str:
        """The URL."""
        return self.url

    def send(self, objects: Sequence[Path]) -> None:
        """All in one request."""
        try:
            answer = self.client.store_instances([dcmread(path) for path in objects])
        except self._failures as error:
            response = getattr(error, "response", None)
            if response is not None and response.status_code in FOR_GOOD:
                raise RejectedError(visible(str(error))) from error
            raise UnreachableError(visible(str(error))) from error
        failed = answer.get("FailedSOPSequence") or []
        if failed:
            codes = sorted({f"0x{int(one.get('FailureReason', 0)):04X}" for one in failed})
            raise RejectedError(f"{len(failed)} objects were not stored ({', '.join(codes)})")
