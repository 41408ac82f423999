"""Which kind of lesion the classes of a data set are, by the names that they go by."""

from __future__ import annotations

import re
import unicodedata

from strokediff.util.kinds import HAEMORRHAGE, INFARCT, LESION

OEDEMA = "oedema"
_WORDS = {
    INFARCT: "infarct infarcts infarction infarctions ischaemia ischemia ischaemic ischemic core "
    "penumbra ais",
    HAEMORRHAGE: "haemorrhage hemorrhage haemorrhages hemorrhages haemorrhagic hemorrhagic "
    "haematoma hematoma bleed bleeds bleeding blood intraparenchymal intraventricular subarachnoid "
    "subdural epidural extradural ich iph ivh sah sdh edh",
    OEDEMA: "oedema edema phe",
    LESION: "lesion lesions stroke foreground roi mask any all abnormal abnormality",
}
_KIND_OF = {word: kind for kind, words in _WORDS.items() for word in words.split()}


def kind_named(name: str) -> str:
    """The kind that a class of this name is: by its words, or else a kind of the same name.

    >>> [kind_named(n) for n in ("IVH", "Ischemic core", "perihematomal edema", "Stroke")]
    ['haemorrhage', 'infarct', 'oedema', 'lesion']
    >>> [kind_named(n) for n in ("Calcification", "1", "hematoma + edema")]
    ['calcification', 'class-1', 'hematoma-edema']
    """
    words = re.findall(r"[^\W_]+", name.lower())
    told = {_KIND_OF[word] for word in words if word in _KIND_OF}
    special = told - {LESION} or told
    return special.pop() if len(special) == 1 else plain_name(name)


def plain_name(name: str) -> str:
    """A class's name in the letters that a kind's may have."""
    plain = unicodedata.normalize("NFKD", name.lower()).encode("ascii", "ignore").decode()
    joined = "-".join(re.findall(r"[a-z0-9_]+", plain))[:26].strip("-")
    return joined if joined[:1].isalpha() else f"class-{joined or 'x'}"
