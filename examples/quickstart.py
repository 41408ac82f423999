"""strokediff from Python: a scan in, a lesion mask and its volume out. For research use only.

    python examples/quickstart.py [SCAN] [-o OUT]

SCAN is a NIfTI file, a DICOM folder or a zip of it; without one, a phantom patient is made, whose
lesion is known, and the result is scored.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import strokediff as sd


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", nargs="?", type=Path)
    parser.add_argument("-o", "--out", type=Path, default=Path("quickstart-out"))
    parser.add_argument("--method", default="sal", help="avg, matched, sal, infer or all")
    options = parser.parse_args()

    model = sd.load()
    print(f"model: {model.card.name}, trained on {model.card.trained_on}")

    # A scan: a path is enough, and so is an array with its affine.
    phantom = None if options.scan else sd.make_phantom("hemorrhage", seed=0)
    ct = sd.read_ct(options.scan) if phantom is None else sd.read_ct(phantom.hu, phantom.affine)
    print(f"scan: {ct.hu.shape} voxels of {tuple(round(s, 2) for s in ct.spacing_mm)} mm")

    # Segment. The result is typed; `record` is what result.json holds.
    found = model.segment(ct, method=options.method)
    print(f"lesion: {found.volume_ml:.1f} mL in {len(found.lesions)} parts")
    if found.interval_ml:
        low, high = found.interval_ml
        print(f"interval: {low:.1f} to {high:.1f} mL ({found.record.volume_interval_kind})")
    for warning in found.warnings:
        print("warning:", warning)

    # Save what `strokediff segment` writes: masks on the scan's own grid, report, result.json.
    found.save(options.out)
    print(f"saved: {', '.join(sorted(p.name for p in options.out.iterdir()))}")

    # Score it, if the truth is known.
    if phantom is not None:
        scores = sd.evaluate(found.mask, phantom.lesion, affine=ct.affine)
        print(f"true volume: {scores.volume_true_ml:.1f} mL, Dice {scores.dice:.2f}")


if __name__ == "__main__":
    main()
