"""Laws of the process that segments: its verdicts, and that its end is not the listener's."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from receiving import head_series, until

pytest.importorskip("pynetdicom")
from strokediff.errors import InputError, UsageError
from strokediff.inference.estimation import Estimation
from strokediff.receiver.work import Verdict, Work, objects_of, segmented
from strokediff.receiver.worker import LostError, ProcessWorker, workers_of
from strokediff.segmentation.segmenter import load


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with a head, as the spool has it."""
    return written(tmp_path_factory.mktemp("heads") / ("a" * 24), "a")


def written(folder: Path, patient: str, **bend: object) -> Path:
    folder.mkdir()
    for k, dataset in enumerate(head_series(patient, **bend)):
        dataset.save_as(folder / f"{k:040x}.dcm", enforce_file_format=True)
    return folder


def work(model: Path, **own: object) -> Work:
    known = {"device": "cpu", "threads": 1, "pictures": False, "objects": ("seg", "sr")}
    return Work((str(model),), Estimation("avg"), **{**known, **own})  # type: ignore[arg-type]


@pytest.fixture
def worker(model: Path) -> Iterator[ProcessWorker]:
    (made,) = workers_of(work(model), ("cpu",))
    yield made
    made.stop()


def test_a_head_has_its_objects_and_twice_the_same(
    model: Path, heads: Path, tmp_path: Path
) -> None:
    loaded, how = load(model, device="cpu"), work(model)
    contents = []
    for name in ("one", "two"):
        verdict = segmented(heads, tmp_path / name, loaded, how)
        assert len(verdict.found) == 1 and not verdict.failed
        objects = objects_of(tmp_path / name)
        assert [path.name for path in objects] == ["lesion_seg.dcm", "lesion_sr.dcm"]
        contents.append([path.read_bytes() for path in objects])
    assert contents[0] == contents[1]
    (tmp_path / "one" / "lesion_seg.dcm").write_bytes(b"changed")
    for place in ("one", "none"):
        with pytest.raises(InputError, match="not there any more, or was changed"):
            objects_of(tmp_path / place)


def test_what_is_no_plain_head_has_its_reason(model: Path, tmp_path: Path) -> None:
    contrast = written(tmp_path / ("b" * 24), "b", ContrastBolusAgent="Iodine 300")
    verdict = segmented(contrast, tmp_path / "out", load(model, device="cpu"), work(model))
    assert not verdict.found and len(verdict.failed) == 1
    assert "Iodine 300" in verdict.failed[0]
    assert str(tmp_path) not in verdict.failed[0]
    with pytest.raises(InputError):
        objects_of(tmp_path / "out")


def test_a_bug_is_a_verdict(heads: Path, tmp_path: Path, model: Path) -> None:
    verdict = segmented(heads, tmp_path / "out", None, work(model))  # type: ignore[arg-type]
    assert len(verdict.failed) == 1 and "AttributeError" in verdict.failed[0]


@pytest.mark.slow
def test_a_process_works_on_one_after_the_other(
    worker: ProcessWorker, heads: Path, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        worker.start(name, heads, tmp_path / name)
        verdict = said(worker)
        assert worker.key is None and len(verdict.found) == 1
    assert worker.verdict() is None and worker.seconds() == 0


@pytest.mark.slow
def test_after_many_studies_another_process_takes_its_place(
    worker: ProcessWorker, heads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("strokediff.receiver.worker.STUDIES", 2)
    pids = []
    for name in ("one", "two", "three"):
        worker.start(name, heads, tmp_path / name)
        pids.append(worker._process.pid)
        assert len(said(worker).found) == 1
    assert pids[0] == pids[1] != pids[2]


@pytest.mark.slow
def test_a_process_that_is_killed_is_lost_and_another_begins(
    worker: ProcessWorker, heads: Path, tmp_path: Path
) -> None:
    worker.start("one", heads, tmp_path / "one")
    pid = worker._process.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(LostError, match=r"signal 9.*memory"):
        said(worker)
    worker.restart()
    worker.start("one", heads, tmp_path / "one")
    assert len(said(worker).found) == 1


@pytest.mark.slow
def test_a_process_may_be_stopped_in_the_middle(
    worker: ProcessWorker, heads: Path, tmp_path: Path
) -> None:
    worker.start("one", heads, tmp_path / "one")
    worker.restart()
    assert worker.key is None
    assert not list(tmp_path.glob("one/result.json"))
    worker.start("one", heads, tmp_path / "one")
    assert len(said(worker).found) == 1


def said(worker: ProcessWorker) -> Verdict:
    found: list[Verdict] = []

    def says() -> bool:
        verdict = worker.verdict()
        if verdict is not None:
            found.append(verdict)
        return bool(found)

    until(says, "a verdict")
    return found[0]


@pytest.mark.slow
def test_no_model_and_no_device_are_said_before_it_listens(model: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no model 'nowhere'"):
        workers_of(Work(("nowhere",), Estimation("avg")), ("cpu",))
    with pytest.raises(UsageError, match="device"):
        workers_of(work(model), ("cpu", "toaster"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError):
        workers_of(work(tmp_path / "empty"), ("cpu",))
