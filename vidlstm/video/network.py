"""The fifth reader: a stream from an address, through PyAV, with the clock of its own packets."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import av

from vidlstm.errors import VideoError
from vidlstm.video.container import DEMUXERS, FAILURES, plain
from vidlstm.video.pyav import PyAVReader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av import VideoFrame
    from av.container import InputContainer

    from vidlstm.structures import FrameSize
    from vidlstm.video.base import Picture, Wanted

PROTOCOLS = "http,https,httpproxy,tls,tcp,udp,rtp,srtp,rtsp,rtsps,rtmp,rtmps,rtmpt,srt,crypto,hls,pipe"
"""What an address may lead to. ``file`` is left out: a playlist opens no file of this machine."""

OPTIONS = {
    "protocol_whitelist": PROTOCOLS,
    "format_whitelist": f"{DEMUXERS},rtsp,rtp,sdp,hls,mpjpeg,live_flv",
    "analyzeduration": "1000000",  # microseconds; five seconds otherwise, all of them delay
}
"""What FFmpeg is told when it opens an address. RTSP is asked for TCP first: UDP loses
packets, what lies below a lost one is grey, and nothing says so."""

WITHOUT_TCP = (av.HTTPBadRequestError, av.HTTPOtherClientError, av.InvalidDataError)
"""What an RTSP server that sends through UDP alone makes of a request for TCP (461, or an honest 400)."""

WITHOUT_A_CLOCK = ("mpjpeg", "mjpeg", "h264", "hevc", "m4v", "mpegvideo", "rawvideo", "image2pipe")
"""Formats that carry no times. FFmpeg counts their frames at a rate that nobody claimed."""


class NetworkReader(PyAVReader):
    """Reads a stream from an address; its end is told as what it is, a stream that broke off.

    Times are those of the packets where the format has any, else of their arrival, in seconds since the first
    frame came.

    Args:
        address: such as ``rtsp://camera/1``.
        size, wanted: see :func:`~vidlstm.video.reader.open_video`.
        timeout_seconds: the stream has broken off when nothing comes for so long.

    Raises:
        VideoError: ``unreadable``, ``no_video_stream``, or ``empty``.
    """

    def __init__(
        self,
        address: str,
        *,
        size: FrameSize | None = None,
        wanted: Wanted | None = None,
        timeout_seconds: float = 10.0,
    ) -> None:
        self._timeout = timeout_seconds
        super().__init__(address, size=size, wanted=wanted)
        self._opened = time.monotonic()
        self.has_clock = self._container.format.name not in WITHOUT_A_CLOCK

    def _open(self) -> InputContainer:
        try:
            try:
                return self._through("tcp")
            except WITHOUT_TCP:
                if not str(self._path).lower().startswith("rtsp:"):
                    raise
                return self._through("udp")
        except FAILURES as error:
            raise VideoError(self._path, reason="unreadable", detail=plain(error)) from error

    def _through(self, transport: str) -> InputContainer:
        """Opens the address; the transport is that of RTSP."""
        return av.open(
            "pipe:0" if self._path == "-" else str(self._path),
            container_options={**OPTIONS, "rtsp_transport": transport},
            metadata_errors="replace",
            timeout=(self._timeout, self._timeout),
        )

    def _pictures(self) -> Iterator[Picture]:
        yield from super()._pictures()
        finite = self._path == "-" or self.info.claimed_duration_seconds
        if not self.truncated and not finite:
            self.truncated = f"the stream ended after {self.decoded_frames} frames"

    def _seconds(self, frame: VideoFrame) -> float | None:
        return super()._seconds(frame) if self.has_clock else time.monotonic() - self._opened
