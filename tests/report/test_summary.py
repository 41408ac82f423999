"""Laws: every patient has a line, those that failed too; what does not exist is empty."""

import csv

import pytest

from strokediff.report.summary import write_summary_csv

GOOD = {
    "case": "p1",
    "volume_ml": 12.3456789,
    "volume_interval_ml": [10.0, 15.5],
    "n_lesions": 2,
    "brain_volume_ml": 1400.0,
    "truncated": False,
    "warnings": ["a", "b"],
}


def test_good_minimal_and_failed(tmp_path):
    failed = {"case": "p3", "error": "p3.nii.gz: expected HU,\n got NaN"}
    none = {"case": "p2", "volume_ml": 0.0, "volume_interval_ml": None, "n_lesions": 0}
    write_summary_csv(tmp_path / "summary.csv", [GOOD, none, failed])
    text = (tmp_path / "summary.csv").read_text()
    assert text.splitlines()[0] == (
        "case,volume_ml,volume_low_ml,volume_high_ml,n_lesions,brain_volume_ml,truncated,"
        "warnings,status,error,trust"
    )
    first, second, third = csv.DictReader(text.splitlines())
    assert (first["volume_ml"], first["volume_low_ml"], first["volume_high_ml"]) == (
        "12.3457",
        "10",
        "15.5",
    )
    assert (first["warnings"], first["truncated"], first["status"]) == ("2", "false", "ok")
    assert (second["volume_ml"], second["volume_low_ml"], second["warnings"]) == ("0", "", "0")
    assert (third["status"], third["volume_ml"], third["warnings"]) == ("failed", "", "")
    assert third["error"] == "p3.nii.gz: expected HU, got NaN"


@pytest.mark.parametrize(
    ("case", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("-2", "'-2"),
        ("+p", "'+p"),
        ("@x", "'@x"),
        ("张伟", "张伟"),
        ("p\x1b[31m\n1", "p 1"),
        ("M\udcfcller", "Müller"),
    ],
)
def test_text_is_escaped_and_numbers_stay_numbers(tmp_path, case, cell):
    row = {"case": case, "volume_ml": -3.5, "n_lesions": -1}
    failed = {"case": "q", "error": f"{case}: damaged"}
    write_summary_csv(tmp_path / "summary.csv", [row, failed])
    first, second = csv.DictReader((tmp_path / "summary.csv").read_text("utf-8").splitlines())
    assert first["case"] == cell
    assert (first["volume_ml"], first["n_lesions"]) == ("-3.5", "-1")
    assert second["error"] == f"{cell}: damaged"


def test_each_kind_has_columns_and_trust_says_what_speaks_against_it(tmp_path):
    kind = {"n_lesions": 1, "volume_interval_ml": [1.0, 3.0]}
    result = {
        **GOOD,
        "kinds": [{"name": "a", "volume_ml": 2.5, **kind}, {"name": "b", "volume_ml": 9.0, **kind}],
        "trust": {"ok": False, "reasons": [{"check": "noise"}, {"check": "noise"}, {"check": "x"}]},
    }
    fine = {**GOOD, "trust": {"ok": True, "reasons": []}}
    write_summary_csv(tmp_path / "s.csv", [result, fine], ["a", "b"])
    first, second = csv.DictReader((tmp_path / "s.csv").read_text().splitlines())
    assert (first["a_volume_ml"], first["b_volume_ml"]) == ("2.5", "9")
    assert (first["b_volume_low_ml"], first["b_volume_high_ml"]) == ("1", "3")
    assert first["trust"] == "noise, x" and second["trust"] == "ok"
    assert second["a_volume_ml"] == ""
    write_summary_csv(tmp_path / "one.csv", [result], ["a"])
    assert "a_volume_ml" not in (tmp_path / "one.csv").read_text()
