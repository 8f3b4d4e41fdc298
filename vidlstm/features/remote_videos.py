"""Videos that lie in a bucket: each is downloaded once, and known afterwards without that.

A decoder reads a file of this machine: a copy, which is gone when the video has been decoded, or stays in a
folder of copies where one is given. The hash is made of the bytes as they arrive, and the store remembers
which state of which object has which hash: ``<root>/addresses/<h[:2]>/<h>`` holds it in hex, where ``h`` is
the SHA-256 of address, size and ETag. An object that was replaced has another name there, so that nothing is
ever out of date, and no address can be read from the store. What stands in such a file is checked.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from vidlstm import remote
from vidlstm.addresses import address, is_remote
from vidlstm.errors import OutputError, VideoError
from vidlstm.files import scratch, write_text
from vidlstm.media import VIDEO_SUFFIXES, suffix_of
from vidlstm.video.container import plain
from vidlstm.video.hashing import hash_video

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FOLDER = "addresses"
"""In the root of a store: what is known of objects."""
HASH = re.compile(r"[0-9a-f]{64}")


def known_hash(video: Path, root: Path) -> str:
    """The SHA-256 of a video's bytes as a store remembers it; empty where it does not. Nothing is downloaded.

    Args:
        video: an address.
        root: of the store, on disk or in a bucket.

    Raises:
        VideoError: the bucket holds no such video, or cannot be reached.
    """
    with _telling(video):
        found = remote.status(video)
    if found is None or not found.version:
        return ""
    note = _note_of(video, found, root)
    with suppress(OSError, ValueError):
        text = (remote.read(note) if is_remote(note) else note.read_bytes()).decode()
        return text if HASH.fullmatch(text) else ""
    return ""


def _remember(video: Path, found: remote.Status, root: Path, video_hash: str) -> None:
    """Notes a hash. Of a store that cannot be written to the features will tell."""
    if not found.version:
        return
    note = _note_of(video, found, root)
    with suppress(OSError, OutputError):
        remote.write(video_hash.encode(), note) if is_remote(note) else write_text(video_hash, note)


def _note_of(video: Path, found: remote.Status, root: Path) -> Path:
    name = _state_of(video, found)
    return root / FOLDER / name[:2] / name


def _state_of(video: Path, found: remote.Status) -> str:
    text = "\0".join((address(video), str(found.size), found.version))
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def copies_in(kept: Path | None) -> Path:
    """The folder that copies are made in."""
    return kept or Path(tempfile.gettempdir())


@contextmanager
def at_hand(
    video: Path,
    root: Path,
    *,
    kept: Path | None = None,
    beat: Callable[[], None] = lambda: None,
) -> Iterator[tuple[Path, str]]:
    """A video as a file of this machine, and the SHA-256 of its bytes; a file on disk is that already.

    Args:
        video: a file, a folder of images, or an address.
        root: of a store, which remembers the hash.
        kept: the folder of copies; None makes one that is gone when the block ends.
        beat: called after every piece that was read.

    Raises:
        VideoError: it is not there, or cannot be read.
    """
    if not is_remote(video):
        yield video, hash_video(video, beat=beat)
        return
    suffix = suffix_of(video.name)  # the decoder may ask for it; of the rest of a key nothing is taken over
    ending = f".{suffix}" if suffix in VIDEO_SUFFIXES else ""
    with _telling(video):
        found = remote.status(video) if kept else None
    copy = None if kept is None or found is None else kept / f"{_state_of(video, found)}{ending}"
    if copy is not None and copy.is_file():
        yield copy, hash_video(copy, beat=beat)
        return
    with scratch(copies_in(kept)) as folder:
        file = folder / f"video{ending}"
        with _telling(video):
            found, video_hash = _download(video, file, beat)
        _remember(video, found, root, video_hash)
        if kept is not None:
            file = file.replace(kept / f"{_state_of(video, found)}{ending}")
        yield file, video_hash


def _download(video: Path, file: Path, beat: Callable[[], None]) -> tuple[remote.Status, str]:
    digest = hashlib.sha256()
    with (
        remote.opened(video) as (found, pieces),
        file.open("xb") as copy,
    ):
        for piece in pieces:
            digest.update(piece)
            copy.write(piece)
            beat()
    return found, digest.hexdigest()


@contextmanager
def _telling(video: Path) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise  # of the beat
    except FileNotFoundError as error:
        raise VideoError(video, reason="missing") from error
    except OSError as error:
        raise VideoError(video, reason="unreadable", detail=plain(error)) from error
