"""The answers of a network of others on labelled scans, as `calibrate --answers` has ours.

    python benchmarks/peer_answers.py FOLD/model SCANS OUT.json [--split test]

MODEL is a checkpoint that `real_heads.py --method` or `strokediff benchmark` trained. Its scans go
through the same brain extraction, grid, read-out and scoring as ours do, so that `python -m
strokediff.benchmark.reports crossfitted OUT.json ... --estimation unet` has the same table.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from strokediff.prediction.peer import load_peer
from strokediff.segmentation.calibrate.checkpoint import patients_of
from strokediff.segmentation.calibrate.run import ask


def main(
    model: Annotated[Path, typer.Argument(help="Checkpoint of a network of others.")],
    scans: Annotated[Path, typer.Argument(help="Labelled scans that its cohort was made from.")],
    out: Annotated[Path, typer.Argument(help="The sheet of answers to write (.json).")],
    split: Annotated[str, typer.Option(help="As in calibrate: test, or unseen.")] = "test",
) -> None:
    """Ask it."""
    ask(load_peer(model), scans, patients_of(model, scans, split)).write(out)


if __name__ == "__main__":
    typer.run(main)
