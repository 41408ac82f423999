"""Laws: a picture's front is the head's front, its left the patient's right; cut bone is whole."""

from pathlib import Path

import layout_factory as make
import numpy as np
import pytest
from PIL import Image

from strokediff.cohort.importing.pictures import read_colour, read_grey
from strokediff.ct.nifti.images import read_nifti
from strokediff.errors import InputError


def test_phe_sich_is_turned_and_keeps_its_names(tmp_path: Path, imported) -> None:
    made = imported("phe-sich", make.phe_sich(tmp_path / "src"))
    assert made.names == ["phe_0001", "phe_0002"]
    volume = read_nifti(made.path / "images" / "phe_0001.nii.gz")
    mask = volume.from_source(made.mask("phe_0001"))
    x, y, z = np.argwhere(mask).T
    assert sorted(set(z)) == [2, 3]
    assert y.mean() > make.SIDE / 2  # towards the front
    assert x.mean() > make.SIDE / 2  # the picture's left is the patient's right
    assert mask.sum() == 2 * 10 * 12
    assert set(np.unique(made.mask("phe_0001"))) == {0, 1}


def test_the_window_is_undone(tmp_path: Path, imported) -> None:
    hu = imported("phe-sich", make.phe_sich(tmp_path / "src")).hu("phe_0001")
    assert hu[0, 0, 0] == -1000 and hu.max() == 800
    assert hu[48, 60, 0] == round(make.BRAIN_GREY / 255 * 80)


def test_spacing_is_unknown_and_nominal(tmp_path: Path, imported) -> None:
    made = imported("phe-sich", make.phe_sich(tmp_path / "src"))
    assert made.meta["spacing"] == "unknown"
    assert made.meta["patients"]["phe_0001"]["lesion_ml"] is None
    np.testing.assert_allclose(made.image("phe_0001").header.get_zooms(), [230 / 96, 230 / 96, 5])


def test_slices_are_ordered_by_number_not_by_text(tmp_path: Path, imported) -> None:
    source = make.phe_sich(tmp_path / "src", patients=1, slices=12)
    for folder in ("images", "masks"):
        for k in range(12):
            path = source / folder / f"0001_{k:02d}.png"
            path.rename(path.with_name(f"0001_{k}.png"))
    found = imported("phe-sich", source).mask("phe_0001").any(axis=(0, 1))
    assert found.nonzero()[0].tolist() == [2, 3]


def test_aisd_leaves_the_invisible_out_unless_asked(tmp_path: Path, imported) -> None:
    made = imported("aisd", make.aisd(tmp_path / "src"))
    assert made.meta["labels"] == {"infarct": 1}
    assert made.meta["classes"] == {"infarct": ["remote", "clear", "blurred", "infarct"]}
    assert made.names == ["aisd_0072723", "aisd_0073410"]
    found = made.mask("aisd_0072723").any(axis=(0, 1))
    assert found.tolist() == [False, True, True, True, False, True]


@pytest.mark.parametrize("chosen", [("4", "infarct"), ("invisible", "5")])
def test_labels_are_chosen_by_name_or_number(tmp_path: Path, imported, chosen) -> None:
    made = imported("aisd", make.aisd(tmp_path / "src"), labels=chosen)
    assert made.meta["classes"] == {"infarct": ["invisible", "infarct"]}
    assert made.mask("aisd_0072723").any(axis=(0, 1)).nonzero()[0].tolist() == [4, 5]


@pytest.mark.parametrize(
    ("layout", "colours", "chosen", "lesions"),
    [
        ("cpaisd", ((255, 0, 0), (0, 255, 0)), None, [True, True]),
        ("cpaisd", ((255, 0, 0), (0, 255, 0)), ("core",), [True, False]),
        ("ctich", ((210, 80, 0), (210, 80, 0)), None, [True, True]),
        ("aisd", ((254,) * 3, (252,) * 3), None, [True, True]),
    ],
)
def test_single_slices(tmp_path: Path, imported, layout, colours, chosen, lesions) -> None:
    made = imported(layout, make.single(tmp_path / "src", colours), labels=chosen)
    assert made.names == [f"{layout}_100", f"{layout}_101"]
    assert made.mask(f"{layout}_100").shape == (96, 96, 1)
    assert [bool(made.mask(name).any()) for name in made.names] == lesions
    assert made.meta["partial_heads"] is True
    assert made.hu(f"{layout}_100").min() == -1000


def test_a_wide_window_keeps_its_hounsfield_units(tmp_path: Path, imported) -> None:
    made = imported("cpaisd", make.single(tmp_path / "src", ((255, 0, 0),)))
    assert made.hu("cpaisd_100")[48, 60, 0] == make.BRAIN_GREY


def test_colour_that_is_grey_is_read_and_colour_that_is_not_is_refused(tmp_path: Path) -> None:
    picture = np.repeat(make.grey()[..., None], 3, axis=2)
    np.testing.assert_array_equal(read_grey(make.save(tmp_path / "a.png", picture)), make.grey())
    picture[5, 5] = (200, 0, 0)
    with pytest.raises(InputError, match=r"b\.png: expected a grey picture, got colours"):
        read_grey(make.save(tmp_path / "b.png", picture))
    assert read_colour(tmp_path / "b.png")[5, 5] == 0xC80000


def test_classes_may_be_indices_into_a_palette(tmp_path: Path, imported) -> None:
    source = make.aisd(tmp_path / "src")
    for path in (source / "mask").rglob("*.png"):
        picture = Image.fromarray(np.asarray(Image.open(path)), mode="P")
        picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9, 200, 0, 50])
        picture.save(path)
    made = imported("aisd", source, labels=("2",))
    assert made.mask("aisd_0072723").any(axis=(0, 1)).nonzero()[0].tolist() == [2]


def test_sixteen_bits_are_refused(tmp_path: Path) -> None:
    path = make.save(tmp_path / "a.png", make.grey().astype(np.uint16) * 100)
    with pytest.raises(InputError, match=r"a\.png: expected an 8-bit picture, got mode I;16"):
        read_grey(path)


def test_a_truncated_picture_is_refused(tmp_path: Path) -> None:
    path = make.save(tmp_path / "a.png", np.random.default_rng(0).integers(0, 255, (96, 96), "u1"))
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"a\.png: expected a complete PNG or JPEG"):
        read_grey(path)
    path.write_bytes(b"")
    with pytest.raises(InputError, match=r"a\.png: expected a complete PNG or JPEG"):
        read_grey(path)


@pytest.mark.parametrize("size", [(5000, 8), (1151, 8), (76, 8)])
def test_a_picture_whose_nominal_pixels_are_no_heads_is_refused(tmp_path: Path, size) -> None:
    Image.new("L", size).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=rf"longer side has 77 to 1150 pixels, got {size[0]} x 8"):
        read_grey(tmp_path / "a.png")
