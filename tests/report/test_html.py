"""Laws: one file that loads nothing and runs nothing, says what it must, and trusts no text."""

import base64
import re
from html.parser import HTMLParser

import pytest
from records import CARD, CONTENT, record

from strokediff.errors import UsageError
from strokediff.report.html import RESEARCH_ONLY, ReportFigure, render_report, write_report
from strokediff.report.sentences import model_note

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)
RESULT = {
    "case": "patient-7",
    "volume_ml": 42.125,
    "volume_mm3": 42125.0,
    "volume_interval_ml": [30.04, 55.0],
    "n_lesions": 2,
    "lesions": [
        {"volume_ml": 40.0, "centroid_mm": [35.2, -20.0, 40.0]},
        {"volume_ml": 2.125, "centroid_mm": [-12.0, 30.0, -4.0]},
    ],
    "brain_volume_ml": 1404.2,
    "spacing_mm": [0.45, 0.45, 5.0],
    "truncated": False,
    "warnings": ["slices are uneven"],
    "volume_interval_kind": "",
    "model": {**CARD, "name": "small-1", "trained_on": "800 phantoms"},
    "method": "all",
    "preset": "fast",
    "n_samples": 8,
    "network_evaluations": 1344,
    "seconds": {"read": 0.5, "network_time": 20.25},
    "seed": 3,
    "version": "0.1.0",
    "input": {**CONTENT["input"], "path": "a/b.nii.gz", "details": {"dtype": "int16"}},
}


class Page(HTMLParser):
    """Tags with their attributes, and the text that a reader sees."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.words, self._stack = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._stack.append(tag)

    def handle_endtag(self, tag):
        while self._stack and self._stack.pop() != tag:
            pass

    def handle_data(self, data):
        if "style" not in self._stack:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def page_of(result=RESULT, **kwargs):
    return Page(render_report(record(**result), PNG, **kwargs))


def test_it_says_what_was_found_and_how():
    text = page_of(slice_areas_mm2=[[0, 120.0, 1000.0, 0]]).text
    for expected in (
        "patient-7",
        "42.1 mL",
        "30.0 to 55.0 mL",
        "1,404 mL",
        "lesion 3.0 % of it",
        "0.45 × 0.45 × 5.00 mm",
        "small-1",
        "1,344",
        "20.8 s (read 0.5, network time 20.2)",
        "a/b.nii.gz",
        "int16",
        "slice 3: 10.0 cm²",
        "the 8 samples",
        "1 40.00 35 right, 20 posterior, 40 superior 2 2.12 12 left, 30 anterior, 4 inferior",
    ):
        assert expected in text, expected


def test_warnings_the_model_and_the_purpose_stand_before_the_figures():
    text = page_of().text
    volume = text.index("42.1 mL")
    assert text.index(RESEARCH_ONLY) < volume and text.rindex(RESEARCH_ONLY) > volume
    assert text.index("trained on phantoms (simulated CT), not on patients") < volume
    assert text.index("slices are uneven") < volume


def test_a_model_that_only_started_on_phantoms_is_not_said_to_know_nothing_else():
    def note(trained_on):
        return model_note(record(model={**CARD, "trained_on": trained_on}).model)

    both = note("40 patients; started from first (phantoms)")
    assert "trained on: 40 patients; started from first (phantoms)" in both
    assert "not on patients" not in note("phantoms; started from a (AISD)")
    assert "not on patients" in note("phantoms; started from a (phantoms)")
    assert "not on patients" not in note("CT-ICH (PhysioNet); phantoms (60); phantoms (37)")
    assert note("") == ""


def test_it_is_one_file_that_loads_and_runs_nothing():
    figure = ReportFigure(PNG, "the key slice")
    page = page_of(figures=[figure], slice_areas_mm2=[[1.0, 2.0]])
    assert not {"script", "link", "iframe", "object", "embed", "form"} & {t for t, _ in page.tags}
    images = [attrs["src"] for tag, attrs in page.tags if tag == "img"]
    assert len(images) == 2
    assert all(base64.b64decode(src.partition("base64,")[2]) == PNG for src in images)
    html = render_report(record(**RESULT), PNG, figures=[figure])
    assert not re.search(r"https?://|@import|url\(", html)
    assert "default-src 'none'" in html


EVIL = '<script>alert(1)</script><img src=x onerror="alert(2)">"\'&{{ 7 * 7 }}'


@pytest.mark.parametrize(
    "poisoned",
    [
        {"case": EVIL},
        {"warnings": [EVIL]},
        {"version": EVIL},
        {"method": EVIL, "preset": EVIL, "device": EVIL},
        {"model": {**CARD, "name": EVIL, "trained_on": EVIL, "noise": EVIL}},
        {"seconds": {EVIL: 1.0}},
        {"input": {**CONTENT["input"], EVIL: EVIL, "tags": [EVIL, {EVIL: 1}]}},
        {"input": {**CONTENT["input"], "path": EVIL}},
    ],
    ids=lambda p: "-".join(p),
)
def test_text_from_files_is_never_markup(poisoned):
    page = page_of({**RESULT, **poisoned}, figures=[ReportFigure(PNG, EVIL)])
    assert "script" not in {tag for tag, _ in page.tags}
    assert not any("onerror" in attrs for _, attrs in page.tags)
    assert "<script>alert(1)" in page.text  # it is shown, as the text that it is
    assert "{{ 7 * 7 }}" in page.text


def test_what_there_is_not_leaves_its_place_out():
    bare = {"case": "", "volume_interval_ml": None, "brain_volume_ml": 0.0, "fusion": None}
    text = page_of({**RESULT, **bare, "seconds": {}, "warnings": []}).text
    assert "unnamed case" in text and "no interval" in text
    assert not any(word in text for word in ("None", "warning", "Intracranial", "Fusion", "Time"))


def test_no_lesion_is_not_no_stroke():
    none = {**RESULT, "volume_ml": 0.0, "volume_interval_ml": None, "n_lesions": 0, "lesions": []}
    text = page_of(none, slice_areas_mm2=[[0.0, 0.0]]).text
    assert "0.0 mL no interval" in text
    assert "No lesion was found. That does not rule out a stroke" in text
    assert "No interval is given" in text and "Lesion area by slice" not in text


def test_many_lesions_and_many_numbers_are_summed_up():
    lesions = [{"volume_ml": 0.5, "centroid_mm": [0, 0, 0]}] * 60
    details = {"increments_mm": [4.0, 5.5] * 9, "choice": [{"uid": "1.2", "empty": "", "n": 3}]}
    source = {**CONTENT["input"], "details": details}
    text = page_of({**RESULT, "lesions": lesions, "input": source}).text
    assert "20 more 10.00" in text
    assert "18 values, 4 to 5.5" in text
    assert "UID 1.2, N 3" in text


def test_it_is_written_whole_or_not_at_all(tmp_path):
    write_report(tmp_path / "out" / "report.html", record(**RESULT), PNG)
    assert (tmp_path / "out" / "report.html").read_text(encoding="utf-8").startswith("<!doctype")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["report.html"]
    with pytest.raises(UsageError, match=r"report\.html/x: cannot be written"):
        write_report(tmp_path / "out" / "report.html" / "x", record(**RESULT), PNG)


def test_the_interval_is_called_what_it_is():
    conformal = {"volume_interval_kind": "90% conformal, calibrated on 40 patients"}
    text = page_of({**RESULT, **conformal}).text
    assert "The interval is 90% conformal, calibrated on 40 patients" in text
    assert "samples that the model drew" not in text
    drawn = {"volume_interval_kind": "90% spread of 8 draws or more a slice, not calibrated"}
    assert (
        "lie apart (90% spread of 8 draws or more a slice, not calibrated)"
        in page_of({**RESULT, **drawn}).text
    )


def test_a_truncated_scan_is_a_warning():
    text = page_of({**RESULT, "truncated": True}).text
    assert "2 warnings" in text and "reaches the edge of the scan" in text
    assert text.index("reaches the edge") < text.index("42.1 mL")


def test_a_page_without_its_preview_says_all_the_same():
    whole, bare = page_of(), Page(render_report(record(**RESULT), None))
    assert [tag for tag, _ in whole.tags].count("img") == 1
    assert [tag for tag, _ in bare.tags].count("img") == 0
    assert "42.1 mL" in bare.text and "slices are uneven" in bare.text


@pytest.mark.parametrize(
    ("slices", "shown"),
    [
        ([{"slice": 9, "why": "blank"}], "9: blank"),
        ([{"slice": 3, "why": "noise"}, {"slice": 4, "why": EVIL}], "3: noise; 4: <script>"),
        ([], None),
    ],
    ids=["one", "two", "none"],
)
def test_slices_that_were_not_used_are_listed(slices, shown):
    text = page_of({**RESULT, "unusable_slices": slices}).text
    assert ("Slices not used" in text) == (shown is not None)
    assert shown is None or shown in text


KIND = {
    "threshold": 0.0,
    "least_lesion_ml": 0.5,
    "doubt_ml": 3.0,
    "n_lesions": 1,
    "volume_interval_kind": "90% conformal (binned), calibrated on 60 patients",
}
TWO_KINDS = {
    **RESULT,
    "kinds": [
        {**KIND, "name": "infarct", "volume_ml": 40.0, "volume_interval_ml": [31, 52]},
        {**KIND, "name": "haemorrhage", "volume_ml": 0.0, "volume_interval_ml": [0, 1.5]},
    ],
    "lesions": [{"volume_ml": 40.0, "centroid_mm": [35.2, -20.0, 40.0], "kind": "infarct"}],
    "volume_interval_kind": "90% conformal (binned), calibrated on 60 patients",
    "threshold": None,
    "least_lesion_ml": None,
    "model": {
        **CARD,
        "trained_on": "62 patients",
        "statements": {"haemorrhage": "Dice 0.61 on 28 patients.", "infarct": EVIL},
    },
}


def test_every_kind_has_its_figures_its_interval_and_its_statement():
    text = page_of(TWO_KINDS, slice_areas_mm2=[[0, 1000.0], [0, 0]]).text
    for expected in (
        "Infarct 40.0 mL 31.0 to 52.0 mL",
        "Haemorrhage 0.0 mL 0.0 to 1.5 mL",
        "42.1 mL (30.0 to 55.0 mL) in all",
        "Where nothing was found it says what may be missed: haemorrhage: at most 1.5 mL.",
        "1 infarct 40.00 35 right",
        "slice 2: infarct 10.0 cm²",
        "Threshold of y_0, haemorrhage 0.0",
        "Haemorrhage Dice 0.61 on 28 patients.",
        "Infarct <script>",
        "Each kind of lesion is outlined in its colour",
    ):
        assert expected in text, expected
    assert text.index("Dice 0.61") < text.index("40.0 mL")
    assert "Lesion Kind Volume" in text and "Lesion Volume" in page_of().text
    assert "of all joined" not in text
    own = [{**kind, "volume_interval_kind": f"by {kind['name']}"} for kind in TWO_KINDS["kinds"]]
    assert "of the infarct: by infarct" in page_of({**TWO_KINDS, "kinds": own}).text


def test_what_speaks_against_a_result_stands_before_its_figures():
    reason = {"check": "noise", "text": f"The noise is 9.0 HU. {EVIL}", "measured": 9.0}
    text = page_of({**RESULT, "trust": {"ok": False, "reasons": [reason]}}).text
    assert "Do not rely on this result: 1 reason The noise is 9.0 HU." in text
    assert text.index("The noise is 9.0 HU") < text.index("42.1 mL") and "Trust: ok" not in text
    known = page_of({**RESULT, "trust": {"ok": True, "reasons": [], "unlikeness": 0.25}}).text
    assert "Trust: ok. Nothing in the scan speaks against" in known and "unlikeness 0.25" in known
    unknown = page_of({**RESULT, "trust": {"ok": True, "reasons": []}}).text
    assert "was not looked at" in unknown and "None" not in unknown
    assert "Trust" not in page_of().text
