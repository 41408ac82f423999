"""`strokediff listen`: a DICOM receiver that segments what comes."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from strokediff.errors import UsageError
from strokediff.weights import DEFAULT

if TYPE_CHECKING:
    from strokediff.receiver.senders import Sender
    from strokediff.receiver.settings import Settings, Tls

RESEARCH = "Research use only; not for diagnosis or treatment."
Names = list[str] | None


def listen(
    store: Annotated[Path, typer.Option(help="Folder of the queue and the results.")],
    aet: Annotated[str, typer.Option(help="Our AE title.")] = "STROKEDIFF",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 11112,
    allow: Annotated[
        Names, typer.Option(metavar="AET", help="Callers; commas, or repeated.")
    ] = None,
    send: Annotated[
        str | None, typer.Option(metavar="AET@HOST:PORT", help="Results go there by C-STORE.")
    ] = None,
    stow: Annotated[
        str | None, typer.Option(metavar="URL", help="Results go there by DICOMweb (STOW-RS).")
    ] = None,
    dicom: Annotated[
        Names, typer.Option(metavar="OBJECTS", help="seg, sr, sc.", show_default="all")
    ] = None,
    model: Annotated[
        Names, typer.Option(help="As of 'strokediff segment'.", show_default=DEFAULT)
    ] = None,
    method: Annotated[str, typer.Option(help="avg, matched, sal, infer or all.")] = "sal",
    preset: Annotated[str, typer.Option(help="fast, paper or printed.")] = "fast",
    seed: Annotated[int, typer.Option(help="Fixes every draw of noise.")] = 0,
    device: Annotated[
        Names, typer.Option(help="A worker each; commas, or repeated.", show_default="auto")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads a worker.")] = None,
    preview: Annotated[
        bool, typer.Option("--preview/--no-preview", help="Pictures and pages; sc needs them.")
    ] = True,
    quiet_seconds: Annotated[
        float, typer.Option(help="A study is whole when nothing came for so long.")
    ] = 10.0,
    max_gb: Annotated[float, typer.Option(help="Of the store.")] = 50.0,
    max_study_gb: Annotated[float, typer.Option(help="Of a study.")] = 4.0,
    max_images: Annotated[int, typer.Option(help="Of a study.")] = 5000,
    max_image_mb: Annotated[float, typer.Option(help="Of an image.")] = 512.0,
    max_study_seconds: Annotated[
        float, typer.Option(help="A study that never pauses is cut off after so long.")
    ] = 1800.0,
    work_seconds: Annotated[float, typer.Option(help="To segment a study in.")] = 3600.0,
    sending_hours: Annotated[float, typer.Option(help="To try to send a result in.")] = 72.0,
    max_pdu: Annotated[int, typer.Option(help="Bytes of a PDU.")] = 65536,
    associations: Annotated[int, typer.Option(help="At once.")] = 8,
    network_seconds: Annotated[float, typer.Option(help="A silent caller is ended after.")] = 30.0,
    tls_cert: Annotated[Path | None, typer.Option(help="Our certificate, PEM: TLS only.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key, PEM.")] = None,
    tls_ca: Annotated[
        Path | None, typer.Option(help="Authorities, PEM: callers need a certificate of theirs.")
    ] = None,
    send_tls: Annotated[bool, typer.Option("--send-tls", help="--send by TLS too.")] = False,
    idle_exit: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="End when nothing was to do so long.")
    ] = None,
) -> None:
    """Receive head CTs by C-STORE, segment them, and send SEG, SR and SC back. Research use only.

    Nothing that was taken is lost: the queue is on disk, and the same command goes on with it.
    """
    from strokediff.cli.lists import listed
    from strokediff.inference.estimation import Estimation
    from strokediff.receiver.settings import Limits, Settings, checked
    from strokediff.segmentation.objects import wanted_objects
    from strokediff.segmentation.outputs import DICOM
    from strokediff.util.extras import require
    from strokediff.util.plaintext import visible

    require("pynetdicom", "listen")
    from strokediff.receiver.service import listen as run
    from strokediff.receiver.work import Work

    limits = checked(
        Limits,
        disk_gb=max_gb,
        study_gb=max_study_gb,
        study_images=max_images,
        image_mb=max_image_mb,
        arriving_seconds=max_study_seconds,
        work_seconds=work_seconds,
        sending_hours=sending_hours,
        pdu_bytes=max_pdu,
        associations=associations,
        network_seconds=network_seconds,
    )
    settings = checked(
        Settings,
        aet=aet,
        host=host,
        port=port,
        allow=tuple(listed(allow)),
        quiet_seconds=quiet_seconds,
        tls=_tls(tls_cert, tls_key, tls_ca),
        limits=limits,
    )
    work = Work(
        models=tuple(model or [DEFAULT]),
        estimation=Estimation(method, preset),
        threads=threads,
        seed=seed,
        pictures=preview,
        objects=wanted_objects(listed(dicom) or tuple(DICOM)),
    )
    sender = _sender(send, stow, settings, send_tls=send_tls)

    def listening(at: int) -> None:
        where = sender.name or "the store"
        _say(f"{aet} listens on {host}:{at}; results go to {visible(where)}. {RESEARCH}")

    run(
        store,
        settings,
        work,
        sender,
        devices=tuple(listed(device)) or ("auto",),
        tell=lambda line: _say(visible(line)),
        listening=listening,
        idle_seconds=idle_exit,
    )


def _tls(cert: Path | None, key: Path | None, ca: Path | None) -> Tls | None:
    from strokediff.receiver.settings import Tls

    if cert is None and key is None and ca is None:
        return None
    if cert is None or key is None:
        raise UsageError("TLS needs both --tls-cert and --tls-key.")
    return Tls(cert=cert, key=key, ca=ca)


def _sender(send: str | None, stow: str | None, settings: Settings, *, send_tls: bool) -> Sender:
    from strokediff.receiver.senders import CStoreSender, Nowhere, StowSender
    from strokediff.receiver.server import client_context
    from strokediff.receiver.settings import Peer

    tls, timeout_s = settings.tls, settings.limits.network_seconds
    if send is not None and stow is not None:
        raise UsageError("results go to one destination: give --send or --stow.")
    if send_tls and (send is None or tls is None):
        raise UsageError("--send-tls is of --send, and needs --tls-cert and --tls-key.")
    if stow is not None:
        return StowSender(stow, ca=tls.ca if tls else None, timeout_s=timeout_s)
    if send is None:
        return Nowhere()
    context = client_context(tls) if send_tls and tls else None
    how: dict[str, Any] = {"tls": context, "timeout_s": timeout_s}
    return CStoreSender(Peer.of(send), settings.aet, **how)


def _say(line: str) -> None:
    """With the time, at once: whoever reads may be a log."""
    print(f"{datetime.now():%H:%M:%S} {line}", flush=True)
