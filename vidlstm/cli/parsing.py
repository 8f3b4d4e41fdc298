"""Parsers made from typed signatures, and errors that name the nearest known setting."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse import ArgumentParser, Namespace

from vidlstm.errors import SettingsError, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence


def new_parser(verb: str, description: str) -> ArgumentParser:
    """A parser for one verb, with ``--config`` and ``--print_config``."""
    parser = ArgumentParser(
        prog=f"vidlstm {verb}", description=description, exit_on_error=False, allow_abbrev=False
    )
    parser.add_argument("--config", action="config", help="a YAML file of settings; later flags win over it")
    return parser


def parse(parser: ArgumentParser, argv: Sequence[str]) -> Namespace:
    """Parses and builds the settings dataclasses.

    Raises:
        SettingsError: a key is unknown or a value does not fit; names the nearest known key.
    """
    try:
        parsed: Namespace = parser.instantiate(parser.parse_args(list(argv)))
    except (argparse.ArgumentError, TypeError, ValueError) as error:
        raise SettingsError(_explain(str(error), parser)) from error
    return parsed


def _explain(message: str, parser: ArgumentParser) -> str:
    group = re.search(r"Group '([\w.]+)' does not accept option '([\w.]+)'", message)
    if group:
        message = f"Key '{group[1]}.{group[2]}' is not expected"
    unknown = re.search(r"--([\w.]+)", message) if "nrecognized arguments" in message else None
    unknown = unknown or re.search(
        r"[Kk]ey '([\w.]+)' is not expected|[Oo]ption '([\w.]+)' is not accepted", message
    )
    if unknown is None:
        return message
    word = next(group for group in unknown.groups() if group)
    return f"no setting is called {word}{nearest(word, known_keys(parser))}"


def known_keys(parser: ArgumentParser) -> list[str]:
    """Every setting of a parser, dotted."""
    return [action.dest for action in parser._actions if action.dest not in ("help", "print_config")]


def trainer_arguments(parsed: Namespace) -> dict[str, Any]:
    """The ``--trainer.*`` settings as keyword arguments."""
    return dict(vars(parsed.trainer))


def cards_in(argv: Sequence[str]) -> list[tuple[Path, dict[str, Any]]]:
    """The checkpoints among the arguments, and their cards; each verb hands over to the side they are of."""
    from vidlstm.errors import CheckpointError
    from vidlstm.training.checkpoint import read_checkpoint

    found = []
    for path in (Path(word) for word in argv if word.endswith(".ckpt")):
        try:
            found.append((path, read_checkpoint(path)[1]))
        except CheckpointError:
            continue  # the verb says what is wrong with it
    return found
