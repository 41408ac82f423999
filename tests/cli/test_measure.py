"""`measure` and `view` as commands: what they print, write, refuse and end with."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pydicom
import pytest
import two_kinds

from strokediff.ct.nifti.images import save_like
from strokediff.ct.read import read_ct
from strokediff.phantom.dicom import write_dicom_series
from strokediff.phantom.make import make_phantom

RUN = [sys.executable, "-m", "strokediff.cli.app"]


def run(*args: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*RUN, *map(str, args)], capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("measure")
    ct, masks = two_kinds.head()
    save_like(ct, ct.hu, folder / "scan.nii.gz", dtype=np.int16)
    labels = (masks[0] + 2 * masks[1]).astype(np.uint8)
    save_like(ct, labels, folder / "mask.nii.gz", dtype=np.uint8)
    scan = read_ct(folder / "scan.nii.gz")
    two_kinds.model().segment(scan, method="avg").save(folder / "result", pictures=False)
    return folder


def test_a_mask_is_measured_and_its_reader_named(place: Path, tmp_path: Path) -> None:
    done = run(
        "measure", place / "scan.nii.gz", place / "mask.nii.gz", "-o", tmp_path / "out",
        "--by", "Zoë", "--labels", "infarct=1,haemorrhage=2", "--no-preview",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.match(r"infarct [\d.]+ mL, haemorrhage [\d.]+ mL; Zoë, revision 1", done.stdout)
    record = json.loads((tmp_path / "out" / "result.json").read_text())
    assert record["reader"]["name"] == "Zoë"
    assert [k["name"] for k in record["kinds"]] == ["infarct", "haemorrhage"]


def test_objects_of_nifti_are_refused_before_anything_is_written(
    place: Path, tmp_path: Path
) -> None:
    done = run(
        "measure", place / "scan.nii.gz", place / "mask.nii.gz", "-o", tmp_path / "out",
        "--labels", "infarct=1,haemorrhage=2", "--dicom", "seg",
    )  # fmt: skip
    assert done.returncode == 2 and "Give the DICOM series" in done.stderr
    assert not (tmp_path / "out").exists()


def test_objects_of_a_series_say_whose_mask_it_is(tmp_path: Path) -> None:
    phantom = make_phantom("hemorrhage", seed=5, matrix=96, thickness_mm=10.0)
    write_dicom_series(phantom, tmp_path / "scan")
    ct = read_ct(tmp_path / "scan")
    save_like(ct, ct.hu > 60, tmp_path / "mask.nii.gz", dtype=np.uint8)
    done = run(
        "measure", tmp_path / "scan", tmp_path / "mask.nii.gz", "-o", tmp_path / "out",
        "--dicom", "seg,sr", "--no-preview",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seg = pydicom.dcmread(tmp_path / "out" / "lesion_seg.dcm")
    assert seg.SegmentSequence[0].SegmentAlgorithmType == "MANUAL"
    again = run(
        "export", "dicom", tmp_path / "out", "--source", tmp_path / "scan", "-o",
        tmp_path / "later", "--objects", "seg,sr",
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    for name in ("lesion_seg.dcm", "lesion_sr.dcm"):
        assert (tmp_path / "later" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


def test_the_page_is_served_until_a_signal_and_the_address_is_printed(place: Path) -> None:
    args = [*RUN, "view", str(place / "result"), "--ct", str(place / "scan.nii.gz"), "--no-browser"]
    env = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(args, stdout=subprocess.PIPE, text=True, env=env) as server:
        assert server.stdout is not None
        told = server.stdout.readline() + server.stdout.readline()
        address = re.search(r"http://127\.0\.0\.1:\d+/[\w-]+/", told)
        assert address, told
        with urllib.request.urlopen(address[0], timeout=60) as answer:
            assert b"Draw infarct" in answer.read()
        server.send_signal(signal.SIGINT)
        assert server.wait(30) == 130


def test_the_schema_of_what_measure_writes() -> None:
    done = run("schema", "--of", "measure")
    assert "reader" in json.loads(done.stdout)["required"]
    assert run("schema", "--of", "other").returncode == 2


def test_a_segmentation_from_the_pacs_is_a_mask_too(tmp_path: Path) -> None:
    phantom = make_phantom("hemorrhage", seed=5, matrix=96, thickness_mm=10.0)
    write_dicom_series(phantom, tmp_path / "scan")
    ct = read_ct(tmp_path / "scan")
    save_like(ct, ct.hu > 60, tmp_path / "mask.nii.gz", dtype=np.uint8)
    first = run(
        "measure", tmp_path / "scan", tmp_path / "mask.nii.gz", "-o", tmp_path / "out",
        "--dicom", "seg", "--no-preview", "--labels", "haemorrhage=1",
    )  # fmt: skip
    assert first.returncode == 0, first.stderr
    seg = tmp_path / "out" / "lesion_seg.dcm"
    again = run("measure", tmp_path / "scan", seg, "-o", tmp_path / "again", "--no-preview")
    assert again.returncode == 0, again.stderr
    one, other = (
        json.loads((tmp_path / name / "result.json").read_text()) for name in ("out", "again")
    )
    assert other["volume_ml"] == one["volume_ml"]
    assert [kind["name"] for kind in other["kinds"]] == ["haemorrhage"]
    refused = run("measure", tmp_path / "mask.nii.gz", seg, "-o", tmp_path / "no")
    assert refused.returncode in (2, 3) and not (tmp_path / "no").exists()
