"""`strokediff phantom` writes the cohort it was asked for, goes on, and explains bad options."""

import json

import nibabel as nib
import numpy as np
from typer.testing import CliRunner

from strokediff.cli.app import app
from strokediff.errors import InputError, UsageError
from strokediff.phantom import write_cohort

SMALL = ["--matrix", "48", "--slices", "6", "--quiet"]


def run(*arguments):
    return CliRunner().invoke(app, ["phantom", *map(str, arguments)])


def test_writes_a_cohort_and_goes_on(tmp_path):
    """-n 1, then -n 2 into the same folder: the first case stays as it was."""
    options = ("--kind", "infarct", "-o", tmp_path, "--seed", 4, *SMALL)
    assert run("-n", 1, *options).exit_code == 0
    first = tmp_path / "images" / "infarct_0000.nii.gz"
    before = first.stat().st_mtime_ns
    assert run("-n", 2, *options).exit_code == 0
    assert first.stat().st_mtime_ns == before
    cases = json.loads((tmp_path / "cohort.json").read_text())["cases"]
    assert [case["name"] for case in cases] == ["infarct_0000", "infarct_0001"]


def test_randomised_heads_by_the_other_spelling(tmp_path):
    """`haemorrhage` is taken as well; real heads are not randomised."""
    made = run("--kind", "haemorrhage", "-o", tmp_path, "--randomise", *SMALL)
    assert made.exit_code == 0
    content = json.loads((tmp_path / "cohort.json").read_text())
    assert content["settings"]["randomise"] and content["settings"]["kind"] == "hemorrhage"
    refused = run("--kind", "infarct", "-o", tmp_path, "--randomise", "--backgrounds", tmp_path)
    assert isinstance(refused.exception, UsageError)


def test_bad_options_are_explained(tmp_path):
    """No label maps, no masks, another cohort's folder, an unknown kind."""
    base = ("--kind", "infarct", "-o", tmp_path / "out", *SMALL)
    for option in ("--labels", "--lesions"):
        result = run(*base, option, tmp_path)
        assert isinstance(result.exception, InputError)
        assert "found" in str(result.exception)
    (tmp_path / "file").write_text("")
    result = run("--kind", "infarct", "-o", tmp_path / "file", *SMALL)
    assert isinstance(result.exception, UsageError)
    assert run("--kind", "tumour", "-o", tmp_path).exit_code == 2


def test_real_heads(tmp_path):
    """Lesions go into the lesion-free scan of a folder; the other is left out, and that is said."""
    made, out = tmp_path / "scans", tmp_path / "out"
    write_cohort(2, "infarct", made, 4, matrix=96, empty_fraction=1.0)
    ill = made / "labels" / "infarct_0001.nii.gz"
    image = nib.load(ill)
    mask = np.asarray(image.dataobj).copy()
    mask[40, 40, 10] = 1
    nib.save(nib.Nifti1Image(mask, image.affine), ill)
    told = run("--kind", "hemorrhage", "--backgrounds", made, "-o", out, "-j", 1)
    assert told.exit_code == 0
    assert "1 with a lesion are left out" in " ".join(told.output.split())
    record = json.loads((out / "cohort.json").read_text())
    assert record["cases"][0]["background"] == "infarct_0000"


def test_what_is_for_phantoms_only_is_refused_with_real_heads(tmp_path):
    """A scan keeps its own grid."""
    for option in (("--slices", 5), ("--matrix", 96), ("--randomise",)):
        result = run("--kind", "infarct", "--backgrounds", tmp_path, "-o", tmp_path, *option)
        assert isinstance(result.exception, UsageError)
        assert option[0] in str(result.exception)
    result = run("--kind", "infarct", "--backgrounds", tmp_path, "-o", tmp_path / "out")
    assert isinstance(result.exception, InputError)
