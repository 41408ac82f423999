"""Law: a command that stands beside a figure in the documentation is there to be run."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
from typer.main import get_command

from strokediff.benchmark.ablation import ABLATIONS
from strokediff.benchmark.reports.__main__ import app

ROOT = Path(__file__).parents[2]
CARDS = ROOT / "src" / "strokediff" / "weights"
PAGES = [ROOT / "README.md", *ROOT.glob("docs/*.md"), *CARDS.glob("*/README.md")]
GONE = {"benchmarks/phantom_difficulty.py", "benchmarks/lone_pixels.py"}
"""Named with the commit that had it."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_are_there(page: Path) -> None:
    text = " ".join(page.read_text().split())
    for script in set(re.findall(r"benchmarks/\w+\.py", text)) - GONE:
        assert (ROOT / script).is_file(), script
    for module in set(re.findall(r"python -m (strokediff[\w.]+)", text)):
        assert importlib.util.find_spec(module), module
    reports = re.findall(r"strokediff\.benchmark\.reports ([\w-]+)", text)
    assert set(reports) <= set(getattr(get_command(app), "commands", ()))
    assert set(re.findall(r"strokediff\.benchmark\.ablation ([\w-]+)", text)) <= set(ABLATIONS)
