"""A decode process that hangs or dies where a file's name says so, as a decoder may on a damaged file."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np

from vidlstm.features import decode_worker

decode = decode_worker.decode


put = decode_worker.Shelf.put


def breaks_off(shelf: decode_worker.Shelf, seconds: float, picture: np.ndarray) -> None:
    """Dies in the middle of a video, and leaves every slab as if it were to be read."""
    if seconds > 0.5:
        for slab in range(shelf._slabs.count):
            shelf._slabs.finish(slab)
        os.kill(os.getpid(), signal.SIGKILL)
    put(shelf, seconds, picture)


def unruly(job: dict[str, Any], outlet: decode_worker.Outlet) -> None:
    name = Path(job["path"]).stem
    if name == "hangs":
        Path(job["path"]).with_suffix(".pid").write_text(str(os.getpid()))
        time.sleep(1000)
    if name == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if name == "lies":  # as one that a hostile file has taken over
        outlet.send(decode_worker.FRAMES, {"t": [0.0] * 1000})
        time.sleep(1000)
    decode_worker.Shelf.put = breaks_off if name == "breaks" else put
    decode(job, outlet)
    if name == "poisons":  # it is done, but the process dies of it when the next one is handed over
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGKILL)


decode_worker.decode = unruly

if __name__ == "__main__":
    decode_worker.main()
