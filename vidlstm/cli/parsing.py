"""Parsers made from typed signatures, and errors that name the nearest known setting."""

from __future__ import annotations

import argparse
import re
from dataclasses import fields, make_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from jsonargparse import ArgumentParser, DefaultHelpFormatter, Namespace

from vidlstm.errors import SettingsError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HOW = {"backbone": {"size", "dtype", "fit"}, "sampling": {"fps", "image_fps"}}
"""Of these sections what a checkpoint decides; verbs that take one leave it out.

A name is taken, for code from outside the package alone; see ``verbs.load.refuse_other_backbone``.
"""

EDGES = {"ge": "from", "gt": "above", "le": "to", "lt": "below"}
KINDS = {"float": "a number", "int": "a whole number", "bool": "true or false", "NoneType": "null"}
"""The types of values, in words."""


class PlainHelp(DefaultHelpFormatter):
    """Help in which a range reads ``int from 1 to 100``, not as the annotation that it is."""

    def _expand_help(self, action: argparse.Action) -> str:
        return plain_types(super()._expand_help(action))


def plain_types(text: str) -> str:
    """Annotations of types in words.

    >>> plain_types("(type: Optional[Annotated[int, Interval(gt=None, ge=1, lt=None, le=9)]], default: null)")
    '(type: int from 1 to 9 | null, default: null)'
    """
    text = re.sub(r"<class '(?:[\w.]+\.)?(\w+)'>", r"\1", text)
    text = re.sub(r"(?:typing\.)?Annotated\[(\w+), ((?:[^()\[\]]*\([^()]*\))+)\]", _range, text)
    text = re.sub(r"Optional\[([^\[\]]*)\]", r"\1 | null", text)
    return text.replace("typing.", "")


def _range(annotation: re.Match[str]) -> str:
    edges = dict(re.findall(r"(g[te]|l[te])=([\d.e+-]+|inf)", annotation[2]))
    words = [f"{word} {edges[key]}" for key, word in EDGES.items() if edges.get(key, "inf") != "inf"]
    return " ".join([annotation[1], *words])


def new_parser(verb: str, description: str) -> ArgumentParser:
    """A parser for one verb, with ``--config`` and ``--print_config``."""
    parser = ArgumentParser(
        prog=f"vidlstm {verb}",
        description=description,
        exit_on_error=False,
        allow_abbrev=False,
        formatter_class=PlainHelp,
    )
    parser.add_argument("--config", action="config", help="a YAML file of settings; later flags win over it")
    return parser


def add_device(parser: ArgumentParser) -> None:
    """``--device``, the same on every verb."""
    parser.add_argument(
        "--device", type=str, default="auto", help="cpu, cuda, cuda:1; auto takes a GPU where there is one"
    )


def add_store(parser: ArgumentParser) -> None:
    """``--store`` of verbs that keep what they extract."""
    parser.add_argument(
        "--store", type=Path, default=Path("features"), help="the feature store's root folder"
    )


def add_how(parser: ArgumentParser) -> None:
    """How the backbone of a checkpoint is run and videos are decoded; what is decided already is left out."""
    from vidlstm.settings import BackboneSettings, SamplingSettings

    parser.add_class_arguments(BackboneSettings, "backbone", skip=HOW["backbone"])
    parser.add_class_arguments(SamplingSettings, "sampling", skip=HOW["sampling"])


def any_of(name: str, kinds: Iterable[type[Any]]) -> type[Any]:
    """A dataclass of all settings of several, none of which need be given.

    Args:
        name: of the class.
        kinds: settings dataclasses; a field that several have may be what any of them takes.
    """
    from docstring_parser import parse as parse_docstring

    types: dict[str, Any] = {}
    words: dict[str, str] = {}
    for kind in kinds:
        for owner in kind.__mro__[:-1]:
            for parameter in parse_docstring(owner.__doc__ or "").params:
                words.setdefault(parameter.arg_name, " ".join((parameter.description or "").split()))
        for field, hint in get_type_hints(kind, include_extras=True).items():
            types[field] = types[field] | hint if field in types else hint | None
    made = make_dataclass(name, [(field, hint, None) for field, hint in types.items()])
    lines = "\n".join(f"    {field}: {words.get(field, '')}" for field in types)
    made.__doc__ = f"What was trained on, where nothing else is given.\n\nArgs:\n{lines}\n"
    return made


def parse(parser: ArgumentParser, argv: Sequence[str]) -> Namespace:
    """Parses and builds the settings dataclasses.

    Raises:
        SettingsError: a key is unknown or a value does not fit; names the nearest known key.
    """
    try:
        parsed: Namespace = parser.instantiate(parser.parse_args(list(argv)))
    except (argparse.ArgumentError, TypeError, ValueError) as error:
        raise _explained(str(error), parser) from error
    return parsed


def parse_given(parser: ArgumentParser, argv: Sequence[str]) -> dict[str, Any]:
    """What was given, on the command line or in a config, without any defaults; sections are dicts.

    Raises:
        SettingsError: see :func:`parse`.
    """
    try:
        parser.parse_args(list(argv))  # is anything missing?
        given: Namespace = parser.parse_args(list(argv), defaults=False)
    except (argparse.ArgumentError, TypeError, ValueError) as error:
        raise _explained(str(error), parser) from error
    return {name: value for name, value in given.as_dict().items() if name != "config"}


def _explained(message: str, parser: ArgumentParser) -> SettingsError:
    group = re.search(r"Group '([\w.]+)' does not accept option '([\w.]+)'", message)
    if group:
        message = f"Key '{group[1]}.{group[2]}' is not expected"
    unknown = re.search(r"--([\w.]+)", message) if "nrecognized arguments" in message else None
    unknown = unknown or re.search(
        r"[Kk]ey '([\w.]+)' is not expected|[Oo]ption '([\w.]+)' is not accepted", message
    )
    if unknown is None:
        return SettingsError(_plainer(message))
    word = next(group for group in unknown.groups() if group)
    return SettingsError(f"no setting is called {word}{nearest(word, known_keys(parser))}", setting=word)


def _plainer(message: str) -> str:
    """A value of the wrong type, or out of its range, in a sentence; the parser's own takes five lines."""
    key = re.search(r'key "([\w.]+)"', message)
    range_left = re.search(r"Input should be ([^\[\n]+) \[", message)
    value = re.search(r"input_value=('[^']*'|[^,]+),", message) if range_left else None
    value = value or re.search(r"(?:Got|Given) value: (.*)", message)
    kinds = re.findall(r"Expected an? (?:<class '(\w+)'>|(?:typing\.)?(Literal\[[^\]]*\]))", message)
    if key is None or value is None or not (range_left or kinds):
        return " ".join(message.split())
    names = dict.fromkeys(KINDS.get(name, name or f"one of {literal[8:-1]}") for name, literal in kinds)
    return f"`{key[1]}` must be {range_left[1] if range_left else ' or '.join(names)}, not {value[1]}"


def known_keys(parser: ArgumentParser) -> list[str]:
    """Every setting of a parser, dotted."""
    return [action.dest for action in parser._actions if action.dest not in ("help", "print_config")]


def section_fields(kind: type[Any]) -> dict[str, Any]:
    """Name to settings dataclass, of the sections that a task's settings are made of."""
    return {field.name: field.default_factory for field in fields(kind)}
