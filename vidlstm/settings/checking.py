"""Settings from wherever they come, checked by their types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from vidlstm.addresses import is_remote, why_no_address
from vidlstm.errors import SettingsError, nearest


def plain(settings: Any) -> dict[str, Any]:
    """A settings dataclass as JSON-ready values, for checkpoints and reports."""
    return {k: str(v) if isinstance(v, Path) else v for k, v in asdict(settings).items()}


S = TypeVar("S")
SHORTHAND = {"data": "root", "backbone": "name"}
"""Of a section that is given as one word, the setting that is meant."""


def settings_from(kind: type[S], given: S | Mapping[str, Any] | str | Path | None, *, section: str) -> S:
    """Checked settings of one kind.

    >>> from vidlstm.settings import SamplingSettings
    >>> settings_from(SamplingSettings, {"fps": 5}, section="sampling").fps
    5.0

    Args:
        kind: the dataclass.
        given: settings, some of them by name (the others take their defaults), one word for the setting in
            ``SHORTHAND``, or None for all defaults.
        section: what they are called, such as ``data``; for messages. Empty at the top level.

    Raises:
        SettingsError: a name is unknown, or a value is not what the field's type says.
    """
    values = by_name(given, section)
    known = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    for name, value in values.items():
        full = dotted(section, name)
        if name not in known:
            raise SettingsError(f"no setting is called {full}{nearest(name, known)}", setting=full)
        refuse_blank(value, full)
    from pydantic import ValidationError

    try:
        checked: S = _adapter(cast("Any", kind)).validate_python(values)
    except ValidationError as error:
        raise first_mistake(error, section) from None
    return checked


def by_name(given: Any, section: str) -> dict[str, Any]:
    """Settings by name, however they were given; of a settings object all of them.

    Raises:
        SettingsError: it is neither settings, nor a mapping, nor a word where one is taken.
    """
    if isinstance(given, str | Path) and section in SHORTHAND:
        return {SHORTHAND[section]: given}
    if is_dataclass(given) and not isinstance(given, type):
        return asdict(given)
    if given is None or isinstance(given, Mapping):
        return dict(given or {})
    name = section or "tracking"
    raise SettingsError(f"`{name}` takes settings, or a dict of some, not {given!r}", setting=name)


def given_in(given: Any, section: str) -> dict[str, Any]:
    """What was given, by name: not None, and of a settings object what differs from its defaults."""
    values = by_name(given, section)
    usual = asdict(type(given)()) if is_dataclass(given) and not isinstance(given, type) else {}
    return {k: v for k, v in values.items() if v is not None and not (k in usual and v == usual[k])}


def refuse_blank(value: Any, name: str) -> None:
    """Refuses text that names nothing: as a path it would mean the current folder.

    Raises:
        SettingsError: it is empty, or holds the character that ends a name.
    """
    for text in value if isinstance(value, list | tuple) else [value]:
        if isinstance(text, str) and (not text.strip() or "\0" in text):
            raise SettingsError(f"`{name}` is {text!r}, which names nothing; leave it out", setting=name)


def path_from(given: Any, name: str) -> Path:
    """A path that was given.

    Raises:
        SettingsError: it is empty, or no path.
    """
    if not isinstance(given, str | Path):
        raise SettingsError(f"`{name}` is a path, not {given!r}", setting=name)
    refuse_blank(given, name)
    return Path(given)


def store_from(given: Any) -> Path:
    """The root of a feature store: a folder, on disk or in a bucket.

    Raises:
        SettingsError: it is neither.
    """
    path = path_from(given, "store")
    if (is_remote(path) or not path.exists()) and (why := why_no_address(path)):
        raise SettingsError(f"`store`: {why}", setting="store")
    return path


def paths_from(given: Any, name: str) -> list[Path]:
    """One path or several.

    Raises:
        SettingsError: there is none, or one is empty, or no path.
    """
    several = [given] if isinstance(given, str | Path) or not isinstance(given, Iterable) else list(given)
    if not several:
        raise SettingsError(f"`{name}` is an empty list; give one file or folder at least", setting=name)
    return [path_from(one, name) for one in several]


def value_from(kind: Any, given: Any, *, name: str) -> Any:
    """One checked value.

    >>> from vidlstm.settings import Seed
    >>> value_from(Seed, 3, name="seed")
    3

    Args:
        kind: its type, with its range.
        given: the value.
        name: of the setting, for the message.

    Raises:
        SettingsError: it does not fit.
    """
    from pydantic import ValidationError

    try:
        return _adapter(kind).validate_python(given)
    except ValidationError as error:
        raise first_mistake(error, name) from None


def first_mistake(error: Any, section: str) -> SettingsError:
    """What pydantic found first, in a sentence that names the setting."""
    mistake = error.errors()[0]
    name = dotted(section, str(mistake["loc"][0])) if mistake["loc"] else section
    words = mistake["msg"].replace("Input should be ", "must be ").replace("Input is", "is")
    return SettingsError(f"`{name}` {words}: {mistake['input']!r}", setting=name)


def dotted(section: str, name: str) -> str:
    """The full name of a setting."""
    return f"{section}.{name}" if section else name


@cache
def _adapter(kind: Any) -> Any:
    from pydantic import TypeAdapter  # a tenth of a second, which --help need not wait for

    return TypeAdapter(kind)
