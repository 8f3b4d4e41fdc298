"""Memory that a decode process writes frames into and this process reads them from; nothing is copied.

Each decode process has its own, so that a hostile video that takes over its decoder reaches no other. Where
processes are killed, however many, the system takes it back. It does not import torch: decode workers import
it.
"""

from __future__ import annotations

import itertools
import mmap
import os
import tempfile
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from vidlstm.devices import free_memory_bytes
from vidlstm.errors import SettingsError
from vidlstm.files import clear_leftovers, scratch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HEAD_BYTES = mmap.PAGESIZE
"""In front of the frames: a byte a slab, 1 while the decode process may write to it."""

_SERIALS = itertools.count()


class Slabs:
    """A ring of slabs; each takes the frames of one batch, or of a part of one.

    A slab belongs to one side at a time. The decode process fills one after the other, each when it is free;
    a full one is free no more before it says so. This process lends it to a reader, who gives it back.

    Args:
        memory: of ``size_of(count, shape)`` bytes.
        described: how many there are, the ``shape`` of each, ``(rows, H, W, C)``, and where another process
            finds them; as JSON values.
    """

    def __init__(self, memory: mmap.mmap, described: dict[str, Any]) -> None:
        self.described = described
        self.count, shape = described["count"], described["shape"]
        assert self.count <= HEAD_BYTES
        self.rows = shape[0]
        self._free_S = np.frombuffer(memory, np.uint8, self.count)
        whole = np.frombuffer(memory, np.uint8, size_of(self.count, shape) - HEAD_BYTES, HEAD_BYTES)
        self._frames_SRHWC = whole.reshape(self.count, *shape)
        self._lent, self._lock, self._kept = set[int](), threading.Lock(), ExitStack()

    @classmethod
    def new(cls, count: int, shape: Sequence[int]) -> Self:
        """Slabs that are all free.

        Raises:
            SettingsError: there is no room for them.
        """
        size = size_of(count, shape)
        with ExitStack() as kept:
            try:
                memory, path = _memory(size, kept)
            except (OSError, OverflowError) as error:
                raise _no_room(size, getattr(error, "strerror", None) or str(error)) from error
            serial = next(_SERIALS)  # a path is used again
            slabs = cls(memory, {"path": path, "count": count, "shape": list(shape), "serial": serial})
            slabs._kept = kept.pop_all()
        slabs.renew()
        return slabs

    @classmethod
    def rings(cls, number: int, count: int, shape: Sequence[int]) -> list[Self]:
        """So many of :meth:`new`, all or none.

        Raises:
            SettingsError: there is no room for them. Frames take memory as they come, and where that ends the
                system would kill this process without a word.
        """
        size, free = number * size_of(count, shape), free_memory_bytes()
        if size > free:
            raise _no_room(size, f"{free / (1 << 20):.0f} MB of memory are free")
        with ExitStack() as kept:
            made = list[Self]()
            for _ in range(number):
                made.append(cls.new(count, shape))
                kept.callback(made[-1].close)
            kept.pop_all()
        return made

    @classmethod
    def of(cls, described: dict[str, Any]) -> Self:
        """Those of the process that started this one."""
        size = size_of(described["count"], described["shape"])
        with Path(described["path"]).open("r+b") as file:
            return cls(mmap.mmap(file.fileno(), size), described)

    def __getitem__(self, slab: int) -> np.ndarray:
        """The frames ``(rows, H, W, C)`` uint8 of a slab."""
        frames: np.ndarray = self._frames_SRHWC[slab]
        return frames

    @property
    def memory(self) -> np.ndarray:
        """All bytes of the frames."""
        return self._frames_SRHWC.reshape(-1)

    def is_free(self, slab: int) -> bool:
        """Whether the decode process may write to it."""
        return bool(self._free_S[slab])

    def finish(self, slab: int) -> None:
        """The decode process writes to it no more."""
        self._free_S[slab] = 0

    def lend(self, slab: int) -> Callable[[], None]:
        """It is to be read, until what is returned is called, in any thread."""
        self._lent.add(slab)
        self.finish(slab)

        def give_back() -> None:
            with self._lock:
                self._lent.discard(slab)
                self._free_S[slab] = 1

        return give_back

    def renew(self) -> None:
        """Free is what is not lent, whatever a decode process that has died has left."""
        with self._lock:
            self._free_S[:] = [slab not in self._lent for slab in range(self.count)]

    def close(self) -> None:
        """No other process finds them any more; the memory is gone with the last array that shows it."""
        self._kept.close()


def size_of(count: int, shape: Sequence[int]) -> int:
    """Bytes of so many slabs."""
    return HEAD_BYTES + count * int(np.prod(shape, dtype=np.int64))


def _no_room(size: int, why: str) -> SettingsError:
    return SettingsError(
        f"there is no room for {size >> 20} MB of frames on their way from decoders ({why}); take a smaller "
        "`backbone.batch_size`"
    )


def _memory(size: int, kept: ExitStack) -> tuple[mmap.mmap, str]:
    """Memory, and the path by which a child finds it until ``kept`` is closed."""
    descriptor = None
    with suppress(OSError, AttributeError, ImportError):  # another system than Linux, or one that hides /proc
        descriptor = _nameless(kept)
    if descriptor is not None:
        # Out of memory is no reason to try the disk.
        import fcntl

        os.truncate(descriptor, size)
        # Made shorter, it would kill the process that reads it.
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
        return mmap.mmap(descriptor, size), _path_of(descriptor)
    folder = Path(tempfile.gettempdir())
    clear_leftovers(folder)
    path = kept.enter_context(scratch(folder)) / "frames"
    with path.open("w+b") as file:
        # A file with holes would kill whoever writes to it when the disk is full.
        for start in range(0, size, 1 << 24):
            file.write(bytes(min(1 << 24, size - start)))
        file.flush()
        return mmap.mmap(file.fileno(), size), str(path)


def _nameless(kept: ExitStack) -> int:
    """The descriptor of memory that leaves nothing behind, and needs no room in /dev/shm."""
    descriptor = os.memfd_create("vidlstm-frames", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    kept.callback(os.close, descriptor)
    if not os.access(_path_of(descriptor), os.R_OK | os.W_OK):
        raise FileNotFoundError(_path_of(descriptor))
    return descriptor


def _path_of(descriptor: int) -> str:
    return f"/proc/{os.getpid()}/fd/{descriptor}"
