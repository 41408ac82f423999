"""The architecture: a module imports from lower layers or from its own package, never upwards."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import strokediff

ROOT = Path(strokediff.__file__).parent
LAYERS = {
    "version": -3,
    "errors": -3,
    "util": -2,
    "weights": -1,
    "core": 0,
    "noise": 0,
    "evaluation": 0,
    "networks": 1,
    "inference": 2,
    "ct": 2,
    "phantom": 3,
    "cohort": 4,
    "training": 5,
    "baselines": 6,
    "result": 6,
    "report": 7,
    "pacs": 7,
    "viewer": 7.5,
    "segmentation": 8,
    "prediction": 9,
    "reading": 9.5,
    "receiver": 9.5,
    "benchmark": 10,
    "cli": 11,
}
SEES_ONLY = {
    # Estimators take a callable; what it is made of is not their concern.
    "inference": {"core", "noise", "errors", "inference"},
    # Metrics see arrays and a grid.
    "evaluation": {"errors", "evaluation", "util", "version"},
}
HEAVY = {"torch", "matplotlib", "SimpleITK", "scipy", "nilearn", "monai", "zarr", "highdicom"}
HEAVY |= {"pynetdicom", "dicomweb_client"}
LIGHT = {"strokediff.util.allocator", "strokediff.version", "strokediff.weights"}
MODULES = sorted(set(ROOT.rglob("*.py")) - {ROOT / "__init__.py"})
"""All but the public names, which are those of every layer; see test_public."""


def part_of(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imported_parts(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("strokediff"):
            parts = (node.module or "").split(".")
            found |= {parts[1]} if len(parts) > 1 else {_package_part(a.name) for a in node.names}
    return found


def _package_part(name: str) -> str:
    return name if name in LAYERS else "__init__"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_down(path: Path) -> None:
    own = part_of(path)
    assert own in LAYERS, f"{own} has no layer"
    for other in imported_parts(path):
        assert other == own or LAYERS[other] < LAYERS[own], f"{own} imports {other}"
        assert other in SEES_ONLY.get(own, LAYERS), f"{own} must not see {other}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports within functions, and those for types alone, count too."""
    names = {module_name(path): path for path in MODULES}
    graph = {}
    for name, path in names.items():
        wanted: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                below = {f"{node.module}.{alias.name}" for alias in node.names} & names.keys()
                wanted |= below or {node.module} & names.keys()
        graph[name] = wanted - {name}
    assert len(list(TopologicalSorter(graph).static_order())) >= len(names)


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("path", [p for p in MODULES if part_of(p) == "cli"], ids=lambda p: p.name)
def test_commands_import_nothing_heavy_at_start(path: Path) -> None:
    """What stands at a command file's top level runs for --help too."""
    for node in ast.parse(path.read_text()).body:
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            assert name.split(".")[0] not in HEAVY | {"numpy", "rich", "pydantic"}
            if name.startswith("strokediff."):
                assert name.split(".")[1] in {"cli", "errors"} or name in LIGHT
