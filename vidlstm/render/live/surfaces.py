"""The surfaces that settings ask for: looked at before any work, and opened when it begins."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from vidlstm.files import check_writable
from vidlstm.settings.live import host_and_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vidlstm.render.live.listener import Listener
    from vidlstm.settings import SurfaceSettings

LATE_SECONDS = 2.0
"""How much later than its rule says an event may be told of, because frames go through in batches."""


def check_surfaces(settings: SurfaceSettings) -> None:
    """Looks whether all can be opened.

    Raises:
        SettingsError, OutputError: one cannot.
    """
    if settings.out is not None:
        check_writable(settings.out)
    if settings.http is not None:
        from vidlstm.render.live.web import check_web

        check_web()
    if settings.mqtt is not None:
        from vidlstm.render.live.mqtt import check_mqtt

        check_mqtt(settings)
    if settings.show:
        from vidlstm.render.live.window import check_window

        check_window()


def opened_surfaces(
    settings: SurfaceSettings, names: Sequence[str], fps: float, minimum_seconds: float
) -> list[Listener]:
    """Opens them; where one fails, those before it are closed.

    Args:
        settings: which.
        names: of the sources.
        fps: how often a frame of each is looked at.
        minimum_seconds: how long something lasts before it is told of.

    Raises:
        VidlstmError: one cannot be opened.
    """
    with ExitStack() as kept:
        opened = []
        for surface in _each(settings, names, fps, minimum_seconds):
            kept.callback(surface.close)
            opened.append(surface)
        kept.pop_all()
    return opened


def _each(
    settings: SurfaceSettings, names: Sequence[str], fps: float, minimum_seconds: float
) -> Iterator[Listener]:
    if settings.http is not None:
        from vidlstm.render.live.web import WebServer

        yield WebServer(*host_and_port(settings.http, "http"), names)
    if settings.record is not None and settings.out is not None:
        from vidlstm.render.live.record import Recorder

        yield Recorder(
            settings.out,
            names,
            fps=fps,
            seconds=settings.record,
            late_seconds=minimum_seconds + LATE_SECONDS,
            megabytes=settings.record_megabytes,
        )
    if settings.mqtt is not None:
        from vidlstm.render.live.mqtt import MqttSender

        yield MqttSender(settings, names)
    if settings.show:
        from vidlstm.render.live.window import Window

        yield Window(len(names))
