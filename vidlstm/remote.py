"""Objects in a bucket: listed, read and written, and what goes wrong told as an ``OSError`` in one sentence.

The one place that calls s3fs. Who may reach the bucket, and where it is, comes from the environment as for
every program of AWS (``AWS_PROFILE``, ``AWS_ACCESS_KEY_ID``, ``AWS_ENDPOINT_URL``, ...). Answers of 500 and
connections that are refused are tried again by botocore, connections that break off and ones that say
nothing by s3fs, both with growing waits.
"""

from __future__ import annotations

import errno
import re
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidlstm.addresses import address
from vidlstm.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

PIP_LINE = "pip install 'vidlstm[s3]'"
PIECE_BYTES = 4 << 20
"""What is asked for at a time: a connection that breaks off costs no more."""
SILENCE_SECONDS = 15.0
"""For so long a connection may say nothing before it is tried anew."""
NO_FOLDER = "it is a folder in a bucket; folders of images are read from a disk"
LISTINGS_SECONDS = 60.0
"""For so long what a listing said, sizes too, is not asked for again."""


@dataclass(frozen=True)
class Status:
    """One state of an object: another size or version is another object."""

    size: int
    version: str


@dataclass(frozen=True)
class Entry:
    """What lies in a folder of a bucket, with the methods of ``os.DirEntry`` that are asked of one."""

    path: str
    folder: bool

    @property
    def name(self) -> str:
        """Its last part."""
        return self.path.rpartition("/")[2]

    def is_dir(self) -> bool:
        """Whether others lie in it."""
        return self.folder

    def is_file(self) -> bool:
        """Whether it is an object."""
        return not self.folder

    def is_symlink(self) -> bool:
        """Buckets have none."""
        return False


@cache
def file_system() -> Any:
    """s3fs's, one a process.

    Raises:
        SettingsError: the extra is not installed.
    """
    try:
        from s3fs import S3FileSystem
    except ImportError as error:
        raise SettingsError(f"addresses with s3:// need the s3 extra: {PIP_LINE} ({error})") from error
    waits = {"connect_timeout": SILENCE_SECONDS, "read_timeout": SILENCE_SECONDS}
    return S3FileSystem(config_kwargs=waits, listings_expiry_time=LISTINGS_SECONDS, skip_instance_cache=True)


def entries(folder: str | Path) -> list[Entry]:
    """What lies in a folder, in the order of the names; nothing where there is no such folder.

    Raises:
        OSError: it cannot be listed.
    """
    place = address(folder).rstrip("/").removeprefix("s3://")
    with _plainly(folder):
        try:
            found = file_system().ls(place, detail=True)
        except FileNotFoundError:
            return []
    # An object ``videos/`` may stand for its folder, and one may be named like the folder itself.
    inside = [one for one in found if one["name"].rstrip("/").startswith(f"{place}/")]
    return [Entry(f"{folder}/{_last(one)}", one["type"] == "directory") for one in inside if _last(one)]


def _last(found: dict[str, Any]) -> str:
    return str(found["name"]).rpartition("/")[2]


def status(path: Path) -> Status | None:
    """The state of an object; None for a folder.

    Raises:
        OSError: it is not there, or cannot be asked for.
    """
    with _plainly(path):
        return _status(file_system().info(address(path)))


def _status(info: dict[str, Any]) -> Status | None:
    return None if info["type"] == "directory" else Status(int(info["size"]), str(info.get("ETag") or ""))


def read(path: Path | str, most: int | None = None) -> bytes:
    """An object, or its first bytes.

    Raises:
        OSError: it is not there, or cannot be read.
    """
    with _plainly(path):
        start = None if most is None else 0
        try:
            # Several requests at once would have it ask for the size first.
            data: bytes = file_system().cat_file(address(path), start=start, end=most, max_concurrency=1)
        except OSError as error:
            response = getattr(error.__cause__, "response", {})
            if response.get("Error", {}).get("Code") != "InvalidRange":
                raise
            return b""  # nothing has no first bytes
    return data


@contextmanager
def opened(
    path: Path, *, silence_seconds: float = SILENCE_SECONDS
) -> Iterator[tuple[Status, Iterator[bytes]]]:
    """The state of an object, and its bytes in pieces: each is asked for once, and all are of that state.

    Raises:
        OSError: it is not there, is replaced meanwhile, or cannot be read.
    """
    with _plainly(path):
        file = file_system().open(address(path), "rb", cache_type="none")
        known = _status(file.details)
        if known is None:
            raise IsADirectoryError(errno.EISDIR, NO_FOLDER, address(path))
    with file:
        yield known, _pieces(file, path)


def _pieces(file: Any, path: Path) -> Iterator[bytes]:
    while True:
        with _plainly(path):
            piece: bytes = file.read(PIECE_BYTES)
        if not piece:
            return
        yield piece


def write(data: bytes, path: Path) -> None:
    """Puts an object in its place: it is there whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    with _plainly(path):
        file_system().pipe_file(address(path), data)


def upload(file: Path, path: Path) -> None:
    """Puts a file into a bucket: it is there whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    with _plainly(path):
        file_system().put_file(str(file), address(path))


@contextmanager
def _plainly(path: str | Path) -> Iterator[None]:
    """Turns what s3fs, botocore and aiohttp raise into an ``OSError`` whose ``strerror`` is a sentence."""
    try:
        yield
    except (SettingsError, IsADirectoryError):
        raise
    except FileNotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, "there is no such object", address(path)) from error
    except PermissionError as error:
        raise PermissionError(
            errno.EACCES,
            "the bucket does not allow it; check the credentials (AWS_PROFILE, AWS_ACCESS_KEY_ID)",
            address(path),
        ) from error
    except Exception as error:  # of three libraries
        raise OSError(errno.EIO, f"the bucket fails ({_words(error)}); try again", address(path)) from error


def _words(error: Exception) -> str:
    """An error in a line, without logins and queries of addresses."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    text = re.sub(r"://[^/\s@]*@", "://", " ".join(str(text).split()))
    return re.sub(r"\?[^\s\"']*", "", text)[:300]
