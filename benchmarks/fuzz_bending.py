"""How `fuzz.py` bends bytes, JSON, tensors and elements of DICOM; each as a seeded `rng` says."""

from __future__ import annotations

import json
import random
import struct
from typing import Any, Protocol

HOSTILE_NUMBERS = (0, -1, 1, 2, 255, 256, 32767, -32768, 65535, 2**31 - 1, -(2**31), 2**32 - 1)
_WORDS = rb"inf -inf nan 1e400 1e30 -1 0 0\0 1\0\0\1\0\0 1\0\0\0\1\0\7 0,5\0,5"
HOSTILE_TEXT = (b"", *_WORDS.split(), b"99999999999999999999", b"../../etc/passwd")
HOSTILE_TEXT += (b"\xff\xfe\x00\x01", b"\x1b[31m", b"A" * 70000, b"\\" * 200, "單純".encode())
HOSTILE_JSON: tuple[Any, ...] = (None, True, -1, 0, 1, 2**63, 10**400, 1e308)
HOSTILE_JSON += (float("nan"), float("inf"), "", "../../x", "\x1b[31m", "a" * 100_000)
HOSTILE_JSON += ([], {}, [[]], {"a": {"b": 1}}, [1, "a", None])


class Format(Protocol):
    """A sound input: `bend` writes a case of it as `rng` says, `read` reads it and checks it."""

    def bend(self, rng: random.Random) -> None:
        """Write the case."""
        ...

    def read(self) -> None:
        """Read it as the project does."""
        ...


def bent_bytes(content: bytes, rng: random.Random) -> bytes:
    """Flipped, cut, doubled, inserted or overwritten bytes."""
    way, n = rng.randrange(6), len(content)
    at = rng.randrange(n) if n else 0
    if way == 0:
        flipped = bytearray(content)
        for _ in range(rng.choice((1, 1, 3, 20))):
            if n:
                flipped[rng.randrange(n)] = rng.randrange(256)
        return bytes(flipped)
    if way == 1:
        return content[: rng.choice((0, 1, 131, 132, at))]
    if way == 2:
        return content[:at] + content[at + rng.randint(1, 64) :]
    if way == 3:
        return content[:at] + rng.randbytes(rng.randint(1, 64)) + content[at:]
    if way == 4:
        return content[:at] + b"\xff" * rng.randint(1, 16) + content[at + 16 :]
    return content + rng.choice((b"\0" * 4096, content[at:], rng.randbytes(64)))


def bent_json(text: str, rng: random.Random) -> str:
    """One value anywhere replaced, taken out or renamed; or the text itself bent."""
    if rng.random() < 0.1:
        return bent_bytes(text.encode(), rng).decode(errors="replace")
    if rng.random() < 0.02:
        return "[" * 100_000
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return text
    holders = [(content, key) for key in _keys(content)]
    for holder, key in holders:
        inner = holder[key]
        if len(holders) < 500:
            holders += [(inner, k) for k in _keys(inner)]
    if not holders:
        return text
    holder, key = rng.choice(holders)
    way = rng.random()
    if way < 0.15:
        del holder[key]
    elif way < 0.25 and isinstance(holder, dict):
        holder[rng.choice(("", "../x", "a" * 300, "x"))] = holder.pop(key)
    else:
        holder[key] = rng.choice(HOSTILE_JSON)
    return json.dumps(content)


def _keys(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value)
    return list(range(len(value))) if isinstance(value, list) else []


def bent_tensors(content: bytes, rng: random.Random) -> bytes:
    """A safetensors file: its header's JSON, its length or its bytes."""
    if rng.random() < 0.4 or len(content) < 8:
        return bent_bytes(content, rng)
    (length,) = struct.unpack("<Q", content[:8])
    if rng.random() < 0.2:
        return struct.pack("<Q", rng.choice((0, 1, 2**63, 2**40, length + 1))) + content[8:]
    header = bent_json(content[8 : 8 + length].decode(errors="replace"), rng).encode()
    return struct.pack("<Q", len(header)) + header + content[8 + length :]


def elements(content: bytes) -> list[tuple[int, int, int, bool]]:
    """Top-level elements of an explicit little endian file: start, value, length, long form."""
    found, at = [], 132
    while at + 8 <= len(content):
        vr = content[at + 4 : at + 6]
        long = vr in (b"OB", b"OW", b"SQ", b"UN", b"UT", b"OD", b"OF", b"UC", b"UR", b"OL")
        if long:
            value_at = at + 12
            (length,) = struct.unpack("<I", content[at + 8 : at + 12].ljust(4, b"\0"))
        else:
            value_at = at + 8
            (length,) = struct.unpack("<H", content[at + 6 : at + 8])
        if not vr.isalpha() or length == 0xFFFFFFFF or value_at + length > len(content):
            break
        found.append((at, value_at, length, long))
        at = value_at + length
    return found


def with_value(content: bytes, element: tuple[int, int, int, bool], value: bytes) -> bytes:
    """The file with another value of an element, its length told rightly."""
    _, value_at, length, long = element
    value = value[: 2**16 - 2]
    value += b" " * (len(value) % 2)
    told = struct.pack("<I", len(value)) if long else struct.pack("<H", len(value))
    head_ = content[: value_at - len(told)]
    return head_ + told + value + content[value_at + length :]
