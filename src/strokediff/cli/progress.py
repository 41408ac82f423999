"""The progress bar that every long command shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from rich.progress import Progress

BESIDE_COLUMNS = 46
"""Columns that counts, times and the gaps between take beside a description and its bar."""
LEAST_BAR, LARGEST_BAR = 8, 40


def progress_bar(quiet: bool) -> Progress:
    """A bar on standard error with counts, time spent and time left, shown from its first step on.

    What fails before has no bar above its sentence. A description is text, not markup, and is
    shortened in its middle where it has no room.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        Task,
        TaskID,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    console = Console(stderr=True)
    room = max(2 * LEAST_BAR, console.width - BESIDE_COLUMNS)
    bar = min(LARGEST_BAR, max(LEAST_BAR, room // 3))

    class Description(TextColumn):
        def render(self, task: Task) -> Text:
            shown = shortened(task.description, room - bar)
            return Text(shown, style="progress.description", no_wrap=True)

    class FromItsFirstStep(Progress):
        def __enter__(self) -> Self:
            return self

        def stop(self) -> None:
            if self.live.is_started:
                super().stop()

        def advance(self, task_id: TaskID, advance: float = 1) -> None:
            self.start()
            super().advance(task_id, advance)

        def update(self, task_id: TaskID, **fields: Any) -> None:
            self.start()
            super().update(task_id, **fields)

        def reset(self, task_id: TaskID, **fields: Any) -> None:
            self.start()
            super().reset(task_id, **fields)

    return FromItsFirstStep(
        Description(""),
        BarColumn(bar),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        disable=quiet,
    )


def shortened(text: str, columns: int) -> str:
    """`text` made safe for a terminal and, where it is wider than `columns`, cut in its middle.

    Both ends are kept, as names of one data set differ at either. Letters that are two columns
    wide count as two.
    """
    from rich.cells import cell_len, set_cell_size

    from strokediff.util.plaintext import visible

    text = visible(text)
    if cell_len(text) <= columns:
        return text
    tail = max(0, (columns - 1) // 2)
    end = text[len(text) - tail :] if tail else ""
    while cell_len(end) > tail:
        end = end[1:]
    start = set_cell_size(text, max(0, columns - 1 - cell_len(end))).rstrip()
    return f"{start}…{end}"


def print_line(bar: Progress, text: str) -> None:
    """A whole line above the bar: wrapped where it is long, never cut, no markup."""
    from strokediff.util.plaintext import visible

    if not bar.disable:
        bar.console.print(visible(text), soft_wrap=True, highlight=False, markup=False)
