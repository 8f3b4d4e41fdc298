"""``vidlstm <verb>``: picks the verb's file. Heavy imports wait inside the verb."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import select
import signal
import sys
import warnings
from typing import TYPE_CHECKING

from vidlstm import __version__
from vidlstm.cli.terminal import adapt_to_terminal, say, visible, writing
from vidlstm.errors import OutputError, SettingsError, Stopped, VidlstmError, nearest, with_flags

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

VERBS = {
    "demo": "draw labelled clips, train on them, annotate an unseen video; needs no data, no download",
    "extract": "videos to a feature store",
    "track": "videos to a table of tracked objects, with YOLO",
    "import": "what labelling tools wrote to one table of timed labels",
    "train": "labelled clips to a checkpoint; extracts missing features first",
    "evaluate": "a checkpoint's accuracy beside its trivial baselines",
    "predict": "videos to annotated videos, tables and timelines",
    "watch": "cameras, streams and files to what happens in them, while it happens",
    "bench": "how fast this machine is with your own videos, and how many cameras it can watch",
    "inspect": "what a network has learned: its gates over a video, its gradient over the lag",
    "weights": "which weights of backbones are on this machine, and where they were looked for",
}
"""Each verb is ``run(argv) -> exit status`` in ``vidlstm/cli/<verb>.py``."""

INTERRUPTED, UNREAD, TERMINATED = 130, 141, 143
"""Exit statuses as of a program that SIGINT, SIGPIPE or SIGTERM ends."""


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
    adapt_to_terminal()
    try:
        try:
            return _run(argv)
        finally:
            with writing():
                sys.stdout.flush()  # else Python does so at its very end, where nothing can be caught
    except BrokenPipeError:
        if not _nobody_reads():
            raise
        _write_to_nobody()
        return UNREAD
    except OutputError as error:
        say(f"vidlstm: {error}", error=True)
        _write_to_nobody()
        return 2


def _write_to_nobody() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
        say(usage())
        return 0 if arguments else 2
    if arguments[0] in ("-V", "--version"):
        say(f"vidlstm {__version__}")
        return 0
    verb, rest = arguments[0], arguments[1:]
    if verb not in VERBS:
        say(f"vidlstm: no verb is called {verb!r}{nearest(verb, VERBS)}", error=True)
        return 2
    warnings.formatwarning = _one_line
    try:
        with _terminated_like_interrupted():
            return int(importlib.import_module(f"vidlstm.cli.{verb}").run(rest))
    except VidlstmError as error:
        say(f"vidlstm {verb}: {_place(error, rest)}{with_flags(str(error))}", error=True)
        return 2
    except OSError as error:
        if error.errno not in (errno.ENAMETOOLONG, errno.ELOOP):
            raise
        say(
            f"vidlstm {verb}: no file can be called so: {str(error.filename)[:80]}: {error.strerror}",
            error=True,
        )
        return 2
    except KeyboardInterrupt as stop:
        said = str(stop) or "interrupted; what was finished is kept"
        say(f"vidlstm {verb}: {with_flags(said)}", error=True)
        return getattr(stop, "status", INTERRUPTED)


@contextlib.contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM ends a verb as Ctrl-C does: what was begun is cleared away, and the status says it."""

    def stop(number: int, frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not disturb the clearing away
        raise Stopped("terminated; what was finished is kept", status=TERMINATED)

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not the main thread, which alone hears signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _place(error: VidlstmError, argv: Sequence[str]) -> str:
    """The config and the line that a wrong setting is from."""
    if not isinstance(error, SettingsError) or error.setting in ("", "config"):
        return ""
    from vidlstm.cli.config import place_of

    return place_of(error.setting, argv)


def _one_line(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    return f"warning: {visible(with_flags(str(message)))}\n"
