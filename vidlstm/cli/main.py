"""``vidlstm <verb>``: picks the verb's file. Heavy imports wait inside the verb."""

from __future__ import annotations

import contextlib
import importlib
import os
import select
import sys
import warnings
from typing import TYPE_CHECKING

from vidlstm import __version__
from vidlstm.errors import VidlstmError, nearest, with_flags

if TYPE_CHECKING:
    from collections.abc import Sequence

VERBS = {
    "demo": "draw labelled clips, train on them, annotate an unseen video; needs no data, no download",
    "extract": "videos to a feature store",
    "track": "videos to a table of tracked objects, with YOLO",
    "import": "what labelling tools wrote to one table of timed labels",
    "train": "labelled clips to a checkpoint; extracts missing features first",
    "evaluate": "a checkpoint's accuracy beside its trivial baselines",
    "predict": "videos to annotated videos, tables and timelines",
    "inspect": "what a network has learned: its gates over a video, its gradient over the lag",
}
"""Each verb is ``run(argv) -> exit status`` in ``vidlstm/cli/<verb>.py``."""

INTERRUPTED, UNREAD = 130, 141
"""Exit statuses as of a program that SIGINT or SIGPIPE ends."""


def usage() -> str:
    """The text of ``vidlstm --help``."""
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {verb:<{width}}  {text}" for verb, text in VERBS.items())
    return (
        f"usage: vidlstm <verb> [--config FILE] [--section.key value ...]\n\n{verbs}\n\n"
        "vidlstm <verb> --help lists a verb's settings; --print_config prints them as YAML."
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one verb.

    Returns:
        The exit status: 0, 1 when some inputs failed, 2 for an error that the message explains.
    """
    try:
        try:
            return _run(argv)
        finally:
            sys.stdout.flush()  # else Python does so at its very end, where nothing can be caught
    except BrokenPipeError:
        if not _nobody_reads():
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD


def _nobody_reads() -> bool:
    """Whether the reader of standard output has seen enough, as in ``vidlstm --help | head -1``."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # no real file, or a system without poll
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
        return any(event & select.POLLERR for _, event in poll.poll(0))
    return False


def _run(argv: Sequence[str] | None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage())
        return 0 if arguments else 2
    if arguments[0] in ("-V", "--version"):
        print(f"vidlstm {__version__}")
        return 0
    verb, rest = arguments[0], arguments[1:]
    if verb not in VERBS:
        print(f"vidlstm: no verb is called {verb!r}{nearest(verb, VERBS)}", file=sys.stderr)
        return 2
    warnings.formatwarning = _one_line
    try:
        return int(importlib.import_module(f"vidlstm.cli.{verb}").run(rest))
    except VidlstmError as error:
        print(f"vidlstm {verb}: {with_flags(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"vidlstm {verb}: interrupted; what was finished is kept", file=sys.stderr)
        return INTERRUPTED


def _one_line(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    return f"warning: {with_flags(str(message))}\n"
