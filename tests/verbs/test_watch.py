"""``watch``: what is said while it happens is what the whole file gives."""

from __future__ import annotations

import io
import json
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import vidlstm
from tests.fakes.videos import write_video
from tests.features.tiny import WIDTH, tiny_backbone
from vidlstm.cli.main import main
from vidlstm.cli.watch import is_camera, show_event
from vidlstm.errors import SettingsError, VideoError, without_login
from vidlstm.inference.stream import CarriedState
from vidlstm.models.classifier import SequenceClassifier
from vidlstm.render.events import EventFile
from vidlstm.render.live.listener import Listener, Shot
from vidlstm.settings.live import host_and_port
from vidlstm.tasks.predictor import Predictor
from vidlstm.verbs.watch import called, load_to_watch

LABELS = ("a", "b", "c")


def predictor(folder: Path, **settings: Any) -> Predictor:
    """A network that was never trained, with a head that makes it sure of itself."""
    torch.manual_seed(1)
    network = SequenceClassifier(WIDTH, 3, hidden_size=8, projection=0, **settings)
    network.head[1].weight.data *= 40
    path = vidlstm.save_card(
        folder / "mine.ckpt", network.eval(), labels=LABELS, backbone=tiny_backbone(), window_seconds=1.0
    )
    return vidlstm.load(path, backbone=tiny_backbone(), device="cpu")


@pytest.fixture(scope="module")
def causal(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return predictor(tmp_path_factory.mktemp("causal"), bidirectional=False, pooling="last")


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Of different sizes, rates and lengths."""
    root = tmp_path_factory.mktemp("videos")
    for i in range(8):
        write_video(
            root / f"{i}.mp4",
            seed=i,
            frames=20 + 5 * i,
            height=48 + 16 * (i % 3),
            width=64,
            fps=10 + 5 * (i % 2),
        )
    return [root / f"{i}.mp4" for i in range(8)]


def steps(events: list[dict[str, Any]], source: Path) -> np.ndarray:
    return np.array(
        [
            list(e["probabilities"].values())
            for e in events
            if e["event"] == "step" and e["source"] == str(source)
        ]
    )


def offline(model: Predictor, video: Path) -> np.ndarray:
    network: Any = model
    streams, features = CarriedState(model.model), network.features(video).features
    return np.array([streams.push([0], x_F[None], [0.0])[0] for x_F in features])


def watched(model: Predictor, sources: Any, **settings: Any) -> tuple[list[dict[str, Any]], Any]:
    events: list[dict[str, Any]] = []
    report = vidlstm.watch(model, sources, on_event=events.append, settings={"steps": True, **settings})
    return events, report


def test_one_source_gives_what_the_whole_file_gives_bit_for_bit(
    causal: Predictor, videos: list[Path]
) -> None:
    for video in videos[:3]:
        events, report = watched(causal, video)
        expected = offline(causal, video)
        assert np.array_equal(steps(events, video), expected)
        assert report.sources[0].steps == len(expected) and report.sources[0].dropped_frames == 0


def test_eight_sources_share_batches_and_keep_their_states(causal: Predictor, videos: list[Path]) -> None:
    events, _ = watched(causal, videos)
    for video in videos:
        np.testing.assert_allclose(steps(events, video), offline(causal, video), rtol=0, atol=1e-5)
    ended = [e["source"] for e in events if e["event"] == "ended"]
    assert sorted(ended) == sorted(map(str, videos))


def test_segments_begin_and_end_within_the_video(causal: Predictor, videos: list[Path]) -> None:
    events, _ = watched(causal, videos[7])
    said = [e for e in events if e["event"] in ("start", "end")]
    assert said and [e["event"] for e in said][::2] == ["start"] * (len(said) // 2)
    assert all(e["end_seconds"] > e["start_seconds"] for e in said if e["event"] == "end")
    assert all(e["age_seconds"] is None and e["start_utc"] is None for e in said)  # a file has no pace


def test_a_loop_of_ones_own_says_the_same(causal: Predictor, videos: list[Path]) -> None:
    events, _ = watched(causal, videos[7])
    stream, changes = causal.stream(), []
    with vidlstm.open_video(videos[7]) as video:
        for frame in video:
            changes += stream.push(frame.image, frame.timestamp_seconds)
    changes += stream.finish()
    said = [(e["event"], e["label"], e["start_seconds"]) for e in events if e["event"] in ("start", "end")]
    assert [(c.kind, c.label, c.start_seconds) for c in changes] == said


@given(st.data())
@settings(max_examples=15)
def test_frames_of_any_size_from_sources_that_pause_join_and_leave(
    causal: Predictor, data: st.DataObject
) -> None:
    """Whatever the company, each source gets what it would get alone, from its last beginning on."""
    network: Any = causal
    generator = np.random.default_rng(data.draw(st.integers(0, 2**16)))
    together, alone = causal.streams(), dict[int, Any]()
    for turn in range(data.draw(st.integers(1, 12))):
        here = data.draw(st.lists(st.integers(0, 3), unique=True, max_size=4))
        for left in data.draw(st.lists(st.integers(0, 3), unique=True, max_size=1)):
            together.forget(left)
            alone.pop(left, None)
        if not here:
            continue
        sizes = [data.draw(st.tuples(st.integers(8, 90), st.integers(8, 90))) for _ in here]
        frames = [generator.integers(0, 256, (*size, 3), np.uint8) for size in sizes]
        for source, frame in zip(here, frames, strict=True):
            alone.setdefault(source, causal.stream(fps=1e3)).push(frame, turn)
        fitted = [network.features(frame[None], fps=1.0).features for frame in frames]
        said = together.push(here, np.concatenate(fitted), [turn] * len(here))
        for source, said_K in zip(here, said, strict=True):
            np.testing.assert_allclose(said_K, alone[source].probabilities_K, rtol=0, atol=1e-5)


def test_a_network_that_reads_both_ways_slides_a_window(videos: list[Path], tmp_path: Path) -> None:
    model: Any = predictor(tmp_path)
    assert "model.bidirectional false" in model.why_not_carried()
    events, report = watched(model, videos[6])
    expected = model.predict(videos[6])
    inner = len(expected.window_probabilities) - 1  # the last window of a whole file is moved back to its end
    np.testing.assert_allclose(
        steps(events, videos[6])[:inner], expected.window_probabilities[:inner], rtol=0, atol=1e-5
    )
    assert (
        report.how
        == "a window of 1 s is read anew every 0.25 s, which is 4 steps for each that a causal network takes"
    )


def test_a_file_at_its_own_pace_has_ages_and_wall_times(causal: Predictor, videos: list[Path]) -> None:
    events, report = watched(causal, videos[0], pace="real", drop="none")
    (source,) = report.sources
    assert source.age_p50_seconds is not None and source.age_p99_seconds >= source.age_p50_seconds > 0
    assert source.steps == len(offline(causal, videos[0]))
    assert all(e["start_utc"].endswith("+00:00") for e in events if e["event"] == "start")


def jpeg(number: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((48, 64, 3), number, np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture
def camera() -> Iterator[tuple[str, threading.Event]]:
    """MJPEG over HTTP on this machine: six frames a connection, which is cut in the middle of a frame."""
    server = socket.create_server(("127.0.0.1", 0))
    gone = threading.Event()

    def serve() -> None:
        while not gone.is_set():
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.recv(4096)
                head = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"
                connection.sendall(head)
                for number in range(6):
                    data = jpeg(40 * number)
                    part = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(data)
                    connection.sendall(part + data + b"\r\n")
                connection.sendall(part + data[:50])

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}/cam.mjpg", gone
    gone.set()
    server.close()


def test_a_stream_that_breaks_off_is_opened_again_and_said_to_be_lost(
    causal: Predictor, camera: tuple[str, threading.Event]
) -> None:
    address, gone = camera
    events: list[dict[str, Any]] = []

    def listen(event: dict[str, Any]) -> None:
        events.append(event)
        if [e["event"] for e in events].count("opened") == 2:
            gone.set()

    how = {"timeout_seconds": 5, "reconnect_seconds": 1.5}
    report = vidlstm.watch(causal, address, on_event=listen, settings=how)
    kinds = [e["event"] for e in events]
    assert kinds.count("opened") >= 2 and "lost" in kinds and kinds[-1] == "failed"
    assert report.sources[0].failure and report.sources[0].steps >= 2


def test_the_command_line_writes_events_and_says_how_sources_ended(
    causal: Predictor, videos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr("vidlstm.verbs.watch.load", lambda *_, **__: causal)
    out = tmp_path / "events.jsonl"
    assert main(["watch", str(causal.path), str(videos[7]), "--events", str(out), "--steps", "true"]) == 0
    events = [json.loads(line) for line in out.read_text().splitlines()]
    assert np.array_equal(steps(events, videos[7]), offline(causal, videos[7]))
    printed = capsys.readouterr()
    assert f"{videos[7]}: {len(offline(causal, videos[7]))} steps, 0 frames dropped" in printed.err
    assert main(["watch", str(causal.path), str(videos[7]), "--events", "-"]) == 0
    assert all(json.loads(line)["source"] == str(videos[7]) for line in capsys.readouterr().out.splitlines())


class Viewer(Listener):
    takes_shots = True

    def __init__(self, most: int = 1000) -> None:
        self.shots: list[Shot] = []
        self.kinds: list[str] = []
        self.most, self.closed = most, False

    def on_event(self, event: dict[str, Any], source: int | None) -> None:
        self.kinds.append(event["event"])

    def on_shot(self, shot: Shot) -> None:
        self.shots.append(shot)
        self.done = len(self.shots) == self.most

    def close(self) -> None:
        self.closed = True


def test_whoever_looks_is_shown_every_step_and_changes_none(causal: Predictor, videos: list[Path]) -> None:
    events: list[dict[str, Any]] = []
    viewer = Viewer()
    vidlstm.watch(causal, videos[7], on_event=events.append, settings={"steps": True}, listeners=[viewer])
    assert np.array_equal(steps(events, videos[7]), offline(causal, videos[7]))
    said = [e for e in events if e["event"] == "step"]
    assert [shot.seconds for shot in viewer.shots] == [e["seconds"] for e in said]
    assert [shot.likeliest[0] for shot in viewer.shots] == [  # type: ignore[index]
        max(e["probabilities"], key=e["probabilities"].get) for e in said
    ]
    assert viewer.shots[0].picture.shape == (64, 64, 3) and viewer.closed
    assert viewer.kinds == [e["event"] for e in events]
    lasting = {label for shot in viewer.shots for label in shot.lasting}
    assert lasting == {e["label"] for e in events if e["event"] == "start"}


def test_a_listener_ends_the_watching(causal: Predictor, videos: list[Path]) -> None:
    viewer = Viewer(most=3)
    report = vidlstm.watch(causal, videos[7], settings={"pace": "real"}, listeners=[viewer])
    assert len(viewer.shots) == 3 and report.sources[0].steps == 3 and viewer.closed
    assert all(shot.utc and shot.age_seconds is not None for shot in viewer.shots)


def test_the_command_line_records_what_happens(
    causal: Predictor, videos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr("vidlstm.verbs.watch.load", lambda *_, **__: causal)
    out = tmp_path / "out"
    assert main(["watch", str(causal.path), str(videos[7]), "--record", "1", "--out", str(out)]) == 0
    (file,) = out.glob("*7.mp4_*Z_*.mp4")
    assert str(file) in capsys.readouterr().out
    with vidlstm.open_video(file) as video:
        assert len(list(video)) > 5


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--record", "5"], "`record SECONDS` and `out FOLDER` are given together".replace("`", "")),
        (["--out", "x"], "are given together"),
        (["--record", "0", "--out", "x"], "record"),
        (["--http", "8080"], "is HOST:PORT or :PORT"),
        (["--http", "a:99999"], "a port up to 65535"),
        (["--mqtt", "mqtt://a"], "is HOST or HOST:PORT"),
        (["--mqtt_tls", "true"], "has no effect without --mqtt HOST"),
        (["--mqtt_topic", "x"], "has no effect without --mqtt HOST"),
        (["--record_megabytes", "5"], "has no effect without record SECONDS"),
        (["--mqtt", "a", "--mqtt_topic", "a" * 70_000], "no longer than a thousand letters"),
        (["--mqtt", "a:0"], "with a port up to 65535"),
        (["--mqtt", "a..b"], "is HOST or HOST:PORT"),
        (["--timeout_seconds", "1e12"], "timeout_seconds"),
        (["--mqtt", "a", "--mqtt_ca", "x"], "has no effect without --mqtt_tls true"),
        (["--mqtt", "a", "--mqtt_topic", "a/#"], "a topic holds no + or #"),
        (["--mqtt", "a", "--mqtt_login", "none"], "cannot be read"),
        (["--show", "true"], "there is no display here"),
        (["--record", "5", "--out", __file__], "is a file, not a folder"),
    ],
)
def test_surfaces_that_cannot_be_are_refused_before_any_work(
    flags: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    assert main(["watch", "no.ckpt", "no.mp4", *flags]) == 2
    error = capsys.readouterr().err
    assert said in error.replace("--record SECONDS", "record SECONDS").replace("--out FOLDER", "out FOLDER")
    assert "no.ckpt" not in error and error.count("\n") == 1


@pytest.mark.parametrize(("name", "extra"), [("aiohttp", "serve"), ("paho.mqtt.client", "mqtt")])
def test_an_extra_that_is_not_there_is_named(
    name: str, extra: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    flag = {"serve": ["--http", ":0"], "mqtt": ["--mqtt", "host"]}[extra]
    assert main(["watch", "no.ckpt", "no.mp4", *flag]) == 2
    assert f"pip install 'vidlstm[{extra}]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (":8080", ("127.0.0.1", 8080)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        ("[::1]:80", ("::1", 80)),
        ("cam.local:1", ("cam.local", 1)),
    ],
)
def test_a_host_and_a_port(text: str, expected: tuple[str, int]) -> None:
    assert host_and_port(text, "http") == expected
    assert host_and_port("host", "mqtt", port=1883) == ("host", 1883)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("rtsp://me:s@e:cret@camera/1?a@b", "rtsp://camera/1?a@b"),
        ("http://me@camera", "http://camera"),
        ("http://camera/a@b", "http://camera/a@b"),
        ("a@b.mp4", "a@b.mp4"),
        (0, "0"),
    ],
)
def test_a_source_is_called_without_its_login(given: Any, told: str) -> None:
    assert without_login(given) == told


def test_a_password_in_an_address_is_told_to_nobody(
    causal: Predictor, camera: tuple[str, threading.Event]
) -> None:
    address, gone = camera
    gone.set()
    events: list[dict[str, Any]] = []
    secret = address.replace("http://", "http://me:secret@")
    settings = {"reconnect_seconds": 0}
    report = vidlstm.watch(causal, secret, on_event=events.append, settings=settings)
    assert report.sources[0].name == address and events[0]["source"] == address
    assert "secret" not in repr([events, report])


def test_a_name_that_is_no_text_is_written_as_json(tmp_path: Path) -> None:
    file = EventFile(tmp_path / "events.jsonl")
    file({"event": "opened", "source": "\udcff.mp4"})
    file.close()
    assert json.loads((tmp_path / "events.jsonl").read_text())["source"] == "\udcff.mp4"


def test_what_is_read_is_never_written_over_with_events(tmp_path: Path, capsys: Any) -> None:
    for name in ("a.mp4", "a.ckpt", "a.yaml"):
        (tmp_path / name).write_text("pace: fast\n")
    words = ["watch", str(tmp_path / "a.ckpt"), str(tmp_path / "a.mp4"), "--config", str(tmp_path / "a.yaml")]
    for name in ("a.mp4", "a.ckpt", "a.yaml"):
        assert main([*words, "--events", str(tmp_path / name)]) == 2
        assert f"{name}: is an input and would be overwritten; choose another --events" in (
            capsys.readouterr().err
        )
        assert (tmp_path / name).read_text() == "pace: fast\n"


def test_sources_of_one_name_are_told_apart_and_standard_input_is_read_once(causal: Predictor) -> None:
    assert called(["a", "a (2)", "a", "rtsp://me:x@b/", "rtsp://b/"]) == [
        "a",
        "a (2)",
        "a (3)",
        "rtsp://b/",
        "rtsp://b/ (2)",
    ]
    with pytest.raises(SettingsError, match="give it once"):
        vidlstm.watch(causal, ["-", "-"])


def test_only_numbers_that_a_camera_may_have_are_cameras() -> None:
    assert [is_camera(text) for text in ("0", "12", "9" * 5000, "\u0663", "-1", "a")] == [True] * 2 + [
        False
    ] * 4


@pytest.mark.parametrize(
    ("name", "why", "said"),
    [
        ("seconds", "", "takes one step after the other"),
        ("minimum_seconds", "it also reads from the end", r"see `online\.minimum_seconds`"),
    ],
)
def test_a_window_that_nothing_reads_is_refused(
    name: str, why: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Loaded:
        def why_not_carried(self) -> str:
            return why

    monkeypatch.setattr("vidlstm.verbs.watch.load", lambda *_, **__: Loaded())
    with pytest.raises(SettingsError, match=said):
        load_to_watch("no.ckpt", window={name: 1.0})


def test_a_loop_of_ones_own_is_told_of_times_and_settings_that_cannot_be(causal: Predictor) -> None:
    frame = np.zeros((8, 8, 3), np.uint8)
    stream = causal.stream()
    stream.push(frame, 5.0)
    for seconds in (4.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="finite seconds that rise"):
            stream.push(frame, seconds)
    assert stream.push(frame, 5.0) == []  # twice is no harm
    with pytest.raises(ValueError, match="frames are RGB uint8"):
        stream.push(frame.tolist(), 6.0)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match=r"online\.enter"):
        causal.stream(online={"enter": 2})
    with pytest.raises(ValueError, match="fps must be positive"):
        causal.stream(fps=0)


def test_names_and_labels_stay_in_their_line(capsys: Any) -> None:
    known = {"start_seconds": 0.0, "end_seconds": None, "probability": 1.0}
    show_event({"event": "start", "source": "a\nb", "label": "fall\n\x1b[2Jvidlstm: all is well", **known})
    show_event({"event": "lost", "source": "a\nb", "detail": "x\ny"})
    said = capsys.readouterr()
    assert said.out.count("\n") == said.err.count("\n") == 1 and "\x1b" not in said.out


def test_what_a_network_that_is_refused_would_cost_is_not_said(
    monkeypatch: pytest.MonkeyPatch, capsys: Any, videos: list[Path]
) -> None:
    class Refusing:
        def why_not_carried(self) -> str:
            return "it also reads from the end"

    def refuse(*_: Any, **__: Any) -> None:
        raise SettingsError("this network labels whole recordings")

    monkeypatch.setattr("vidlstm.verbs.watch.load", lambda *_, **__: Refusing())
    monkeypatch.setattr("vidlstm.verbs.watch.watch", refuse)
    assert main(["watch", "no.ckpt", str(videos[0])]) == 2
    assert "no state is carried" not in capsys.readouterr().err


def test_a_file_that_is_not_there_is_said_before_anything_is_watched(
    causal: Predictor, tmp_path: Path
) -> None:
    with pytest.raises(VideoError, match="no such file"):
        vidlstm.watch(causal, tmp_path / "none.mp4", on_event=print)
