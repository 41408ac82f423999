"""Laws: a description fits its columns, both ends of it shown; a line is never cut."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from strokediff.cli.progress import print_line, progress_bar, shortened

LONG = "a" * 30 + "b" * 30


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("short", "short"),
        ("exactly-10", "exactly-10"),
        ("patient_0001_visit_7", "patie…it_7"),
        ("张伟张伟张伟张伟", "张伟…张伟"),
        ("a\nb\x1b[31mc\x1b[0m", "a bc"),
        ("[red]x", "[red]x"),
        ("sub-1_" * 9, "sub-1…b-1_"),
    ],
)
def test_the_middle_is_what_is_left_out(text: str, shown: str) -> None:
    assert shortened(text, 10) == shown
    assert cell_len(shown) <= 10


@pytest.mark.parametrize("columns", [1, 2, 3, 5, 8])
def test_the_fewest_columns_are_kept_to(columns: int) -> None:
    for text in (LONG, "张" * 40):
        assert cell_len(shortened(text, columns)) <= columns


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("name", [LONG, "[red]" * 12, "[/nothing]", "张伟" * 15])
def test_bar_and_times_keep_their_place_beside_any_name(
    monkeypatch: pytest.MonkeyPatch, width: int, name: str
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    with progress_bar(quiet=False) as bar:
        bar.console.file = io.StringIO()
        bar.add_task(name, total=12345, completed=123)
        print_line(bar, f"{name}: 12.3 mL (10.0 to 14.0)")
        table = Console(file=io.StringIO(), width=width)
        table.print(bar.make_tasks_table(bar.tasks))
        above = bar.console.file.getvalue()
    shown = table.file.getvalue()
    assert f"{name}: 12.3 mL (10.0 to 14.0)" in above.replace("\n", "")
    assert len(shown.splitlines()) == 1
    if width >= 80:
        assert "123/12345" in shown and "left" in shown
        assert shown.startswith(name[:2]) and name[-2:] in shown


def test_quiet_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar(quiet=True) as bar:
        print_line(bar, "x")
    assert capsys.readouterr() == ("", "")
