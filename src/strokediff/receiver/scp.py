"""What is answered to C-ECHO and C-STORE: a status for every image, and success only once kept."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    CTImageStorage,
    EnhancedCTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    LegacyConvertedEnhancedCTImageStorage,
    RLELossless,
)
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.dsutils import encode_file_meta

from strokediff.receiver.arrivals import Arrivals, Kept
from strokediff.receiver.disk import NoRoomError
from strokediff.receiver.settings import Settings
from strokediff.util.plaintext import visible

TAKEN = (CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage)
SYNTAXES = [
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    *JPEGTransferSyntaxes,
    *JPEGLSTransferSyntaxes,
    JPEG2000Lossless,
    JPEG2000,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    HTJ2K,
    RLELossless,
]
"""What can be read; deflated data sets are not, as a small one may become any size."""

VERIFICATION = UID("1.2.840.10008.1.1")
SUCCESS = 0x0000
CLASS_NOT_SUPPORTED = 0x0122
NO_RESOURCES = 0xA700
MISMATCH = 0xA900
OTHER_KEPT = 0xB006
"""Elements discarded: a warning."""
NOT_UNDERSTOOD = 0xC000
_SERIES_UID = 0x0020000E
LONGEST_UID = 64


class StorageScp:
    """The handlers of one listener."""

    def __init__(self, arrivals: Arrivals, tell: Callable[[str], None]) -> None:
        self.arrivals, self.tell = arrivals, tell
        self._told: set[tuple[int, int]] = set()

    def handlers(self) -> list[Any]:
        """For pynetdicom."""
        return [
            (evt.EVT_C_ECHO, lambda event: SUCCESS),
            (evt.EVT_C_STORE, self.store),
            (evt.EVT_REJECTED, self.rejected),
        ]

    def store(self, event: evt.Event) -> int:
        """Keep one image, and say what became of it."""
        request: Any = event.request
        caller = str(event.assoc.requestor.ae_title)
        if request.AffectedSOPClassUID not in TAKEN:
            name = UID(request.AffectedSOPClassUID).name
            self._refused(event, CLASS_NOT_SUPPORTED, f"{name}: no CT image")
            return CLASS_NOT_SUPPORTED
        data = request.DataSet.getvalue() if request.DataSet else b""
        try:
            header = _header(data, event.context.transfer_syntax)
            study, instance = (
                _uid(header, name) for name in ("StudyInstanceUID", "SOPInstanceUID")
            )
        except Exception as error:  # whatever a sender makes of a data set
            self._refused(event, NOT_UNDERSTOOD, f"an image cannot be read ({error})")
            return NOT_UNDERSTOOD
        wanted = (request.AffectedSOPClassUID, request.AffectedSOPInstanceUID)
        if (header.get("SOPClassUID"), instance) != wanted:
            self._refused(event, MISMATCH, "an image is not the one that was announced")
            return MISMATCH
        meta = b"\0" * 128 + b"DICM" + encode_file_meta(event.file_meta)
        try:
            kept = self.arrivals.add(study, instance, caller, [meta, data])
        except NoRoomError as error:
            self._refused(event, NO_RESOURCES, str(error))
            return NO_RESOURCES
        if kept is Kept.OTHER:
            self._refused(event, OTHER_KEPT, "another image of the same UID is kept already")
            return OTHER_KEPT
        return SUCCESS

    def rejected(self, event: evt.Event) -> None:
        """Say that an association was refused."""
        requestor = event.assoc.requestor
        title = visible(str(requestor.ae_title))
        self.tell(f"an association of {title} ({requestor.address}) was refused")

    def _refused(self, event: evt.Event, status: int, why: str) -> None:
        """Say it once an association and status: a sender may have thousands."""
        which = (id(event.assoc), status)
        if which not in self._told:
            self._told = {*list(self._told)[-100:], which}
            title = visible(str(event.assoc.requestor.ae_title))
            self.tell(f"refused of {title}, 0x{status:04X}: {visible(why)[:300]}")


def application_entity(settings: Settings) -> AE:
    """What is negotiated: anything that is stored, so that what is no CT is told why not."""
    entity = AE(ae_title=settings.aet)
    limits = settings.limits
    entity.maximum_pdu_size = limits.pdu_bytes
    entity.maximum_associations = limits.associations
    entity.acse_timeout = entity.dimse_timeout = limits.network_seconds
    entity.network_timeout = limits.network_seconds
    entity.require_called_aet = True
    entity.require_calling_aet = [*settings.allow]
    entity.add_supported_context(VERIFICATION)
    for context in AllStoragePresentationContexts:
        if context.abstract_syntax is not None:
            entity.add_supported_context(context.abstract_syntax, SYNTAXES)
    return entity


def _header(data: bytes, syntax: UID) -> Dataset:
    """The elements up to the series' UID."""

    def beyond(tag: BaseTag, vr: str | None, length: int) -> bool:
        return int(tag) > _SERIES_UID

    return read_dataset(
        BytesIO(data), syntax.is_implicit_VR, syntax.is_little_endian, stop_when=beyond
    )


def _uid(header: Dataset, name: str) -> str:
    found = str(header.get(name) or "").strip()
    if not 0 < len(found) <= LONGEST_UID:
        raise ValueError(f"it has no {name}")
    return found
