"""Laws: every public name is there, typed, documented, and shown by an example that runs."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import strokediff as sd

NAMES = [name for name in sd.__all__ if name != "__version__"]
MODULES = [
    name
    for _, name, _ in pkgutil.walk_packages(sd.__path__, "strokediff.")
    if "weights." not in name
]
WITHOUT_EXAMPLE = {"StrokediffError", "UsageError", "InputError", "PartialFailure"}


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_documented_and_shown(name: str) -> None:
    """What a function or class gives is either in its own example or in that of its maker."""
    value = getattr(sd, name)
    assert inspect.getdoc(value), f"{name} has no docstring"
    shown = ">>>" in (inspect.getdoc(value) or "") or any(
        f"{name}(" in line or f"{name}." in line for line in EXAMPLES
    )
    assert shown or name in WITHOUT_EXAMPLE, f"{name} has no example"
    for member, function in inspect.getmembers(value, inspect.isfunction):
        if not member.startswith("_") and function.__qualname__.startswith(name):
            assert inspect.getdoc(function), f"{name}.{member} has no docstring"


def _examples() -> list[str]:
    lines = []
    for name in MODULES:
        module = importlib.import_module(name)
        lines += [
            line
            for line in (Path(module.__file__ or "").read_text().splitlines())
            if line.lstrip().startswith((">>>", "..."))
        ]
    return lines


EXAMPLES = _examples()


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    module = importlib.import_module(name)
    known = {**vars(module), **{n: getattr(sd, n) for n in NAMES if n not in vars(module)}}
    finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for test in finder.find(module, name, globs=known):
        runner.run(test)
    assert not runner.failures


def test_types_and_names_agree() -> None:
    """What a type checker sees is what there is: one import each, from the same module."""
    tree = ast.parse(Path(sd.__file__ or "").read_text())
    imports = {
        alias.name: (node.module or "").removeprefix("strokediff.")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("strokediff.")
        for alias in node.names
    }
    assert imports == sd._HOMES
    assert (Path(sd.__file__ or "").parent / "py.typed").is_file()
    assert set(NAMES) <= set(dir(sd))
    with pytest.raises(AttributeError, match="no attribute 'segmnt'"):
        sd.segmnt  # noqa: B018


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, strokediff; heavy = {'torch', 'numpy', 'scipy', 'pydantic', 'nibabel'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
