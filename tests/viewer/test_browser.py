"""The viewer in a real browser: it draws and obeys, goes to a lesion, and fetches nothing."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import browser
import numpy as np
import pytest
import two_kinds
from PIL import Image

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("viewer") / "patient"
    ct, _ = two_kinds.head()
    two_kinds.model().segment(ct, method="avg").save(folder)
    return folder


@pytest.fixture(scope="module")
def page(result: Path) -> Iterator[tuple[Any, list[str]]]:
    """The page, when it is ready, and all that it asked for."""
    address = (result / "viewer.html").as_uri()
    with browser.opened(address, "html[data-state=ready], html[data-state=failed]") as found:
        yield found


def drawn(page: Any) -> np.ndarray:
    """The canvas as pixels (rows, columns, 3)."""
    picture = page.locator("#canvas").screenshot()
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).astype(int)


def test_it_draws_and_asks_for_nothing_but_itself(page: tuple[Any, list[str]]) -> None:
    opened, asked = page
    assert browser.state(opened, "state") == "ready", opened.locator("#problem").text_content()
    seen = drawn(opened)
    assert seen.std() > 10  # a head, not a black page
    assert [url for url in asked if not url.startswith(("data:", "blob:"))] == [asked[0]]
    assert asked[0].startswith("file:")


def test_both_kinds_are_in_their_colours_until_the_mask_is_off(page: tuple[Any, list[str]]) -> None:
    opened, _ = page
    opened.click("[data-plane=axial]")
    opened.fill("#opacity", "100")
    opened.click("[data-overlay=mask]")
    opened.click("[data-lesion='0']")
    assert browser.state(opened, "plane") == "axial" and browser.state(opened, "overlay") == "mask"
    on = drawn(opened)
    blue = (on[..., 2] - on[..., 0] > 80).sum()
    red = (on[..., 0] - on[..., 2] > 80).sum()
    assert blue > 100 and red > 100
    opened.keyboard.press("m")
    assert browser.state(opened, "overlay") == "none"
    off = drawn(opened)
    assert (np.abs(off[..., 2] - off[..., 0]) > 80).sum() < 0.1 * blue


def test_a_lesion_is_gone_to_and_its_place_is_that_of_the_record(
    page: tuple[Any, list[str]], result: Path
) -> None:
    import strokediff as sd

    opened, _ = page
    record = sd.Record.model_validate_json((result / "result.json").read_text())
    for k, lesion in enumerate(record.lesions):
        opened.click(f"[data-lesion='{k}']")
        at = [float(mm) for mm in browser.state(opened, "at").split()]
        assert at == pytest.approx(lesion.centroid_mm, abs=0.2)
    opened.keyboard.press("n")
    assert browser.state(opened, "lesion") == "0"


def test_planes_windows_and_slices_change_what_is_seen(page: tuple[Any, list[str]]) -> None:
    opened, _ = page
    pictures = []
    for press in ("[data-plane=coronal]", "[data-plane=sagittal]", "[data-plane=turn]",
                  "[data-plane=axial]", "[data-window=bone]"):  # fmt: skip
        opened.click(press)
        pictures.append(drawn(opened))
    opened.click("[data-window=stroke]")
    before = drawn(opened)
    opened.keyboard.press("ArrowUp")
    pictures += [before, drawn(opened)]
    for one, other in pairwise(pictures):
        assert (np.abs(one - other).sum(axis=2) > 30).mean() > 0.005
