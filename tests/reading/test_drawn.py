"""Laws: a mask is measured as it is, whoever drew it, and its result says whose it is."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import two_kinds

from strokediff.ct.volume import CT
from strokediff.errors import UsageError
from strokediff.reading.drawn import measure_mask
from strokediff.result.reading import Reader, Reading, read_result
from strokediff.result.schema import json_schema
from strokediff.util.kinds import STROKE

READER = Reader(name="A. Reader", mask="mine.nii.gz", mask_sha256="0" * 64)


def labels() -> tuple[CT, np.ndarray]:
    ct, masks = two_kinds.head()
    return ct, (masks[0] + 2 * masks[1]).astype(np.uint8)


def test_figures_are_those_of_the_mask_by_kind_and_small_lesions_count() -> None:
    ct, drawn = labels()
    drawn[36, 10, 7] = 1
    found = measure_mask(ct, drawn, READER, STROKE)
    for k, kind in enumerate(STROKE, start=1):
        assert found.volumes_ml[kind] == pytest.approx((drawn == k).sum() * 0.108)
    assert len(found.lesions) == 3 and found.lesions[-1].volume_ml == pytest.approx(0.108)
    assert found.reading.volume_interval_ml is None and found.reading.trust is None
    assert found.reading.kinds[0].threshold is None


def test_the_folder_says_who_drew_it_and_holds_no_maps(tmp_path: Path) -> None:
    ct, drawn = labels()
    measure_mask(ct, drawn, READER, STROKE).save(tmp_path / "out")
    there = {path.name for path in (tmp_path / "out").iterdir()}
    assert there == {
        "lesion_mask.nii.gz", "result.json", "preview.png", "report.html", "viewer.html"
    }  # fmt: skip
    content = json.loads((tmp_path / "out" / "result.json").read_text())
    jsonschema.validate(content, json_schema("measure"))
    assert isinstance(read_result(content), Reading) and content["case"] == "out"
    page = (tmp_path / "out" / "report.html").read_text()
    for told in ("A. Reader", "not made by strokediff", "research use only", "No interval"):
        assert told.lower() in page.lower(), told
    assert "Probability" not in (tmp_path / "out" / "viewer.html").read_text().split("<script")[0]


def test_much_of_a_mask_outside_the_brain_is_told() -> None:
    ct, drawn = labels()
    assert not [w for w in measure_mask(ct, drawn, READER, STROKE).warnings if "outside" in w]
    shifted = np.roll(drawn, 25, axis=0)
    (told,) = [w for w in measure_mask(ct, shifted, READER, STROKE).warnings if "outside" in w]
    assert "all of it is counted" in told


@pytest.mark.parametrize("bad", [np.zeros((3, 3, 3), np.uint8), None, 3])
def test_what_is_no_mask_of_the_scan_is_refused(bad: object) -> None:
    ct, drawn = labels()
    given = bad if isinstance(bad, np.ndarray) else ct.hu if bad is None else drawn + 3
    with pytest.raises(UsageError, match=r"0 to 2 \(infarct, haemorrhage\)"):
        measure_mask(ct, given, READER, STROKE)


def test_an_empty_mask_has_0_ml() -> None:
    ct, drawn = labels()
    found = measure_mask(ct, np.zeros_like(drawn), READER)
    assert found.volume_ml == 0 and found.lesions == ()
