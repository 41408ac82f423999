"""Law: of several passes over one head in a series one is read, never a mixture; and one head
whose attributes change along it is not taken apart."""

from pathlib import Path

import numpy as np
import pytest
from dicom_factory import N, head, headers, tilted, write_enhanced, write_series

from strokediff.ct.dicom.geometry import StackGeometry
from strokediff.ct.dicom.headers import scan
from strokediff.ct.dicom.lattice import cycle_of, is_jumbled
from strokediff.ct.dicom.read import read_dicom_series
from strokediff.ct.dicom.series import choose_series
from strokediff.ct.dicom.stacks import split_series
from strokediff.errors import InputError

FIRST, SECOND, THIRD = head(seed=1), head(seed=2), head(seed=3)
Z = 5.0 * np.arange(N)


def canonical(hu):
    return hu.transpose(2, 1, 0)[::-1, ::-1]


def clock(start, step):
    """Times of day, one a slice."""
    return lambda k: f"10{start:02d}{int(step * k):02d}.{int(100 * step * k) % 100:02d}"


def bent(*bends, **common):
    """Keywords of each pass over the head, numbered from 1, 101 and 201."""
    for n, bend in enumerate(bends):
        own = {"prefix": f"p{n}-", "hu": (FIRST, SECOND, THIRD)[n], "z": Z, **common, **bend}
        own.setdefault("numbers", range(1 + 100 * n, 1 + 100 * n + len(own["hu"])))
        yield own


def passes(folder, *bends):
    for own in bent(*bends):
        write_series(folder, **own)
    return folder


def chosen(*bends):
    """The choice among what `passes` would write, and the first letters of its files' names."""
    found = [h for own in bent(*bends) for h in headers(**own)]
    choice = choose_series(split_series(found), Path("in"))
    return choice, {h.path.name[:3] for h in choice.stack.headers}


SAME_NUMBERS = {"numbers": range(1, N + 1)}
TOLD = {
    "acquisition": [{"acquisition": 1}, {"acquisition": 2}],
    "AcquisitionUID": [{"AcquisitionUID": "1.2.1"}, {"AcquisitionUID": "1.2.2"}],
    "IrradiationEventUID": [{"IrradiationEventUID": "1.3.1"}, {"IrradiationEventUID": "1.3.2"}],
    "TemporalPositionIdentifier": [
        {"TemporalPositionIdentifier": 1},
        {"TemporalPositionIdentifier": 2},
    ],
    "kernel": [{"ConvolutionKernel": "H30s"}, {"ConvolutionKernel": "H37s"}],
    "FilterType": [{"FilterType": "UA"}, {"FilterType": "UB"}],
    "KVP": [{"KVP": 120}, {"KVP": 80}],
    "ImageType": [
        {"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL", "A"]},
        {"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL", "B"]},
    ],
    "description": [{"description": "Head 1"}, {"description": "Head 2"}],
    "ReconstructionDiameter": [{"ReconstructionDiameter": 220}, {"ReconstructionDiameter": 230}],
    "SliceThickness": [{"SliceThickness": 5}, {"SliceThickness": 4}],
    "TriggerTime": [{"TriggerTime": 100}, {"TriggerTime": 900}],
    "AcquisitionTime": [{"AcquisitionTime": "101000"}, {"AcquisitionTime": "101200"}],
    "AcquisitionTime, rising": [
        {"AcquisitionTime": clock(10, 1.5)},
        {"AcquisitionTime": clock(12, 1.5)},
    ],
    "ContentTime, rising": [{"ContentTime": clock(10, 0.7)}, {"ContentTime": clock(12, 0.7)}],
    "AcquisitionDateTime": [
        {"AcquisitionDateTime": "20200102235900"},
        {"AcquisitionDateTime": "20200103000100"},
    ],
    "instance number": [{}, {}],
}


@pytest.mark.parametrize("offset", [0.0, 0.3, 2.0, 2.5])
@pytest.mark.parametrize("told", TOLD)
def test_the_first_of_two_passes_is_chosen(told, offset):
    """Each attribute by itself tells them apart, wherever the second one's slices lie."""
    first, second = TOLD[told]
    alone = SAME_NUMBERS if told != "instance number" else {}
    choice, names = chosen({**first, **alone}, {**second, **alone, "z": Z + offset})
    assert names == {"p0-"}
    assert len(choice.stack.headers) == N
    assert any("of 2 passes over the head" in w for w in choice.warnings)
    assert [entry["chosen"] for entry in choice.considered] == [True, False]
    assert all(entry["part"] for entry in choice.considered)


@pytest.mark.parametrize("offset", [0.0, 2.0, 2.5])
def test_the_first_of_two_passes_is_read(tmp_path, offset):
    volume = read_dicom_series(passes(tmp_path, {}, {"acquisition": 2, "z": Z + offset}))
    np.testing.assert_array_equal(volume.hu, canonical(FIRST))
    assert volume.mask_volume_mm3(volume.hu > -2000) == pytest.approx(
        FIRST[0].size * 0.9 * 0.7 * 5 * N
    )


BENT = {
    "three passes": [{"acquisition": 1}, {"acquisition": 2, "z": Z + 2}, {"acquisition": 3}],
    "three, all between": [
        {"acquisition": 1},
        {"acquisition": 2, "z": Z + 1.5},
        {"acquisition": 3, "z": Z + 3},
    ],
    "back and forth": [{}, {"z": Z[::-1] + 2.0, "hu": SECOND[::-1]}],
    "back and forth, same places": [{}, {"z": Z[::-1], "hu": SECOND[::-1]}],
    "longer": [
        {"acquisition": 1},
        {"acquisition": 2, "hu": head(22, seed=2), "z": 5.0 * np.arange(22) + 2},
    ],
    "shorter": [{"acquisition": 1}, {"acquisition": 2, "hu": SECOND[:8], "z": Z[:8] + 2.5}],
    "aside": [
        {**SAME_NUMBERS},
        {"corner": (-4.0, -30.0), "z": Z + 2, **SAME_NUMBERS},
    ],
    "other steps": [
        {"acquisition": 1},
        {"acquisition": 2, "hu": SECOND[:15], "z": 6.5 * np.arange(15) + 1},
    ],
    "tube current": [
        {"XRayTubeCurrent": 160, **SAME_NUMBERS},
        {"XRayTubeCurrent": 200, "z": Z + 2, **SAME_NUMBERS},
    ],
    "a hole in the second": [
        {"acquisition": 1},
        {"acquisition": 2, "hu": SECOND[:-1], "z": np.delete(Z, 7) + 2},
    ],
    "a hole in the second, half way": [
        {"acquisition": 1},
        {"acquisition": 2, "hu": SECOND[:-1], "z": np.delete(Z, 7) + 2.5},
    ],
    "an acquisition a rotation": [
        {"AcquisitionNumber": lambda k: k // 2 + 1, "numbers": range(1, 2 * N, 2)},
        {
            "AcquisitionNumber": lambda k: k // 2 + 31,
            "numbers": range(2, 2 * N + 1, 2),
            "z": Z + 2.5,
        },
    ],
    "tilted": [
        {"acquisition": 1, "orientation": tilted(18.5)},
        {"acquisition": 2, "orientation": tilted(18.5), "z": Z + 2},
    ],
    "zones": [
        {"z": [*np.arange(0, 40, 4.0), *np.arange(43, 113, 7.0)]},
        {"z": [*np.arange(1.5, 41, 4.0), *np.arange(44.5, 114, 7.0)]},
    ],
    "two kernels, two passes": [
        {"acquisition": 1, "ConvolutionKernel": "H30s"},
        {"acquisition": 2, "ConvolutionKernel": "H30s", "z": Z + 2},
        {"acquisition": 1, "ConvolutionKernel": "H60s"},
    ],
}


@pytest.mark.parametrize("kind", BENT)
def test_the_first_whole_pass_is_chosen(kind):
    choice, names = chosen(*BENT[kind])
    assert names == {"p0-"}
    assert len(choice.stack.headers) == N
    assert any("passes over the head" in w for w in choice.warnings)


@pytest.mark.parametrize("offset", [0.5, 1.0, 2.0, 3.7])
def test_steps_that_alternate_are_two_passes_though_nothing_tells_them_apart(offset):
    """Numbers follow the positions: only that every second step is alike gives them away."""
    both = np.repeat(FIRST, 2, axis=0)
    z = np.stack([Z, Z + offset], axis=1).ravel()
    choice, _ = chosen({"hu": both, "z": z})
    assert [h.position[2] for h in choice.stack.headers] == Z.tolist()
    assert any("2 passes over the head, told apart by position" in w for w in choice.warnings)


@pytest.mark.parametrize(
    "content",
    [
        lambda n: {"StackID": str(n + 1)},
        lambda n: {"TemporalPositionIndex": int(n) + 1},
        lambda n: {"FrameAcquisitionNumber": int(n) + 1},
        lambda n: {"FrameAcquisitionDateTime": f"2020010210{n}000"},
        lambda n: {"DimensionIndexValues": [1, int(n) + 1]},
    ],
)
@pytest.mark.parametrize("offset", [0.0, 1.5, 2.0])
def test_enhanced_frames_of_two_passes(tmp_path, content, offset):
    z = 4.0 * np.arange(N)
    write_enhanced(
        tmp_path / "two.dcm",
        np.concatenate([FIRST, SECOND]),
        z=np.concatenate([z, z + offset]),
        content=lambda k: content(k // N),
    )
    volume = read_dicom_series(tmp_path)
    np.testing.assert_array_equal(volume.hu, canonical(FIRST))
    assert any("of 2 passes" in w for w in volume.warnings)


ONE_HEAD = {
    "an acquisition a rotation": {"AcquisitionNumber": lambda k: k // 2 + 1},
    "an acquisition a slice": {"AcquisitionNumber": lambda k: k + 1},
    "two slabs": {"AcquisitionNumber": lambda k: 1 + (k >= 10)},
    "slabs of other thickness": {"SliceThickness": lambda k: 4 + (k >= 10)},
    "a modulated dose": {
        "XRayTubeCurrent": lambda k: 160 + 20 * (k % 2),
        "Exposure": lambda k: k % 3,
    },
    "a time a rotation": {"AcquisitionTime": lambda k: f"1000{k // 4:02d}"},
    "times in a jumble": {"ContentTime": lambda k: f"1000{(7 * k) % N:02d}"},
    "numbers in a jumble": {"InstanceNumber": lambda k: (7 * k) % N + 1},
    "numbers downwards": {"InstanceNumber": lambda k: N - k},
    "the upper half scanned first": {"AcquisitionTime": lambda k: f"10{(k + 10) % N:02d}00"},
    "an image type more": {
        "ImageType": lambda k: ["ORIGINAL", "PRIMARY", "AXIAL"] + ["ADD"] * (k < 8)
    },
}


@pytest.mark.parametrize("kind", ONE_HEAD)
@pytest.mark.parametrize(
    "z", [Z, [*np.arange(0, 32, 4.0), 29.1, *np.arange(36.1, 109, 7.0)]], ids=["even", "zones"]
)
def test_one_head_is_not_taken_apart(kind, z):
    choice, _ = chosen({"hu": FIRST[: len(z)], "z": z, **ONE_HEAD[kind]})
    assert len(choice.stack.headers) == len(z)
    assert not any("part" in w for w in choice.warnings)


@pytest.mark.parametrize(
    "z",
    [
        np.round(0.97 * np.arange(100), 1),
        np.round(0.625 * np.arange(160), 1),
        np.round(0.4 * np.arange(200), 1),
        Z + np.random.default_rng(0).uniform(-0.3, 0.3, N),
        np.cumsum([0, *[9.05, 8.95] * 8]),
        np.cumsum([0, *[4.5, 5.5] * 8]),
    ],
)
def test_rounded_and_jittered_positions_are_one_head(z):
    geometry = StackGeometry.of(headers(hu=np.repeat(FIRST[:1], len(z), axis=0), z=z))
    assert cycle_of(geometry.increments_mm) is None
    assert not is_jumbled(geometry.increments_mm)


def test_two_rows_a_rotation_with_a_gap_between_rotations():
    """Steps of 5 and 8 mm in turn, but the two slices of each rotation have one time."""
    z = np.cumsum([0, *[5.0, 8.0] * 9, 5.0])
    choice, _ = chosen({"z": z, "AcquisitionTime": lambda k: f"1000{2 * (k // 2):02d}"})
    assert len(choice.stack.headers) == N


RESCANS = {
    "acquisition": {"acquisition": 2},
    "numbers": {"numbers": [31, 32, 33]},
    "time": {"acquisition": 1, "AcquisitionTime": "110000"},
    "temporal position": {"TemporalPositionIdentifier": 2, "numbers": [31, 32, 33]},
}


@pytest.mark.parametrize("told", RESCANS)
@pytest.mark.parametrize("offset", [0.0, 1.5])
def test_slices_scanned_again_leave_the_first_pass(tmp_path, told, offset):
    write_series(tmp_path, hu=FIRST, AcquisitionTime="100000", TemporalPositionIdentifier=1)
    again = {"numbers": [8, 9, 10], "AcquisitionTime": "100000", "TemporalPositionIdentifier": 1}
    again |= RESCANS[told]
    write_series(tmp_path, hu=SECOND[7:10], z=Z[7:10] + offset, prefix="again", **again)
    volume = read_dicom_series(tmp_path)
    np.testing.assert_array_equal(volume.hu, canonical(FIRST))
    assert any("scanned again" in w and "again000.dcm" in w for w in volume.warnings)


def test_a_hole_that_the_slices_scanned_again_fill(tmp_path):
    """The first pass stopped for two slices, which acquisition 2 brings, with one it had."""
    keep = [k for k in range(N) if k not in (8, 9)]
    write_series(tmp_path, hu=FIRST[keep], z=Z[keep], acquisition=1)
    write_series(
        tmp_path, hu=FIRST[7:10], z=Z[7:10], acquisition=2, prefix="b", numbers=[31, 32, 33]
    )
    volume = read_dicom_series(tmp_path)
    np.testing.assert_array_equal(volume.hu, canonical(FIRST))
    assert any("put together" in w for w in volume.warnings)


@pytest.mark.parametrize("offset", [0.0, 2.0])
def test_slabs_that_overlap_a_little_are_one_head(tmp_path, offset):
    """Scanned in two parts: half a head is never read for the whole."""
    write_series(tmp_path, hu=FIRST[:11], z=Z[:11], acquisition=1)
    write_series(
        tmp_path,
        hu=FIRST[9:],
        z=Z[9:] + offset,
        acquisition=2,
        prefix="b",
        numbers=range(12, 12 + N - 9),
    )
    volume = read_dicom_series(tmp_path)
    assert any("joined" in w or "uneven" in w for w in volume.warnings)
    assert volume.slice_increments_mm.sum() == pytest.approx(5.0 * N + offset)


@pytest.mark.parametrize(("step", "count"), [(6.5, 15), (3.3, 30), (7.0, 12)])
def test_passes_of_other_steps_that_nothing_tells_apart_are_refused(step, count):
    z = np.sort(np.concatenate([Z, step * np.arange(count) + 1.1]))
    with pytest.raises(InputError, match="several passes over the head, and nothing recorded"):
        chosen({"hu": np.repeat(FIRST, 3, axis=0)[: len(z)], "z": z})


@pytest.mark.parametrize(
    ("steps", "jumbled"),
    [
        ([5] * 10, False),
        ([4] * 9 + [1.1] + [7] * 9, False),
        ([5, 10, 5, 15, 5, 5, 10, 20, 5], False),
        ([5, 5.3, 4.6, 5.1, 5.4, 4.9, 5.2], False),
        ([2, 2.5, 0.7, 3.1, 1.9, 4.4, 2.7], True),
    ],
)
def test_jumbled_steps(steps, jumbled):
    assert is_jumbled(np.array(steps, dtype=float)) is jumbled


def test_two_images_of_each_position_that_nothing_tells_apart_are_refused(tmp_path):
    both = np.stack([FIRST, SECOND], axis=1).reshape(2 * N, *FIRST.shape[1:])
    write_series(tmp_path, hu=both, z=np.repeat(Z, 2))
    with pytest.raises(InputError, match=r"same position .* at 20 of 20 positions.* one pass"):
        read_dicom_series(tmp_path)


def test_copies_of_every_file_are_one_pass(tmp_path):
    write_series(tmp_path / "a")
    write_series(tmp_path / "b")
    volume = read_dicom_series(tmp_path)
    assert any("20 duplicate slices" in w for w in volume.warnings)
    assert len(split_series(scan(sorted(tmp_path.rglob("*.dcm"))).slices)) == 1
