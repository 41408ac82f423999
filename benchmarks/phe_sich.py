"""PHE-SICH-CT-IDS's pictures as NIfTI, one volume a patient, for `strokediff prepare`.

    python benchmarks/phe_sich.py DATA OUT [--most N]
    strokediff prepare OUT COHORT --test 0.2

DATA holds images/PPPP_SS.png and masks/PPPP_SS.png (perihematomal oedema): slices SS of patient
PPPP, 8-bit, the brain window 0 to 80 HU, turned by 90 degrees with the patient's front to the left
(whether left and right are swapped cannot be told from them).
Where the window cut them, bone becomes 800 HU and air -1000, so that the head is whole again.
Spacing is not given: a field of view of 230 mm and slices of 5 mm are assumed, so mm and mL are
nominal, alike for every method. The data are for research without commercial use; nothing made of
them belongs in the repository.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import nibabel as nib
import numpy as np
from PIL import Image

from strokediff.data.brain.windowed import without_window
from strokediff.data.volume import Source, Volume

FIELD_OF_VIEW_MM, SLICE_MM = 230.0, 5.0
WINDOW_HU = 80.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--most", type=int, help="Patients to convert; default all.")
    args = parser.parse_args()
    patients: dict[str, list[Path]] = defaultdict(list)
    for path in sorted((args.data / "images").glob("*.png")):
        patients[path.stem.split("_")[0]].append(path)
    for folder in ("images", "labels"):
        (args.out / folder).mkdir(parents=True, exist_ok=True)
    for name, paths in list(patients.items())[: args.most]:
        grey = stack(paths)
        mask = stack([args.data / "masks" / path.name for path in paths]) > 127
        hu = np.round(unwindowed(grey / 255 * WINDOW_HU)).astype(np.int16)
        save(args.out / "images" / f"phe_{name}.nii.gz", hu)
        save(args.out / "labels" / f"phe_{name}.nii.gz", mask.astype(np.uint8))
    print(f"{args.out}: {len(list(patients)[: args.most])} patients")


def stack(paths: list[Path]) -> np.ndarray:
    """(X, Y, Z), X to the patient's left and Y to the back, by radiological convention."""
    slices = [np.asarray(Image.open(path).convert("L"), dtype=np.float32) for path in paths]
    return np.stack([np.rot90(s, -1).T for s in slices], axis=2)


def unwindowed(hu: np.ndarray) -> np.ndarray:
    """Bone and air put back where the window cut them, as brain extraction does for pictures."""
    volume = Volume.from_source_array(hu, Source(Path("slices"), "array", hu.shape, affine(hu)))
    return volume.to_source(without_window(volume).hu)


def affine(array: np.ndarray) -> np.ndarray:
    pixel = FIELD_OF_VIEW_MM / array.shape[0]
    return np.diag([-pixel, -pixel, SLICE_MM, 1.0])


def save(path: Path, array: np.ndarray) -> None:
    nib.save(nib.Nifti1Image(array, affine(array)), path)


if __name__ == "__main__":
    main()
