"""Laws of associations: who is heard, what is answered, and that no caller stops the others."""

from __future__ import annotations

import copy
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path

import dicom_factory as make
import pynetdicom.association
import pytest
from pydicom import Dataset, dcmread
from pynetdicom import AE
from receiving import Here, associated, head_series, send, until

from strokediff.errors import UsageError
from strokediff.receiver.scp import (
    CLASS_NOT_SUPPORTED,
    MISMATCH,
    NO_RESOURCES,
    NOT_UNDERSTOOD,
    StorageScp,
)
from strokediff.receiver.server import Server, client_context
from strokediff.receiver.settings import Settings, Tls
from strokediff.receiver.study import State, key_of

Begin = Callable[..., Here]
STUDY = key_of(make.uid("a-study"))


def lives(here: Here) -> None:
    link = associated(here.server.port)
    assert link.is_established and link.send_c_echo().Status == 0
    link.release()


def test_images_are_kept_as_they_were_sent(receiver: Begin) -> None:
    here, sent = receiver(), head_series("a")
    assert send(here.server.port, sent) == [0] * 16
    assert send(here.server.port, sent[:3]) == [0] * 3
    files = here.spool.folder(State.INCOMING, STUDY).files()
    kept = {dcmread(path).SOPInstanceUID: dcmread(path) for path in files}
    assert len(files) == len(kept) == 16
    assert all(kept[one.SOPInstanceUID] == one for one in sent)
    record = here.spool.folder(State.INCOMING, STUDY).record()
    assert record.study_uid == make.uid("a-study") and record.callers == ("SCANNER",)


def test_another_image_of_a_uid_is_a_warning(receiver: Begin) -> None:
    here, (first, *_) = receiver(), head_series("a")
    other = head_series("a", seed=1)[0]
    assert send(here.server.port, [first, other]) == [0, 0xB006]
    assert "another image of the same UID" in here.told[0]


def test_only_named_callers_are_heard(receiver: Begin) -> None:
    here = receiver(allow=("CT1", "CT2"))
    assert associated(here.server.port).is_rejected
    assert associated(here.server.port, "CT1", "ELSEWHERE").is_rejected
    assert send(here.server.port, head_series("a")[:1], calling="CT2") == [0]
    assert any("an association of SCANNER (127.0.0.1) was refused" in line for line in here.told)


def test_no_ct_is_refused_with_its_status(receiver: Begin) -> None:
    here, (image, *_) = receiver(), head_series("a")
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    assert send(here.server.port, [image]) == [CLASS_NOT_SUPPORTED]
    assert not here.spool.keys(State.INCOMING) and "MR Image Storage" in here.told[0]


def test_a_private_class_is_not_negotiated(receiver: Begin) -> None:
    here, entity = receiver(), AE("SCANNER")
    entity.add_requested_context("1.2.3.4.5.6")
    entity.add_requested_context("1.2.840.10008.1.1")
    link = entity.associate("127.0.0.1", here.server.port, ae_title="STROKEDIFF")
    assert [cx.abstract_syntax for cx in link.rejected_contexts] == ["1.2.3.4.5.6"]
    link.release()


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_cannot_be_read_and_what_is_not_what_it_says(
    receiver: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, (first, second, third, *_) = receiver(), head_series("a")
    del first.StudyInstanceUID
    second.StudyInstanceUID = ""
    third.StudyInstanceUID = "1." * 40
    assert send(here.server.port, [first, second, third]) == [NOT_UNDERSTOOD] * 3
    link = associated(here.server.port)
    request = link.send_c_store
    fourth, fifth, *_ = head_series("b")
    as_it_is = pynetdicom.association.encode

    def another(dataset: Dataset, *how: bool) -> bytes | None:
        bent = copy.deepcopy(dataset)
        bent.SOPInstanceUID = fifth.SOPInstanceUID
        return as_it_is(bent, *how)

    monkeypatch.setattr(pynetdicom.association, "encode", another)
    assert request(fourth).Status == MISMATCH
    monkeypatch.setattr(pynetdicom.association, "encode", lambda *how: b"\x10\x00\x10\x00??" * 9)
    assert request(fifth).Status == NOT_UNDERSTOOD
    link.release()
    assert not here.spool.keys(State.INCOMING)
    lives(here)


def test_beyond_its_disk_it_says_so(receiver: Begin) -> None:
    here = receiver({"disk_gb": 40_000 / 2**30})
    statuses = send(here.server.port, head_series("a"))
    kept = statuses.count(0)
    assert 0 < kept < 16 and set(statuses[kept:]) == {NO_RESOURCES}
    assert len(here.spool.folder(State.INCOMING, STUDY).files()) == kept
    assert sum("0xA700" in line for line in here.told) == 1  # once an association
    lives(here)


def test_an_image_beyond_the_limit_ends_its_association_alone(receiver: Begin) -> None:
    here = receiver({"image_mb": 0.02})
    link, other = associated(here.server.port), associated(here.server.port)
    big = make.datasets(hu=make.head(1, 256, 256), study="s", patient="p")
    answer = link.send_c_store(next(iter(big)))
    assert answer.get("Status") is None
    assert other.send_c_store(head_series("a")[0]).Status == 0
    other.release()


def raw(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def closed(link: socket.socket) -> bool:
    link.settimeout(10)
    try:
        while link.recv(4096):
            pass
    except ConnectionError:
        pass
    return True


def test_a_huge_pdu_is_not_read(receiver: Begin) -> None:
    here = receiver()
    with raw(here.server.port) as link:
        link.sendall(struct.pack(">BBL", 1, 0, 2**32 - 1) + bytes(1000))
        assert closed(link)
    lives(here)


def test_a_pdu_that_never_ends_is_given_up(receiver: Begin) -> None:
    here = receiver({"network_seconds": 0.5})
    begun = time.monotonic()
    with raw(here.server.port) as link:
        link.sendall(struct.pack(">BBL", 1, 0, 200) + bytes(10))
        for _ in range(8):  # a drop now and then does not help
            time.sleep(0.2)
            try:
                link.sendall(b"x")
            except ConnectionError:
                break
        assert closed(link)
    assert time.monotonic() - begun < 8
    with raw(here.server.port) as link:
        link.sendall(b"GET / HTTP/1.1\r\n\r\n" * 5)
        assert closed(link)
    until(lambda: not here.server.active_associations, "all have ended")
    lives(here)


def test_one_association_too_many_is_told(receiver: Begin) -> None:
    here = receiver({"associations": 2})
    links = [associated(here.server.port) for _ in range(2)]
    assert all(link.is_established for link in links)
    assert associated(here.server.port).is_rejected
    links[0].release()
    until(lambda: len(here.server.active_associations) < 2, "one has ended")
    lives(here)
    links[1].release()


def test_silent_connections_are_bounded(receiver: Begin) -> None:
    here = receiver({"associations": 1, "network_seconds": 2})
    links = [raw(here.server.port) for _ in range(20)]
    time.sleep(0.5)
    assert len(here.server.active_associations) <= 9
    assert all(map(closed, links))
    until(lambda: not here.server.active_associations, "all have ended")
    lives(here)


def test_a_taken_port_is_said(receiver: Begin) -> None:
    here = receiver()
    with pytest.raises(UsageError, match=r"cannot listen on 127.0.0.1:\d+ \(.*in use.*--port"):
        Server.listening(Settings(port=here.server.port), StorageScp(here.arrivals, print))


def test_closing_ends_what_is_under_way(receiver: Begin) -> None:
    here = receiver()
    link = associated(here.server.port)
    begun = time.monotonic()
    here.server.close()
    assert time.monotonic() - begun < 5
    until(lambda: not link.is_established, "the caller knows")
    with pytest.raises(OSError):
        raw(here.server.port)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of this machine, its own authority, and one of nobody."""
    import shutil
    import subprocess

    if shutil.which("openssl") is None:
        pytest.skip("no openssl")
    folder = tmp_path_factory.mktemp("tls")
    for name in ("ours", "theirs"):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
             "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
             "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"],
            check=True, capture_output=True,
        )  # fmt: skip
    return folder


def test_tls_takes_those_with_a_certificate(receiver: Begin, certificates: Path) -> None:
    def tls(name: str) -> Tls:
        cert, key = certificates / f"{name}.pem", certificates / f"{name}.key"
        return Tls(cert=cert, key=key, ca=certificates / "ours.pem")

    here = receiver({"network_seconds": 2}, tls=tls("ours"))
    silent = raw(here.server.port)  # begins no handshake, and holds up nobody
    context = (client_context(tls("ours")), "127.0.0.1")
    assert send(here.server.port, head_series("a")[:2], tls_args=context) == [0, 0]
    stranger = (client_context(tls("theirs")), "127.0.0.1")
    assert not associated(here.server.port, tls_args=stranger).is_established
    assert not associated(here.server.port).is_established
    assert closed(silent)
