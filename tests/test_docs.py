"""What is written for readers keeps up with the code: examples run, and what a page names is there.

That the pages under ``docs/`` link to each other is checked by their build (``make docs``).
"""

from __future__ import annotations

import ast
import doctest
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.videos import write_video
from vidlstm.backbones.plugins import FACTORIES
from vidlstm.datasets import DATASETS
from vidlstm.models.cells import CELLS
from vidlstm.render.sinks import FILES, SINKS
from vidlstm.tasks import TASKS

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


@pytest.fixture
def lists_as_they_were() -> Iterator[None]:
    """Whatever a program adds to the package's lists is gone once it is over."""
    lists: tuple[dict[Any, Any], ...] = (TASKS, FACTORIES, SINKS, FILES, DATASETS, CELLS)
    before = [dict(entries) for entries in lists]
    yield
    for entries, kept in zip(lists, before, strict=True):
        entries.clear()
        entries.update(kept)


@pytest.mark.usefixtures("lists_as_they_were")
def test_everything_that_can_be_added_is_added_as_its_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    page, names = (ROOT / "docs" / "extending.md").read_text(), {"__name__": "extending"}
    for section in page.split("\n## "):
        for code in PYTHON.findall(section):
            exec(compile(code, section.partition("\n")[0], "exec", dont_inherit=True), names)
    assert "00:00:00,000 --> 00:00:02,500\nwalk\n" in capsys.readouterr().out
    run: Any = names["run"]  # the verb
    write_video(tmp_path / "a.mp4")
    assert run(["a.mp4", "--sampling.fps", "5"]) == 0
    assert 0 < int(capsys.readouterr().out) < 20


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_named_in_pages_are_there(page: Path) -> None:
    named = re.findall(r"(?<![\w./<>-])(?:[\w-]+/)+[\w-]+\.(?:md|py|yaml)\b", page.read_text())
    roots = (ROOT, ROOT / "vidlstm", page.parent)
    assert [name for name in named if not any((root / name).exists() for root in roots)] == []


@pytest.mark.parametrize("page", FRONT, ids=name_of)
def test_links_outside_the_site_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []
