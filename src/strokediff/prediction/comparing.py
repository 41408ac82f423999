"""`compare_folders`: two readers' masks of the same patients, of whom neither is the truth."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from strokediff.cohort.masks import Labels
from strokediff.ct.nifti.masks import check_same_grid
from strokediff.errors import InputError, UsageError, raise_all
from strokediff.evaluation.agreement.cohort import CohortAgreement
from strokediff.evaluation.agreement.estimate import checked_thresholds
from strokediff.evaluation.agreement.masks import (
    KindsAgreement,
    MaskAgreement,
    Table,
    compare_kinds,
    same_kind,
)
from strokediff.evaluation.agreement.tables import POLICY, Unpaired, format_csv, plain
from strokediff.evaluation.agreement.volumes import THRESHOLDS_ML
from strokediff.evaluation.unit import Unit
from strokediff.prediction.labels import KindsReader, several
from strokediff.prediction.readers import Reader, ReadTwice, kinds_reader, names_of, pair_readers
from strokediff.prediction.scoring import chosen_unit
from strokediff.report.agreement import write_agreement_figure
from strokediff.util.files import write_json, write_text
from strokediff.util.kinds import LESION
from strokediff.util.plaintext import visible
from strokediff.version import __version__

MADE_BY = "strokediff compare"


@dataclass(frozen=True)
class Comparison:
    """Two readers over a cohort. `names` are theirs; `unpaired` are patients of only one.

    `rows` has a row a patient by kind of lesion, those of all kinds joined first, as "lesion";
    where none are told apart there is nothing else.

    >>> found = compare_folders("masks", "scans/labels")
    >>> found.names, found.unpaired, len(found.rows["lesion"])
    (('masks', 'labels'), [], 4)
    >>> found.parts["lesion"].overlap.dice.told()
    '0.90 [0.90, 0.91]'
    """

    names: tuple[str, str]
    rows: Mapping[str, list[MaskAgreement]]
    kind_tables: list[Table]
    unpaired: list[Unpaired]
    warnings: list[str]
    thresholds: tuple[float, ...]

    @property
    def unit(self) -> Unit:
        """Of every row."""
        return self.rows[LESION][0].unit

    @cached_property
    def parts(self) -> dict[str, CohortAgreement]:
        """What is said of each kind of lesion over all patients, of all joined first."""
        return {
            kind: CohortAgreement.of(rows, thresholds=self.thresholds)
            for kind, rows in self.rows.items()
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain values for OUT.json."""
        kinds = [kind for kind in self.rows if kind != LESION]
        told = {
            "kinds": kinds,
            "voxels": [
                [sum(cells) for cells in zip(*row, strict=True)]
                for row in zip(*self.kind_tables, strict=True)
            ],
            "same_kind": same_kind(self.kind_tables),
        }
        return {
            "made_by": MADE_BY,
            "version": __version__,
            "research_use_only": True,
            "readers": dict(zip("AB", self.names, strict=True)),
            "unit": self.unit.value,
            "volume_unit": "mL" if self.unit is Unit.MM else "voxels",
            "level": self.parts[LESION].volumes.level,
            "unpaired": [{**vars(one), "case": visible(one.case)} for one in self.unpaired],
            "warnings": self.warnings,
            "agreement": {kind: plain(own) for kind, own in self.parts.items()},
            **({"kinds_by_voxel": told} if kinds else {}),
            "policy": list(POLICY),
        }

    def write(self, out: str | Path) -> tuple[Path, Path, Path]:
        """Write OUT.csv (a row a patient), OUT.json (the statistics) and OUT.png; returns them.

        Raises `UsageError` as `check_outputs` does, or if they cannot be written.

        >>> written = compare_folders("masks", "scans/labels").write("readers")
        >>> [path.name for path in written]
        ['readers.csv', 'readers.json', 'readers.png']
        """
        csv, json, png = check_outputs(out)
        volumes = {kind: own.volumes for kind, own in self.parts.items()}
        by_patient = zip(*self.rows.values(), strict=True)
        lines = [pair for rows in by_patient for pair in zip(self.rows, rows, strict=True)]
        write_text(csv, format_csv(lines, self.unpaired, self.unit))
        write_json(json, self.to_dict())
        write_agreement_figure(png, volumes, names=self.names, unit=self.unit)
        return csv, json, png


def compare_folders(
    a: str | Path,
    b: str | Path,
    *,
    labels: Labels | None = None,
    thresholds: Sequence[float] | None = None,
    unit: str = "auto",
    each: Callable[[list[ReadTwice]], Iterable[ReadTwice]] = lambda pairs: pairs,
) -> Comparison:
    """Compare the lesion masks of two readers, or of a reader and a model, patient by patient.

    `a` and `b` are folders of masks on the same grids (NAME.nii.gz, or NAME/lesion_mask.nii.gz as
    `segment` writes them), or two single masks or results. Patients whom only one has are in
    `unpaired`. Kinds of lesion are told apart where both sides declare the values of their masks,
    as in `evaluate_folders`; `labels` is for masks beside which nothing is declared. `thresholds`
    are volumes, in mL, by which both decide; in pixels there are none unless given. `unit` is mm,
    px, or auto: px where a cohort.json beside either says that spacing is unknown. `each` may show
    how far it is. Raises `InputError` that names every unsuitable file, and where nobody is in
    both; `UsageError` for an unknown unit or threshold.

    >>> found = compare_folders("masks", "scans/labels")
    >>> volumes = found.parts["lesion"].volumes
    >>> volumes.n, volumes.difference.bias.value, volumes.lesion.both
    (4, 0.0, 4)
    """
    readers = Reader.of(Path(a)), Reader.of(Path(b))
    chosen, warnings = chosen_unit(unit, *(reader.folder for reader in readers))
    by = checked_thresholds(_thresholds(chosen) if thresholds is None else thresholds)
    pairs, unpaired = pair_readers(*readers)
    reader = kinds_reader(readers, labels)
    found, problems = [], []
    for pair in each(pairs):
        try:
            found.append(_patient(pair, reader, chosen))
        except InputError as error:
            problems.append(error)
    raise_all(problems)
    if len(found) == 1:
        warnings.append("one patient only: there are no statistics over patients.")
    rows = {LESION: [own.joined for own in found]}
    if several(reader.kinds):
        rows |= {kind: [own.kinds[kind] for own in found] for kind in reader.kinds}
    tables = [own.voxels for own in found]
    return Comparison(names_of(*readers), rows, tables, unpaired, warnings, by)


def check_outputs(out: str | Path) -> tuple[Path, Path, Path]:
    """OUT.csv, OUT.json and OUT.png; `UsageError` if they would replace what is not of `compare`.

    >>> [path.name for path in check_outputs("readers.csv")]
    ['readers.csv', 'readers.json', 'readers.png']
    """
    out = Path(out)
    if out.suffix in (".json", ".png"):
        raise UsageError(f"{out}: expected an output without an ending or a .csv, as in readers.")
    base = out.name.removesuffix(".csv")
    if not base:
        raise UsageError(f"{out}: expected the name of a file, such as readers.csv.")
    csv, record, png = (out.with_name(base + ending) for ending in (".csv", ".json", ".png"))
    there = [path for path in (csv, record, png) if path.exists()]
    if there and not _is_comparison(record):
        raise UsageError(
            f"{there[0]}: exists and is not of '{MADE_BY}', which would replace it. Choose another "
            "name for the output."
        )
    return csv, record, png


def _is_comparison(path: Path) -> bool:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.get("made_by") == MADE_BY


def _thresholds(unit: Unit) -> tuple[float, ...]:
    return THRESHOLDS_ML if unit is Unit.MM else ()


def _patient(pair: ReadTwice, reader: KindsReader, unit: Unit) -> KindsAgreement:
    (file_a, a), (file_b, b) = reader.prediction(pair.a), reader.prediction(pair.b)
    check_same_grid(file_b, file_a)
    return compare_kinds(pair.case, reader.kinds, a, b, affine=file_a.affine, unit=unit)
