"""How ``make docs`` turns these pages and the docstrings into a site that fetches nothing from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pygments.lexers.special import TextLexer

import vidlstm

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "vidlstm"
release = vidlstm.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
source_suffix = {".md": "markdown", ".py": "markdown"}  # .py: the notebooks, see cells_to_markdown
exclude_patterns = ["_build", "conf.py"]

html_theme = "furo"
html_title = f"vidlstm {release}"
html_show_copyright = False

myst_heading_anchors = 4  # page.md#heading works here as on a Git host

maximum_signature_line_length = 100
python_use_unqualified_type_names = True
autodoc_class_signature = "mixed"
autodoc_default_options = {"members": True, "member-order": "bysource", "special-members": "__call__"}
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # attributes as a list, like arguments


def list_to_sidebar(app: Sphinx, docname: str, source: list[str]) -> None:
    """Makes the sidebar of an index's numbered links, so that the page is plain Markdown on a Git host."""
    if Path(docname).name not in ("index", "README"):
        return
    for section in re.split(r"^#+ ", source[0], flags=re.MULTILINE)[1:]:
        links = re.findall(r"^\d+\. \[(.+?)\]\((.+?)\.(?:md|py)\)", section, re.MULTILINE)
        if links:
            pages = "\n".join(f"{title} <{page}>" for title, page in links)
            caption = section.partition("\n")[0]
            source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{pages}\n```\n"


CELL = re.compile(r"^# %%(.*)\n", re.MULTILINE)


def cells_to_markdown(app: Sphinx, docname: str, source: list[str]) -> None:
    """Shows a notebook that is kept as text: its Markdown cells as they are, the others as code."""
    if app.env.doc2path(docname).suffix == ".py":
        _, *cells = CELL.split(source[0])
        source[0] = "\n".join(map(_as_markdown, cells[::2], cells[1::2]))


def _as_markdown(kind: str, cell: str) -> str:
    if "[markdown]" in kind:
        return re.sub(r"^# ?", "", cell, flags=re.MULTILINE)
    return f"```python\n{cell.strip()}\n```\n"


SEVERAL = re.compile(r"^( +)(\w+(?:, \w+)+): (.*(?:\n\1 +.*)*)", re.MULTILINE)


def one_entry_a_name(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Gives each of ``height, width: pixels`` an entry of its own: napoleon knows one name an attribute."""
    split = SEVERAL.sub(lambda m: "\n".join(f"{m[1]}{n}: {m[3]}" for n in m[2].split(", ")), "\n".join(lines))
    lines[:] = split.split("\n")


def setup(app: Sphinx) -> None:
    """Called by Sphinx; 400 is before napoleon's 500."""
    app.add_lexer("csv", TextLexer)  # Git hosts know this name of a code block, Pygments does not
    app.connect("source-read", list_to_sidebar)
    app.connect("source-read", cells_to_markdown)
    app.connect("autodoc-process-docstring", one_entry_a_name, priority=400)
