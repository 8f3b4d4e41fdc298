"""Addresses of objects in a bucket, such as ``s3://bucket/videos/a.mp4``, as text; see ``remote.py``.

They travel as ``Path``, like the name of any other file: a table, a card and a setting may hold either. A
``Path`` makes one slash of the two, so messages show them through :func:`address`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SCHEMES = ("s3",)
"""What is taken for an address. A literal list: libraries that open addresses know dozens of other kinds,
which read local files, unpack archives or call up web pages."""

_REMOTE = re.compile(rf"({'|'.join(SCHEMES)}):(?:/+(.*))?", re.DOTALL)
_ANY = re.compile(r"[a-z][a-z0-9+.:-]+:/", re.IGNORECASE)
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[^?#]*)?")


def is_remote(path: str | Path) -> bool:
    """Whether this is the address of an object or a folder in a bucket."""
    return _REMOTE.fullmatch(str(path)) is not None


def address(path: str | Path) -> str:
    """A path as people write it.

    >>> from pathlib import Path
    >>> address(Path("s3://bucket/a.mp4")), address("clips/a.mp4")
    ('s3://bucket/a.mp4', 'clips/a.mp4')
    """
    text = str(path)
    found = _REMOTE.fullmatch(text)
    return f"{found[1]}://{found[2] or ''}" if found else text


def why_no_address(path: str | Path) -> str:
    """What is wrong with an address that was given; empty where nothing is, and of names of files.

    >>> why_no_address("s3://KEY:SECRET@bucket/a.mp4")
    's3://... names no bucket; logins come from the environment (AWS_ACCESS_KEY_ID), not from an address'
    >>> why_no_address("gs://bucket/a.mp4")
    'gs://bucket/a.mp4: addresses begin with s3://'
    """
    text = str(path)
    if found := _REMOTE.fullmatch(text):
        place = found[2] or ""
        if _BUCKET.fullmatch(place) and ".." not in place.split("/"):
            return ""
        return (
            f"{found[1]}://... names no bucket; logins come from the environment (AWS_ACCESS_KEY_ID), "
            "not from an address"
        )
    if not _ANY.match(text):
        return ""
    shown = re.sub(r":/+([^/@]*@)?", "://", text.partition("?")[0], count=1)
    return f"{shown}: addresses begin with {' or '.join(f'{scheme}://' for scheme in SCHEMES)}"
