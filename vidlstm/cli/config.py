"""Configs: found by name, read as data alone, and where in them a setting stands."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml  # type: ignore[import-untyped]

from vidlstm.errors import SettingsError, nearest
from vidlstm.settings.checking import refuse_blank

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

SHIPPED = Path(__file__).parents[1] / "configs"
LARGEST, DEEPEST, MOST = 1_000_000, 50, 10_000
"""Bytes of a config, levels in it, and values once its aliases are put in; a real one has some dozens."""


@dataclass(frozen=True)
class Config:
    """A config as it was read.

    Attributes:
        path: the file.
        content: its settings.
        lines: where each of them stands, by its full name.
    """

    path: Path
    content: dict[str, Any]
    lines: dict[str, int]


def find_config(name: str) -> Path:
    """The file of a config: a path, or the name of one that is shipped, such as ``action/yolo_pose``.

    Raises:
        SettingsError: there is none.
    """
    refuse_blank(name, "config")
    path = Path(name)
    if path.is_file():
        return path
    if path.is_dir():
        raise SettingsError(f"`config` {name} is a folder; give a YAML file", setting="config")
    short = name.removeprefix("configs/").removesuffix(".yaml")
    if short in shipped():
        return shipped()[short]
    raise SettingsError(
        f"`config` {name}: no such file, and none that is shipped is called so{nearest(short, shipped())}",
        setting="config",
    )


@cache
def shipped() -> dict[str, Path]:
    """The configs in the package, by name."""
    return {
        str(p.relative_to(SHIPPED).with_suffix("").as_posix()): p for p in sorted(SHIPPED.rglob("*.yaml"))
    }


def read_config(name: str) -> Config:
    """Reads a config.

    Raises:
        SettingsError: it cannot be read, is no YAML, or more than settings can be; with the line.
    """
    path = find_config(name)
    text = _text(path)
    try:
        _check_shape(text, path)
        content, tree = yaml.safe_load(text), yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        place = f"{path}, line {mark.line + 1}" if mark else str(path)
        raise SettingsError(f"{place}: this is no YAML: {problem or error}", setting="config") from error
    except ValueError as error:  # a date that is none
        raise SettingsError(f"{path}: a value cannot be read: {error}", setting="config") from error
    if not isinstance(content, dict | None) or not all(isinstance(key, str) for key in content or {}):
        raise SettingsError(f"{path} holds no settings; a line is `name: value`", setting="config")
    return Config(path, content or {}, dict(_lines(tree, "")))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise SettingsError(f"{path} is too large for a config", setting="config")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}", setting="config") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8 text: {error.reason}", setting="config") from error


def _check_shape(text: str, path: Path) -> None:
    """Counts levels and values, aliases as often as they are used, before anything is built of them."""
    values = 0
    sizes: dict[str | None, int] = {}
    within: list[tuple[str | None, int]] = []
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            values += sizes.get(event.anchor, MOST)  # one that is in itself has no end
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = within.pop()
            sizes[anchor] = values - before
        elif isinstance(event, yaml.NodeEvent):
            sizes[event.anchor] = 1
            if isinstance(event, yaml.CollectionStartEvent):
                within.append((event.anchor, values))
                sizes.pop(event.anchor, None)
            values += 1
        if len(within) > DEEPEST or values >= MOST:
            line = event.start_mark.line + 1
            raise SettingsError(
                f"{path}, line {line}: more levels or values than settings can have", setting="config"
            )


def _lines(node: Any, name: str) -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            full = f"{name}.{key.value}" if name else str(key.value)
            yield full, key.start_mark.line + 1
            yield from _lines(value, full)


def check_trusted(config: Config, sections: Collection[str]) -> None:
    """Refuses what would run code that the config, not a person, names.

    Classes that a value may name are checked where they would be imported (``parsing.limit_imports``).

    Raises:
        SettingsError: there is some; or a section is a file, which would be read unchecked.
    """
    if config.content.get("trust_config"):
        raise SettingsError(f"{config.path}: `trust_config` is for the command line alone", setting="config")
    for section in sections:
        if isinstance(config.content.get(section), str):
            raise SettingsError(f"`{section}` is a section; its settings stand below it", setting=section)
    for name, value in _flat(config.content):
        if name.rpartition(".")[2] == "trust" and value not in (False, None, "false"):
            raise _untrusted(f"`{name} true` would run code of a weights file", name)
        if name == "backbone.name" and isinstance(value, str) and _imports(value):
            raise _untrusted(f"`{name} {value}` would import code", name)


def _flat(content: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Full names and values; a key may be a full name itself."""
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _imports(name: str) -> bool:
    from vidlstm.backbones.parts import parse_parts
    from vidlstm.backbones.plugins import is_import_path

    return any(is_import_path(part.name) for part in parse_parts(name))


def _untrusted(what: str, setting: str) -> SettingsError:
    return SettingsError(
        f"{what}, and a config is data; if you trust it, add `trust_config true`", setting=setting
    )


def named_configs(argv: Sequence[str]) -> list[str]:
    """The configs on a command line, in their order."""
    return [name for name in _first_look(argv).config if name]


def with_configs(argv: Sequence[str], text_of: Callable[[str], str]) -> list[str]:
    """A command line in which the content of each config stands in place of its name."""
    words: list[str] = []
    for word in argv:
        if words and words[-1] == "--config":
            words[-1] = f"--config={text_of(word)}"
        elif word.startswith("--config="):
            words.append(f"--config={text_of(word.partition('=')[2])}")
        else:
            words.append(word)
    return words


def trusts_config(argv: Sequence[str]) -> bool:
    """Whether the command line, not a config, says ``--trust_config true``."""
    return str(_first_look(argv).trust_config).lower() in ("true", "yes", "1")


def _first_look(argv: Sequence[str]) -> argparse.Namespace:
    looking = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    looking.add_argument("--config", action="append", default=[], nargs="?", const="")
    looking.add_argument("--trust_config", nargs="?")
    return looking.parse_known_args([str(word) for word in argv])[0]


def place_of(setting: str, argv: Sequence[str]) -> str:
    """``"my.yaml, line 3: "`` where a setting was given by a config and not by a flag; else nothing."""
    flags = {str(word).partition("=")[0] for word in argv}
    for name in reversed(named_configs(argv)) if f"--{setting}" not in flags else ():
        try:
            config = read_config(name)
        except SettingsError:
            continue
        if setting in config.lines:
            return f"{config.path}, line {config.lines[setting]}: "
    return ""
