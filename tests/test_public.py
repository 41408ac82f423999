"""Laws: every public name is there, typed, documented, and shown by an example that runs."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import pkgutil
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from types import FunctionType

import example_folder
import numpy as np
import pytest
import torch

import strokediff as sd

NAMES = [name for name in sd.__all__ if name != "__version__"]
MODULES = ["strokediff"] + [
    name
    for _, name, _ in pkgutil.walk_packages(sd.__path__, "strokediff.")
    if "weights." not in name
]
USERS = {"np": np, "torch": torch, "sd": sd, **{name: getattr(sd, name) for name in NAMES}}
"""What a user has after `from strokediff import *`: all that a public example may start from."""

MEMBERS = (property, cached_property, classmethod, staticmethod, FunctionType)


def _tests(module_name: str) -> list[doctest.DocTest]:
    """The docstrings of a module that have examples, each with the names that it starts from."""
    module = importlib.import_module(module_name)
    found = doctest.DocTestFinder().find(module, module_name)
    for test in found:
        owner = test.name.removeprefix(f"{module_name}.").split(".")[0]
        public = test.name == "strokediff" or f"strokediff.{sd._HOMES.get(owner)}" == module_name
        test.globs = {**({} if public else vars(module)), **USERS}
    return [test for test in found if test.examples]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small only lose by more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return example_folder.make(tmp_path_factory.mktemp("examples"))


def _run(test: doctest.DocTest, folder: Path, where: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run one docstring's examples, alone in a copy of the folder; `test.globs` keeps what came."""
    shutil.copytree(folder, where / test.name)
    monkeypatch.chdir(where / test.name)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS, verbose=False)
    runner.run(test, clear_globs=False)
    assert not runner.failures, test.name


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(
    name: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """... all of them; and those of a public name use it, or something that it made."""
    for test in _tests(name):
        assert not any(doctest.SKIP in example.options for example in test.examples), test.name
        _run(test, folder, tmp_path, monkeypatch)
        public = test.name.rpartition(".")[2]
        if sd._HOMES.get(public) and test.name == f"strokediff.{sd._HOMES[public]}.{public}":
            assert _shows(test, public), f"{public}'s example does not show it"


def _shows(test: doctest.DocTest, name: str) -> bool:
    """Whether the name is in the examples, or an attribute of something that is one of it."""
    shown = "".join(example.source + example.want for example in test.examples)
    kind = getattr(sd, name)
    return bool(re.search(rf"\b{name}\b", shown)) or any(
        re.search(rf"\b{variable}\.\w", shown)
        for variable, value in test.globs.items()
        if isinstance(value, kind)
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_documented_and_shown(name: str) -> None:
    value = getattr(sd, name)
    assert ">>>" in (inspect.getdoc(value) or ""), f"{name} has no example of its own"
    for member, what in vars(value).items() if inspect.isclass(value) else ():
        own = not member.startswith("_") and member not in inspect.get_annotations(value)
        if own and isinstance(what, MEMBERS):
            assert inspect.getdoc(what), f"{name}.{member} has no docstring"


def test_types_and_names_agree() -> None:
    """What a type checker sees is what there is: one import each, from the same module."""
    tree = ast.parse(Path(sd.__file__ or "").read_text())
    imports = {
        alias.name: (node.module or "").removeprefix("strokediff.")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("strokediff.")
        for alias in node.names
    }
    assert imports == {**sd._HOMES, "__version__": "version"}
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
