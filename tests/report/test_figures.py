"""Laws: the picture is whole, needs no global state, and shows text from files literally."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib import image as mpl_image
from matplotlib.colors import to_rgb

from strokediff.errors import UsageError
from strokediff.report.canvas import colours
from strokediff.report.figures import MOST_LINES, _shortened, render_key_slice, write_preview
from strokediff.result.figures import KindFigures

SHAPE = (48, 56, 12)
X, Y, Z = np.ogrid[:48, :56, :12]
BRAIN = ((X - 24) / 18) ** 2 + ((Y - 28) / 22) ** 2 + ((Z - 6) / 6) ** 2 < 1
HEAD = ((X - 24) / 21) ** 2 + ((Y - 28) / 25) ** 2 + 0 * Z < 1
HU = np.where(BRAIN, 35.0, np.where(HEAD, 900.0, -1000.0)).astype(np.float32)
LESION = ((X - 34) / 5) ** 2 + ((Y - 28) / 6) ** 2 + ((Z - 6) / 2) ** 2 < 1
EMPTY = np.zeros(SHAPE, dtype=bool)


def preview(path, mask=LESION, brain=BRAIN, **kwargs):
    given = {"pixel_spacing_mm": (3.0, 3.0), "volume_ml": 1.0, "title": "p1", **kwargs}
    return write_preview(path, HU, mask, brain, **given)


def pixels(png):
    return mpl_image.imread(io.BytesIO(png), format="png")[..., :3]


def orange(png):
    """Where the outline's colour is, as rows and columns relative to the picture's size."""
    rgb = pixels(png)
    hit = (rgb[..., 0] > 0.8) & (rgb[..., 2] < 0.4) & (rgb[..., 1] < 0.5)
    return np.argwhere(hit) / hit.shape


def test_writes_the_bytes_it_returns(tmp_path):
    png = preview(tmp_path / "new" / "preview.png")
    assert (tmp_path / "new" / "preview.png").read_bytes() == png
    assert png.startswith(b"\x89PNG") and [p.name for p in (tmp_path / "new").iterdir()] == [
        "preview.png"
    ]


def test_the_same_input_gives_the_same_picture(tmp_path):
    assert preview(tmp_path / "a.png") == preview(tmp_path / "b.png")


def test_the_outline_lies_on_the_patients_side(tmp_path):
    # The lesion is on the patient's right (x = 34 of 48), so left in each of the three panels.
    png = render_key_slice(HU, LESION, BRAIN, pixel_spacing_mm=(3.0, 3.0))
    columns = orange(png)[:, 1]
    assert len(columns) and columns.min() > 0.5 and columns.max() < 0.75


def test_every_map_has_a_panel_of_its_own():
    plain, mapped = (
        pixels(render_key_slice(HU, LESION, BRAIN, maps, pixel_spacing_mm=(3.0, 3.0)))
        for maps in ({}, {"Probability": LESION * 1.0, "Entropy": LESION * 1.0})
    )
    assert mapped.shape[1] == pytest.approx(2 * plain.shape[1], rel=0.02)


def test_anisotropic_pixels_keep_the_heads_shape():
    wide = pixels(render_key_slice(HU, LESION, BRAIN, pixel_spacing_mm=(6.0, 3.0)))
    tall = pixels(render_key_slice(HU, LESION, BRAIN, pixel_spacing_mm=(3.0, 6.0)))
    assert wide.shape[1] == tall.shape[1] and wide.shape[0] < 0.6 * tall.shape[0]


@pytest.mark.parametrize("mask", [EMPTY, ~EMPTY, LESION], ids=["empty", "full", "lesion"])
@pytest.mark.parametrize("brain", [None, EMPTY, BRAIN], ids=["none", "empty", "brain"])
def test_every_kind_of_mask_can_be_drawn(tmp_path, mask, brain):
    assert preview(tmp_path / "p.png", mask=mask, brain=brain).startswith(b"\x89PNG")
    maps = {"Probability": mask * 0.5, "Entropy": mask * 1.0}
    png = render_key_slice(HU, mask, brain, maps, pixel_spacing_mm=(3.0, 3.0))
    assert png.startswith(b"\x89PNG")


def test_text_from_files_is_drawn_literally(tmp_path):
    png = preview(
        tmp_path / "p.png",
        title=r"$\frac{1}{ 日本 <b> % {0}" + "x" * 300,
        warning_lines=["$unbalanced", "long " * 90],
        note="$",
        volume_interval_ml=[0.5, 1.5],
        slice_positions_mm=np.arange(12) * 5.0,
    )
    assert png.startswith(b"\x89PNG")


def amber(png):
    rgb = pixels(png)
    hit = (rgb[..., 0] > 0.9) & (abs(rgb[..., 1] - 0.78) < 0.1) & (rgb[..., 2] < 0.5)
    return np.argwhere(hit) / hit.shape


@pytest.mark.parametrize("k", [1, 5, 10])
def test_an_unusable_slice_is_framed_and_no_other(tmp_path, k):
    """The frame lies on the tile of slice k: the picture of another slice is another."""
    plain = preview(tmp_path / "p.png")
    marked = [preview(tmp_path / "p.png", unusable=[n]) for n in (k, k + 1)]
    assert not len(amber(plain))
    assert len(amber(marked[0])) > 200
    centres = [amber(png).mean(axis=0) for png in marked]
    assert np.abs(centres[0] - centres[1]).max() > 0.1


def test_pyplot_is_not_touched(tmp_path):
    """A library must not open figure windows or keep figures alive in global state."""
    preview(tmp_path / "p.png")
    source = Path(sys.modules["strokediff.report.figures"].__file__).read_text()
    assert "pyplot" not in source.replace("no pyplot", "")


def test_a_path_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"file/p\.png: cannot be written"):
        preview(tmp_path / "file" / "p.png")


@pytest.mark.parametrize("n", [0, 1, MOST_LINES, MOST_LINES + 1, 40])
def test_what_has_no_room_below_the_picture_is_said(n):
    lines = [f"line {k}" for k in range(n)]
    shown = _shortened(lines)
    assert len(shown) == min(n, MOST_LINES)
    if n <= MOST_LINES:
        assert shown == lines
    else:
        assert shown[:-1] == lines[: MOST_LINES - 1]
        assert shown[-1].startswith(f"... {n - MOST_LINES + 1} more lines")


LABELS = LESION * np.uint8(1) + 2 * LESION[::-1].astype(np.uint8)


def figures_of(*names):
    own = {"threshold": 0, "least_lesion_ml": 0, "doubt_ml": 0, "volume_interval_kind": ""}
    return [
        KindFigures(name=n, volume_ml=1, n_lesions=1, volume_interval_ml=(0.5, 2), **own)
        for n in names
    ]


def near(png, colour):
    """Where the picture has that colour, as rows and columns relative to its size."""
    rgb = pixels(png)
    hit = np.abs(rgb - np.array(to_rgb(colour))).max(axis=-1) < 0.08
    return np.argwhere(hit) / hit.shape


def test_each_kind_is_outlined_on_its_side_in_its_colour():
    """The first lies on the patient's right, so left in the panel."""
    kinds = ["infarct", "haemorrhage"]
    png = render_key_slice(HU, LABELS, BRAIN, pixel_spacing_mm=(3.0, 3.0), kinds=kinds, of=2)
    infarct, haemorrhage = (near(png, colour)[:, 1] for colour in colours(kinds))
    assert len(infarct) and len(haemorrhage)
    assert infarct.min() > 0.5 and infarct.max() < 0.75 < haemorrhage.min()


def test_the_legend_names_each_kind_and_a_single_one_looks_as_ever(tmp_path):
    both = preview(
        tmp_path / "a.png", mask=LABELS, kinds=figures_of("infarct", "haemorrhage", "tumour")
    )
    for colour in colours(["infarct", "haemorrhage"]):
        top = near(both, colour)
        assert (top[:, 0] < 0.2).sum() > 20  # in the head line
    one = preview(tmp_path / "b.png", kinds=figures_of("infarct"))
    assert one == preview(tmp_path / "c.png") == preview(tmp_path / "d.png", mask=LESION * 1)


def test_colours_are_different_for_as_many_kinds_as_there_may_be():
    names = ["infarct", "haemorrhage", *"abcdef"]
    assert len({*colours(names)}) == len(names)


@pytest.mark.parametrize("inner", [1, 2])
def test_a_kind_within_another_keeps_its_outline(inner):
    """Drawn last, whichever label it has."""
    core = ((X - 34) / 3) ** 2 + ((Y - 28) / 4) ** 2 + ((Z - 6) / 2) ** 2 < 1
    mask = np.where(core, inner, LESION * (3 - inner)).astype(np.uint8)
    kinds = ["infarct", "haemorrhage"]
    png = render_key_slice(HU, mask, BRAIN, pixel_spacing_mm=(3.0, 3.0), kinds=kinds)
    own, around = (near(png, colours(kinds)[label - 1]) for label in (inner, 3 - inner))
    width = [np.ptp(places[:, 1]) for places in (own, around)]
    assert len(own) > 50 and 0.4 < width[0] / width[1] < 0.8
