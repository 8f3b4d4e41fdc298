"""The only door to ultralytics, which on its own goes online, installs packages and writes into HOME.

Importing it asks a name server whether there is a network, makes a settings file in the user's configuration
folder, changes how numpy and torch print and how many threads OpenCV uses; predicting with it sends events
to its maker; a missing package or weights file is fetched. Here all of that is off.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

OFF = {
    "YOLO_OFFLINE": "true",
    "YOLO_AUTOINSTALL": "false",
    "YOLO_VERBOSE": "false",
    "ULTRALYTICS_SAFE_LOAD": "true",
    "NO_ALBUMENTATIONS_UPDATE": "1",
}
"""Switches that ultralytics reads from the environment. They stay set: some are read on every call."""

_lock = threading.RLock()


def ultralytics_module(name: str) -> ModuleType:
    """Imports a module of ultralytics with everything off that reaches beyond this process.

    Args:
        name: such as ``ultralytics.nn.tasks``.
    """
    assert name.split(".")[0] == "ultralytics", name
    with _lock:
        os.environ.update(OFF)
        if "ultralytics" not in sys.modules:
            with tempfile.TemporaryDirectory(prefix="vidlstm-") as folder, _unchanged(), _config_in(folder):
                importlib.import_module("ultralytics")
                _silence()
        with _unchanged():
            module = importlib.import_module(name)
            _silence()
    return module


@contextlib.contextmanager
def _config_in(folder: str) -> Iterator[None]:
    """A throw-away settings file in which sync is off before the first line of ultralytics runs."""
    settings = Path(folder) / "Ultralytics" / "settings.json"
    settings.parent.mkdir()
    settings.write_text(json.dumps({"sync": False}), encoding="utf-8")
    os.environ["YOLO_CONFIG_DIR"] = folder
    yield


@contextlib.contextmanager
def _unchanged() -> Iterator[None]:
    """Puts back what importing ultralytics changes for the whole process."""
    import cv2
    import numpy as np
    import torch
    from PIL import Image

    environment, threads, printing = dict(os.environ), cv2.getNumThreads(), np.get_printoptions()
    save, image_open = torch.save, Image.open
    try:
        yield
    finally:
        for name in set(os.environ) - set(environment):
            del os.environ[name]
        os.environ.update(environment)
        cv2.setNumThreads(threads)
        np.set_printoptions(**printing)
        torch.set_printoptions(profile="default")  # type: ignore[no-untyped-call]
        torch.save, Image.open = save, image_open


def _silence() -> None:
    """Turns off, in memory alone, what a setting of the user or an earlier import may have turned on."""
    utils: Any = importlib.import_module("ultralytics.utils")
    off = {"sync": False, **{name: False for name, value in utils.SETTINGS.items() if value is True}}
    dict.update(utils.SETTINGS, off)  # the class's own update writes the file
    utils.SETTINGS._save = lambda: None
    for name, module in list(sys.modules.items()):
        if name.startswith("ultralytics"):
            for switch in ("ONLINE", "AUTOINSTALL"):
                if switch in vars(module):
                    setattr(module, switch, False)
    events = sys.modules.get("ultralytics.utils.events")
    if events is not None:
        events.events.enabled = False
