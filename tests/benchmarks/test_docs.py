"""Law: a command that stands beside a figure in the documentation is there to be run."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
from typer.main import get_command

import strokediff as sd
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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_are_there(page: Path) -> None:
    """Named from the root, from the package or from the tests."""
    roots = [ROOT, ROOT / "benchmarks", ROOT / "src" / "strokediff", ROOT / "tests"]
    roots += [p for p in (ROOT / "src" / "strokediff").iterdir() if p.is_dir()]
    for name in set(re.findall(r"`([\w/.-]+\.py)`", page.read_text())) - GONE:
        assert "YOURS" in name or any((root / name).is_file() for root in roots), name


def test_public_names_in_the_guide_are_there() -> None:
    """docs/python.md: what stands before a bracket, or is a class, in backticks."""
    text = (ROOT / "docs" / "python.md").read_text()
    called = set(re.findall(r"`([a-z]\w+)\(", text)) | set(re.findall(r"`([A-Z]\w+)[`(]", text))
    assert len(called) > 30
    assert called - set(sd.__all__) == {"help"}
