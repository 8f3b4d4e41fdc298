"""Settings of ``watch``: how sources are read, when something has begun, and where it is shown."""

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Interval

from vidlstm.errors import SettingsError
from vidlstm.settings.ranges import NotNegative, Positive, Seconds, Share


@dataclass
class WatchSettings:
    """How sources are read.

    Args:
        pace: files as a camera would give them, or as fast as they go.
        drop: latest keeps the newest frame where the machine does not keep up, and counts the others; none
            reads every frame, and what is said grows old. auto drops of what goes at its own pace alone.
        timeout_seconds: a camera or stream that gives nothing for so long has broken off.
        reconnect_seconds: for so long one that broke off is tried again, ever more seldom; 0 never.
        keep_state_seconds: what is carried of a source outlives a break of so long; after a longer one it
            begins anew.
        heartbeat_seconds: how often each source is reported on when nothing happens.
        steps: an event at every step, with the probabilities of all labels.
        seconds: stop after so long; None goes on.
    """

    pace: Literal["real", "fast"] = "fast"
    drop: Literal["auto", "latest", "none"] = "auto"
    timeout_seconds: Seconds = 10.0
    reconnect_seconds: NotNegative = 60.0
    keep_state_seconds: NotNegative = 2.0
    heartbeat_seconds: Positive = 10.0
    steps: bool = False
    seconds: Positive | None = None


@dataclass
class OnlineSettings:
    """When a label begins and is over.

    Args:
        enter: the probability from which on a label begins.
        leave: below this it is over.
        minimum_seconds: how long a label must be as likely as enter before it is said to have begun.
    """

    enter: Share = 0.6
    leave: Share = 0.4
    minimum_seconds: NotNegative = 0.5

    def __post_init__(self) -> None:
        if self.leave > self.enter:
            raise SettingsError(
                f"`online.leave` {self.leave:g} is above `online.enter` {self.enter:g}: a label would be "
                "over before it begins",
                setting="online.leave",
            )


LOOPBACK = "127.0.0.1"
"""This machine alone."""

Around = Annotated[float, Interval(gt=0, le=60)]
"""Seconds before and after an event: those before are held in memory."""


@dataclass
class SurfaceSettings:
    """Where what happens is shown and told, beside the events.

    Args:
        record: save an MP4 of what happens, from so many seconds before it begins until so many after it is
            over; needs out.
        out: the folder of these.
        record_megabytes: when they take more, the oldest go.
        show: open a window with all sources; q or Esc ends the watching.
        http: HOST:PORT at which to serve a page, pictures and JSON; of :PORT the host is this machine alone.
        mqtt: HOST or HOST:PORT of a broker that every event is sent to. A user name and a password come from
            mqtt_login or the environment, VIDLSTM_MQTT_USER and VIDLSTM_MQTT_PASSWORD.
        mqtt_topic: what topics begin with.
        mqtt_login: a file with the user name in its first line and the password in its second.
        mqtt_tls: encrypt, and check the broker's certificate.
        mqtt_ca: a file of certificates to check it with, in place of the system's.
    """

    record: Around | None = None
    out: Path | None = None
    record_megabytes: Annotated[float, Interval(ge=1, le=1e9)] = 1000.0
    show: bool = False
    http: str | None = None
    mqtt: str | None = None
    mqtt_topic: str = "vidlstm"
    mqtt_login: Path | None = None
    mqtt_tls: bool = False
    mqtt_ca: Path | None = None

    def __post_init__(self) -> None:
        if (self.record is None) != (self.out is None):
            raise SettingsError("`record SECONDS` and `out FOLDER` are given together or not at all")
        if self.record is None and self.record_megabytes != SurfaceSettings.record_megabytes:
            raise SettingsError("`record_megabytes` has no effect without `record SECONDS`")
        if self.http is not None:
            host_and_port(self.http, "http")
        if self.mqtt is not None:
            host_and_port(self.mqtt, "mqtt", port=1883)
        for name in ("mqtt_topic", "mqtt_login", "mqtt_tls", "mqtt_ca"):
            if self.mqtt is None and getattr(self, name) != getattr(SurfaceSettings, name):
                raise SettingsError(f"`{name}` has no effect without `mqtt HOST`")
        if self.mqtt_ca is not None and not self.mqtt_tls:
            raise SettingsError("`mqtt_ca` has no effect without `mqtt_tls true`")
        if re.search(r"[+#\0\ud800-\udfff]|^$|^[/$]|/$|.{1000}", self.mqtt_topic):
            raise SettingsError(
                f"`mqtt_topic` {self.mqtt_topic[:80]!r}: a topic holds no + or #, neither begins nor "
                "ends with /, and is no longer than a thousand letters"
            )


def _is_host(name: str) -> bool:
    with suppress(UnicodeError):
        return name.strip("[]").encode("idna") is not None
    return False


def host_and_port(text: str, name: str, *, port: int | None = None) -> tuple[str, int]:
    """The two parts of an address; without a host, this machine.

    >>> host_and_port(":8080", "http")
    ('127.0.0.1', 8080)

    Args:
        text: ``HOST:PORT`` or ``:PORT``; ``[::1]:8080`` for an address of IPv6.
        name: of the setting, for the message.
        port: where none is given; None: one must be.

    Raises:
        SettingsError: it is none.
    """
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[\w.-]*)(?::(\d{1,5}))?", text)
    number = int(found[2]) if found and found[2] else port
    given = found is not None and (found[1] or found[2])
    least = 0 if port is None else 1  # port 0 is any that is free to listen at, and none to reach
    if found is None or number is None or not least <= number <= 65535 or not given or not _is_host(found[1]):
        shape = "HOST:PORT or :PORT" if port is None else "HOST or HOST:PORT"
        raise SettingsError(f"`{name}` is {shape}, with a port up to 65535, not {text!r}", setting=name)
    return found[1].strip("[]") or LOOPBACK, number
