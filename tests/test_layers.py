"""Reads the imports of every module and fails on an arrow that runs back up the list of rooms."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import vidlstm

PACKAGE = Path(vidlstm.__file__).parent
LEVELS = [
    {"addresses"},
    {"errors"},
    {"structures", "settings", "files", "devices", "media", "ray_cluster", "remote"},
    {"video", "backbones", "datasets", "models"},
    {"tracking", "features", "cards"},
    {"datamodules", "training"},
    {"inference", "render", "demo"},
    {"tasks"},
    {"verbs"},
    {"cli"},
]
LEVEL_OF = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}
HEAVY = {"torch", "torchvision", "lightning", "ultralytics", "cv2", "matplotlib", "sklearn"}
MODULES = sorted(p for p in PACKAGE.rglob("*.py") if p.name not in {"__init__.py", "__main__.py"})


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    parts = [name.split(".") for name in names]
    return {p[1] for p in parts if p[0] == "vidlstm" and len(p) > 1 and p[1] in LEVEL_OF}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    room = room_of(path)
    assert room in LEVEL_OF, (
        f"{room} has no place in the house plan; give it one here and in docs/architecture.md"
    )
    for other in imported_rooms(ast.parse(path.read_text())) - {room}:
        assert LEVEL_OF[other] < LEVEL_OF[room], f"{path}: {room} must not import {other}"


def test_only_the_rooms_that_may_open_media_do() -> None:
    for path in MODULES:
        if "av" in top_level_imports(path):
            assert room_of(path) == "video", f"{path}: only video/ decodes"
        if "ultralytics" in top_level_imports(path):
            assert room_of(path) in {"backbones", "tracking"}, path


def top_level_imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def test_models_know_no_lightning_and_render_no_model() -> None:
    for path in MODULES:
        if room_of(path) == "models":
            assert not top_level_imports(path) & {"lightning", "cv2", "av"}, path
        if room_of(path) == "render":
            assert not imported_rooms(ast.parse(path.read_text())) & {"models", "training", "backbones"}, path


def test_importing_the_package_loads_nothing_heavy() -> None:
    import subprocess
    import sys

    code = f"import sys, vidlstm, vidlstm.cli.main, vidlstm.structures; print({HEAVY!r} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()", done.stdout
