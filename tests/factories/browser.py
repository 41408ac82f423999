"""A page in headless Chromium, which draws WebGL in software."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

FLAGS = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-sandbox"]
SIZE = {"width": 1200, "height": 800}


@contextmanager
def opened(address: str, ready: str) -> Iterator[tuple[Any, list[str]]]:
    """The page when a selector is there, and all that it asked for."""
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert chromium, "no chromium: install it (.ci/run does), or name it in CHROMIUM"
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport=SIZE)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        page.wait_for_selector(ready, timeout=120_000)
        yield page, asked
        browser.close()


def state(page: Any, name: str) -> str:
    """What the page says of itself."""
    return str(page.evaluate("name => document.documentElement.dataset[name]", name))
