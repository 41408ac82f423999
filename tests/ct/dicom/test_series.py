"""Law: the axial non-contrast head CT is chosen among a study's series, and the choice is told."""

import numpy as np
import pytest
from dicom_factory import N, head, uid, write_series

from strokediff.ct.dicom.read import read_dicom_series
from strokediff.errors import InputError

CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)


def thin(increment=1.5, n=64):
    return {"hu": head(n), "z": increment * np.arange(n)}


OTHERS = {
    "localizer": {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]},
    "coronal": {"orientation": CORONAL, "description": "COR"},
    "agent": {"ContrastBolusAgent": "IOMERON 350"},
    "angio": {"description": "CTA 0.75 H20f", **thin()},
    "bone": {"description": "Head 5.0 H60s", "ConvolutionKernel": "H60s"},
    "thin": {"description": "Head 1.5 H30s", **thin()},
    "mip": {"ImageType": ["DERIVED", "SECONDARY", "MIP"], "description": "MIP"},
    "mpr": {"ImageType": ["DERIVED", "SECONDARY", "AXIAL", "MPR"]},
    "short": {"hu": head(4)},
    "part": {"hu": head(10), "description": "Posterior fossa"},
    "chest": {"description": "Thorax", "BodyPartExamined": "CHEST"},
    "magnet": {"Modality": "MR"},
    "report": {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"},
    "bare": {"ImagePositionPatient": None},
    "perfusion": {"description": "VPCT 4D"},
}
REASONS = {
    "localizer": "a localizer",
    "coronal": "not axial: 90 degrees",
    "agent": "contrast agent 'IOMERON 350'",
    "angio": "contrast or angiography by its name",
    "bone": "a sharp",
    "thin": "slices 1.5 mm apart",
    "mip": "a projection",
    "mpr": "reformatted",
    "short": "4 slices, fewer than 5",
    "part": "covers 50 mm",
    "chest": "another part of the body",
    "magnet": "modality MR",
    "report": "not a CT image",
    "bare": "no ImagePositionPatient in 20 of 20 slices",
    "perfusion": "contrast or angiography by its name",
}


@pytest.mark.parametrize("kind", OTHERS)
def test_the_plain_series_wins(tmp_path, kind):
    write_series(tmp_path / "z" / "plain", SeriesNumber=9)
    write_series(tmp_path / "a", series=kind, SeriesNumber=1, **OTHERS[kind])
    details = read_dicom_series(tmp_path).source.details
    assert details["series_uid"] == uid("ncct")
    other = next(s for s in details["series_choice"] if not s["chosen"])
    assert REASONS[kind] in other["reason"]
    assert other["series_uid"] == uid(kind)
    assert details["series_explanation"] not in ("", "the only series")


def test_among_all_of_them_the_plain_series_wins_and_all_are_listed(tmp_path):
    write_series(tmp_path / "m")
    for kind, bend in OTHERS.items():
        write_series(tmp_path / kind, series=kind, **bend)
    details = read_dicom_series(tmp_path).source.details
    assert details["series_uid"] == uid("ncct")
    assert len(details["series_choice"]) == len(OTHERS) + 1
    assert sum(s["chosen"] for s in details["series_choice"]) == 1


@pytest.mark.parametrize("kind", ["bone", "thin", "mpr", "part", "chest"])
def test_second_best_alone_is_taken(tmp_path, kind):
    """A flaw lowers the rank; without a rival the series is used, warned of where it matters."""
    write_series(tmp_path, series=kind, **OTHERS[kind])
    volume = read_dicom_series(tmp_path)
    assert volume.source.details["series_uid"] == uid(kind)
    assert any("may not suit" in w for w in volume.warnings) == (kind != "thin")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("agent", "only contrast, angiography or perfusion"),
        ("angio", "only contrast, angiography or perfusion"),
        ("perfusion", "only contrast, angiography or perfusion"),
        ("coronal", "there is no axial series"),
        ("short", "too short"),
        ("localizer", "only localizers"),
        ("mip", "only projections"),
        ("magnet", "there is no CT image"),
        ("report", "there is no CT image"),
        ("bare", "the place of its slices is not known"),
    ],
)
def test_nothing_usable_is_refused_with_what_was_found(tmp_path, kind, message):
    write_series(tmp_path / "a", series=kind, **OTHERS[kind])
    if "CT image" not in message:
        write_series(tmp_path / "b", series="scout", **OTHERS["localizer"])
    with pytest.raises(InputError, match=message) as caught:
        read_dicom_series(tmp_path)
    assert uid(kind) in str(caught.value)
    assert (uid("scout") in str(caught.value)) == ("CT image" not in message)


def test_a_named_series_overrules_wording_with_a_warning(tmp_path):
    write_series(tmp_path / "a")
    write_series(tmp_path / "b", series="agent", **OTHERS["agent"])
    volume = read_dicom_series(tmp_path, uid("agent"))
    assert volume.source.details["series_uid"] == uid("agent")
    assert any("contrast agent" in w for w in volume.warnings)


def test_a_named_series_does_not_overrule_geometry(tmp_path):
    write_series(tmp_path / "a")
    write_series(tmp_path / "b", series="coronal", **OTHERS["coronal"])
    with pytest.raises(InputError, match="no axial series"):
        read_dicom_series(tmp_path, uid("coronal"))


def test_an_unknown_series_is_refused_with_a_list(tmp_path):
    write_series(tmp_path)
    with pytest.raises(InputError, match=r"no series 1\.2\.3\. Found") as caught:
        read_dicom_series(tmp_path, "1.2.3")
    assert uid("ncct") in str(caught.value)


def test_a_localizer_within_the_series_is_split_off(tmp_path):
    write_series(tmp_path)
    write_series(tmp_path, hu=head(1), orientation=CORONAL, prefix="scout")
    volume = read_dicom_series(tmp_path)
    assert volume.hu.shape[2] == N
    assert any("only a part of the series" in w for w in volume.warnings)


def test_another_matrix_within_the_series_is_split_off(tmp_path):
    write_series(tmp_path)
    write_series(tmp_path, hu=head(6, rows=50), prefix="b")
    assert read_dicom_series(tmp_path).hu.shape[1:] == (40, N)


def test_a_repeated_acquisition_is_split_and_the_whole_one_taken(tmp_path):
    """The patient moved: the first pass was stopped, the second is complete."""
    write_series(tmp_path, hu=head(8, seed=4), acquisition=1, prefix="a")
    write_series(tmp_path, acquisition=2, prefix="b")
    volume = read_dicom_series(tmp_path)
    assert volume.hu.shape[2] == N
    assert any("acquisition 2" in w for w in volume.warnings)


def test_two_kernels_in_one_series_are_split(tmp_path):
    write_series(tmp_path, prefix="a", ConvolutionKernel="H60s", description="Head")
    write_series(tmp_path, prefix="b", ConvolutionKernel="H30s", description="Head")
    assert read_dicom_series(tmp_path).source.details["kernel"] == "H30s"


def test_many_passes_over_the_same_slices_are_perfusion(tmp_path):
    for n in range(5):
        write_series(tmp_path, hu=head(6, seed=n), acquisition=n, prefix=str(n))
    with pytest.raises(InputError, match="5 passes over the same slices"):
        read_dicom_series(tmp_path)


def test_a_complete_series_is_preferred_to_one_with_a_hole(tmp_path):
    paths = write_series(tmp_path / "a", series="holed", SeriesNumber=1)
    paths[8].unlink()
    write_series(tmp_path / "b", z=4.9 * np.arange(N), SeriesNumber=2)
    details = read_dicom_series(tmp_path).source.details
    assert details["series_uid"] == uid("ncct")
    assert "slices are missing" in details["series_explanation"]


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_the_choice_does_not_depend_on_file_order(tmp_path, order):
    for folder, series in zip(order, ("one", "two"), strict=True):
        write_series(tmp_path / folder, series=series, SeriesNumber=3)
    expected = min(uid("one"), uid("two"))
    assert read_dicom_series(tmp_path).source.details["series_uid"] == expected
