"""Features that were made elsewhere, through every verb; and what is refused of them."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import vidlstm
from tests.fakes.features import rise_or_fall
from tests.verbs.checkpoints import write
from tests.verbs.runs import QUIET
from vidlstm.cli.main import main
from vidlstm.errors import SettingsError
from vidlstm.tasks.action.predictor import ActionPredictor

LABELLED = ["--data.format", "features", "--data.features_fps", "10", "--model.hidden_size", "8"]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sequences (F, T), a label each."""
    root = tmp_path_factory.mktemp("given")
    sequences, labels = rise_or_fall(16, 5)
    rows = ["path,label,group,fold"]
    for n, (sequence, label) in enumerate(zip(sequences, labels, strict=True)):
        np.save(root / f"{n}.npy", sequence.features.T.astype(np.float64))
        rows.append(f"{n}.npy,{label},g{n // 2},{n // 2 % 4}")
    (root / "labels.csv").write_text("\n".join(rows))
    return root


@pytest.fixture(scope="module")
def trained(clips: Path) -> Path:
    argv = ["train", "--data.root", str(clips), "--data.annotations", str(clips / "labels.csv")]
    argv += ["--data.fold", "1", "--out", str(clips / "run"), "--store", str(clips / "store"), *LABELLED]
    assert main([*argv, *QUIET]) == 0
    return clips / "run" / "best.ckpt"


def test_the_card_says_what_is_known_and_that_there_is_no_network(trained: Path) -> None:
    card = vidlstm.load(trained, device="cpu").card
    assert card.given and card.backbone == {"backbone": "given", "feature_dim": 5}
    assert (card.feature_dim, card.fps, card.data.features_layout) == (5, 10.0, "FT")


def test_an_evaluation_reads_the_same_files(trained: Path, tmp_path: Path) -> None:
    assert main(["evaluate", str(trained), "--out", str(tmp_path)]) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["clips"], report["side"]) == (4, "validation")
    assert "logistic_regression_on_mean_features" in report["baselines"]


def test_files_are_predicted_and_a_broken_one_stops_no_other(
    trained: Path, clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.npy"
    np.save(bad, np.full((5, 9), np.nan))
    argv = ["predict", str(trained), str(clips / "0.npy"), str(bad), "--out", str(tmp_path / "o")]
    assert main(argv) == 1
    assert "bad.npy: cannot be read as features: feature 0 of step 0" in capsys.readouterr().err
    assert sorted(p.name for p in (tmp_path / "o").iterdir()) == ["0.csv", "0.json", "0.png"]
    model = vidlstm.load(trained, device="cpu")
    table = np.load(clips / "0.npy").T
    said = json.loads((tmp_path / "o" / "0.json").read_text())["windows"][0]["probabilities"]
    here = model.predict(table, fps=10).window_probabilities[0]
    assert list(said.values() if isinstance(said, dict) else said) == pytest.approx(here.tolist())


REFUSED = [
    ("predict {ckpt} a.mp4 --out o", "a.mp4 is no file of features"),
    ("predict {ckpt} {clip} --out o --outputs mp4", "--outputs mp4: features that were made elsewhere"),
    ("predict {ckpt} {clip} --out o --backbone.weights w", "--backbone.weights has no effect: the checkp"),
    ("evaluate {ckpt} --out o --data.format csv", "--data.format csv: the checkpoint was trained on feat"),
    ("evaluate {ckpt} --out o --data.features_fps 25", "--data.features_fps 25.0: the checkpoint was"),
    ("watch {ckpt} {clip}", "sees no pictures: the checkpoint was trained on features that were made"),
    ("inspect gates {ckpt} {clip} --out o", "sees no pictures"),
    ("extract {clip} --store s", "holds features, not frames; there is nothing to extract"),
    ("evaluate {video} --out o --data.format features", "the checkpoint reads videos, through squeezenet1"),
    ("train --data.format features --out o", "--data.features_fps is missing"),
    ("train {labelled} --backbone.name resnet18 --out o", "--backbone.name has no effect with --data.form"),
    ("train {labelled} --sampling.fps 5 --out o", "--sampling.fps has no effect with --data.format features"),
    ("train --data.features_fps 5 --out o", "--data.features_fps has no effect without --data.format feat"),
    ("train --task object_action {labelled} --out o", "is for --task action and --task segmentation"),
    ("train {table} --backbone.weights random --out o", "they are read with --data.format features"),
]


@pytest.mark.parametrize(("line", "message"), REFUSED)
def test_what_cannot_be_is_refused_in_a_sentence(
    line: str,
    message: str,
    trained: Path,
    clips: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    words = {
        "ckpt": [str(trained)],
        "clip": [str(clips / "0.npy")],
        "video": [str(write(tmp_path / "v.ckpt", "action"))],
        "labelled": LABELLED[:4],
        "table": ["--data.format", "csv", "--data.annotations", str(clips / "labels.csv")],
    }
    argv = [part for word in line.split() for part in words.get(word.strip("{}"), [word])]
    assert main(argv) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_a_network_that_reads_videos_takes_no_files_of_features() -> None:
    card: Any = SimpleNamespace(task="action", backbone={"backbone": "resnet18"})
    predictor: Any = SimpleNamespace(backbone=None, card=card)
    with pytest.raises(SettingsError, match=r"a\.npy holds features, not frames; .* through resnet18"):
        ActionPredictor.reads(predictor, [Path("a.npy")])


def test_no_stream_of_frames_and_no_backbone_for_a_network_without(trained: Path) -> None:
    model = vidlstm.load(trained, device="cpu")
    with pytest.raises(SettingsError, match="sees no pictures"):
        model.stream()
    with pytest.raises(ValueError, match="not frames"):
        model.predict(np.zeros((4, 8, 8, 3), np.uint8), fps=10)


def test_the_folders_of_mstcn_are_trained_on_as_they_lie_there(tmp_path: Path) -> None:
    """Labels of frames, features (F, T) of the same names; and a table of segments reads the same files."""
    rng, rows = np.random.default_rng(0), ["path,start_seconds,end_seconds,label,fold"]
    for folder in ("groundTruth", "features", "splits"):
        (tmp_path / folder).mkdir()
    for n in range(4):
        np.save(tmp_path / "features" / f"v{n}.npy", rng.normal(size=(6, 40 + n)).astype(np.float32))
        (tmp_path / "groundTruth" / f"v{n}.txt").write_text("a\n" * 20 + "b\n" * (20 + n))
        rows += [f"features/v{n}.npy,0,2,a,{n % 2}", f"features/v{n}.npy,2,{(40 + n) / 10},b,{n % 2}"]
    (tmp_path / "mapping.txt").write_text("0 a\n1 b\n")
    for side, names in (("train", (0, 1, 2)), ("test", (3,))):
        lines = "".join(f"v{n}.txt\n" for n in names)
        (tmp_path / "splits" / f"{side}.split1.bundle").write_text(lines)
    argv = ["train", "--task", "segmentation", "--data.annotations", str(tmp_path), *LABELLED]
    argv += ["--data.labelled_fps", "10", "--data.fold", "1", "--out", str(tmp_path / "run"), *QUIET]
    assert main(argv) == 0
    checkpoint = tmp_path / "run" / "best.ckpt"
    official = vidlstm.evaluate(checkpoint, out=tmp_path / "e", device="cpu", store=tmp_path / "s")
    assert (official["side"], official["videos"]) == ("test", 1)
    table = tmp_path / "segments.csv"
    table.write_text("\n".join(rows))
    again = vidlstm.evaluate(
        checkpoint,
        out=tmp_path / "f",
        data={"annotations": table, "root": tmp_path},
        side="all",
        device="cpu",
    )
    assert again["videos"] == 4
    said = vidlstm.load(checkpoint, device="cpu").predict(tmp_path / "features" / "v3.npy")
    assert said.window_probabilities.shape == (43, 2)
