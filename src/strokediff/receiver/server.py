"""The listening socket, with bounds that pynetdicom has not: on a PDU, a message, and on time.

pynetdicom 3.0 reads as many bytes as a PDU's header says (up to 4 GB), waits for them for ever, and
makes TLS's handshake where it accepts, so that one silent caller would stop all others.
"""

from __future__ import annotations

import socket
import socketserver
import ssl
import time
from contextlib import suppress
from threading import Lock, Thread
from typing import Any, Self

from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

from strokediff.errors import UsageError
from strokediff.receiver.scp import StorageScp, application_entity
from strokediff.receiver.settings import MIB, Limits, Settings, Tls

REQUEST_BYTES = 256 * 1024
"""Of an association's request: 128 presentation contexts with every transfer syntax."""
CHUNK = 65536
SPARE = 8
"""Connections beyond the associations, so that one too many is told so, not cut off."""
POLL_S = 0.2
CLOSING_S = 5.0


class Meter:
    """Reads from a connection no more than the limits allow.

    `recv` takes the place of `AssociationSocket.recv`. Raises `OSError` beyond a limit, which ends
    that association and no other.
    """

    def __init__(self, link: AssociationSocket, limits: Limits) -> None:
        self.link, self.limits = link, limits
        self.pending = 0
        """Bytes of what is not answered yet."""

    def recv(self, nr_bytes: int) -> bytearray:
        """That many bytes; fewer where the other side has closed."""
        most = max(self.limits.pdu_bytes + 6, REQUEST_BYTES)
        self.pending += nr_bytes
        if nr_bytes > most:
            raise OSError(f"a PDU of {nr_bytes} bytes; at most {most} were agreed")
        if self.pending > self.limits.image_mb * MIB:
            raise OSError(f"an image of more than {self.limits.image_mb:g} MB")
        connection, found = self.link.socket, bytearray()
        end = time.monotonic() + self.limits.network_seconds
        while connection is not None and len(found) < nr_bytes:
            if time.monotonic() > end:
                raise TimeoutError("a PDU did not come to its end")
            part = connection.recv(min(CHUNK, nr_bytes - len(found)))
            if not part:
                break
            found += part
        return found


class _Handler(RequestHandler):
    """One connection."""

    def handle(self) -> None:
        if isinstance(self.request, ssl.SSLSocket):
            self.request.do_handshake()
        super().handle()

    def _create_association(self) -> Association:
        made = super()._create_association()
        link = made.dul.socket
        if isinstance(link, AssociationSocket) and isinstance(self.server, Server):
            meter = Meter(link, self.server.limits)
            link.recv = meter.recv  # type: ignore[method-assign]
            made.bind(evt.EVT_DIMSE_SENT, lambda event: setattr(meter, "pending", 0))
        return made


class Server(ThreadedAssociationServer):
    """Accepts associations until it is closed."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, entity: AE, limits: Limits, **own: Any) -> None:
        self.limits = limits
        self._opening, self._lock = 0, Lock()
        super().__init__(entity, request_handler=_Handler, **own)

    @classmethod
    def listening(cls, settings: Settings, scp: StorageScp) -> Self:
        """Bind and begin; `UsageError` where that cannot be."""
        entity = application_entity(settings)
        try:
            made = cls(
                entity,
                settings.limits,
                address=(settings.host, settings.port),
                ae_title=settings.aet,
                contexts=entity.supported_contexts,
                ssl_context=settings.tls and server_context(settings.tls),
                evt_handlers=scp.handlers(),
            )
        except OSError as error:
            raise UsageError(
                f"cannot listen on {settings.host}:{settings.port} ({error.strerror or error}). "
                "Choose another --port (or --host), or stop what listens there."
            ) from None
        Thread(target=made.serve_forever, args=(POLL_S,), daemon=True).start()
        return made

    @property
    def port(self) -> int:
        """Where it listens; of port 0, the one that the system chose."""
        return int(self.server_address[1])

    def get_request(self) -> Any:
        """Accept; TLS's handshake is made later, in the connection's own thread."""
        connection, address = self.socket.accept()  # type: ignore[union-attr]
        connection.settimeout(self.limits.network_seconds)
        if self.ssl_context:
            connection = self.ssl_context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether there is room for one more connection."""
        with self._lock:
            there = self._opening + len(self.active_associations)
            if there >= self.limits.associations + SPARE:
                return False
            self._opening += 1
            return True

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Begin an association, which goes on in a thread of its own."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._opening -= 1

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that failed is the caller's business."""

    def close(self) -> None:
        """Take no more, and end what is under way: what was not answered is sent again."""
        socketserver.BaseServer.shutdown(self)
        self.server_close()
        ending = self.active_associations
        for association in ending:
            link = association.dul.socket
            if link is not None and link.socket is not None:
                with suppress(OSError):
                    link.socket.shutdown(socket.SHUT_RDWR)
            association.dul.kill_dul()
        end = time.monotonic() + CLOSING_S
        while any(one.dul.is_alive() for one in ending) and time.monotonic() < end:
            time.sleep(0.02)


def server_context(tls: Tls) -> ssl.SSLContext:
    """TLS 1.2 or later; with authorities, callers need a certificate of theirs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if tls.ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return _loaded(context, tls)


def client_context(tls: Tls) -> ssl.SSLContext:
    """The same for the way out; without authorities, those of the system are asked."""
    context = ssl.create_default_context()
    return _loaded(context, tls)


def _loaded(context: ssl.SSLContext, tls: Tls) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(tls.cert, tls.key)
        if tls.ca is not None:
            context.load_verify_locations(tls.ca)
    except OSError as error:  # SSLError is one
        named = ", ".join(str(p) for p in (tls.cert, tls.key, tls.ca) if p)
        raise UsageError(
            f"{named}: not usable for TLS ({error.strerror or error}). Expected a certificate, its "
            "key without a password, and authorities, in PEM."
        ) from None
    return context
