"""Every event to an MQTT broker, under ``TOPIC/SOURCE/EVENT``. A broker that is away stops nothing."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from vidlstm.errors import SettingsError
from vidlstm.files import plain_json
from vidlstm.render.live.listener import Event, TellingListener, note
from vidlstm.render.names import short_names
from vidlstm.settings.live import LOOPBACK, host_and_port

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vidlstm.settings import SurfaceSettings

PIP_LINE = "pip install 'vidlstm[mqtt]'"
USER, PASSWORD = "VIDLSTM_MQTT_USER", "VIDLSTM_MQTT_PASSWORD"
PORT, TLS_PORT = 1883, 8883
MOST_WAITING = 1000
"""Events that wait for a broker that is away; further ones are lost, and counted."""
LOGIN_LETTERS = 4096
"""That a file with a user name and a password has fewer of."""
LONGEST_WAIT_SECONDS = 30
"""Between two tries to reach it."""
LAST_SECONDS = 2.0
"""For what still waits when the watching is over."""
FLEETING = ("step", "heartbeat", "forecast")
"""Sent once, if the broker is there; the others are sent until it has confirmed them."""


def check_mqtt(settings: SurfaceSettings) -> None:
    """Raises a SettingsError where the extra is not installed, or a file of the settings cannot be read."""
    try:
        import paho.mqtt.client  # noqa: F401
    except ImportError as error:
        raise SettingsError(f"`mqtt` needs the mqtt extra: {PIP_LINE} ({error})", setting="mqtt") from error
    client_of(settings)


def client_of(settings: SurfaceSettings) -> Any:
    """The library's client, not connected yet."""
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    client = Client(CallbackAPIVersion.VERSION2)
    client.max_queued_messages_set(MOST_WAITING)
    client.reconnect_delay_set(1, LONGEST_WAIT_SECONDS)
    user, password = login_of(settings)
    try:
        if user:
            client.username_pw_set(user, password)
    except UnicodeEncodeError as error:
        raise SettingsError(f"`mqtt`: {USER} or {PASSWORD} is no text", setting="mqtt") from error
    if settings.mqtt_tls:
        try:
            client.tls_set(ca_certs=None if settings.mqtt_ca is None else str(settings.mqtt_ca))
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise SettingsError(f"`mqtt_ca` {settings.mqtt_ca}: holds no certificates: {error}") from error
    return client


def login_of(settings: SurfaceSettings) -> tuple[str | None, str | None]:
    """User name and password, of the file or else of the environment.

    Raises:
        SettingsError: the file cannot be read.
    """
    if settings.mqtt_login is None:
        return os.environ.get(USER), os.environ.get(PASSWORD)
    try:
        with settings.mqtt_login.open(encoding="utf-8") as file:
            text = file.read(LOGIN_LETTERS)
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise SettingsError(f"`mqtt_login` {settings.mqtt_login}: cannot be read: {why}") from error
    lines = text.splitlines()
    if not lines or not lines[0] or len(text) == LOGIN_LETTERS:
        raise SettingsError(
            f"`mqtt_login` {settings.mqtt_login}: wants the user name in its first line, the password "
            "in its second"
        )
    return lines[0], lines[1] if len(lines) > 1 else None


class MqttSender(TellingListener):
    """Sends in a thread of the library.

    Args:
        settings: the broker.
        names: of the sources.
    """

    def __init__(self, settings: SurfaceSettings, names: Sequence[str]) -> None:
        super().__init__()
        assert settings.mqtt is not None
        port = TLS_PORT if settings.mqtt_tls else PORT
        self._host, self._port = host_and_port(settings.mqtt, "mqtt", port=port)
        self._topic, self._names = settings.mqtt_topic, short_names(names)
        self._client, self._encrypted = client_of(settings), settings.mqtt_tls
        self._client.on_connect, self._client.on_disconnect = self._connected, self._gone
        self._client.on_connect_fail = self._away
        self._client.on_publish = self._arrived
        self._fleeting: deque[Any] = deque(maxlen=MOST_WAITING)
        self._refused = False
        self._sent, self._confirmed = 0, 0  # by the thread that watches, and by the library's
        self._lost, self._told_lost, self._said, self._closed = 0, 0, "", False
        if (
            self._client.username
            and not settings.mqtt_tls
            and self._host not in (LOOPBACK, "localhost", "::1")
        ):
            self._tell("the password goes to the broker unencrypted; see `mqtt_tls true`")
        self._client.connect_async(self._host, self._port, keepalive=30)
        self._client.loop_start()

    def on_event(self, event: Event, source: int | None) -> None:
        """Sends an event, or lets it wait; never longer than it takes to queue it."""
        place = event.get("surface", "vidlstm") if source is None else self._names[source]
        lasting = event["event"] not in FLEETING
        if not lasting and not self._takes_fleeting():
            self._lost += 1
            return
        text = json.dumps(plain_json(event), allow_nan=False)
        sent = self._client.publish(f"{self._topic}/{place}/{event['event']}", text, qos=int(lasting))
        if sent.rc == QUEUE_IS_FULL:
            self._lost += 1
        else:
            self._sent += 1
            self._fleeting.extend([] if lasting else [sent])

    def _takes_fleeting(self) -> bool:
        """Whether the broker is there, and has taken what was sent so many events ago."""
        many = len(self._fleeting) == MOST_WAITING
        slow = many and not self._fleeting[0].rc and not self._fleeting[0].is_published()
        return bool(self._client.is_connected()) and not slow

    def close(self) -> None:
        """Waits a little for what is on its way."""
        if self._closed:
            return
        self._closed = True
        until = time.monotonic() + LAST_SECONDS
        while self._waiting() and self._client.is_connected() and time.monotonic() < until:
            time.sleep(0.02)
        self._lost += self._waiting()
        self._client.on_disconnect = None
        self._client.disconnect()
        self._client.loop_stop()
        if self._lost > self._told_lost:
            self._tell(f"{self._lost - self._told_lost} events did not reach the broker")

    def _waiting(self) -> int:
        """Events that the broker has not confirmed."""
        return self._sent - self._confirmed

    def _arrived(self, client: Any, data: Any, number: Any, reason: Any, properties: Any) -> None:
        self._confirmed += 1

    def _connected(self, client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        self._refused = reason.is_failure
        if self._refused:
            return self._tell(f"the broker refuses: {reason}")
        lost, self._told_lost = self._lost - self._told_lost, self._lost
        self._tell(f"connected{f'; {lost} events were lost while it was away' if lost else ''}")
        return None

    def _gone(self, client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        if not self._refused:  # which is said already, and would be in turn with this at every try
            self._tell(f"the broker is gone: {reason}; up to {MOST_WAITING} events wait for it")

    def _away(self, client: Any, data: Any) -> None:
        trusted = ", or its certificate is not trusted" if self._encrypted else ""
        self._tell(f"the broker does not answer{trusted}; up to {MOST_WAITING} events wait for it")

    def _tell(self, what: str) -> None:
        """Says something of the broker, once and not at every try."""
        if what != self._said:
            self._said = what
            self._news.put(note("mqtt", f"{self._host}:{self._port}: {what}"))


QUEUE_IS_FULL = 15
"""The library's ``MQTTErrorCode.MQTT_ERR_QUEUE_SIZE``."""
