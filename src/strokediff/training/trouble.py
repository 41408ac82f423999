"""What the system, PyTorch or safetensors refuse a long computation, as one sentence and a remedy.

A full disk, missing shared memory, a process killed from outside and exhausted memory are no bugs
of the program, and a traceback says nothing of them. Each is told by its type or by words that
PyTorch has for nothing else; every other error passes unchanged, so that a bug stays one.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from strokediff.errors import StrokediffError, UsageError

LONGEST = 300
OWN_TYPES = {"BrokenProcessPool", "SafetensorError"}


@dataclass(frozen=True)
class Trouble:
    """What happened, what to do, and the words (lower case) that tell it in an error's message."""

    what: str
    remedy: str
    words: tuple[str, ...] = ()


SHARED_MEMORY = Trouble(
    "no shared memory left for the processes that load data",
    "Use --workers 0, or give /dev/shm more room (docker run --shm-size=2g, or --ipc=host).",
    (
        "shared memory",
        "unable to write to file </torch_",
        "unable to mmap",
        "(shm)",
        "bus error",
    ),
)
WORKER = Trouble(
    "a process that loads data was ended from outside, mostly since memory ran out",
    "Use fewer --workers (0: none), or give more memory.",
    ("dataloader worker (pid", "a process in the process pool was terminated"),
)
GPU_MEMORY = Trouble(
    "the GPU's memory does not suffice",
    "Use a smaller --batch-size or network where the command has one, end what else runs on the "
    "GPU, or use --device cpu.",
    (
        "cuda out of memory",
        "cuda error: out of memory",
        "hip out of memory",
        "mps backend out of memory",
        "cublas_status_alloc_failed",
        "out of memory on device",
    ),
)
MEMORY = Trouble(
    "the memory does not suffice",
    "Use a smaller --batch-size or network where the command has one, or give more memory.",
    (
        "not enough memory",
        "can't allocate memory",
        "cannot allocate memory",
        "unable to allocate",
        "bad_alloc",
        "can't start new thread",
    ),
)
GPU = Trouble(
    "the GPU failed, or its driver does not suit this PyTorch",
    "See that nvidia-smi works and that the driver is as new as PyTorch's CUDA, restart the "
    "command, or use --device cpu.",
    (
        "cuda error",
        "cuda driver",
        "cudnn error",
        "cudnn_status",
        "cublas_status",
        "cufft error",
        "nvidia driver",
        "no cuda gpus are available",
        "hip error",
        "device-side assert",
    ),
)

DISK_FULL = Trouble("the disk is full", "Make room, or choose a folder on another disk.")
FILES = Trouble(
    "too many files are open",
    "Use fewer --workers, or raise the limit (ulimit -n).",
    ("items of ancdata", "too many open files"),
)
DENIED = Trouble("access was denied", "Give yourself the right to read and write there.")
GONE = Trouble(
    "a file or folder is not there any more", "See that nothing else moves or removes it."
)
SYSTEM = Trouble("the system refused", "See that the disk is there and can be read and written.")
BY_WORDS = (FILES, SHARED_MEMORY, WORKER, GPU_MEMORY, MEMORY, GPU)
"""In this order: a worker that a lack of shared memory killed names both."""
BY_NUMBER = {
    errno.ENOSPC: DISK_FULL,
    errno.EDQUOT: DISK_FULL,
    errno.EFBIG: DISK_FULL,
    errno.EMFILE: FILES,
    errno.ENFILE: FILES,
    errno.ENOMEM: MEMORY,
    errno.EACCES: DENIED,
    errno.EPERM: DENIED,
    errno.EROFS: DENIED,
    errno.ENOENT: GONE,
    errno.ENOTDIR: GONE,
    errno.ESTALE: GONE,
}


@contextmanager
def explained(doing: str, *, then: Callable[[], str] = str) -> Iterator[None]:
    """Turn what was refused inside into a `UsageError`: "`doing`: what (why). Remedy `then()`".

    `then` says what is whole and how to go on. Errors of the project pass as they are, except that
    one caused by the system (a place that cannot be written) gets `then` too. Errors that no
    `Trouble` tells pass unchanged.
    """
    try:
        yield
    except StrokediffError as error:
        if not isinstance(error, UsageError) or not isinstance(error.__cause__, OSError):
            raise
        raise UsageError(f"{error} {then()}".strip()) from error.__cause__
    except Exception as error:
        found = trouble_of(error)
        if found is None:
            raise
        said = f"{doing}: {found.what} ({_short(error)}). {found.remedy} {then()}"
        raise UsageError(said.strip()) from error


def trouble_of(error: Exception) -> Trouble | None:
    """Which trouble an error tells of; None if it is none of the system's."""
    if isinstance(error, MemoryError):
        return MEMORY
    if isinstance(error, OSError):
        closed = error.errno is None or error.errno == errno.EPIPE
        return None if closed else BY_NUMBER.get(error.errno or 0, SYSTEM)
    # PyTorch raises RuntimeError and what derives from it; safetensors and process pools their own.
    if not isinstance(error, RuntimeError) and type(error).__name__ not in OWN_TYPES:
        return None
    said = _words(error).lower()
    number = re.search(r"\(os error (\d+)\)", said)  # as Rust ends it
    if number:
        return BY_NUMBER.get(int(number[1]), SYSTEM)
    return next((own for own in BY_WORDS if any(word in said for word in own.words)), None)


def _words(error: Exception) -> str:
    """What an error says; of one that a worker caught and sent, the end of its traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines and lines[0].startswith("Caught ") else " ".join(lines)


def _short(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return _words(error)[:LONGEST].rstrip(". ") or type(error).__name__
