"""One small tree of errors. Every message says what went wrong, where, and what to do about it.

Settings are named in backticks, dotted, with a value where one is meant (`data.fold`,
`data.skip_unreadable true`), so that each surface shows them as its users write them: the command line as
flags (see :func:`with_flags`).

The command line prints these without a traceback and exits with status 2; anything else that escapes is
a bug of ours and keeps its traceback. A wrong *argument* in Python code is a plain ``ValueError``.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

from vidlstm.addresses import address

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import Any


# What of an address is for nobody's eyes: see without_login.
LOGIN = re.compile(r"^(\w+://)[^/?#]*@")
SECRET = re.compile(r"(\b\w*(?:pass|pwd|token|secret|key|auth)\w*=)[^&#;]+", re.IGNORECASE)

SETTING = re.compile(r"`(?!vidlstm )([a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*)( [^`]*)?`")
"""A setting in a message, and the value that is meant."""


class VidlstmError(Exception):
    """Base of every error that a user can cause and mend.

    Attributes:
        written: the files that were finished all the same, where several were to be written.
    """

    written: tuple[Path, ...] = ()


class SettingsError(VidlstmError):
    """A setting is unknown, contradicts another, or does not fit what it is used on.

    Attributes:
        setting: which one, dotted (``data.root``): the first that the message names, unless it is said.
    """

    def __init__(self, message: str, *, setting: str = "") -> None:
        named = SETTING.search(message)
        self.setting = setting or (named[1] if named else "")
        super().__init__(message)


class VideoError(VidlstmError):
    """A video cannot be read or written.

    Attributes:
        path: the file, camera or stream.
        frame: how many frames were decoded before it failed.
        reason: one of ``VIDEO_FAILURES``.
        detail: what the decoder said.
    """

    def __init__(self, path: str | Path, *, reason: str, detail: str = "", frame: int = 0) -> None:
        assert reason in VIDEO_FAILURES, reason
        self.path, self.frame, self.reason = str(path), frame, reason
        shown = without_login(address(path))
        self.detail = detail = detail.replace(self.path, shown) if self.path else detail
        text = f"{shown}: {VIDEO_FAILURES[reason]}"
        if frame:
            text += f" (after {frame} frames)"
        super().__init__(f"{text}: {detail}" if detail else text)

    def __reduce__(self) -> tuple[object, ...]:
        """Keyword arguments survive the pipe from a decode worker."""
        return (_rebuild_video_error, (self.path, self.reason, self.detail, self.frame))


def _rebuild_video_error(path: str, reason: str, detail: str, frame: int) -> VideoError:
    return VideoError(path, reason=reason, detail=detail, frame=frame)


VIDEO_FAILURES = {
    "missing": "no such file",
    "unreadable": "cannot be opened as a video",
    "no_video_stream": "holds no video stream",
    "empty": "promises frames but none decodes",
    "too_large": "its pictures are too large to be read; scale it down",
    "truncated": "ends early; frames up to there are good",
    "other_boxes": "its boxes are those of another video; check `boxes`",
    "not_features": "cannot be read as features",
    "timeout": "took longer than allowed without giving a frame",
    "crashed": "its decoder process died",
    "unwritable": "cannot be written",
}
"""Why a video failed: the reason's name, and its words in a message."""


class WeightsError(VidlstmError):
    """Backbone weights are missing, changed, or do not fit the network."""


class DatasetError(VidlstmError):
    """An annotation file or a dataset folder is not what its format says."""


class StoreError(VidlstmError):
    """The feature store holds something other than what was asked for."""


class CheckpointError(VidlstmError):
    """A checkpoint cannot be read safely, or does not fit what it is used with."""


class TrainingError(VidlstmError):
    """A training cannot go on, such as one whose loss is no number any more."""


class RankError(VidlstmError):
    """Of several processes that work together another one has ended before its work was done."""


class Stopped(KeyboardInterrupt):
    """Work was ended from outside, by Ctrl-C or by SIGTERM; ``str()`` says what is kept.

    It is no ``VidlstmError``, so that what goes on after an error does not go on after this.

    Attributes:
        status: what the command line exits with: 128 and the number of the signal.
    """

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class OutputError(VidlstmError):
    """A result file cannot be written, or is not what its schema says."""


def without_login(source: object) -> str:
    """What a source is called where others may read it: an address without the user's name and password.

    >>> without_login("rtsp://admin:secret@camera/1")
    'rtsp://camera/1'
    >>> without_login("http://camera/video.mjpg?user=admin&pwd=secret")
    'http://camera/video.mjpg?user=admin&pwd=***'
    """
    text = str(source)
    return SECRET.sub(r"\1***", LOGIN.sub(r"\1", text)) if "://" in text else text


def nearest(word: str, allowed: Iterable[str]) -> str:
    """``"; did you mean 'x'?"`` for the closest of ``allowed``; the whole list where none is close.

    >>> nearest("lsmt", ["gru", "lstm"])
    "; did you mean 'lstm'?"
    """
    names = sorted(set(allowed))
    close = get_close_matches(word, names, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; allowed: {', '.join(names)}"


def torch_reason(error: Exception) -> str:
    """Why torch does not load a file, in a line, without its advice to load it anyway.

    >>> torch_reason(Exception("Weights only load failed. In PyTorch 2.6, we changed `weights_only` ..."))
    'Weights only load failed.'
    """
    reason = str(error).rpartition("WeightsUnpickler error: ")[2].strip().partition("\n")[0]
    for advice in ("Re-running `torch.load`", "(1) In PyTorch", "In PyTorch 2.6", "Please "):
        reason = reason.partition(advice)[0].strip()
    return reason or type(error).__name__


def with_flags(text: str) -> str:
    """A message with its settings as flags.

    >>> with_flags("give `data.root`, or `data.skip_unreadable true`")
    'give --data.root, or --data.skip_unreadable true'
    >>> with_flags("`vidlstm weights` lists them")
    '`vidlstm weights` lists them'
    """
    return SETTING.sub(r"--\1\2", text)


def side_by_side(wanted: dict[str, Any], found: dict[str, Any]) -> str:
    """The lines in which two specs differ, for an error message."""
    keys = [k for k in sorted({*wanted, *found}) if wanted.get(k) != found.get(k)]
    width = max((len(k) for k in keys), default=0)
    rows = [
        f"  {k:<{width}}  wanted {wanted.get(k)!r}\n  {'':<{width}}  found  {found.get(k)!r}" for k in keys
    ]
    return "\n".join(rows)
