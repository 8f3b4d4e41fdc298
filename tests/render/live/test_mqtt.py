"""Events to a broker: a real one where there is one, and none at all."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.render.live.shots import began
from vidlstm.errors import SettingsError
from vidlstm.render.live import mqtt
from vidlstm.settings import SurfaceSettings

client = pytest.importorskip("paho.mqtt.client", reason="the mqtt extra is not installed")
MOSQUITTO = shutil.which(
    "mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/sbin"
)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def answers(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[int]:
    """Mosquitto with one user, ``me`` and the password ``x y``."""
    if MOSQUITTO is None or shutil.which("mosquitto_passwd") is None:
        pytest.skip("no broker here: apt-get install mosquitto")
    port, users = free_port(), tmp_path / "users"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(users), "me", "x y"], check=True)
    users.chmod(0o644)
    tmp_path.chmod(0o755)
    config = tmp_path / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\npassword_file {users}\nuser root\n")
    with subprocess.Popen([MOSQUITTO, "-c", str(config)], stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not answers(port):
            time.sleep(0.02)
        yield port
        process.terminate()


class Reader:
    """Everything that a broker passes on."""

    def __init__(self, port: int) -> None:
        self.heard: list[tuple[str, Any]] = []
        self.ready, self.enough = threading.Event(), threading.Event()
        self._client = client.Client(client.CallbackAPIVersion.VERSION2)
        self._client.username_pw_set("me", "x y")
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda c, *_: c.subscribe("#", qos=1)
        self._client.on_subscribe = lambda *_: self.ready.set()
        self._client.on_message = self._take
        self._client.connect_async("127.0.0.1", port)
        self._client.loop_start()
        assert self.ready.wait(20)

    def _take(self, one: Any, data: Any, message: Any) -> None:
        self.heard.append((message.topic, json.loads(message.payload)))
        if message.topic.endswith("ended"):
            self.enough.set()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def test_events_arrive_under_their_topics(broker: int, tmp_path: Path) -> None:
    login = tmp_path / "login"
    login.write_text("me\nx y\n")
    reader = Reader(broker)
    settings = SurfaceSettings(mqtt=f"127.0.0.1:{broker}", mqtt_topic="home/hall", mqtt_login=login)
    mqtt.check_mqtt(settings)
    sender = mqtt.MqttSender(settings, ["rtsp://camera/+/#", "a/b", "a_b"])
    sender.on_event(began("fall", 1.0), 0)
    sender.on_event({"event": "ended", "source": "a_b", "detail": float("nan")}, 2)
    assert reader.enough.wait(20)
    sender.close()
    reader.close()
    assert [topic for topic, _ in reader.heard] == ["home/hall/rtsp_camera/start", "home/hall/a_b_2/ended"]
    assert reader.heard[0][1]["label"] == "fall" and reader.heard[1][1]["detail"] is None
    assert [event["detail"] for event, _ in sender.turn()] == [f"127.0.0.1:{broker}: connected"]


def test_a_wrong_password_is_said(broker: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(mqtt.USER, "me")
    monkeypatch.setenv(mqtt.PASSWORD, "wrong")
    sender = mqtt.MqttSender(SurfaceSettings(mqtt=f"127.0.0.1:{broker}"), ["a"])
    said = ""
    while "refuses" not in said:  # it may not answer yet
        said = sender._news.get(timeout=20)[0]["detail"]
    sender.close()
    assert said.endswith("the broker refuses: Not authorized")


def test_a_broker_that_is_away_stops_nothing_and_what_is_lost_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mqtt, "MOST_WAITING", 10)
    sender = mqtt.MqttSender(SurfaceSettings(mqtt=f"127.0.0.1:{free_port()}"), ["a"])
    for number in range(25):
        sender.on_event(began("fall", number), 0)
        sender.on_event({"event": "step", "source": "a"}, 0)
    event, _ = sender._news.get(timeout=20)
    assert "the broker does not answer; up to 10 events wait for it" in event["detail"]
    sender.close()
    sender.close()
    lost = sender.turn()[-1][0]["detail"]
    assert lost.endswith("50 events did not reach the broker")  # 25 steps, 15 beyond the queue, 10 in it


def test_logins_and_certificates_that_cannot_be_read_are_told_first(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"`mqtt_login` .*none: cannot be read: No such file"):
        mqtt.check_mqtt(SurfaceSettings(mqtt="host", mqtt_login=tmp_path / "none"))
    (tmp_path / "empty").touch()
    with pytest.raises(SettingsError, match="user name in its first line"):
        mqtt.check_mqtt(SurfaceSettings(mqtt="host", mqtt_login=tmp_path / "empty"))
    with pytest.raises(SettingsError, match=r"`mqtt_ca` .*empty: holds no certificates"):
        mqtt.check_mqtt(SurfaceSettings(mqtt="host", mqtt_tls=True, mqtt_ca=tmp_path / "empty"))


def test_a_password_in_the_clear_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(mqtt.USER, "me")
    monkeypatch.setattr("paho.mqtt.client.Client.loop_start", lambda self: None)
    sender = mqtt.MqttSender(SurfaceSettings(mqtt="broker.example"), ["a"])
    assert "unencrypted; see `mqtt_tls true`" in sender.turn()[0][0]["detail"]
    sender.close()


def test_a_broker_that_takes_nothing_makes_nothing_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "MOST_WAITING", 5)
    sender = mqtt.MqttSender(SurfaceSettings(mqtt="127.0.0.1:1"), ["a"])
    waiting = client.MQTTMessageInfo(1)
    monkeypatch.setattr(sender._client, "is_connected", lambda: True)
    sent: list[str] = []
    monkeypatch.setattr(sender._client, "publish", lambda topic, *_, **__: sent.append(topic) or waiting)
    for _ in range(20):
        sender.on_event({"event": "step"}, 0)
    assert len(sent) == 5
    waiting._set_as_published()
    sender.on_event({"event": "step"}, 0)
    assert len(sent) == 6
    monkeypatch.undo()
    sender.close()


def test_a_login_that_never_ends_or_is_no_text_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for endless in ("/dev/null", "/dev/zero"):
        with pytest.raises(SettingsError, match="wants the user name"):
            mqtt.check_mqtt(SurfaceSettings(mqtt="a", mqtt_login=Path(endless)))
    monkeypatch.setenv(mqtt.USER, "\udcff")
    with pytest.raises(SettingsError, match="is no text"):
        mqtt.check_mqtt(SurfaceSettings(mqtt="a"))


def test_a_broker_that_refuses_is_told_of_once() -> None:
    sender = mqtt.MqttSender(SurfaceSettings(mqtt="127.0.0.1:1"), ["a"])
    while not sender.turn():  # that nobody answers there
        time.sleep(0.01)
    refusal = client.ReasonCode(client.PacketTypes.CONNACK, "Not authorized")
    for _ in range(3):
        sender._connected(None, None, None, refusal, None)
        sender._gone(None, None, None, refusal, None)
    details = [event["detail"] for event, _ in sender.turn() if "answer" not in event["detail"]]
    assert details == ["127.0.0.1:1: the broker refuses: Not authorized"]
    sender.close()
