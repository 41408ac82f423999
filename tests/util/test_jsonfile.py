"""JSON from anywhere: an object, or one sentence; never another error, never a long wait."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from strokediff.errors import InputError
from strokediff.util import jsonfile
from strokediff.util.jsonfile import read_json

WHAT = "a box's description"


def written(folder: Path, content: bytes) -> Path:
    file = folder / "box.json"
    file.write_bytes(content)
    return file


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_an_object_comes_back_in_every_encoding_of_unicode(tmp_path: Path, encoding: str) -> None:
    value = {"名": [1, -2.5, 2**63, 1e-400, None, True], "": {"a": "\udce9"}}
    text = json.dumps(value, ensure_ascii=encoding != "utf-8-sig")
    text = text if encoding != "utf-8-sig" else text.replace("\udce9", "é")
    found = read_json(written(tmp_path, text.encode(encoding)), WHAT)
    assert found["名"] == [1, -2.5, 2**63, 0.0, None, True]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not JSON"),
        (b'{"a": 1', "not JSON"),
        (b'{"a": 1} x', "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        ('{"a": "é"}'.encode("latin-1"), "not JSON"),
        (b"[1]", "got a list"),
        (b'"a"', "got a text"),
        (b"3", "got a number"),
        (b"true", "got true or false"),
        (b"null", "got null"),
        (b'{"a": NaN}', "NaN is no number"),
        (b'{"a": [-Infinity]}', "-Infinity is no number"),
        (b'{"a": 1e999}', "1e999 is beyond"),
        (b'{"a": ' + b"9" * 5000 + b"}", "beyond 64 bits"),
        (b'{"a": -18446744073709551616}', "beyond 64 bits"),
        (b'{"a": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", "nested deeper"),
        (b'{"a": ' * 10_000 + b"1" + b"}" * 10_000, "nested deeper"),
        (b"[" * 100_000, "nested deeper"),
        (b'{"a": ' + b"[" * 100 + b"]" * 100 + b"}", "nested deeper"),
    ],
)
def test_anything_else_is_one_sentence(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(InputError) as caught:
        read_json(written(tmp_path, content), WHAT, remedy="Make another box.")
    said = str(caught.value)
    assert reason in said and said.startswith(str(tmp_path / "box.json"))
    assert said.endswith("Expected a box's description. Make another box.")
    assert len(said) < 500


def test_the_deepest_that_is_read(tmp_path: Path) -> None:
    content = b'{"a": ' + b"[" * 99 + b"]" * 99 + b"}"
    assert read_json(written(tmp_path, content), WHAT)


def test_the_size_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonfile, "MAX_JSON_BYTES", 2**20)
    fits = b'{"a": "' + b"x" * (2**20 - 9) + b'"}'
    assert len(read_json(written(tmp_path, fits), WHAT)["a"]) == 2**20 - 9
    with pytest.raises(InputError, match="more than 1 MB"):
        read_json(written(tmp_path, fits + b" "), WHAT)


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"box\.json: missing"):
        read_json(tmp_path / "box.json", WHAT)
    with pytest.raises(InputError, match="a folder"):
        read_json(tmp_path, WHAT)
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(InputError, match="no regular file"):
        read_json(tmp_path / "pipe.json", WHAT)
    with pytest.raises(InputError, match="name too long"):
        read_json(tmp_path / ("x" * 300), WHAT)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(InputError, match="loop"):
        read_json(tmp_path / "loop", WHAT)
