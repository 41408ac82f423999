"""Text from outside made plain: names and tags cannot drive a terminal or a spreadsheet.

Names of files, folders and DICOM tags are whatever their maker liked. A terminal obeys the escape
sequences in them, a spreadsheet computes a cell that starts like a formula, and a name that is not
valid UTF-8 cannot even be printed. What passes here is letters, marks, digits, signs and spaces.
"""

from __future__ import annotations

import re
import unicodedata

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""First characters by which spreadsheets take a cell for something to compute (OWASP)."""
_ESCAPES = re.compile(
    r"""
    \x1b\[[0-?]*[ -/]*[@-~]              # control sequences: colours, cursor, erase
    | \x9b[0-?]*[ -/]*[@-~]              # the same, 8-bit
    | (?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])  # strings: title, link, clipboard ...
      [^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)  # ... up to their end
    | \x1b[ -/]*[0-~]                    # everything else that starts with ESC
    """,
    re.VERBOSE,
)
_SURROGATES = re.compile("[\ud800-\udfff]+")
_JOINERS = ("\u200c", "\u200d")
"""Format characters that spelling needs: Persian, Indic scripts, emoji of several."""


def decoded(text: str) -> str:
    """Bytes of a file name that are not UTF-8 read as what they most likely are: Windows-1252.

    Python hands such bytes over as lone surrogates (PEP 383), which no UTF-8 file or terminal
    takes. Whatever else is a lone surrogate becomes U+FFFD.

    >>> decoded("M\\udcfcller")
    'Müller'
    """
    return _SURROGATES.sub(_as_windows, text)


def escaped(text: str) -> str:
    r"""The text with undecodable bytes as `\xNN`: writable, and the original can be had back.

    A backslash of the text itself is doubled where such a byte is there.

    >>> print(escaped("M\udcfcller"), escaped("a\\b"))
    M\xfcller a\b
    """
    if not _SURROGATES.search(text):
        return text
    doubled = text.replace("\\", "\\\\")
    return _SURROGATES.sub(lambda m: "".join(_byte(c) for c in m[0]), doubled)


def visible(text: str) -> str:
    """Without escape sequences, control characters and overrides of the writing direction.

    Line breaks and tabs become one space each: a name stays on its line.

    >>> visible("\\x1b[31mred\\x1b[0m\\nnext \\u202egnp.exe")
    'red next gnp.exe'
    """
    text = _ESCAPES.sub("", decoded(text))
    return "".join(_shown(character) for character in text)


def terminal(text: str) -> str:
    """Several lines made safe to print: each line as in `visible`, line breaks kept.

    For text that the program composed (an error with one patient a line). A line break within a
    name has to be taken out before, by `visible`, when the line is put together.
    """
    return "\n".join(visible(line.replace("\t", "    ")) for line in text.split("\n"))


def csv_cell(text: str) -> str:
    """A text cell that a spreadsheet shows instead of computing it: one `'` before `= + - @`.

    Also where spaces stand before the sign. For text only: a number is written as a number, and a
    reading program takes a leading `'` off with `from_csv_cell`.

    >>> csv_cell("=1+1"), csv_cell("patient-1"), csv_cell("@SUM(A1)")
    ("'=1+1", 'patient-1', "'@SUM(A1)")
    """
    raw = text.startswith(FORMULA)
    text = visible(text)
    # A cell that starts with the guard itself gets another, so that taking one off is right.
    return f"'{text}" if raw or text.lstrip().startswith((*FORMULA, "'")) else text


def from_csv_cell(cell: str) -> str:
    """What `csv_cell` was given, as far as it was visible.

    >>> from_csv_cell("'=1+1"), from_csv_cell("o'clock")
    ('=1+1', "o'clock")
    """
    return cell.removeprefix("'")


def _as_windows(match: re.Match[str]) -> str:
    values = [ord(c) - 0xDC00 for c in match[0]]
    if any(not 0x80 <= v <= 0xFF for v in values):
        return "\ufffd" * len(values)
    return bytes(values).decode("cp1252", errors="replace")


def _byte(character: str) -> str:
    value = ord(character) - 0xDC00
    return f"\\x{value:02x}" if 0x80 <= value <= 0xFF else f"\\u{ord(character):04x}"


def _shown(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Zl", "Zp") or character in "\t\n\r\v\f\x85":
        return " "
    if category == "Cf":
        # Tag characters spell regional flags; everything else unseen can only mislead.
        return character if character in _JOINERS or 0xE0020 <= ord(character) <= 0xE007F else ""
    return "" if category in ("Cc", "Cs") else character
