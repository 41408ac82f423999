"""Who may send, how much is taken, and where results go: checked before anything is opened."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from strokediff.errors import UsageError

GIB, MIB = 2**30, 2**20
AE_TITLE = re.compile(r"[!-\[\]-~](?:[ -\[\]-~]{0,14}[!-\[\]-~])?")
"""PS3.5: 1 to 16 characters of ASCII, no backslash, spaces at the ends not significant."""
_PEER = re.compile(r"(?P<aet>[^@]+)@(?P<host>\[[0-9A-Fa-f:.]+\]|[^@:/\[\]]+):(?P<port>\d{1,5})")


def _ae_title(text: str) -> str:
    if not AE_TITLE.fullmatch(text):
        raise ValueError(
            f"{text!r} is no AE title: expected 1 to 16 characters of ASCII without a backslash"
        )
    return text


AETitle = Annotated[str, AfterValidator(_ae_title)]
Port = Annotated[int, Field(ge=0, le=65535)]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


_Checked = TypeVar("_Checked", bound=_Frozen)


class Limits(_Frozen):
    """What one listener takes at most; each is there so that no sender can exhaust the machine.

    Disk counts what lies in the store. An image is one C-STORE; a study is cut off
    `arriving_seconds` after its first image, segmented for `work_seconds`, and sent for
    `sending_hours`.
    """

    disk_gb: float = Field(50.0, gt=0)
    study_gb: float = Field(4.0, gt=0)
    study_images: int = Field(5000, ge=1)
    image_mb: float = Field(512.0, gt=0)
    arriving_seconds: float = Field(1800.0, gt=0)
    work_seconds: float = Field(3600.0, gt=0)
    sending_hours: float = Field(72.0, gt=0)
    pdu_bytes: int = Field(65536, ge=4096, le=MIB)
    associations: int = Field(8, ge=1, le=100)
    network_seconds: float = Field(30.0, gt=0)


class Tls(_Frozen):
    """Certificate and key of this side, and the authorities that the other side's must be of."""

    cert: Path
    key: Path
    ca: Path | None = None


class Peer(_Frozen):
    """A C-STORE destination, AET@HOST:PORT.

    >>> peer = Peer.of("PACS@10.0.0.7:104")
    >>> peer.aet, peer.host, peer.port, str(peer)
    ('PACS', '10.0.0.7', 104, 'PACS@10.0.0.7:104')
    """

    aet: AETitle
    host: str
    port: Port

    @classmethod
    def of(cls, text: str) -> Peer:
        """Read AET@HOST:PORT; `UsageError` for anything else."""
        found = _PEER.fullmatch(text.strip())
        if found is None or not 0 < int(found["port"]) <= 65535:
            raise UsageError(f"destination '{text}': expected AET@HOST:PORT, as PACS@10.0.0.7:104.")
        return checked(
            cls, aet=found["aet"].strip(), host=found["host"].strip("[]"), port=int(found["port"])
        )

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.aet}@{host}:{self.port}"


class Settings(_Frozen):
    """How a listener listens. `allow` are the callers' AE titles; () is anybody on this machine."""

    aet: AETitle = "STROKEDIFF"
    host: str = "127.0.0.1"
    port: Port = 11112
    allow: tuple[AETitle, ...] = ()
    quiet_seconds: float = Field(10.0, gt=0)
    tls: Tls | None = None
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _open_to_whom(self) -> Settings:
        if not self.allow and not _is_loopback(self.host):
            raise ValueError(
                f"host {self.host} is open to other machines; name the AE titles that may send "
                "with --allow, or listen on 127.0.0.1"
            )
        return self


def checked(model: type[_Checked], **values: Any) -> _Checked:
    """`model(**values)`; `UsageError` that names the value where one is not allowed."""
    try:
        return model(**values)
    except ValidationError as error:
        found = error.errors()[0]
        where = ".".join(map(str, found["loc"]))
        why = found["msg"].removeprefix("Value error, ")
        raise UsageError(f"{where + ': ' if where else ''}{why}.") from None


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
