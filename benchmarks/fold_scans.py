"""The scans of the patients whom a fold's model was tested on, in folders of their own.

    python benchmarks/fold_scans.py SCANS FOLD/model OUT

SCANS is a folder of folders of scans, one of them that of the real patients, the others with
lesions put into their heads (`strokediff phantom --backgrounds`). OUT has the same folders with
those scans alone which show a patient in the model's split "test": the model has seen none of them,
so that `strokediff calibrate FOLD/model --split unseen --data OUT/FOLDER --answers FILE` may ask.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from strokediff.cohort.labelled import LabelledScan, find_scans
from strokediff.cohort.sources import Sources
from strokediff.errors import UsageError
from strokediff.training.checkpoint import read_split
from strokediff.util.files import atomic_directory, write_json
from strokediff.util.jsonfile import read_json


def of_tested(source: Path, model: Path) -> list[LabelledScan]:
    """All scans that show somebody of the model's test patients; `UsageError` if there are none."""
    scans = {scan.name: scan for scan in find_scans(source)}
    tested = set(read_split(model)["test"])
    people = Sources.of(source).people(scans).values()
    found = [scans[name] for own in people if tested & {*own} for name in own]
    if not found:
        raise UsageError(f"{source}: no scans of the {len(tested)} test patients of {model}.")
    return found


def copy(scans: Sequence[LabelledScan], out: Path) -> None:
    """The scans in folders of the same names, with what their folders say of them."""
    with atomic_directory(out) as place:
        for folder in dict.fromkeys(scan.folder for scan in scans):
            own = [scan for scan in scans if scan.folder == folder]
            for path in (path for scan in own for path in (scan.image, scan.label)):
                to = place / folder.name / path.parent.name / path.name
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, to)
            record = read_json(folder / "cohort.json", "the record of a folder of scans")
            names = {scan.known_as or scan.name for scan in own}
            people = {n: who for n, who in record.get("patients", {}).items() if n in names}
            write_json(place / folder.name / "cohort.json", {**record, "patients": people})


def main(
    scans: Annotated[Path, typer.Argument(help="A folder of folders of labelled scans.")],
    model: Annotated[Path, typer.Argument(help="The fold's, with its split.")],
    out: Annotated[Path, typer.Argument(help="A new folder.")],
) -> None:
    """Copy the scans of a fold's test patients."""
    found = of_tested(scans, model)
    copy(found, out)
    counts = Counter(scan.folder.name for scan in found)
    print(", ".join(f"{n} of {name}" for name, n in counts.items()))


if __name__ == "__main__":
    typer.run(main)
