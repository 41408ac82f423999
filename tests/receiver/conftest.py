"""A receiver in this process, one in its own, a destination, and a tiny model."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import two_kinds

pytest.importorskip("pynetdicom")
pytest.importorskip("dicomweb_client")
from pynetdicom import AE, AllStoragePresentationContexts, evt
from receiving import Archive, Clock, Here, Listener, free_port

from strokediff.receiver.arrivals import Arrivals
from strokediff.receiver.disk import Disk
from strokediff.receiver.scp import StorageScp
from strokediff.receiver.server import Server
from strokediff.receiver.settings import Limits, Settings
from strokediff.receiver.spool import Spool

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))  # Orthanc is started by both


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Callable[..., Here]]:
    """Makes one; `limits` and other settings as given."""
    made: list[Server] = []

    def begin(limits: dict[str, Any] | None = None, **own: Any) -> Here:
        settings = Settings(port=0, limits=Limits(**(limits or {})), **own)
        spool, clock, told = Spool(tmp_path / "store"), Clock(), []
        spool.create()
        arrivals = Arrivals(spool, Disk(spool, settings.limits), settings, clock)
        server = Server.listening(settings, StorageScp(arrivals, told.append))
        made.append(server)
        return Here(spool, arrivals, server, clock, told)

    yield begin
    for server in made:
        server.close()


@pytest.fixture
def archive() -> Iterator[Archive]:
    made = Archive(0)

    def store(event: evt.Event) -> int:
        if not made.status:
            dataset = event.dataset
            dataset.decode()
            made.got.append(dataset)
        return made.status

    entity = AE(ae_title="ARCHIVE")
    entity.supported_contexts = AllStoragePresentationContexts
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)]
    )
    assert server is not None
    made.port = server.server_address[1]
    yield made
    entity.shutdown()


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained: it marks some of any brain."""
    return two_kinds.checkpoint(tmp_path_factory.mktemp("receiver") / "model")


@pytest.fixture
def listener(tmp_path: Path, model: Path) -> Iterator[Callable[..., Listener]]:
    """Starts one on the test's store; again, after a kill, on the same port."""
    made: list[Listener] = []
    port = free_port()

    def begin(*options: object) -> Listener:
        made.append(Listener(tmp_path / "store", port, model, *options))
        return made[-1]

    yield begin
    for one in made:
        if not one.ended:
            one.kill()
