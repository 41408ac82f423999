"""What the report says in sentences: of the model, of the scan and of the volume."""

from __future__ import annotations

from strokediff.result.figures import Result
from strokediff.result.reading import Reading
from strokediff.result.record import ModelCard, Record


def several(record: Result) -> bool:
    """Whether kinds of lesion are told apart."""
    return len(record.kinds) > 1


def interval_text(record: Result) -> str:
    """What the interval of the volume means, and what it does not."""
    if not isinstance(record, Record):
        return "No interval is given for the volume: nobody knows how far this reader errs."
    if record.volume_interval_ml is None:
        return (
            "No interval is given for the volume, because one estimate has no spread. The volume "
            "can still be wrong."
        )
    kind = record.volume_interval_kind
    if "conformal" in kind:
        return (
            f"The interval is {kind}: it is as wide as the errors of the volume were on those "
            "patients. That holds for scans like theirs and promises nothing for others, such as "
            "another scanner, another kind of stroke, or patients instead of phantoms."
            f"{_each(record)}{_missed(record)}"
        )
    of = f"the {record.n_samples} samples" if record.n_samples else "the samples"
    return (
        f"The interval shows how far {of} that the model drew for this scan lie apart"
        f"{f' ({kind})' if kind else ''}. It does not cover errors that all samples share, such "
        "as a lesion that none of them sees, so the true volume can lie outside."
    )


def _each(record: Result) -> str:
    """What the intervals of the kinds are, where they are not that of all joined."""
    told = {own.name: own.volume_interval_kind for own in record.kinds}
    if not several(record) or {*told.values()} == {record.volume_interval_kind}:
        return ""
    each = "; ".join(f"of the {name}: {kind}" for name, kind in told.items())
    return f" This is the interval of all joined; {each}."


def _missed(record: Result) -> str:
    """What may have been missed of the kinds of which nothing was found."""
    own = record.kinds if several(record) else (record,)
    at_most = [
        f"{getattr(one, 'name', 'lesion')}: at most {one.volume_interval_ml[1]:.1f} mL"
        for one in own
        if one.volume_interval_ml and not one.volume_ml and "binned" in one.volume_interval_kind
    ]
    if not at_most:
        return ""
    return f" Where nothing was found it says what may be missed: {'; '.join(at_most)}."


def statements(record: Result) -> list[tuple[str, str]]:
    """What the model does and does not on real patients, kind by kind, as its card says."""
    told = record.model.statements if isinstance(record, Record) else {}
    order = [*(own.name for own in record.kinds), *told]
    return [(name.capitalize(), told[name]) for name in dict.fromkeys(order) if name in told]


def trust_text(record: Result) -> str:
    """That nothing speaks against the result, and what that means; empty where something does."""
    trust = record.trust
    if trust is None or not trust.ok:
        return ""
    if trust.unlikeness is None:
        return (
            "Nothing in the scan speaks against the result. How like the scans of the training it "
            "is was not looked at: the model does not say what those were like."
        )
    return (
        "Nothing in the scan speaks against the result, and it is like the scans that the model "
        f"was tried on (unlikeness {trust.unlikeness:.2f}, above 1 it would not be)."
    )


def warning_texts(record: Result) -> list[str]:
    """The warnings of the result, and that the lesion or brain is cut off, if it is."""
    warnings = list(record.warnings)
    if record.truncated:
        warnings.append(
            "the brain or the lesion reaches the edge of the scan: what lies beyond is not in "
            "the volume"
        )
    return warnings


def only_phantoms(model: ModelCard) -> bool:
    """Whether nothing but simulated CT was seen: every folder of scans, of its start's too."""
    return all("phantom" in folder.lower() for folder in model.trained_on.split("; "))


def maker_note(result: Result) -> str:
    """A sentence on what made the mask; shown wherever it is shown."""
    if isinstance(result, Reading):
        return (
            f"The mask was read in, not made by strokediff: {result.reader.shown}. Volumes are "
            "those of the mask as it is."
        )
    return model_note(result.model) if isinstance(result, Record) else ""


def maker_line(result: Result) -> str:
    """The same in a line below a picture."""
    if isinstance(result, Record):
        return f"model {result.model.name}, trained on {result.model.trained_on}"
    return f"mask of {result.reader.shown}" if isinstance(result, Reading) else ""


def model_note(model: ModelCard) -> str:
    """A sentence on what the model was trained on; shown wherever its output is shown."""
    trained_on = " ".join(model.trained_on.split())
    if not trained_on:
        return ""
    if only_phantoms(model):
        return (
            "The model was trained on phantoms (simulated CT), not on patients. Expect it to do "
            "worse on real scans than on phantoms; its model card has the figures."
        )
    return f"The model was trained on: {trained_on}. Its model card has the figures."
