"""Laws: whatever cohort.json and zarr say, reading ends in the cohort or in a sentence."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from strokediff.cohort.arrays import zstd_size
from strokediff.cohort.store import Cohort, CohortWriter, Patient, open_cohort
from strokediff.ct.grid import GridConfig
from strokediff.errors import InputError

pytest.importorskip("zarr")
SIDE = 16
NAMES = ("a", "张伟", "sub 01 (2)")


def arrays(seed: int) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 0.3, (5, SIDE, SIDE)).astype(np.float16)
    y = (rng.random(x.shape) > 0.9).astype(np.uint8)
    m = np.ones(x.shape, np.uint8)
    return x, y, m


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[Path, bytes]]:
    """A cohort, and what its files hold."""
    folder = tmp_path_factory.mktemp("cohort")
    writer = CohortWriter(folder, GridConfig(size=SIDE))
    for i, name in enumerate(NAMES):
        writer.add(Patient(name, *arrays(i)), spacing_mm=[0.5, 0.5, 5.0], volume_ml=1.0)
    split = {"train": [NAMES[0]], "val": [NAMES[1]], "test": [NAMES[2]]}
    writer.finish(split=split, origin={"description": "made up"})
    return folder, {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def made(sound: tuple[Path, dict[Path, bytes]]) -> Iterator[Path]:
    """The cohort, sound again after each test."""
    folder, contents = sound
    yield folder
    for path, content in contents.items():
        if not path.is_file():
            path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
        path.write_bytes(content)


def changed(made: Path, change: Callable[[dict[str, Any]], object]) -> Cohort:
    file = made / "cohort.json"
    meta = json.loads(file.read_text("utf-8"))
    change(meta)
    file.write_text(json.dumps(meta))
    return open_cohort(made)


def test_patients_of_any_name_come_back(made: Path) -> None:
    cohort = open_cohort(made)
    assert cohort.split == {"train": [NAMES[0]], "val": [NAMES[1]], "test": [NAMES[2]]}
    for i, name in enumerate(NAMES):
        for key, array in zip("xym", arrays(i), strict=True):
            np.testing.assert_array_equal(getattr(cohort.read(name), key), array)
    assert "张伟" in (made / "cohort.json").read_text("utf-8")


def put(*path: Any) -> Callable[[dict[str, Any]], None]:
    """`put("a", "b", 3)`: meta["a"]["b"] = 3; without a value the key is taken out."""

    def change(meta: dict[str, Any]) -> None:
        *where, key, value = path
        for step in where:
            meta = meta[step]
        meta[key] = value

    return change


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (put("format", 3), "format 2, got format 3"),
        (put("format", [2]), r"format 2, got format \[2\]"),
        (put("grid", None), "grid: Input should be a valid dictionary.*, got None"),
        (put("grid", []), "grid: Input should be a valid dictionary"),
        (put("grid", "size", "x"), "grid: size: .*valid integer.*, got 'x'"),
        (put("grid", "size", 10**9), "grid: .*at most 2048 pixels a side"),
        (put("grid", "depth", 1), "grid: depth: Extra inputs are not permitted, got 1"),
        (put("grid", "spacing_mm", -1), "grid: spacing_mm: .*greater than 0, got -1"),
        (put("origin", "made up"), "origin: Input should be a valid dictionary"),
        (put("origin", "spacing", 3), "origin: spacing: .*valid string, got 3"),
        (put("origin", "licence", ["x"]), "origin: licence: .*valid string"),
        (put("split", []), "split: Input should be a valid dictionary"),
        (put("split", "train", None), "split: train: .*valid list"),
        (put("split", "train", "a"), "split: train: .*valid list"),
        (put("split", "val", [1]), "split: val: 0: .*valid string, got 1"),
        (put("split", "test", [["a"]]), "split: test: 0: .*valid string"),
        (put("split", "test", ["stranger"]), "its split has 'stranger', who is no patient"),
        (put("split", "test", ["a"]), "its split has 'a' twice"),
        (put("patients", []), "patients: Input should be a valid dictionary"),
        (put("patients", "a", 3), "patients: a: Input should be a valid dictionary.*, got 3"),
        (put("patients", "a", "slices", "5"), "patients: a: slices: .*valid integer, got '5'"),
        (
            put("patients", "a", "slices", -1),
            "patients: a: slices: .*greater than or equal to 0, got -1",
        ),
        (
            put("patients", "a", "lesion_slices", True),
            "patients: a: lesion_slices: .*valid integer, got True",
        ),
        (put("patients", "a", "spacing_mm", [1, 2]), "patients: a: spacing_mm: "),
        (put("patients", "a", "spacing_mm", 5), "patients: a: spacing_mm: "),
        (put("patients", "a", "spacing_mm", [1, 2, "3"]), "patients: a: spacing_mm: "),
        (put("patients", "a", "spacing_mm", [1, 2, 0]), "patients: a: spacing_mm: "),
        (put("patients", "a", "patient", {}), "patients: a: patient: .*valid string"),
        (put("patients", "a", "volume_ml", []), "patients: a: volume_ml: .*valid number"),
        (put("patients", "..", {}), r"patients: \.\.: .*name one folder each, got '\.\.'"),
        (put("patients", "../../etc", {}), "names of patients name one folder each"),
        (put("patients", "a/x", {}), "names of patients name one folder each"),
        (put("patients", "a\\x", {}), "names of patients name one folder each"),
        (put("patients", "zarr.json", {}), "names of patients name one folder each"),
        (put("patients", "", {}), "names of patients name one folder each"),
        (put("patients", "a\0", {}), "names of patients name one folder each"),
        (put("findings", "x"), "findings: .*valid list"),
        (put("left_out", ["x"]), "left_out: .*valid dictionary"),
        (put("left_out", {"x": 3}), "left_out: x: .*valid string, got 3"),
    ],
)
def test_a_field_of_another_kind_is_named(made: Path, change: Any, match: str) -> None:
    with pytest.raises(InputError, match=rf"cohort\.json: .*{match}.*[Pp]repare it again"):
        changed(made, change)


@pytest.mark.parametrize(
    "text",
    ['{"a":' * 100_000, "[" * 100_000, '{"format": 2, "split": NaN}', "\x00", "", "[]", "2"],
    ids=["deep objects", "deep lists", "nan", "zero", "nothing", "a list", "a number"],
)
def test_a_file_that_is_no_record_is_named(made: Path, text: str) -> None:
    (made / "cohort.json").write_text(text)
    with pytest.raises(InputError, match=r"cohort\.json: .*Expected the description of a prep"):
        open_cohort(made)


def test_a_pipe_in_its_place_does_not_hang(made: Path) -> None:
    (made / "cohort.json").unlink()
    os.mkfifo(made / "cohort.json")
    with pytest.raises(InputError, match="not a prepared cohort"):
        open_cohort(made)


@pytest.mark.parametrize("count", [0, 4, 6, 10**12])
def test_a_count_that_is_not_that_of_the_arrays_is_refused(made: Path, count: int) -> None:
    cohort = changed(made, put("patients", "a", "slices", count))
    with pytest.raises(InputError, match=r"patients\.zarr/a: not what cohort\.json says of it"):
        cohort.read("a")


@pytest.mark.parametrize("name", ["b", "..", "../a", "a/x", "zarr.json", ""])
def test_strangers_are_no_patients(made: Path, name: str) -> None:
    with pytest.raises(InputError, match="has no patient"):
        open_cohort(made).read(name)


def codec(name: str) -> dict[str, Any]:
    return {"name": name, "configuration": {}}


@pytest.mark.parametrize(
    "change",
    [
        put("shape", [10**9, SIDE, SIDE]),
        put("shape", [5, SIDE]),
        put("shape", "all"),
        put("shape", [-5, SIDE, SIDE]),
        put("data_type", "float64"),
        put("data_type", "object"),
        put("data_type", {"name": "x"}),
        put("chunk_grid", "configuration", "chunk_shape", [10**6, 10**6, 10**3]),
        put("chunk_grid", "configuration", "chunk_shape", [1, 1, 1]),
        put("chunk_grid", None),
        put("codecs", [codec("bytes"), codec("gzip")]),
        put("codecs", [codec("sharding_indexed")]),
        put("codecs", [codec("bytes"), codec("zstd"), codec("zstd")]),
        put("codecs", "zstd"),
        put("codecs", 0, codec("vlen-utf8")),
        put("chunk_key_encoding", {"name": "v2", "configuration": {"separator": "."}}),
        put("fill_value", 7.0),
        put("node_type", "group"),
        put("zarr_format", 2),
        put("storage_transformers", [{"name": "x"}]),
    ],
)
@pytest.mark.parametrize("part", ["x", "y"])
def test_metadata_that_is_not_ours_is_refused_before_reading(
    made: Path, change: Any, part: str
) -> None:
    file = made / "patients.zarr" / "a" / part / "zarr.json"
    meta = json.loads(file.read_text())
    change(meta)
    file.write_text(json.dumps(meta))
    with pytest.raises(InputError, match=r"patients\.zarr/a: not what cohort\.json says of it"):
        open_cohort(made).read("a")


def test_another_byte_order_is_refused(made: Path) -> None:
    file = made / "patients.zarr" / "a" / "x" / "zarr.json"
    file.write_text(file.read_text().replace('"little"', '"big"'))
    with pytest.raises(InputError, match="its checksum differs|slices"):
        open_cohort(made).read("a")


def huge_frame() -> bytes:
    """A zstd frame that claims 2^40 bytes."""
    return b"\x28\xb5\x2f\xfd\xe0" + (2**40).to_bytes(8, "little") + b"\x01\x00\x00"


def flipped(chunk: bytes) -> bytes:
    return chunk[:-9] + bytes([chunk[-9] ^ 4]) + chunk[-8:]


@pytest.mark.parametrize(
    "content",
    [
        lambda chunk: b"",
        lambda chunk: chunk[: len(chunk) // 2],
        lambda chunk: b"not zstd" * 4,
        lambda chunk: huge_frame(),
        lambda chunk: b"\x28\xb5\x2f\xfd\x00\x58" + chunk[6:],
        lambda chunk: bytes(10**6),
        flipped,
    ],
    ids=["empty", "half", "foreign", "bomb", "no size", "too long", "one bit"],
)
@pytest.mark.parametrize("part", ["x", "y"])
def test_chunks_that_are_not_ours_are_refused(made: Path, content: Any, part: str) -> None:
    chunk = made / "patients.zarr" / "a" / part / "c" / "0" / "0" / "0"
    chunk.write_bytes(content(chunk.read_bytes()))
    with pytest.raises(InputError, match=r"patients\.zarr/a: not what cohort\.json says of it"):
        open_cohort(made).read("a")


def test_a_pipe_or_a_folder_in_a_chunks_place_does_not_hang(made: Path) -> None:
    for part, make in (("x", os.mkfifo), ("m", os.mkdir)):
        chunk = made / "patients.zarr" / "a" / part / "c" / "0" / "0" / "0"
        chunk.unlink()
        make(chunk)
        with pytest.raises(InputError, match=r"patients\.zarr/a: not what cohort\.json says"):
            open_cohort(made).read("a")


@pytest.mark.parametrize("size", [0, 1, 255, 256, 300, 65_791, 65_792, 10**6])
@pytest.mark.parametrize("checksum", [False, True])
def test_the_size_that_a_frame_tells_is_read(size: int, checksum: bool) -> None:
    numcodecs = pytest.importorskip("numcodecs")
    frame = numcodecs.Zstd(checksum=checksum).encode(bytes(size))
    assert zstd_size(frame[:18]) == size


def test_what_tells_no_size_has_none() -> None:
    assert zstd_size(b"") is None and zstd_size(b"\x28\xb5\x2f\xfd") is None
    assert zstd_size(b"\x1f\x8b" + bytes(16)) is None
    assert zstd_size(b"\x28\xb5\x2f\xfd\xe0\x01") is None
