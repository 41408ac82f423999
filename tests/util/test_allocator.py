"""Memory that was freed is there for the next layer, and a user's own settings are left alone."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has mallopt")
FAULTS = """
import resource
import sys
import numpy as np
from strokediff.util.allocator import keep_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

if sys.argv[1] == "keep":
    print(keep_freed_memory())
else:
    print(False)
np.full(8_000_000, 1.0)
before = faults()
for _ in range(10):
    np.full(8_000_000, 1.0)
print(faults() - before)
"""


def faults(how: str, **environment: str) -> tuple[bool, int]:
    """Whether malloc was told, and the page faults of ten arrays of 64 MB, one after the other."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}
    told, count = subprocess.run(
        [sys.executable, "-c", FAULTS, how],
        env=plain | environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    return told == "True", int(count)


@glibc
def test_a_freed_array_is_used_again() -> None:
    _, before = faults("plain")
    told, after = faults("keep")
    assert told
    assert after < before / 10


@glibc
def test_a_users_own_settings_win() -> None:
    told, _ = faults("keep", MALLOC_ARENA_MAX="4")
    assert not told


def test_other_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from strokediff.util.allocator import keep_freed_memory

    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert not keep_freed_memory()
