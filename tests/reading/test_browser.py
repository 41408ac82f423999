"""Drawing in a real browser: what is drawn comes back through save and `measure_mask`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import browser
import numpy as np
import pytest

from strokediff.ct.read import read_ct
from strokediff.reading.drawn import measure_mask
from strokediff.reading.editor import Editor, open_editor
from strokediff.reading.mask import read_drawn
from strokediff.reading.serve import serving

pytestmark = pytest.mark.slow
READY = "html[data-drawing=ready], html[data-state=failed]"


@pytest.fixture
def drawing(place: Path) -> Iterator[tuple[Any, Editor, list[str]]]:
    """The page, what it edits, and all that it asked for."""
    editor = open_editor(place / "result", ct=place / "scan.nii.gz", by="Zoë")
    with serving(editor) as server, browser.opened(server.address, READY) as (page, asked):
        yield page, editor, asked


def stroke(page: Any, down: int = 60) -> None:
    """A line across the middle of the canvas, so many pixels above it."""
    box = page.locator("#canvas").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2 - down
    page.mouse.move(x - 40, y)
    page.mouse.down()
    page.mouse.move(x + 60, y, steps=8)
    page.mouse.up()


def voxels(page: Any) -> list[int]:
    return [int(n) for n in browser.state(page, "voxels").split()]


def test_what_is_drawn_is_saved_and_measured(
    drawing: tuple[Any, Editor, list[str]], place: Path
) -> None:
    page, editor, asked = drawing
    assert browser.state(page, "state") == "ready", page.locator("#problem").text_content()
    own = [int((editor.labels == k).sum()) for k in (1, 2)]
    assert voxels(page) == own
    page.click("[data-plane=axial]")
    page.click("[data-lesion='0']")
    page.click("[data-pen='1']")
    stroke(page)
    infarct, blood = voxels(page)
    assert infarct > own[0] and blood <= own[1]
    page.click("#undo")
    assert voxels(page) == own
    page.keyboard.press("2")
    stroke(page, down=-90)
    drawn = voxels(page)
    assert drawn[1] > own[1]
    page.keyboard.press("Control+s")
    page.wait_for_selector("html[data-saved=yes], html[data-saved=failed]")
    assert "lesion_mask_r1.nii.gz" in page.locator("#saved").text_content()

    ct = read_ct(place / "scan.nii.gz")
    found = read_drawn(editor.folder / "lesion_mask_r1.nii.gz", ct)
    assert [int((found.labels == k).sum()) for k in (1, 2)] == drawn
    new = (found.labels == 2) & (editor.labels != 2)
    assert len(np.unique(np.argwhere(new)[:, 2])) == 1  # in the slice that was shown
    measured = measure_mask(ct, found.labels, found.reader, found.kinds)
    assert measured.volumes_ml["haemorrhage"] == pytest.approx(drawn[1] * 0.108)
    others = [url for url in asked if not url.startswith(("data:", "blob:"))]
    assert [url.rpartition("/")[2] for url in others] == ["", "save"]


def test_the_eraser_erases(drawing: tuple[Any, Editor, list[str]]) -> None:
    page, _, _ = drawing
    before = voxels(page)
    page.click("[data-plane=axial]")
    page.click("[data-lesion='0']")
    page.click("[data-pen='0']")
    page.fill("#size", "15")
    box = page.locator("#canvas").bounding_box()
    page.mouse.move(box["x"] + 340, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 460, box["y"] + box["height"] / 2, steps=10)
    page.mouse.up()
    assert voxels(page)[0] < before[0]
