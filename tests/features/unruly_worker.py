"""A decode process that hangs or dies where a file's name says so, as a decoder may on a damaged file."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from vidlstm.features import decode_worker

decode = decode_worker.decode


def unruly(job: dict[str, Any], outlet: decode_worker.Outlet) -> None:
    name = Path(job["path"]).stem
    if name == "hangs":
        Path(job["path"]).with_suffix(".pid").write_text(str(os.getpid()))
        time.sleep(1000)
    if name == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    decode(job, outlet)
    if name == "poisons":  # it is done, but the process dies of it when the next one is handed over
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGKILL)


decode_worker.decode = unruly

if __name__ == "__main__":
    decode_worker.main()
