"""Pictures of a result in OHIF, the web viewer, for the documents; and whether it draws in place.

    npm pack @ohif/app@3.13.2 && tar xzf ohif-app-3.13.2.tgz
    python benchmarks/ohif.py --ohif package/dist --out docs/images

Makes a phantom patient with a tilted gantry, segments the series, stores it and its objects in
Orthanc (`dicomweb.py`), opens the study in OHIF in Chromium (in the path, or named in CHROMIUM),
and the segmentation and the report in it. The coloured pixels are laid over the segment's own, by
the skull on the screen and in the slice; the volume has to be on the page. A machine without a GPU
draws by SwiftShader.
"""

from __future__ import annotations

import io
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import pydicom
import typer
from dicomweb import OHIF, archive, send, site
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

import strokediff as sd
from strokediff.errors import StrokediffError, UsageError
from strokediff.phantom.dicom import write_dicom_series
from strokediff.phantom.make import make_phantom
from strokediff.phantom.params import LesionKind
from strokediff.util.extras import require
from strokediff.util.files import atomic_path
from strokediff.weights import DEFAULT

FLAGS = (
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--no-sandbox",
    "--no-proxy-server",
)
PATIENCE_S = 120
SETTLE_MS = 3_000
"""Until a viewport that answers has drawn: OHIF does not say when."""
BONE_HU = 80.0
"""White at the phantom's window, W80 L40."""
COLOURFUL = 40
"""Between the strongest and the weakest channel of a pixel that is not grey."""
IN_PLACE = 0.9
"""The least intersection over union; beyond it are the edges, which the screen interpolates."""
SEG, SR = 9000, 9001
"""The numbers of our series."""
NO_TOUR = "localStorage.setItem('shownTours', JSON.stringify(['basicViewerTour']))"


@dataclass(frozen=True)
class Study:
    """A patient in the archive: the slices, by their UID, and what was found in them."""

    slices: dict[str, pydicom.Dataset]
    seg: pydicom.Dataset
    volume_ml: float
    files: list[Path]

    @property
    def uid(self) -> str:
        """Of the study."""
        return str(self.seg.StudyInstanceUID)

    def key_slice(self) -> tuple[pydicom.Dataset, NDArray[np.bool_]]:
        """The slice that shows most of the largest segment, and all that is marked in it."""
        frames = self.seg.PerFrameFunctionalGroupsSequence
        of = [f.DerivationImageSequence[0].SourceImageSequence[0] for f in frames]
        planes = np.atleast_3d(self.seg.pixel_array).reshape(len(frames), *self._size) > 0
        most = of[int(planes.sum(axis=(1, 2)).argmax())].ReferencedSOPInstanceUID
        there = [p for p, o in zip(planes, of, strict=True) if o.ReferencedSOPInstanceUID == most]
        return self.slices[most], np.any(there, axis=0)

    @property
    def _size(self) -> tuple[int, int]:
        return int(self.seg.Rows), int(self.seg.Columns)


def patient(
    folder: Path, kind: LesionKind, seed: int, model: str, method: str, **how: Any
) -> Study:
    """A phantom as a DICOM series in `folder`, and its result's objects. Raises `UsageError`
    where nothing was found: there would be no segmentation to show."""
    slices = write_dicom_series(make_phantom(kind, seed, **how), folder / "ct", localizer=False)
    found = sd.load(model).segment(sd.read_ct(folder / "ct"), method)
    record = found.save(folder / "out", viewer=False, dicom=("seg", "sr", "sc"))
    if not record.volume_ml:
        raise UsageError(f"{model} finds no lesion in {kind} phantom {seed}: choose another.")
    objects = sorted((folder / "out").glob("lesion_*.dcm"))
    return Study(
        {str(own.SOPInstanceUID): own for own in map(pydicom.dcmread, slices)},
        pydicom.dcmread(folder / "out" / "lesion_seg.dcm"),
        max(own.volume_ml for own in record.kinds),
        [*slices, *objects],
    )


@contextmanager
def viewer(address: str, study: Study, width: int, height: int) -> Iterator[Any]:
    """OHIF's page with the study open in it."""
    sync = require("playwright.sync_api", "dev")
    browser = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not browser:
        raise UsageError("no chromium in the path: install it, or name it in CHROMIUM.")
    with sync.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=browser, args=[*FLAGS])
        page = opened.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(PATIENCE_S * 1000)
        page.add_init_script(NO_TOUR)
        try:
            page.goto(f"{address}/viewer?StudyInstanceUIDs={study.uid}")
            page.wait_for_selector(f'[data-series="{SR}"]')
            page.wait_for_timeout(SETTLE_MS)
            yield page
        except sync.TimeoutError as error:
            raise StrokediffError(f"OHIF does not show what is waited for: {error}") from error
        finally:
            opened.close()


def open_segmentation(page: Any, study: Study) -> float:
    """Load it, go to its key slice, and return how far what is drawn covers it (IoU)."""
    slice_, marked = study.key_slice()
    page.dblclick(f'[data-series="{SEG}"]')
    page.get_by_role("button", name="Yes").click()
    page.wait_for_timeout(SETTLE_MS)
    wanted = re.compile(rf"I:{slice_.InstanceNumber}\b")
    for key in ("ArrowUp", "ArrowDown"):
        for _ in study.slices:
            if wanted.search(page.inner_text("body")):
                page.wait_for_timeout(SETTLE_MS)
                return in_place(screen(page.locator("canvas").first), slice_, marked)
            page.keyboard.press(key)
            page.wait_for_timeout(100)
    raise StrokediffError(f"OHIF does not come to {wanted.pattern}, where most of the lesion is.")


def open_report(page: Any, study: Study) -> str:
    """Open it, and return what is said beside the outline, when the volume is among it."""
    page.dblclick(f'[data-series="{SR}"]')
    told = f"Volume: {study.volume_ml:.2f} mL"
    page.wait_for_function("told => document.body.textContent.includes(told)", arg=told)
    page.wait_for_timeout(SETTLE_MS)
    return told


def in_place(
    picture: NDArray[np.int16], slice_: pydicom.Dataset, marked: NDArray[np.bool_]
) -> float:
    """Intersection over union of what is coloured in (rows, columns, 3) and `marked`, both within
    the box of the largest white thing: the skull."""
    hu = slice_.pixel_array * float(slice_.RescaleSlope) + float(slice_.RescaleIntercept)
    bone, white = box(hu >= BONE_HU), box(picture.min(axis=2) > 250)
    inside = picture[white]
    coloured = inside.max(axis=2) - inside.min(axis=2) > COLOURFUL
    rows, columns = (
        ((np.arange(n) + 0.5) * (side.stop - side.start) / n).astype(int)
        for n, side in zip(coloured.shape, bone, strict=True)
    )
    there = marked[bone][np.ix_(rows, columns)]
    return float((there & coloured).sum() / max((there | coloured).sum(), 1))


def box(mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Rows and columns of the largest connected part of a mask."""
    parts, n = ndimage.label(mask)
    if not n:
        raise StrokediffError("no skull is on the screen: OHIF has drawn no slice.")
    largest = int(np.bincount(parts.ravel())[1:].argmax()) + 1
    rows, columns = ndimage.find_objects(parts, max_label=n)[largest - 1]
    return rows, columns


def screen(of: Any) -> NDArray[np.int16]:
    """What is on the screen of a page or a part of it: (rows, columns, 3)."""
    with Image.open(io.BytesIO(of.screenshot())) as picture:
        return np.asarray(picture.convert("RGB")).astype(np.int16)


def keep(page: Any, path: Path) -> None:
    """The page as a picture of 256 colours."""
    with atomic_path(path) as temporary:
        seen = Image.fromarray(screen(page).astype(np.uint8))
        seen.quantize(256, dither=Image.Dither.NONE).save(temporary, optimize=True)


def pages_of(ohif: Path) -> str:
    """Checks that the folder is a build of OHIF; returns the version that its package tells."""
    for name in ("index.html", "app-config.js"):
        if not (ohif / name).is_file():
            raise UsageError(
                f"{ohif}: expected OHIF's build, with {name} in it. Get it with 'npm pack "
                "@ohif/app', unpack it, and give package/dist."
            )
    about = ohif.resolve().parent / "package.json"
    told = re.search(r'"version": *"([^"]+)"', about.read_text()) if about.is_file() else None
    return told[1] if told else "of unknown version"


def main(
    ohif: Annotated[Path, typer.Option(help="OHIF's build: the unpacked package/dist.")],
    out: Annotated[Path, typer.Option(help="Folder of the pictures.")],
    kind: Annotated[LesionKind, typer.Option(help="Of the phantom's lesion.")] = "hemorrhage",
    seed: Annotated[int, typer.Option(min=0, help="Which phantom patient.")] = 31,
    model: Annotated[str, typer.Option(help="Bundled model or checkpoint folder.")] = DEFAULT,
    method: Annotated[str, typer.Option(help="The estimate.")] = "sal",
    tilt_deg: Annotated[float, typer.Option(help="Of the gantry.")] = 15.0,
    thickness_mm: Annotated[float, typer.Option(help="Of a slice.")] = 5.0,
    matrix: Annotated[int, typer.Option(help="Pixels along a row.")] = 512,
    width: int = 1280,
    height: int = 800,
) -> None:
    """Take ohif-seg.png and ohif-sr.png."""
    version = pages_of(ohif)
    how = {"tilt_deg": tilt_deg, "thickness_mm": thickness_mm, "matrix": matrix}
    with (
        TemporaryDirectory() as place,
        archive(Path(place) / "orthanc") as behind,
        site(ohif, OHIF, behind) as address,
    ):
        study = patient(Path(place), kind, seed, model, method, **how)
        send(behind, study.files)
        with viewer(address, study, width, height) as page:
            covered = open_segmentation(page, study)
            if covered < IN_PLACE:
                raise StrokediffError(
                    f"what OHIF draws covers the segment by {covered:.3f} (IoU): expected at "
                    f"least {IN_PLACE}. It is not drawn, or not in its place."
                )
            keep(page, out / "ohif-seg.png")
            told = open_report(page, study)
            keep(page, out / "ohif-sr.png")
    print(f"OHIF {version}, {kind} phantom {seed}, gantry tilted by {tilt_deg:g} degrees")
    print(f"{out / 'ohif-seg.png'}: what is drawn covers the segment by {covered:.3f} (IoU)")
    print(f"{out / 'ohif-sr.png'}: {told}")


if __name__ == "__main__":
    typer.run(main)
