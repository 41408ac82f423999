from __future__ import annotations

import csv
import io
import unicodedata

import pytest

from strokediff.util.plaintext import csv_cell, decoded, escaped, from_csv_cell, terminal, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x1b[1;31mALL FINE\x1b[0m", "ALL FINE"),
        ("\x9b31mred", "red"),
        ("\x1b]0;new title\x07patient", "patient"),
        ("\x1b]8;;http://x.org\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]52;c;cm0gLXJm\x07clip", "clip"),
        ("\x1bPq#0\x1b\\sixel", "sixel"),
        ("\x1bc reset", " reset"),
        ("unfinished \x1b]0;title", "unfinished "),
        ("lone \x1b", "lone "),
        ("a\nb\r\nc\td", "a b  c d"),
        ("a\u2028b\u2029c\x85d", "a b c d"),
        ("bell\x07 back\x08space \x7f", "bell backspace "),
        ("invoice\u202egnp.exe\u202c \u2066x\u2069\u200f\u200e", "invoicegnp.exe x"),
        ("soft\u00adhyphen \ufeffzero\u200bwidth", "softhyphen zerowidth"),
        ("M\udcfcller \udce9t\udce9", "Müller été"),
        ("\ud800 alone", "\ufffd alone"),
        ("张伟 王芳 سارة Ελένη O'Brien 😀", "张伟 王芳 سارة Ελένη O'Brien 😀"),
        ("می\u200cخواهم 👩\u200d⚕️", "می\u200cخواهم 👩\u200d⚕️"),
    ],
)
def test_nothing_that_drives_a_terminal_is_left(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert not [c for c in visible(text) if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")]
    visible(text).encode()  # every writer takes it
    assert visible(visible(text)) == visible(text)


def test_lines_of_the_program_stay_lines() -> None:
    assert terminal("2 failed:\n  a\x1b[1A: bad\n\tb") == "2 failed:\n  a: bad\n    b"


@pytest.mark.parametrize(
    ("raw", "read", "kept"),
    [
        (b"M\xfcller", "Müller", "M\\xfcller"),
        (b"caf\xe9 \x80", "café €", "caf\\xe9 \\x80"),
        (b"\x81\xff", "\ufffdÿ", "\\x81\\xff"),
        ("张伟".encode(), "张伟", "张伟"),
        (b"a\\xfc\xfc", "a\\xfcü", "a\\\\xfc\\xfc"),
        (b"a\\xfc", "a\\xfc", "a\\xfc"),
    ],
)
def test_bytes_that_are_not_utf8_are_read_and_kept(raw: bytes, read: str, kept: str) -> None:
    name = raw.decode("utf-8", "surrogateescape")
    assert decoded(name) == read
    assert escaped(name) == kept
    escaped(name).encode()


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+cmd|' /C calc'!A0", "'=1+cmd|' /C calc'!A0"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+49 30 1234", "'+49 30 1234"),
        ("-3.5", "'-3.5"),
        ("  =A1", "'  =A1"),
        ("\t=A1", "' =A1"),
        ("\rx", "' x"),
        ("\x1b[0m=A1", "'=A1"),
        ("\u200b=A1", "'=A1"),
        ("'quoted", "''quoted"),
        ("patient-1", "patient-1"),
        ("O'Brien = 3", "O'Brien = 3"),
        ("", ""),
    ],
)
def test_a_text_cell_is_never_a_formula(text: str, cell: str) -> None:
    assert csv_cell(text) == cell
    assert from_csv_cell(csv_cell(text)) == visible(text)
    out = io.StringIO()
    csv.writer(out).writerow([csv_cell(text), 1])
    assert list(csv.reader(io.StringIO(out.getvalue()))) == [[cell, "1"]]
