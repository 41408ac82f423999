"""Laws: a table gives the intervals of its own patients, or the line that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from strokediff.errors import InputError
from strokediff.segmentation.binned import binned_conformal
from strokediff.segmentation.calibrate.table import intervals_from
from strokediff.segmentation.intervals import Measured

HEAD = "patient,kind,volume_pred_ml,doubt_ml,volume_true_ml"


def write(folder: Path, *lines: str, head: str = HEAD) -> Path:
    path = folder / "volumes.csv"
    path.write_text("\n".join([head, *lines]), encoding="utf-8-sig")
    return path


def test_every_kind_has_the_interval_of_its_rows(tmp_path: Path) -> None:
    rows = [
        f"p{n},{kind},{n},{n / 2},{n + error}"
        for n in range(20)
        for kind, error in (("infarct", 3), ("lesion", 1))
    ]
    found = intervals_from(write(tmp_path, *rows), ("infarct", "haemorrhage"), population="us")
    for kind, error in (("infarct", 3), ("lesion", 1)):
        pairs = [(Measured(float(n), n / 2), n + error) for n in range(20)]
        expected = binned_conformal([f for f, _ in pairs], [t for _, t in pairs], 0.9, "us")
        assert found[kind] == expected
    assert set(found) == {"infarct", "lesion"}


def test_a_table_without_kinds_and_patients_is_of_any_lesion(tmp_path: Path) -> None:
    head = "volume_true_ml,doubt_ml,volume_pred_ml,remark"
    found = intervals_from(write(tmp_path, *["1,2,3,x"] * 12, head=head))
    assert list(found) == ["lesion"] and found["lesion"].n == 12


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["p1,infarct,-1,0,0"], "line 2: volume_pred_ml is '-1', expected mL"),
        (["p1,infarct,1,nan,0"], "line 2: doubt_ml is 'nan'"),
        (["p1,infarct,1,0,inf"], "line 2: volume_true_ml is 'inf'"),
        (["p1,infarct,1"], "line 2: doubt_ml is 'None'"),
        (["p1,infarct,1,0,many"], "'many'"),
        (["p1,tumour,1,0,0"], "kind 'tumour', expected one of: infarct, lesion"),
        (["p1,infarct,1,0,0", "p1,infarct,2,0,0"], "line 3: patient 'p1' is there twice"),
        ([], "no rows"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, lines: list[str], said: str) -> None:
    with pytest.raises(InputError, match=rf"volumes\.csv: .*{said}"):
        intervals_from(write(tmp_path, *lines), ("infarct",))


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no column doubt_ml"):
        intervals_from(write(tmp_path, "1,2", head="volume_pred_ml,volume_true_ml"))
    with pytest.raises(InputError, match="no file of at most 32 MiB"):
        intervals_from(tmp_path / "gone.csv")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read"):
        intervals_from(tmp_path / "bytes.csv")
