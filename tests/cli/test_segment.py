"""The main job through the command line: what is written, that it lies right, what is refused."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from strokediff.inference.estimator import Context, Slices
from strokediff.inference.salient import Stratified
from strokediff.phantom.dicom import write_dicom_series
from strokediff.phantom.make import Phantom

Run = Callable[..., int]
Segment = Callable[..., tuple[int, Path]]
KEYS = {
    "volume_ml",
    "volume_mm3",
    "volume_interval_ml",
    "n_lesions",
    "lesions",
    "brain_volume_ml",
    "spacing_mm",
    "truncated",
    "warnings",
    "model",
    "method",
    "n_samples",
    "network_evaluations",
    "seconds",
    "seed",
    "version",
}
FILES = {
    "lesion_mask.nii.gz",
    "lesion_prob.nii.gz",
    "result.json",
    "preview.png",
    "report.html",
    "viewer.html",
}


@pytest.fixture
def segment(run: Run, checkpoint: Path, tmp_path: Path) -> Segment:
    def call(source: Path, *options: object, out: str = "out") -> tuple[int, Path]:
        model = () if "--model" in options else ("--model", checkpoint)
        arguments = ["-o", tmp_path / out, *model, "--quiet", *options]
        return run("segment", source, *arguments), tmp_path / out

    return call


def mask_of(out: Path) -> np.ndarray:
    return np.asarray(nib.load(out / "lesion_mask.nii.gz").dataobj)


def test_a_nifti_gets_everything_on_its_own_grid(segment: Segment, scan: Path) -> None:
    code, out = segment(scan)
    assert code == 0
    assert {p.name for p in out.iterdir()} == FILES
    source, mask, prob = (
        nib.load(p) for p in (scan, out / "lesion_mask.nii.gz", out / "lesion_prob.nii.gz")
    )
    assert mask.shape == prob.shape == source.shape
    np.testing.assert_allclose(mask.affine, source.affine, atol=1e-5)
    found, p = np.asarray(mask.dataobj), np.asarray(prob.dataobj)
    assert found.sum() > 0
    assert 0 <= p.min() <= p.max() <= 1
    assert (p[found > 0] >= 0.499).all()
    report = json.loads((out / "result.json").read_text())
    assert set(report) >= KEYS
    expected = found.sum() * abs(np.linalg.det(source.affine[:3, :3]))
    assert report["volume_mm3"] == pytest.approx(expected)
    assert report["volume_ml"] == pytest.approx(expected / 1000)
    assert sum(lesion["volume_ml"] for lesion in report["lesions"]) == pytest.approx(
        report["volume_ml"]
    )
    assert report["n_lesions"] == len(report["lesions"])
    assert report["model"]["noise"] == "isotropic"
    assert {"read", "brain", "network"} <= set(report["seconds"])
    page = (out / "report.html").read_text()
    assert "research use only" in page.lower()
    assert "phantom" in page.lower()


def test_threads_and_names_do_not_change_the_mask(
    segment: Segment, scan: Path, tmp_path: Path
) -> None:
    renamed = tmp_path / "another name.nii.gz"
    shutil.copy(scan, renamed)
    _, one = segment(scan, "--threads", 1, "--no-preview", out="one")
    _, two = segment(renamed, "--threads", 2, "--no-preview", out="two")
    for name in ("lesion_mask.nii.gz", "lesion_prob.nii.gz"):
        a, b = (np.asarray(nib.load(out / name).dataobj) for out in (one, two))
        np.testing.assert_array_equal(a, b)


def test_the_seed_changes_the_draws(segment: Segment, scan: Path) -> None:
    probabilities = []
    for seed in (0, 1):
        _, out = segment(scan, "--seed", seed, "--no-preview", out=f"seed{seed}")
        probabilities.append(np.asarray(nib.load(out / "lesion_prob.nii.gz").dataobj))
    assert not np.array_equal(*probabilities)


def with_decision(checkpoint: Path, folder: Path, **decision: object) -> Path:
    shutil.copytree(checkpoint, folder)
    (folder / "metrics.json").write_text(json.dumps({"decision": {"fast/sal": decision}}))
    return folder


def test_the_models_decision_is_what_counts_as_lesion(
    segment: Segment, scan: Path, checkpoint: Path, tmp_path: Path
) -> None:
    """A higher threshold, or a least volume, marks less, within what none marks; both are named."""
    models = {
        "none": checkpoint,
        "threshold": with_decision(checkpoint, tmp_path / "threshold", threshold=0.2),
        "least": with_decision(checkpoint, tmp_path / "least", least_lesion_ml=1e4),
    }
    masks, reports = {}, {}
    for name, model in models.items():
        _, out = segment(scan, "--no-preview", "--model", model, out=name)
        masks[name] = mask_of(out) > 0
        reports[name] = json.loads((out / "result.json").read_text())
    assert reports["threshold"]["threshold"] == 0.2
    assert 0 < masks["threshold"].sum() < masks["none"].sum()
    assert not (masks["threshold"] & ~masks["none"]).any()
    assert reports["least"]["least_lesion_ml"] == 1e4
    assert (reports["least"]["n_lesions"], reports["least"]["volume_ml"]) == (0, 0)
    assert not masks["least"].any()


def test_a_cut_overrules_the_models_threshold_and_its_calibration(
    segment: Segment, scan: Path, checkpoint: Path, tmp_path: Path
) -> None:
    model = with_decision(checkpoint, tmp_path / "decided", threshold=0.2)
    file = model / "metrics.json"
    calibration = {"fast/sal": {"level": 0.95, "quantile": 3.0, "n": 40}}
    file.write_text(json.dumps({**json.loads(file.read_text()), "calibration": calibration}))
    reports, masks = {}, {}
    for name, options in {"own": (), "same": ("--cut", 0.6), "high": ("--cut", 0.61)}.items():
        _, out = segment(scan, "--no-preview", "--model", model, *options, out=name)
        reports[name] = json.loads((out / "result.json").read_text())
        masks[name] = mask_of(out) > 0
    np.testing.assert_array_equal(masks["own"], masks["same"])
    assert masks["high"].sum() < masks["own"].sum()
    assert reports["own"]["cut"] is None and reports["high"]["cut"] == 0.61
    assert reports["high"]["threshold"] == pytest.approx(0.22)
    assert "conformal" in reports["own"]["volume_interval_kind"]
    assert "not calibrated" in reports["high"]["volume_interval_kind"]


@pytest.mark.parametrize("decision", [{"threshold": "high"}, {"cutoff": 0.2}])
def test_a_decision_that_cannot_be_read_is_named(
    segment: Segment,
    scan: Path,
    checkpoint: Path,
    tmp_path: Path,
    decision: dict,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = with_decision(checkpoint, tmp_path / "odd", **decision)
    code, _ = segment(scan, "--model", model)
    assert code == 3
    assert "metrics.json: decision.fast/sal" in "".join(capsys.readouterr().err.split("\n"))


def test_a_flipped_file_gives_the_flipped_mask(
    segment: Segment, scan: Path, tmp_path: Path
) -> None:
    image = nib.load(scan)
    array = np.asarray(image.dataobj)[::-1, :, ::-1]
    flip = np.diag([-1.0, 1.0, -1.0, 1.0])
    flip[0, 3], flip[2, 3] = array.shape[0] - 1, array.shape[2] - 1
    nib.save(nib.Nifti1Image(array, image.affine @ flip), tmp_path / "flipped.nii.gz")
    _, one = segment(scan, "--no-preview", out="one")
    _, two = segment(tmp_path / "flipped.nii.gz", "--no-preview", out="two")
    np.testing.assert_array_equal(mask_of(two), mask_of(one)[::-1, :, ::-1])


@pytest.mark.parametrize("method", ["avg", "sal", "infer", "all"])
def test_every_method_counts_what_it_spends(segment: Segment, scan: Path, method: str) -> None:
    code, out = segment(scan, "--method", method, "--no-preview")
    assert code == 0
    report = json.loads((out / "result.json").read_text())
    assert report["method"] == method
    assert report["network_evaluations"] > 0
    assert not (out / "preview.png").exists()


def test_uncertainty_maps_lie_on_the_grid(segment: Segment, scan: Path) -> None:
    """Entropy in bits, and the variance of a probability: at most 1/4 times n / (n - 1)."""
    code, out = segment(scan, "--uncertainty", "--no-preview")
    assert code == 0
    names = {"lesion_entropy.nii.gz", "lesion_variance.nii.gz"}
    assert names <= {p.name for p in out.iterdir()}
    report = json.loads((out / "result.json").read_text())
    images = [nib.load(out / name) for name in sorted(names)]
    entropy, variance = (np.asarray(image.dataobj) for image in images)
    assert all(image.shape == nib.load(scan).shape for image in images)
    assert 0 <= entropy.min() < entropy.max() <= 1
    assert 0 <= variance.min() < variance.max() <= 1 / 3
    voxel_ml = abs(np.linalg.det(images[0].affine[:3, :3])) / 1000
    assert report["doubt_ml"] == pytest.approx(entropy.sum() * voxel_ml, rel=1e-3)


def test_a_wide_tolerance_draws_less_than_a_narrow_one(segment: Segment, scan: Path) -> None:
    spent = {}
    for ml in (1000, 0.5):
        options = ("--tolerance-ml", ml, "--max-evaluations", 64, "--no-preview")
        code, out = segment(scan, *options, out=f"tolerance{ml}")
        assert code == 0
        report = json.loads((out / "result.json").read_text())
        assert (report["tolerance_ml"], report["max_evaluations"]) == (ml, 64)
        spent[ml] = report["network_evaluations"]
    assert 0 < spent[1000] < spent[0.5]


def test_a_stopped_run_goes_on_with_its_draws(
    segment: Segment, scan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mask is that of a run that was never stopped, and fewer draws are made."""
    options = ("--max-evaluations", 64, "--no-preview")
    _, whole = segment(scan, *options, out="whole")
    monkeypatch.setattr("strokediff.segmentation.unfinished.EVERY_S", 0.0)
    draws: list[int] = []
    draw = Stratified.draw

    def stopping(self: Stratified, slices: Slices, context: Context) -> torch.Tensor:
        draws.append(len(slices.keys))
        if len(draws) == 3:
            raise KeyboardInterrupt
        return draw(self, slices, context)

    monkeypatch.setattr(Stratified, "draw", stopping)
    assert segment(scan, *options, out="stopped")[0] != 0
    done = sum(draws[:2])
    code, out = segment(scan, *options, out="stopped")
    assert code == 0
    evaluations = json.loads((whole / "result.json").read_text())["network_evaluations"]
    assert sum(draws[3:]) * 4 == evaluations - done * 4
    for name in ("lesion_mask.nii.gz", "lesion_prob.nii.gz"):
        a, b = (np.asarray(nib.load(o / name).dataobj) for o in (whole, out))
        np.testing.assert_array_equal(a, b)
    assert not [p for p in out.iterdir() if p.name.startswith(".")]


def test_a_long_run_says_first_how_long_it_takes(
    run: Run,
    checkpoint: Path,
    scan: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("strokediff.segmentation.model.LONG", 10)
    assert run("segment", scan, "-o", tmp_path / "out", "--model", checkpoint) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "network evaluations, about 0 h 01 min on cpu" in said
    assert "the same command goes on from there" in said


def test_a_dicom_series_beside_a_localizer(
    segment: Segment, patient: Phantom, tmp_path: Path
) -> None:
    write_dicom_series(patient, tmp_path / "dicom")
    code, out = segment(tmp_path / "dicom")
    assert code == 0
    assert {p.name for p in out.iterdir()} == FILES | {"ct.nii.gz"}
    hu = np.asarray(nib.as_closest_canonical(nib.load(out / "ct.nii.gz")).dataobj)
    np.testing.assert_array_equal(hu, np.clip(patient.hu, -1024, None))
    choice = json.loads((out / "result.json").read_text())["input"]
    assert choice["series_explanation"]


def test_one_bad_patient_does_not_stop_the_others(
    segment: Segment, scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "patients"
    folder.mkdir()
    shutil.copy(scan, folder / "a.nii.gz")
    (folder / "b.nii.gz").write_bytes(scan.read_bytes()[:2000])
    shutil.copy(scan, folder / "c.nii.gz")
    code, out = segment(folder, "--no-preview")
    assert code == 4
    assert "1 of 3 patients failed" in capsys.readouterr().err
    assert {p.name for p in out.iterdir()} == {"a", "c", "summary.csv"}
    with (out / "summary.csv").open() as stream:
        rows = {row["case"]: row for row in csv.DictReader(stream)}
    assert [rows[name]["status"] for name in "abc"] == ["ok", "failed", "ok"]
    assert "b.nii.gz" in rows["b"]["error"]


def test_patients_without_a_case_count_and_what_is_passed_over_is_told(
    run: Run, checkpoint: Path, scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "patients"
    for name in ("a", "b", "c"):
        (folder / name).mkdir(parents=True)
    shutil.copy(scan, folder / "a" / "ct.nii.gz")
    (folder / "b" / "ct.nrrd").write_text("NRRD0005\n")
    (folder / "a" / "notes.txt").write_text("x")
    arguments = ("-o", tmp_path / "out", "--model", checkpoint, "--method", "avg", "--no-preview")
    assert run("segment", folder, *arguments) == 4
    with (tmp_path / "out" / "summary.csv").open() as stream:
        rows = {row["case"]: row["status"] for row in csv.DictReader(stream)}
    assert sorted(rows.values()) == ["failed"] * (len(rows) - 1) + ["ok"]
    assert any(name.startswith("b") for name in rows)
    told = capsys.readouterr().err
    assert "1 other files (no images) were left out" in told and "ct.nrrd" in told


@pytest.mark.parametrize("kind", ["empty-folder", "truncated", "missing"])
def test_a_run_that_fails_leaves_no_older_result_beside_its_error(
    segment: Segment, scan: Path, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether it fails before or after it knows its cases; the same scan again has it back."""
    _, out = segment(scan, "--no-preview")
    bad = bad_files(tmp_path, scan)[kind]
    assert segment(bad, "--no-preview")[0] == 3
    assert [p for p in out.iterdir() if not p.name.startswith(".")] == []
    code, _ = segment(scan, "--no-preview")
    assert code == 0 and (out / "lesion_mask.nii.gz").exists()
    assert [p for p in out.iterdir() if p.name.startswith(".")] == []


def test_done_already_is_said_and_redo_does_it_again(
    run: Run,
    scan: Path,
    checkpoint: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Names that are longer than the terminal is wide cost no figure."""
    monkeypatch.setenv("COLUMNS", "80")
    name = "patient_" + "1234567890" * 6 + "[red]"
    (tmp_path / "in").mkdir()
    shutil.copy(scan, tmp_path / "in" / f"{name}.nii.gz")
    arguments = (tmp_path / "in", "-o", tmp_path / "out", "--model", checkpoint, "--no-preview")
    told = []
    for redo in ([], [], ["--redo"]):
        assert run("segment", *arguments, *redo) == 0
        told.append(capsys.readouterr().err.replace("\n", ""))
    volume = json.loads((tmp_path / "out" / "result.json").read_text())["volume_ml"]
    assert all(f": {volume:.1f} mL (" in said and said.count("1234567890" * 6) for said in told)
    assert ["already done" in said for said in told] == [False, True, False]


def bad_files(folder: Path, scan: Path) -> dict[str, Path]:
    image = nib.load(scan)
    hu = np.asarray(image.dataobj).astype(np.float32)
    holes = hu.copy()
    holes[5, 5, 5] = np.nan
    arrays = {
        "4d": np.stack([hu, hu], axis=3),
        "nan": holes,
        "not-hu": (hu - hu.min()) / (hu.max() - hu.min()),
    }
    paths = {}
    for name, array in arrays.items():
        paths[name] = folder / f"{name}.nii.gz"
        nib.save(nib.Nifti1Image(array, image.affine), paths[name])
    for name, content in {"truncated": scan.read_bytes()[:5000], "text": b"not an image"}.items():
        paths[name] = folder / f"{name}.nii.gz"
        paths[name].write_bytes(content)
    paths["missing"] = folder / "missing.nii.gz"
    paths["empty-folder"] = folder / "empty"
    paths["empty-folder"].mkdir()
    return paths


@pytest.mark.parametrize(
    "kind", ["4d", "nan", "not-hu", "truncated", "text", "missing", "empty-folder"]
)
def test_unsuitable_input_is_code_3_names_the_file_and_leaves_nothing(
    segment: Segment, scan: Path, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = bad_files(tmp_path, scan)[kind]
    code, out = segment(source)
    assert code == 3
    error = capsys.readouterr().err
    assert source.name in error
    assert "Traceback" not in error
    assert not out.exists() or list(out.iterdir()) == []


def test_air_is_not_a_head(segment: Segment, scan: Path, tmp_path: Path) -> None:
    image = nib.load(scan)
    rng = np.random.default_rng(0)
    noise = rng.integers(-1000, 1000, image.shape).astype(np.int16)
    nib.save(nib.Nifti1Image(noise, image.affine), tmp_path / "noise.nii.gz")
    code, out = segment(tmp_path / "noise.nii.gz")
    assert code == 3
    assert list(out.iterdir()) == []


def test_usage_errors_are_code_2(
    segment: Segment, run: Run, scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert segment(scan, "--method", "mean")[0] == 2
    assert segment(scan, "--preset", "slow")[0] == 2
    assert segment(scan, "--device", "cuda:99")[0] == 2
    assert segment(scan, "--precision", "16")[0] == 2
    assert segment(scan, "--fusion", "best")[0] == 2
    assert segment(scan, "--max-evaluations", 2)[0] == 2
    assert segment(scan, "--tolerance-ml", 0)[0] == 2
    assert segment(scan, "--cut", 1)[0] == 2
    assert run("segment", scan, "-o", tmp_path, "--model", "no-such-model") == 2
    (tmp_path / "file").write_text("")
    assert segment(scan, out="file")[0] == 2
    assert run("segment", scan) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_pickled_checkpoint_is_refused(
    run: Run, scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model.pt").write_bytes(b"\x80\x04cos\nsystem\n")
    code = run("segment", scan, "-o", tmp_path / "out", "--model", tmp_path / "model.pt")
    assert code == 3
    assert "pickled checkpoint" in capsys.readouterr().err


def test_a_corrupt_checkpoint_is_refused(
    run: Run,
    scan: Path,
    checkpoint: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    copy = tmp_path / "model"
    shutil.copytree(checkpoint, copy)
    (copy / "model.safetensors").write_bytes(b"x" * 100)
    assert run("segment", scan, "-o", tmp_path / "out", "--model", copy) == 3
    assert "corrupt checkpoint" in capsys.readouterr().err


@pytest.mark.skipif(shutil.which("g++") is None, reason="PyTorch compiles with g++, not here")
def test_a_compiled_network_finds_the_same(segment: Segment, scan: Path) -> None:
    _, plain = segment(scan, "--method", "avg", "--no-preview", out="plain")
    code, out = segment(scan, "--method", "avg", "--no-preview", "--compile", out="compiled")
    assert code == 0
    probs = [nib.load(o / "lesion_prob.nii.gz").get_fdata() for o in (plain, out)]
    np.testing.assert_allclose(probs[0], probs[1], atol=1e-3)
    assert json.loads((out / "result.json").read_text())["compiled"] is True
    assert json.loads((plain / "result.json").read_text())["compiled"] is False


def test_compiling_without_a_compiler_is_refused(
    segment: Segment,
    scan: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    code, _ = segment(scan, "--compile")
    assert code == 2 and "no 'no-such-compiler'" in capsys.readouterr().err
