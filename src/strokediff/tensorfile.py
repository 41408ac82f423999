"""Named tensors in a safetensors file whose sha256 stands in the JSON beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from strokediff.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor


def write_tensors(file: Path, tensors: Mapping[str, Tensor]) -> str:
    """Write the file; its sha256."""
    from safetensors.torch import save_file

    save_file({name: value.contiguous() for name, value in tensors.items()}, file)
    return hashlib.sha256(file.read_bytes()).hexdigest()


def read_tensors(file: Path, sha256: str, *, whole: str, named_in: str) -> dict[str, Tensor]:
    """Undo `write_tensors`; `InputError` if the file is missing, not that one, or no safetensors.

    `whole` is what the file is part of and `named_in` the file that names its sha256, both for
    the message.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    if not file.is_file():
        raise InputError(f"{file}: missing from the {whole}. Copy the whole folder again.")
    content = file.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise InputError(
            f"{file}: corrupt {whole}, its bytes are not the ones that {named_in} names (sha256 "
            "differs). Copy it again."
        )
    try:
        # Cloned, since a file aligns them otherwise, and products may round by alignment.
        return {name: value.clone() for name, value in load(content).items()}
    except SafetensorError as error:
        raise InputError(f"{file}: not safetensors ({error}). Copy it again.") from None
