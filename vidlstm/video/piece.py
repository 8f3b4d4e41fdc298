"""The beginning of a video as a file of its own, without decoding it."""

from __future__ import annotations

from pathlib import Path

import av

from vidlstm.errors import VideoError
from vidlstm.video.container import FAILURES, first_video_stream, open_container


def piece_of(path: Path, seconds: float, folder: Path) -> Path:
    """Copies the packets of about so many seconds into a Matroska file.

    Args:
        path: of a video.
        seconds: from its first packet.
        folder: takes the piece, which has another name than all others in it.

    Returns:
        The piece; ``path`` itself where it is no longer than that, or cannot be cut.
    """
    piece = folder / f"{len(list(folder.iterdir()))}.mkv"
    try:
        cut = path.is_file() and _copy(path, seconds, piece)
    except (VideoError, *FAILURES):
        cut = False
    if cut:
        return piece
    piece.unlink(missing_ok=True)
    return path


def _copy(path: Path, seconds: float, piece: Path) -> bool:
    """Whether there was more than was copied."""
    with open_container(path) as source, av.open(str(piece), "w") as target:
        stream = first_video_stream(source, path)
        copy, first = target.add_stream_from_template(stream), None
        for packet in source.demux(stream):
            if packet.dts is None or packet.time_base is None:
                continue
            at = float(packet.dts * packet.time_base)
            first = at if first is None else first
            if at - first > seconds:
                return True
            packet.stream = copy
            target.mux(packet)
    return False
