"""What an Ultralytics pickle may name, and stand-ins for it that cannot be made to do anything.

torch's restricted unpickler calls whatever it was told to allow, with arguments from the file. The
constructor of a YOLO network evaluates text from its architecture, so allowing the classes themselves would
be no guard. A stand-in is a subclass whose constructor refuses: a file can only fill one in, as honest ones
do.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import torch
from torch import nn

from vidlstm.errors import WeightsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NETWORKS = {
    "DetectionModel": "detect",
    "YOLOv10DetectionModel": "detect",
    "PoseModel": "pose",
    "SegmentationModel": "segment",
    "ClassificationModel": "classify",
}
"""The networks that are understood: the name of their class, and their task."""

LAYER_MODULES = ("torch.nn.modules.", "ultralytics.nn.modules.")
LOSS_MODULES = ("ultralytics.utils.loss", "ultralytics.utils.tal")
"""A checkpoint from the middle of a training carries its loss along."""

_lock = threading.Lock()


def names_in(path: Path) -> list[str]:
    """What a file of ``torch.save`` names beyond tensors and plain containers; nothing of it is loaded."""
    with _nothing_allowed():
        return torch.serialization.get_unsafe_globals_in_checkpoint(path)


@contextlib.contextmanager
def _nothing_allowed() -> Iterator[None]:
    """Puts aside what this process has allowed elsewhere, as Ultralytics' own loader does for good.

    The list is one for the whole process, so one file is read at a time.
    """
    with _lock:
        before = torch.serialization.get_safe_globals()
        torch.serialization.clear_safe_globals()
        try:
            yield
        finally:
            torch.serialization.add_safe_globals(before)


class Shells:
    """Stand-ins for the classes that a file names, which can be filled in but not called.

    Attributes:
        refused: what the file names and may not.
    """

    def __init__(self, named: list[str]) -> None:
        self._made: list[tuple[Any, type]] = []
        self._reals: dict[type, type] = {}
        # Kinds of number are filled in too, but the file does not name their classes.
        self._allowed: dict[str, Any] = {f"numpy.dtypes.{k.__name__}": k for k in NUMBERS}
        self.refused: list[str] = []
        for name in sorted(named):
            stand_in = PLAIN.get(name) or self._stand_in(name)
            if stand_in is None:
                self.refused.append(name)
            else:
                self._allowed[name] = stand_in

    def _stand_in(self, name: str) -> Any:
        if name == "builtins.getattr":
            return self._method
        real = _layer(name)
        if real is None:
            return None
        shell = type(real.__name__, (real,), {"__new__": self._remembering(real), "__init__": _refuse})
        self._reals[shell] = real
        return shell

    def _remembering(self, real: type) -> Callable[..., Any]:
        def new(shell: type, *arguments: Any) -> Any:
            if arguments:
                _refuse(shell)
            made: Any = object.__new__(shell)
            self._made.append((made, real))
            return made

        return new

    def _method(self, owner: Any, name: str) -> Any:
        # Pose and segmentation heads of some releases keep the method of the plain detection head.
        if name not in ("forward", "forward_fuse"):
            raise WeightsError(f"it asks for {name!r} of a class")
        if isinstance(owner, type):
            return getattr(self._reals[owner], name)
        real = self._reals[type(owner)]
        return getattr(real, name).__get__(owner)

    @contextlib.contextmanager
    def allowed(self) -> Iterator[None]:
        """Lets torch's restricted unpickler use the stand-ins, and turns what came of them into layers."""
        stand_ins: list[Any] = [(value, name) for name, value in self._allowed.items()]
        with _nothing_allowed(), torch.serialization.safe_globals(stand_ins):
            yield
        for made, real in self._made:
            made.__class__ = real


def _refuse(shell: Any, *arguments: Any, **options: Any) -> NoReturn:
    name = shell.__name__ if isinstance(shell, type) else type(shell).__name__
    raise WeightsError(f"it calls the constructor of {name}")


def _layer(name: str) -> type | None:
    """The class of a layer, network or loss; None for anything else."""
    module_name, _, attribute = name.rpartition(".")
    if module_name == "ultralytics.nn.tasks" and attribute in NETWORKS:
        attribute = "DetectionModel" if attribute.startswith("YOLOv10") else attribute
    elif not (name.startswith(LAYER_MODULES) or module_name in LOSS_MODULES):
        return None
    # Only what is imported already: a name in a file must not make anything be imported.
    found = getattr(sys.modules.get(module_name), attribute, None)
    if not isinstance(found, type) or not (issubclass(found, nn.Module) or found.__module__ == module_name):
        return None
    return found


def _scalar(kind: Any, data: bytes) -> Any:
    if kind.kind not in "fiub":
        raise WeightsError(f"it holds a number of kind {kind}")
    return np.frombuffer(data, kind)[0]


NUMBERS = [type(np.dtype(name)) for name in ("float64", "float32", "int64", "int32", "bool")]
PLAIN: dict[str, Any] = {
    "ultralytics.utils.IterableSimpleNamespace": SimpleNamespace,
    "ultralytics.yolo.utils.IterableSimpleNamespace": SimpleNamespace,
    "ultralytics.nn.modules.block.Silence": nn.Identity,
    "numpy.dtype": np.dtype,
    "numpy.core.multiarray.scalar": _scalar,
    "numpy._core.multiarray.scalar": _scalar,
    "pathlib.PosixPath": PurePosixPath,
    "pathlib._local.PosixPath": PurePosixPath,
    "pathlib.WindowsPath": PureWindowsPath,
    "pathlib._local.WindowsPath": PureWindowsPath,
}
