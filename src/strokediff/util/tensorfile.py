"""Named tensors in a safetensors file whose sha256 stands in the JSON beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from strokediff.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

MAX_TENSOR_BYTES = 8 * 2**30
"""More than ten times the weights of the largest network that is built."""


def write_tensors(file: Path, tensors: Mapping[str, Tensor]) -> str:
    """Write the file; its sha256. What the system refuses is an `OSError`, as for any file."""
    from safetensors.torch import save

    content = save({name: value.contiguous() for name, value in tensors.items()})
    file.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def read_tensors(file: Path, sha256: str | None, *, whole: str, named_in: str) -> dict[str, Tensor]:
    """Undo `write_tensors`; `InputError` if the file is missing, not that one, or no safetensors.

    Refused too are files of more than `MAX_TENSOR_BYTES` and NaN or infinite values: they would
    make every result NaN, and NaN is below every threshold. `whole` is what the file is part of and
    `named_in` the file that names its sha256, both for the message. Without `sha256` the content
    is not compared.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    content = _content(file, whole)
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise InputError(
            f"{file}: corrupt {whole}, its bytes are not the ones that {named_in} names (sha256 "
            "differs). Copy it again."
        )
    try:
        # Cloned, since a file aligns them otherwise, and products may round by alignment.
        tensors = {name: value.clone() for name, value in load(content).items()}
    except (SafetensorError, KeyError, ValueError, TypeError, RuntimeError, OverflowError) as error:
        raise InputError(f"{file}: not safetensors ({error}). Copy it again.") from None
    broken = [name for name, value in tensors.items() if not _finite(value)]
    if broken:
        raise InputError(
            f"{file}: the weights of the {whole} hold NaN or infinite values ({broken[0][:80]}; "
            f"{len(broken)} of {len(tensors)} tensors). Copy it again, or make it again."
        )
    return tensors


def _content(file: Path, whole: str) -> bytes:
    if not file.is_file():
        raise InputError(f"{file}: missing from the {whole}. Copy the whole folder again.")
    try:
        size = file.stat().st_size
        if size > MAX_TENSOR_BYTES:
            raise InputError(
                f"{file}: {size / 2**30:.1f} GB. Expected a {whole} of at most "
                f"{MAX_TENSOR_BYTES / 2**30:g} GB."
            )
        return file.read_bytes()
    except OSError as error:
        raise InputError(
            f"{file}: cannot be read ({error.strerror}). Give yourself the right to read it, or "
            f"copy the {whole} again."
        ) from None


def _finite(value: Tensor) -> bool:
    if not (value.is_floating_point() or value.is_complex()):
        return True
    wide = value if value.element_size() > 1 else value.float()
    return bool(wide.isfinite().all())
