"""What folders of scans say of themselves in cohort.json: origin, spacing, split.

`strokediff phantom` and `strokediff import` write such files; folders without one are fine.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from strokediff.cohort.labelled import LabelledScan, find_scans
from strokediff.cohort.masks import Labels, read_labels_of
from strokediff.cohort.store import SPLITS, split_patients
from strokediff.ct.checks.sanity import MIN_SLICES
from strokediff.errors import InputError
from strokediff.util.jsonfile import read_json
from strokediff.util.plaintext import visible

_WHAT = "the record of a folder of scans, as 'import' and 'phantom' write it"
_REMEDY = "Make the folder again, or take the file out."


@dataclass(frozen=True)
class FolderRecord:
    """One folder's cohort.json.

    `split` maps a scan to the part that its data set declares for it, `patient` to whom it is of
    where the data set has several scans of a patient. `spacing_note` says what of a known spacing
    is assumed rather than read from the scans. `labels` are the values of each kind of lesion.
    Folders of one `data_set` call a patient alike: lesions put into somebody's scan are on the side
    of a split where that scan is.
    """

    description: str
    licence: str | None = None
    spacing_known: bool = True
    spacing_note: str | None = None
    partial_heads: bool = False
    labels: Labels = field(default_factory=dict)
    data_set: str | None = None
    split: Mapping[str, str] = field(default_factory=dict)
    patient: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, file: Path) -> FolderRecord | None:
        """Read a cohort.json; `InputError` if it is damaged or a scan is in two splits.

        None for a prepared cohort that lies among the scans.
        """
        meta = read_json(file, _WHAT, remedy=_REMEDY)
        if "grid" in meta:
            return None
        try:
            return cls(
                description=_describe(meta),
                licence=_text(meta, "licence"),
                spacing_known=_spacing_known(meta),
                spacing_note=_text(meta, "spacing_note"),
                partial_heads=meta.get("partial_heads") is True,
                labels=read_labels_of(meta),
                data_set=_text(meta, "data_set"),
                split=_split(file, _object(meta, "declared_split")),
                patient=_people(_object(meta, "patients")),
            )
        except (KeyError, TypeError) as error:
            raise InputError(f"{file}: {error}. Expected {_WHAT}. {_REMEDY}") from error

    def calling(self, scan: LabelledScan) -> FolderRecord:
        """The same, with a scan under the name that tells it apart from those of other folders."""
        name, old = scan.name, scan.known_as
        split = {name if key == old else key: part for key, part in self.split.items()}
        patient = {name if key == old else key: who for key, who in self.patient.items()}
        return replace(self, split=split, patient=patient)


@dataclass(frozen=True)
class Sources:
    """The records of a folder of scans, or of a folder of such folders, by folder."""

    records: Mapping[Path, FolderRecord]

    @classmethod
    def of(cls, source: Path) -> Sources:
        """Read every cohort.json at `source` and one level below."""
        folders = [source, *sorted(p for p in source.iterdir() if p.is_dir())]
        files = [folder / "cohort.json" for folder in folders]
        found = {file.parent: FolderRecord.read(file) for file in files if file.is_file()}
        records = {folder: record for folder, record in found.items() if record is not None}
        if len(records) > 1:
            for scan in find_scans(source):
                if scan.known_as and scan.folder in records:
                    records[scan.folder] = records[scan.folder].calling(scan)
        return cls(records)

    def spacing_known(self, folder: Path) -> bool:
        """Whether the scans of a folder have a spacing that was measured."""
        return folder not in self.records or self.records[folder].spacing_known

    def partial_heads(self, folder: Path) -> bool:
        """Whether the scans of a folder may be a few slices only."""
        return folder in self.records and self.records[folder].partial_heads

    def min_slices(self, folder: Path) -> int:
        """The fewest slices that a scan of a folder may have."""
        return 1 if self.partial_heads(folder) else MIN_SLICES

    def labels(self, folder: Path) -> Labels:
        """Which values of the masks in a folder are which kind of lesion; empty where none says."""
        return self.records[folder].labels if folder in self.records else {}

    def origin(self) -> dict[str, Any]:
        """What a prepared cohort keeps of them."""
        records = list(self.records.values())
        unknown = any(not record.spacing_known for record in records)
        notes = dict.fromkeys(record.spacing_note for record in records if record.spacing_note)
        licences = dict.fromkeys(record.licence for record in records if record.licence)
        return {
            "description": "; ".join(record.description for record in records),
            **({"licence": "; ".join(licences)} if licences else {}),
            "spacing": "unknown" if unknown else "assumed" if notes else "known",
            **({"spacing_note": "; ".join(notes)} if notes else {}),
        }

    def split(
        self,
        scans: Mapping[str, tuple[str, float]],
        *,
        val: float,
        test: float,
        seed: int,
        same: Sequence[tuple[str, ...]] = (),
    ) -> dict[str, list[str]]:
        """The split of scans (name to group and lesion volume), all of a patient's in one part.

        Scans whose images are the `same` are of one patient, whatever they are called.
        Where a data set declares a split it is kept; if it has none for validation, that is
        drawn from its training set. All others are drawn by `split_patients`. Raises
        `InputError` for a patient in two parts.
        """
        people = self.people(scans, same)
        sizes = {
            person: (scans[names[0]][0], sum(scans[name][1] for name in names))
            for person, names in people.items()
        }
        declared = self._declared(people)
        parts = {part: [p for p, where in declared.items() if where == part] for part in SPLITS}
        free = {person: size for person, size in sizes.items() if person not in declared}
        drawn = []
        if free:
            drawn.append(split_patients(free, val=val, test=test, seed=seed))
        if parts["train"] and not parts["val"]:
            trained = {person: sizes[person] for person in parts.pop("train")}
            drawn.append(split_patients(trained, val=val, test=0.0, seed=seed))
        every = {part: sum((d[part] for d in drawn), parts.get(part, [])) for part in SPLITS}
        if not every["train"]:
            raise InputError(
                f"the declared split holds nobody to train on ({len(every['val'])} val, "
                f"{len(every['test'])} test). Add patients, or take declared_split out of "
                "cohort.json to split anew."
            )
        return {
            part: sorted(name for person in every[part] for name in people[person])
            for part in ("test", "val", "train")
        }

    def people(
        self, scans: Iterable[str], same: Sequence[tuple[str, ...]] = ()
    ) -> dict[str, list[str]]:
        """Scans by patient; each is called as the first of its scans. See `split` for `same`."""
        found: dict[tuple[Path | str | None, str], list[str]] = defaultdict(list)
        for name in scans:
            home = next(((f, r) for f, r in self.records.items() if name in r.patient), None)
            who = (home[1].data_set or home[0], home[1].patient[name]) if home else (None, name)
            found[who].append(name)
        groups = _joined([*found.values(), *map(list, same)])
        return {sorted(names)[0]: sorted(names) for names in groups}

    def _declared(self, people: Mapping[str, list[str]]) -> dict[str, str]:
        parts_of = {name: part for r in self.records.values() for name, part in r.split.items()}
        declared: dict[str, str] = {}
        for person, names in people.items():
            parts = sorted({parts_of[name] for name in names if name in parts_of})
            if len(parts) > 1:
                raise InputError(
                    f"cohort.json: the scans {', '.join(names)} are of one patient, or hold one "
                    f"image, but lie in {' and '.join(parts)}. Keep each patient in one part of "
                    "declared_split, and one copy of an image."
                )
            if parts:
                declared[person] = parts[0]
        return declared


def _joined(groups: Iterable[list[str]]) -> list[list[str]]:
    """Groups that share a member become one, in the order of their first members."""
    group_of: dict[str, list[str]] = {}
    for group in groups:
        whole = list(dict.fromkeys(name for own in group for name in group_of.get(own, [own])))
        group_of |= dict.fromkeys(whole, whole)
    return list({id(group): group for group in group_of.values()}.values())


def spacing_known_beside(folder: Path) -> bool:
    """Whether no cohort.json in `folder` or its parent says that spacing is unknown."""
    for file in (folder / "cohort.json", folder.absolute().parent / "cohort.json"):
        try:
            meta = read_json(file, _WHAT)
        except InputError:
            continue  # none, or none of ours
        if not _spacing_known(meta):
            return False
    return True


def labels_beside(folder: Path) -> Labels:
    """Which values of masks are which kind, by the cohort.json in `folder` or its parent.

    Empty where none says. Raises `InputError` for one that cannot be understood.
    """
    for file in (folder / "cohort.json", folder.absolute().parent / "cohort.json"):
        try:
            meta = read_json(file, _WHAT)
        except InputError:
            continue  # none, or none of ours
        try:
            labels = read_labels_of(meta)
        except TypeError as error:
            raise InputError(f"{file}: {error}. Mend it, or name the labels yourself.") from None
        if labels:
            return labels
    return {}


def _spacing_known(meta: Mapping[str, Any]) -> bool:
    """Of an imported or of a prepared cohort; older ones did not say, and know theirs."""
    origin = meta.get("origin")
    told = origin if isinstance(origin, dict) else meta
    return told.get("spacing") != "unknown"


def _split(file: Path, declared: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part, names in declared.items():
        if part not in SPLITS:
            raise InputError(f"{file}: expected parts {', '.join(SPLITS)}, got {part[:50]!r}.")
        if not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
            raise TypeError(f"declared_split: expected a list of names as {part}")
        for name in names:
            if name in found:
                raise InputError(
                    f"{file}: {name} is in both {found[name]} and {part} of declared_split. Keep "
                    "it in one."
                )
            found[name] = part
    return found


def _people(patients: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for name, entry in patients.items():
        if not isinstance(entry, dict) or not isinstance(entry.get("patient", name), str):
            raise TypeError(
                f"patients: expected an object with a name as 'patient' of {name[:50]!r}"
            )
        found[name] = entry.get("patient", name)
    return found


def _object(meta: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = meta.get(key, {})
    if not isinstance(found, dict):
        raise TypeError(f"expected an object as {key!r}, got {type(found).__name__}")
    return found


def _text(meta: Mapping[str, Any], key: str) -> str | None:
    found = meta.get(key)
    if found is not None and not isinstance(found, str):
        raise TypeError(f"expected a text as {key!r}, got {type(found).__name__}")
    return found and visible(found)


def _describe(meta: Mapping[str, Any]) -> str:
    if "settings" not in meta or "description" in meta:
        return _text(meta, "description") or "unnamed"
    settings, cases = _object(meta, "settings"), meta.get("cases", [])
    if not isinstance(cases, list) or not isinstance(settings["anatomies"], list):
        raise TypeError("expected lists as 'cases' and 'anatomies'")
    anatomies = "+".join(map(str, settings["anatomies"]))
    return visible(
        f"phantoms ({len(cases)} {settings['kind']}, seed {settings['seed']}, "
        f"anatomy {anatomies}, lesion shapes {settings['lesion_shapes']})"
    )
