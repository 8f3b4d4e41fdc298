"""Parsers made from typed signatures, and errors that name the nearest known setting."""

from __future__ import annotations

import argparse
import re
from dataclasses import fields, make_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from jsonargparse import ArgumentParser, DefaultHelpFormatter, Namespace, set_parsing_settings
from yaml import safe_dump  # type: ignore[import-untyped]

from vidlstm.cli.config import check_trusted, read_config, trusts_config, with_configs
from vidlstm.errors import SettingsError
from vidlstm.ray_cluster import ENGINES
from vidlstm.settings.checking import refuse_blank

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

DECIDED = ("backbone.size", "backbone.dtype", "backbone.fit", "sampling.fps", "sampling.image_fps")
"""What a checkpoint decides: not offered in the help of verbs that take one; see ``verbs/refusals.py``."""

OURS = ["lightning", "lightning_fabric", "pytorch_lightning", "torch", "torchmetrics", "vidlstm"]
"""Packages whose classes a value may name, as in ``trainer.callbacks``."""

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


class Parser(ArgumentParser):
    """A parser for one verb.

    Attributes:
        unused: settings of a config that this verb has no use for.
        first: what ``--help`` shows, where that is not all.
    """

    unused: Collection[str] = ()
    first: Collection[str] = ()


class ShortHelp(argparse.Action):
    """``--help`` where there is too much for one look."""

    def __call__(self, parser: Any, *rest: Any) -> None:
        """Prints what people change first."""
        for action in parser._actions:
            if action.dest not in parser.first:
                action.help = argparse.SUPPRESS
        parser.epilog = f"{parser.prog} --help_all lists all settings."
        parser.print_help()
        parser.exit()


def new_parser(verb: str, description: str, *, first: Collection[str] = ()) -> Parser:
    """A parser for one verb, with ``--config``, ``--trust_config`` and ``--print_config``.

    Args:
        verb: its name.
        description: one line.
        first: the settings that ``--help`` shows; the others are left to ``--help_all``. None shows all.
    """
    parser = Parser(
        prog=f"vidlstm {verb}",
        description=description,
        exit_on_error=False,
        allow_abbrev=False,
        add_help=not first,
        formatter_class=PlainHelp,
    )
    if first:
        parser.first = {*first, "help", "help_all", "config", "print_config"}
        parser.add_argument(
            *("-h", "--help"),
            action=ShortHelp,
            nargs=0,
            default=argparse.SUPPRESS,
            help="show what people change first",
        )
        parser.add_argument("--help_all", action="help", help="show all settings")
    parser.add_argument(
        "--config",
        action="config",
        help="a YAML file of settings, or the name of a shipped one; later flags win over it",
    )
    parser.add_argument(
        "--trust_config", type=bool, default=False, help="let a config name code of anyone's to be run"
    )
    return parser


def add_device(parser: ArgumentParser) -> None:
    """``--device``, the same on every verb."""
    parser.add_argument(
        "--device", type=str, default="auto", help="cpu, cuda, cuda:1; auto takes a GPU where there is one"
    )


def add_engine(parser: ArgumentParser) -> None:
    """``--engine`` and ``--address`` of verbs that work through many videos."""
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        default="local",
        help="what does the work: this machine, or a Ray cluster",
    )
    parser.add_argument(
        "--address",
        type=str | None,
        default=None,
        help="of the Ray cluster: HOST:PORT, or auto for the one of this machine; without it one is started "
        "here, for this command alone",
    )


def add_store(parser: ArgumentParser) -> None:
    """``--store`` of verbs that keep what they extract."""
    parser.add_argument(
        "--store",
        type=Path,
        default=Path("features"),
        help="the feature store's root folder, on disk or in a bucket (s3://bucket/features)",
    )


def add_how(parser: ArgumentParser) -> None:
    """How the backbone of a checkpoint is run and videos are decoded; what is decided is not shown."""
    from vidlstm.settings import BackboneSettings, SamplingSettings

    parser.add_class_arguments(BackboneSettings, "backbone")
    parser.add_class_arguments(SamplingSettings, "sampling")
    for action in parser._actions:
        if action.dest in DECIDED:
            action.help = argparse.SUPPRESS


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


def parse(parser: Parser, argv: Sequence[str]) -> Namespace:
    """Parses and builds the settings dataclasses.

    Raises:
        SettingsError: a key is unknown or a value does not fit; names the nearest known key.
    """
    parsed: Namespace = _parsed(parser, argv)
    try:
        built: Namespace = parser.instantiate(parsed)
    except (argparse.ArgumentError, ImportError, TypeError, ValueError) as error:
        raise _explained(str(error), parser) from error
    return built


def parse_given(parser: Parser, argv: Sequence[str]) -> dict[str, Any]:
    """What was given, on the command line or in a config, without any defaults; sections are dicts.

    Raises:
        SettingsError: see :func:`parse`.
    """
    _parsed(parser, argv)  # is anything missing?
    given: Namespace = _parsed(parser, argv, defaults=False)
    return {n: value for n, value in given.as_dict().items() if n not in ("config", "trust_config")}


def _parsed(parser: Parser, argv: Sequence[str], **how: Any) -> Namespace:
    words = [str(word) for word in argv]
    trusting = trusts_config(words)
    if not trusting:
        set_parsing_settings(import_path_denylist=["*"], import_path_allowlist=OURS)
    _refuse_blank_words(words, sections_of(parser))
    words = with_configs(words, lambda name: _config_text(parser, name, trusting=trusting))
    try:
        parsed: Namespace = parser.parse_args(words, **how)
    except (argparse.ArgumentError, ImportError, TypeError, ValueError, RecursionError) as error:
        raise _explained(str(error), parser) from error
    return parsed


def _config_text(parser: Parser, name: str, *, trusting: bool) -> str:
    """A config that was read as data, in a form for the parser."""
    config = read_config(name)
    if not trusting:
        check_trusted(config, sections_of(parser))
    unused = {*parser.unused, "trust_config"}
    content = {key: value for key, value in config.content.items() if key.partition(".")[0] not in unused}
    refuse_blanks(content)
    text: str = safe_dump(content, sort_keys=False)
    return text


def _refuse_blank_words(words: Sequence[str], sections: Collection[str]) -> None:
    before = ""
    for word in words:
        flag, given, value = word.partition("=") if word.startswith("--") else (before, True, word)
        name = flag.removeprefix("--")
        if given and flag.startswith("--"):
            refuse_blank(value, name)
        elif given and not value.strip():
            raise SettingsError("an argument is empty; leave it out")
        if name in sections:
            raise SettingsError(
                f"`{name}` is a section; give its settings one by one, or a file with `config FILE`",
                setting=name,
            )
        before = word if word.startswith("--") and not given else ""


def refuse_blanks(content: Any, name: str = "") -> None:
    """Raises a SettingsError where a value in a config is text that names nothing."""
    if isinstance(content, dict):
        for key in content.keys() - {"trainer"}:  # whose classes may take a blank
            refuse_blanks(content[key], f"{name}.{key}" if name else str(key))
    else:
        refuse_blank(content, name)


def _explained(message: str, parser: ArgumentParser) -> SettingsError:
    if denied := re.search(r"Importing '([\w.]+)' is not allowed", message):
        return SettingsError(
            f"{denied[1]} is code that is neither Lightning's, nor torch's, nor vidlstm's; if you trust it, "
            "add `trust_config true`",
            setting=_key_in(message),
        )
    group = re.search(r"Group '([\w.]+)' does not accept option '([\w.]+)'", message)
    if group:
        message = f"Key '{group[1]}.{group[2]}' is not expected"
    unknown = re.search(r"--([\w.]+)", message) if "nrecognized arguments" in message else None
    unknown = unknown or re.search(
        r"[Kk]ey '([\w.]+)' is not expected|[Oo]ption '([\w.]+)' is not accepted", message
    )
    if missing := re.search(r"arguments are required: ([\w., ]+)", message):
        flags = {action.dest for action in parser._actions if action.option_strings}
        named = [f"`{name}`" if name in flags else name for name in missing[1].split(", ")]
        return SettingsError(f"there is no {', no '.join(named)}; see the help of {parser.prog}")
    if unknown is None:
        return SettingsError(_plainer(message), setting=_key_in(message))
    word = next(group for group in unknown.groups() if group)
    if word in {action.dest for action in parser._actions if not action.option_strings}:
        return SettingsError(f"{word} is given without its name; see the help of {parser.prog}", setting=word)
    return SettingsError(f"no setting is called {word}{_nearest(word, known_keys(parser))}", setting=word)


def _key_in(message: str) -> str:
    key = re.search(r'key "([\w.]+)"', message)
    return key[1] if key else ""


def _nearest(word: str, keys: Sequence[str]) -> str:
    """The closest settings, by the whole name or by its last part; nothing where none is close."""
    last = word.rpartition(".")[2]
    close = get_close_matches(word, keys, n=1)
    close = close or [key for key in keys if key.rpartition(".")[2] == last]
    if not close:
        parts = [key.rpartition(".")[2] for key in keys]
        found = get_close_matches(last, parts, n=2)
        close = [key for key, part in zip(keys, parts, strict=True) if part in found]
    names = " or ".join(repr(key) for key in close[:3])
    return f"; did you mean {names}?" if close else "; see --help"


def _plainer(message: str) -> str:
    """A value of the wrong type, or out of its range, in a sentence; the parser's own takes five lines."""
    key = re.search(r'key "([\w.]+)"', message)
    range_left = re.search(r"Input should be ([^\[\n]+) \[", message)
    value = re.search(r"input_value=('[^']*'|[^,]+),", message) if range_left else None
    value = value or re.search(r"(?:Got|Given) value: (.*)", message)
    kinds = re.findall(r"Expected an? (?:<class '(\w+)'>|(?:typing\.)?(Literal\[[^\]]*\]))", message)
    if key is None or value is None or not (range_left or kinds):
        return " ".join(message.split())
    if range_left:
        words = range_left[1].partition(", unable")[0]
        words = words.replace("a valid integer", KINDS["int"]).replace("a valid number", KINDS["float"])
        if words.endswith(("than", "to")):  # a value that is the edge itself is cut out of the message
            words += " " + value[1].strip("'")
    else:
        found = (KINDS.get(name, name or f"one of {literal[8:-1]}") for name, literal in kinds)
        words = " or ".join(dict.fromkeys(found))
    return f"`{key[1]}` must be {words}, not {value[1]}"


def known_keys(parser: ArgumentParser) -> list[str]:
    """Every setting of a parser, dotted."""
    actions = [action for action in parser._actions if action.help != argparse.SUPPRESS]
    return [a.dest for a in actions if a.dest not in ("help", "help_all", "print_config")]


def sections_of(parser: ArgumentParser) -> set[str]:
    """What stands before the dot in a parser's settings."""
    return {action.dest.partition(".")[0] for action in parser._actions if "." in action.dest}


def section_fields(kind: type[Any]) -> dict[str, Any]:
    """Name to settings dataclass, of the sections that a task's settings are made of."""
    return {field.name: field.default_factory for field in fields(kind)}
