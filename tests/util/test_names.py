"""Laws: a name stays what it was in any script; what it becomes can name a file anywhere."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from strokediff.util.names import (
    MAX_NAME_BYTES,
    name_below,
    original_below,
    safe_name,
    shown_below,
    stem,
)

KEPT = [
    "张伟",
    "王芳",
    "김민준",
    "たなか・けん",
    "Müller, Hans",
    "O'Brien",
    "sub 01",
    "a.b",
    "Ελένη",
    "Наталья (2)",
    "سارة",
    "می\u200cخواهم",
    "שרה",
    "नेहा",
    "😀 👩\u200d⚕️ 👍🏽",
    "Łukasz–Żak",
    "x²_№5",
]
CHANGED = {
    "../../etc/passwd": "etc_passwd",
    "..": "case",
    "": "case",
    "a/b\\c": "a_b_c",
    "x;rm -rf $HOME": "x_rm -rf _HOME",
    "-o": "o",
    ".h": "h",
    "=1+cmd": "1+cmd",
    "@SUM(A1)": "SUM(A1)",
    "'t Hooft": "t Hooft",
    "CON": "CON-1",
    "nul.ct": "nul-.ct",
    "COM1": "COM1-1",
    "summary.csv": "summary-.csv",
    "trailing. . ": "trailing",
    "e\u0301te\u0301": "été",
    "\u0301x": "x",
    "a\u00a0b\u3000c": "a b c",
    "a\nb\tc": "a b c",
    "\x1b[31mred\x1b[0m": "red",
    "abc\u202egnp": "abcgnp",
    "M\udcfcller": "Müller",
    'a<b>:"|?*c': "a_b_c",
    "[red]x[/]": "red_x",
    "\ue000": "case",
}


@pytest.mark.parametrize("text", KEPT)
def test_a_name_in_any_script_is_kept(text: str) -> None:
    assert safe_name(text) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(("text", "name"), CHANGED.items())
def test_what_cannot_stay_is_replaced(text: str, name: str) -> None:
    assert safe_name(text) == name


@pytest.mark.parametrize("text", [*KEPT, *CHANGED, "é" * 300, "张" * 85, "😀" * 62, "a" * 255])
def test_every_name_can_name_a_file(text: str, tmp_path: Path) -> None:
    name = safe_name(text)
    assert safe_name(name) == name and name == unicodedata.normalize("NFC", name)
    assert 0 < len(name.encode()) <= MAX_NAME_BYTES
    assert name[0] not in ".-=+@' " and name[-1] not in ". "
    assert not set('/\\:*?"<>|\n\r\t\0\x1b') & set(name) and ".." not in name
    (tmp_path / name).mkdir()
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("letter", ["a", "é", "张", "😀"])
def test_long_names_that_start_alike_stay_apart(letter: str) -> None:
    length = 240 // len(letter.encode())
    one, two = safe_name(letter * length + "1"), safe_name(letter * length + "2")
    assert one != two and one[:30] == two[:30] == letter * 30


@pytest.mark.parametrize(
    ("name", "bare"),
    [
        ("p.nii", "p"),
        ("p.NII.GZ", "p"),
        ("p.q.nii.gz", "p.q"),
        ("p.dcm", "p"),
        ("p.IMA", "p"),
        ("p.tar.gz", "p"),
        ("p.tgz", "p"),
        ("p.zip", "p"),
        ("p.nrrd", "p"),
        ("p.dcm.gz", "p"),
        ("0001.png", "0001"),
        ("a.b", "a.b"),
        ("1.2.840.113", "1.2.840.113"),
        (".zip", ".zip"),
        ("nii", "nii"),
    ],
)
def test_the_ending_comes_off_once(name: str, bare: str) -> None:
    assert stem(name) == stem(Path("x") / name) == bare


def test_names_below_the_input(tmp_path: Path) -> None:
    file = tmp_path / "Müller" / "M\udcfc 1.nii.gz"
    assert name_below(tmp_path, file, is_file=True) == "Müller_Mü 1"
    assert original_below(tmp_path, file, is_file=True) == "Müller/M\\xfc 1"
    assert shown_below(tmp_path, file) == "Müller/M\\xfc 1.nii.gz"
    root = tmp_path / "a.b"
    assert name_below(root, root, is_file=False) == original_below(root, root, is_file=False)
    assert shown_below(root, root) == "a.b"
    assert name_below(file, file, is_file=True) == "Mü 1"


def test_the_input_itself_is_called_as_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link has its own name (data sets link to files that are called by their checksum)."""
    (tmp_path / "MD5E-s12.nii.gz").touch()
    link = tmp_path / "sub-01.nii.gz"
    link.symlink_to("MD5E-s12.nii.gz")
    assert name_below(link, link, is_file=True) == "sub-01"
    (tmp_path / "here" / "deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    for given, name in ((".", "here"), ("deep/..", "here"), ("..", tmp_path.name)):
        assert name_below(Path(given), Path(given), is_file=False) == name
