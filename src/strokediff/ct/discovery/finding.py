"""Cases and the rest below one folder or in one archive, with their names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from pathlib import Path

from strokediff.ct.dicom.read import common_folder
from strokediff.ct.dicom.series import objection
from strokediff.ct.dicom.stacks import Stack, split_series
from strokediff.ct.discovery.accounting import account
from strokediff.ct.discovery.archives import HEAD_BYTES, unpacked
from strokediff.ct.discovery.cases import Case, LeftOut
from strokediff.ct.discovery.claims import Claims, top_of
from strokediff.ct.discovery.judging import judged, stamps_of
from strokediff.ct.discovery.studies import Headers, studies_of
from strokediff.ct.discovery.tree import Tree, survey_folder
from strokediff.errors import InputError
from strokediff.util.names import name_below, original_below, safe_name, shown_below, stem


@dataclass(frozen=True)
class Study:
    """The slices of one patient's study, by path, and the stacks that they make."""

    patient_id: str
    headers: Headers
    stacks: list[Stack]

    @classmethod
    def of(cls, headers: Headers) -> Study:
        """Split into stacks, whatever the order in which its folders were walked."""
        ordered = sorted(headers, key=lambda h: h.path)
        return cls(headers[0].patient_id, ordered, split_series(ordered))

    @property
    def is_usable(self) -> bool:
        """Whether one of its series can be segmented."""
        return any(objection(stack) is None for stack in self.stacks)

    def branches(self, top: Path) -> set[Path]:
        """The folders directly below `top` (or `top` itself) in which it lies."""
        parts = [h.path.parent.relative_to(top).parts for h in self.headers]
        return {top / part[0] if part else top for part in parts}


@dataclass
class Found:
    """What lies below one root; `instances` are the UIDs of all DICOM slices there."""

    cases: list[Case] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    ignored: int = 0
    instances: set[str] = field(default_factory=set)
    n_slices: int = 0

    @property
    def n_patients(self) -> int:
        """Cases and failed patients."""
        return len(self.cases) + sum(left.is_patient for left in self.left_out)


def find_below(tree: Tree, series_uid: str | None, *, in_archive: bool = False) -> Found:
    """The cases of a folder and of the archives in it, and what has no case.

    With `series_uid` only the case with that series. An archive in an archive is not opened.
    """
    slices = tree.dicom.slices
    found = Found(instances={h.sop_uid for h in slices}, n_slices=len(slices))
    studies = [Study.of(headers) for headers in studies_of(slices)]
    if series_uid is not None:
        studies = [s for s in studies if any(h.series_uid == series_uid for h in s.headers)]
    else:
        studies, found.left_out = _worth_reading(tree, studies)
        found.cases = [_nifti(tree.root, path) for path in tree.niftis]
    opened, failed = _open_archives(tree, series_uid, found, in_archive=in_archive)
    files = [sorted({h.path for h in study.headers}) for study in studies]
    claims = Claims(tree, files, [*tree.niftis, *opened])
    if series_uid is None:
        rest, found.ignored = account(claims, failed)
        found.left_out += rest
    found.cases += _dicom_cases(claims, studies, series_uid, alone=not found.n_patients)
    return found


def find_in_archive(archive: Path, root: Path, series_uid: str | None) -> Found:
    """The cases in an archive, as if it were a folder; names and paths are below `root`.

    Headers alone are unpacked where they suffice. Raises `InputError`, see `unpacked`.
    """
    with unpacked(archive, head_only=True) as contents:
        tree = survey_folder(contents.folder)
        whole = not any(p.stat().st_size == HEAD_BYTES for p in tree.dicom.damaged if p.exists())
        if whole:
            return _moved(find_below(tree, series_uid, in_archive=True), tree.root, archive, root)
    with unpacked(archive) as contents:
        tree = survey_folder(contents.folder)
        return _moved(find_below(tree, series_uid, in_archive=True), tree.root, archive, root)


def _open_archives(
    tree: Tree, series_uid: str | None, found: Found, *, in_archive: bool
) -> tuple[list[Path], dict[Path, str]]:
    """Add what archives hold; return those that hold patients, and why others hold none."""
    opened, failed = [], {}
    for archive in tree.archives:
        if in_archive:
            failed[archive] = "an archive in an archive is not read. Unpack the outer one first."
            continue
        try:
            inner = find_in_archive(archive, tree.root, series_uid)
        except InputError as error:
            failed[archive] = str(error).removeprefix(f"{archive}: ")
            continue
        if _lies_unpacked(archive, inner, tree):
            reason = "holds the same images as lie unpacked beside it"
            name = name_below(tree.root, archive, is_file=True)
            found.left_out.append(LeftOut(name, archive, reason, is_patient=False))
            opened.append(archive)
        elif inner.n_patients:
            opened.append(archive)
            found.cases += inner.cases
            found.left_out += inner.left_out
            found.n_slices += inner.n_slices
        else:
            failed[archive] = "holds neither NIfTI nor DICOM. Give the patient's images."
    return opened, failed


def _lies_unpacked(archive: Path, inner: Found, tree: Tree) -> bool:
    """Whether all DICOM files of an archive lie beside it, or in the folder called like it."""
    if not inner.instances or any(case.kind == "nifti" for case in inner.cases):
        return False
    twin = archive.parent / stem(archive)
    place = twin if twin.is_dir() else archive.parent
    beside = {h.sop_uid for h in tree.dicom.slices if place in h.path.parents}
    return inner.instances <= beside


def _moved(found: Found, place: Path, archive: Path, root: Path) -> Found:
    """What was found in an unpacked archive, under the archive's own path and name."""
    name = name_below(root, archive, is_file=True)
    shown, original = shown_below(root, archive), original_below(root, archive, is_file=True)
    alone = found.n_patients == 1

    def moved(path: Path) -> Path:
        return archive / path.relative_to(place)

    def named(inner: str) -> str:
        return name if alone else safe_name(f"{name}_{inner}")

    cases = [
        replace(
            case,
            name=named(case.name),
            path=moved(case.path),
            files=tuple(moved(f) for f in case.files),
            archive=archive,
            shown_path=shown if case.path == place else f"{shown}/{case.shown_path}",
            original=original if alone else f"{original}/{case.original}",
            judged=case.judged
            and replace(case.judged.moved(place, archive), stamps=stamps_of([archive])),
        )
        for case in found.cases
    ]
    left = [
        replace(
            one,
            name=named(one.name) if one.is_patient else safe_name(f"{name}_{one.name}"),
            path=moved(one.path),
            reason=one.reason.replace(str(place), str(archive)),
        )
        for one in found.left_out
    ]
    return replace(found, cases=cases, left_out=left)


def _nifti(root: Path, path: Path) -> Case:
    return Case(
        name=name_below(root, path, is_file=True),
        kind="nifti",
        path=path,
        shown_path=shown_below(root, path),
        original=original_below(root, path, is_file=True),
    )


def _dicom_cases(
    claims: Claims, studies: list[Study], series_uid: str | None, *, alone: bool
) -> list[Case]:
    """One case a study; `alone` says that nobody else lies below the root."""
    root, folders = claims.tree.root, claims.folders
    if alone and len(folders) == 1:
        folders = [root]
    damaged = {path: claims.owners(path) for path in claims.tree.dicom.damaged}
    cases = []
    for k, (folder, study) in enumerate(zip(folders, studies, strict=True)):
        is_file = folder == root and root.is_file()
        lost = (path for path, who in damaged.items() if k in who)
        files = sorted({*claims.dicom[k], *lost})
        cases.append(
            Case(
                name=name_below(root, folder, is_file=is_file),
                kind="dicom",
                path=folder,
                files=tuple(files),
                shown_path=shown_below(root, folder),
                original=original_below(root, folder, is_file=is_file),
                judged=judged(files, study.headers, claims.tree, series_uid, study.stacks),
            )
        )
    return cases


def _worth_reading(tree: Tree, studies: list[Study]) -> tuple[list[Study], list[LeftOut]]:
    """The studies that are cases, and those left out beside a usable one of the same patient.

    Only within one folder below the input are these the same patient's: cohorts share IDs. A
    patient's studies in one folder without one that can be used are one failure, not many.
    """
    top = top_of(tree)
    usable = [study for study in studies if study.is_usable]
    covered: dict[str, set[Path]] = defaultdict(set)
    for study in usable:
        if study.patient_id:
            covered[study.patient_id] |= study.branches(top)
    beside: list[LeftOut] = []
    failing: dict[Hashable, list[Study]] = defaultdict(list)
    for k, study in enumerate(studies):
        mine = study.branches(top)
        if study.is_usable:
            continue
        if covered[study.patient_id] & {top, *mine}:
            beside.append(_left_beside(tree.root, study))
        else:
            failing[study.patient_id or k, min(mine)].append(study)
    return [*usable, *map(_joined, failing.values())], beside


def _joined(studies: list[Study]) -> Study:
    if len(studies) == 1:
        return studies[0]
    return Study.of([header for study in studies for header in study.headers])


def _left_beside(root: Path, study: Study) -> LeftOut:
    verdicts = [objection(stack) for stack in study.stacks]
    why = next((v.text for v in verdicts if v is not None), "")
    path = common_folder(h.path for h in study.headers)
    text = f"a study without an axial non-contrast head CT ({why}) beside one of the same patient"
    return LeftOut(name_below(root, path, is_file=False), path, text, is_patient=False)
