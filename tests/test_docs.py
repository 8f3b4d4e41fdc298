"""What is written for readers keeps up with the code: examples run, and what a page names is there.

That the pages under ``docs/`` link to each other is checked by their build (``make docs``).
"""

from __future__ import annotations

import ast
import doctest
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = [p.relative_to(ROOT) for p in sorted((ROOT / "vidlstm").rglob("*.py")) if ">>> " in p.read_text()]
FRONT = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "configs" / "README.md"]
PAGES = [*FRONT, *sorted((ROOT / "docs").glob("*.md"))]
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
PROGRAMS = [(page, code) for page in PAGES for code in PYTHON.findall(page.read_text())]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_examples_in_docstrings_run(path: Path) -> None:
    module = importlib.import_module(".".join(path.with_suffix("").parts))
    assert doctest.testmod(module, optionflags=doctest.ELLIPSIS).failed == 0


@pytest.mark.parametrize(("page", "code"), PROGRAMS, ids=[name_of(page) for page, _ in PROGRAMS])
def test_programs_in_pages_import_what_is_there(page: Path, code: str) -> None:
    body = ast.parse(code, filename=str(page)).body
    imports = [statement for statement in body if isinstance(statement, ast.Import | ast.ImportFrom)]
    exec(compile(ast.Module(imports, type_ignores=[]), str(page), "exec"), {})


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_named_in_pages_are_there(page: Path) -> None:
    named = re.findall(r"(?<![\w./<>-])(?:[\w-]+/)+[\w-]+\.(?:md|py|yaml)\b", page.read_text())
    roots = (ROOT, ROOT / "vidlstm", page.parent)
    assert [name for name in named if not any((root / name).exists() for root in roots)] == []


@pytest.mark.parametrize("page", FRONT, ids=name_of)
def test_links_outside_the_site_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []
