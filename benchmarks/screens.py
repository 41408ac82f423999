"""Pictures of a result's pages in a browser, for the documents.

    strokediff demo -o out
    python benchmarks/screens.py out docs/images/viewer.png
    python benchmarks/screens.py out docs/images/view.png --draw --press 1a

Opens RESULT/viewer.html, or with --draw the page of 'strokediff view', in Chromium (found in the
path, or named in CHROMIUM) and waits until it is drawn. Playwright drives it; a machine without a
GPU draws by SwiftShader.
"""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from strokediff.errors import UsageError
from strokediff.reading.editor import open_editor
from strokediff.reading.serve import serving

FLAGS = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-sandbox")


def main(
    result: Annotated[Path, typer.Argument(help="Folder that 'strokediff segment' wrote.")],
    out: Annotated[Path, typer.Argument(help="The picture (.png).")],
    width: int = 1280,
    height: int = 800,
    draw: Annotated[bool, typer.Option("--draw", help="The page of 'view'.")] = False,
    ct: Annotated[Path | None, typer.Option(help="With --draw, of a NIfTI result.")] = None,
    press: Annotated[str, typer.Option(help="Keys to press first, such as 't'.")] = "",
) -> None:
    """Take one picture."""
    from playwright.sync_api import sync_playwright

    browser = os.environ.get("CHROMIUM") or shutil.which("chromium")
    page = result / "viewer.html"
    if not browser or not page.is_file():
        raise UsageError(f"expected {page}, and chromium in the path or in CHROMIUM.")
    with ExitStack() as stack:
        address = page.resolve().as_uri()
        if draw:
            editor = open_editor(result, ct=ct, by="a reader")
            address = stack.enter_context(serving(editor)).address
        driver = stack.enter_context(sync_playwright())
        opened = driver.chromium.launch(executable_path=browser, args=[*FLAGS])
        tab = opened.new_page(viewport={"width": width, "height": height})
        tab.goto(address)
        wanted = "html[data-drawing=ready]" if draw else "html[data-state=ready]"
        tab.wait_for_selector(wanted, timeout=120_000)
        for key in press:
            tab.keyboard.press(key)
        tab.screenshot(path=out)
        opened.close()
    print(f"{out}: {page}, {width} x {height}")


if __name__ == "__main__":
    typer.run(main)
