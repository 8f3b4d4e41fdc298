"""Networks from outside the package: registered, from an entry point, or imported by name.

Only a name that a person typed is imported (:func:`load`). One that was read from a file is looked up among
what is here already, because importing a module runs it.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidlstm.backbones.contract import Family
from vidlstm.backbones.network import Network
from vidlstm.backbones.untrained import draw
from vidlstm.backbones.weights import RANDOM
from vidlstm.errors import SettingsError, VidlstmError

if TYPE_CHECKING:
    from vidlstm.backbones.parts import Part
    from vidlstm.settings import BackboneSettings

Factory = Callable[[str | None], Network]
"""The weights that were given, or None, to a network."""

GROUP = "vidlstm.backbones"
FACTORIES: dict[str, Factory] = {}
"""What this process knows by name: registered, or loaded by a name that a person typed."""
IMPORT_PATH = re.compile(r"(?!(?:timm|track|yolo):)[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")


class Plugins(Family):
    """Networks that are code of the user's, or of another package."""

    spelling = "package.module:function"

    def names(self) -> list[str]:
        """Those registered here, and those of installed distributions."""
        return sorted({*FACTORIES, *entry_points(group=GROUP).names})

    def knows(self, name: str) -> bool:
        """Whether it is here, or is spelled ``package.module:function``."""
        return self.is_here(name) or is_import_path(name)

    def is_here(self, name: str) -> bool:
        """Whether it is registered, was loaded before, or is offered by an installed distribution."""
        return name in self.names()

    def build(self, part: Part, settings: BackboneSettings) -> Network:
        """Calls the function of that name; see :meth:`Family.build`.

        Raises:
            SettingsError: it cannot be imported, or does not give a network.
        """
        factory = load(part.name)
        try:
            network: Any = draw(lambda: factory(part.weights))
        except VidlstmError:
            raise
        except Exception as error:  # it may be anyone's code
            raise SettingsError(
                f"{part.name} fails with {type(error).__name__}: {error}; it was called with the weights "
                f"{part.weights!r}",
                setting="backbone.name",
            ) from error
        if not isinstance(network, Network):
            raise SettingsError(
                f"{part.name} gives {type(network).__name__}; a backbone's function returns "
                "Network.of(module, size=...), and vidlstm chooses device and number format"
            )
        drawn = f"{RANDOM}:" if part.weights == RANDOM else ""
        digest = drawn + network.weights_sha256
        return replace(network, weights_sha256=digest, weights_source=part.weights or "")


def is_import_path(name: str) -> bool:
    """Whether ``name`` is spelled ``package.module:function``."""
    return IMPORT_PATH.fullmatch(name) is not None


def load(name: str) -> Factory:
    """The function behind a name. May import, so the name must come from a person.

    Raises:
        SettingsError: there is no such module or function, or two distributions offer it.
    """
    if name not in FACTORIES:
        offered = {f"{point.module}:{point.attr}" for point in entry_points(group=GROUP, name=name)}
        if len(offered) > 1:
            raise SettingsError(f"{name} is offered by {' and '.join(sorted(offered))}; uninstall one")
        FACTORIES[name] = _imported(name, offered.pop() if offered else name)
    return FACTORIES[name]


def _imported(name: str, path: str) -> Factory:
    module_name, _, attribute = path.partition(":")
    _search_here()
    try:
        target: Any = importlib.import_module(module_name)
        for step in attribute.split("."):
            target = getattr(target, step)
    except (ImportError, AttributeError) as error:
        raise SettingsError(f"no backbone is called {name!r}: {error}", setting="backbone.name") from error
    except Exception as error:  # importing runs it, and it may be anyone's code
        raise SettingsError(
            f"{module_name} cannot be imported: {type(error).__name__}: {error}", setting="backbone.name"
        ) from error
    if not callable(target):
        raise SettingsError(f"no backbone is called {name!r}: {path} is no function")
    factory: Factory = target
    return factory


def _search_here() -> None:
    """Lets modules of the current folder be found, as ``python -m`` does, but after all that is installed."""
    if not {"", str(Path.cwd())} & set(sys.path):
        sys.path.append(str(Path.cwd()))
