"""YOLO networks as backbones: they detect what Ultralytics detects, and what is said of it is true."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.ops import box_iou

from tests.backbones.networks import (
    SHARED,
    SMALL_SIDE,
    apart,
    build,
    drawn_frames,
    outputs,
    roundoff,
    untrained,
    yolo_file,
)
from tests.fakes.yolo import save_yolo, tiny_yolo
from vidlstm.backbones.base import Backbone
from vidlstm.backbones.yolo.body import Head, Neck, traced
from vidlstm.backbones.yolo.detections import MOST, Detections, select
from vidlstm.backbones.yolo.family import Describe
from vidlstm.backbones.yolo.model import load_yolo
from vidlstm.backbones.yolo.object_features import describe_objects
from vidlstm.backbones.yolo.pose_features import describe_joints, describe_poses
from vidlstm.backbones.yolo.ultralytics_quiet import ultralytics_module
from vidlstm.errors import SettingsError, WeightsError


def build_yolo(name: str, weights: str | Path, **options: object) -> Backbone:
    return build(name, weights=str(weights), dtype="float32", **options)


def people(*boxes: tuple[float, float, float, float], confidence: float = 0.9) -> Detections:
    """Standing people in these boxes, the first shoulder at a quarter of the height and so on, all seen."""
    rows = torch.zeros(1, MOST, 4)
    rows[0, : len(boxes)] = torch.tensor(boxes).reshape(-1, 4)
    sure = torch.zeros(1, MOST)
    sure[0, : len(boxes)] = confidence
    heights = torch.tensor(
        [0.05] * 5 + [0.2] * 2 + [0.35] * 2 + [0.5] * 2 + [0.5] * 2 + [0.75] * 2 + [1.0] * 2
    )
    aside = torch.tensor([0.5] * 5 + [0.3, 0.7] * 6)
    size = rows[..., 2:] - rows[..., :2]
    points = torch.stack(
        [
            rows[..., 0, None] + aside * size[..., 0, None],
            rows[..., 1, None] + heights * size[..., 1, None],
            torch.ones(1, MOST, 17) * (sure > 0)[..., None],
        ],
        -1,
    )
    return Detections(rows, sure, torch.zeros(1, MOST, dtype=torch.long), points)


def moved(found: Detections, by: float) -> Detections:
    shift = torch.tensor([by, 0.0])
    here = (found.confidence_BN > 0)[..., None]
    boxes = found.boxes_BN4 + here * shift.repeat(2)
    points = found.points_BNKC.clone()
    points[..., :2] += here[..., None] * shift
    return Detections(boxes, found.confidence_BN, found.classes_BN, points)


def mirrored(found: Detections, side: int) -> Detections:
    """The film seen in a mirror: left and right change places, names of joints included."""
    x1, y1, x2, y2 = found.boxes_BN4.unbind(-1)
    here = (found.confidence_BN > 0).float()
    boxes = torch.stack([(side - x2) * here, y1, (side - x1) * here, y2], -1)
    order = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]
    points = found.points_BNKC[:, :, order].clone()
    points[..., 0] = (side - points[..., 0]) * here[..., None]
    return Detections(boxes, found.confidence_BN, found.classes_BN, points)


@pytest.mark.parametrize("generation", ["v8", "11", "12", "26"])
@pytest.mark.parametrize("task", ["detect", "pose", "segment", "classify"])
def test_every_network_is_traced_and_says_the_same(task: str, generation: str, tmp_path: Path) -> None:
    try:
        model = load_yolo(save_yolo(tmp_path / "net.pt", tiny_yolo(task, generation)))
    except FileNotFoundError:
        pytest.skip(f"there is no {task} of generation {generation}")
    images = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        whole = model.module(images)
        for module in [Neck(model).eval()] + ([] if task == "classify" else [Head(model).eval()]):
            graph = traced(module)
            assert isinstance(graph, torch.fx.GraphModule)
            torch.testing.assert_close(graph(images), module(images))
        if task in ("detect", "pose"):
            describe = Describe(model, 64, lambda found, side: found.confidence_BN)
            raw = graph(images)
            maps = [torch.zeros(1, 1, 64 // s, 64 // s) for s in (8, 16, 32)]
            named = {**dict(zip(("boxes", "scores", "kpts"), raw, strict=False)), "feats": maps}
            torch.testing.assert_close(describe._head._inference(named), whole[0])


SIDE = 320
"""Of real photographs: half of what the networks were trained on, at a quarter of the time."""


def photograph(name: str) -> np.ndarray:
    """A photograph that the ultralytics package carries, letterboxed, BGR uint8."""
    assets = Path(str(ultralytics_module("ultralytics").__file__)).parent / "assets"
    image = ultralytics_module("ultralytics.utils.patches").imread(str(assets / name))
    boxed: np.ndarray = ultralytics_module("ultralytics.data.augment").LetterBox((SIDE, SIDE))(image=image)
    return boxed


def as_frames(image_HWC: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image_HWC[..., ::-1].copy())[None]


def detections_of(backbone: Backbone, frames: torch.Tensor) -> Detections:
    found: list[Detections] = []
    describe = backbone.parts[0]._describe
    describe._features = lambda detections, side: found.append(detections) or detections.confidence_BN
    backbone(frames)
    return found[0]


@pytest.mark.parametrize(("name", "picture"), [("yolo26n.pt", "bus.jpg"), ("yolo11n-pose.pt", "zidane.jpg")])
def test_bfloat16_agrees_with_float32(name: str, picture: str) -> None:
    path = SHARED / "weights" / name
    if not path.is_file():
        pytest.skip("../shared is not there")
    frames, kinds = as_frames(photograph(picture)), {}
    for dtype in ("float32", "bfloat16"):
        how = {"weights": str(path), "dtype": dtype, "size": SIDE}
        backbones = [build(kind, **how) for kind in ("yolo:embed", "yolo:objects")]
        kinds[dtype] = backbones[0](frames), detections_of(backbones[1], frames)
    assert torch.cosine_similarity(kinds["float32"][0], kinds["bfloat16"][0]).min() > 0.999
    exact, rough = (kinds[dtype][1] for dtype in ("float32", "bfloat16"))
    sure = exact.confidence_BN[0] > 0.25
    overlap, match = box_iou(exact.boxes_BN4[0][sure], rough.boxes_BN4[0]).max(1)
    assert overlap.min() > 0.9
    assert (exact.confidence_BN[0][sure] - rough.confidence_BN[0][match]).abs().max() < 0.05


@pytest.mark.parametrize("name", ["yolo26n.pt", "yolo11n-pose.pt"])
@pytest.mark.parametrize("picture", ["bus.jpg", "zidane.jpg"])
def test_detections_are_those_of_ultralytics_own_predict(name: str, picture: str) -> None:
    path = SHARED / "weights" / name
    if not path.is_file():
        pytest.skip("../shared is not there")
    ultralytics, image = ultralytics_module("ultralytics"), photograph(picture)
    predict = ultralytics.YOLO(path).predict
    (wanted,) = predict(image, imgsz=SIDE, verbose=False, conf=0.25, iou=0.7, save=False)
    found = detections_of(build_yolo("yolo:objects", path, size=SIDE), as_frames(image))
    sure = found.confidence_BN[0] > 0.25
    overlap, match = box_iou(wanted.boxes.xyxy, found.boxes_BN4[0][sure]).max(1)
    assert sure.sum() == len(wanted)
    assert overlap.min() > 0.99
    assert torch.equal(found.classes_BN[0][sure][match], wanted.boxes.cls.long())
    torch.testing.assert_close(found.confidence_BN[0][sure][match], wanted.boxes.conf, atol=1e-3, rtol=0)
    if wanted.keypoints is not None and wanted.keypoints.conf is not None:
        points = found.points_BNKC[0][sure][match]
        assert (points[..., :2] - wanted.keypoints.data[..., :2]).abs().max() < 1.0


def test_overlapping_boxes_of_one_class_are_one_and_of_two_are_two() -> None:
    rows = torch.zeros(6, 3)  # centre, width, height, two classes; three candidates
    rows[:4] = torch.tensor([[50.0, 50, 20, 40], [51.0, 50, 20, 40], [51.0, 50, 20, 40]]).T
    rows[4] = torch.tensor([0.9, 0.8, 0.0])
    rows[5] = torch.tensor([0.0, 0.0, 0.7])
    found = select(rows[None], 2, (0, 0), end_to_end=False)
    assert found.classes_BN[0, :3].tolist() == [0, 1, 0]
    torch.testing.assert_close(found.confidence_BN[0, :3], torch.tensor([0.9, 0.7, 0.0]))
    torch.testing.assert_close(found.boxes_BN4[0, 0], torch.tensor([40.0, 30, 60, 70]))
    chosen = torch.tensor([[[40.0, 30, 60, 70, 0.9, 1], [0, 0, 9, 9, 0.01, 0]]])
    found = select(chosen, 2, (0, 0), end_to_end=True)
    assert found.classes_BN[0, 0] == 1
    assert (found.confidence_BN[0] > 0).sum() == 1


def test_what_cannot_be_done_is_refused(tmp_path: Path) -> None:
    file = yolo_file("yolo:objects")
    with pytest.raises(WeightsError, match="yolo:pose needs a pose network with the 17 keypoints"):
        build_yolo("yolo:pose", file)
    with pytest.raises(WeightsError, match=r"yolo:embed needs `backbone.weights FILE.pt`"):
        build("yolo:embed")
    with pytest.raises(SettingsError, match=r"`backbone.size` 100: detect.pt takes multiples of 32"):
        build_yolo("yolo:objects", file, size=100)
    with pytest.raises(SettingsError, match=r"`backbone.size` is for YOLO networks"):
        build_yolo("squeezenet1_1", "random", size=64)
    with pytest.raises(SettingsError, match=r"joins 2 networks and `backbone.weights` 1"):
        build_yolo("squeezenet1_1+yolo:objects", file)
    with pytest.raises(SettingsError, match="did you mean 'yolo:objects'"):
        build_yolo("yolo:object", file)
    with pytest.raises(SettingsError, match="no backbone is called 'yolo:pose:motion'"):
        build_yolo("yolo:pose:motion", file)
    classifier = save_yolo(tmp_path / "cls.pt", tiny_yolo("classify"))
    with pytest.raises(WeightsError, match="classifies whole frames"):
        build_yolo("yolo:objects", classifier)
    assert build_yolo("yolo:embed", classifier).feature_dim == 1280


def test_other_weights_and_other_sizes_are_other_specs() -> None:
    first, second = (build_yolo("yolo:objects", yolo_file("yolo:objects", seed), size=64) for seed in (0, 1))
    larger = build_yolo("yolo:objects", yolo_file("yolo:objects"), size=96, fit="squash")
    assert first.spec != second.spec
    assert {k for k in first.spec if first.spec[k] != larger.spec[k]} == {"frame"}
    assert (first.size.fit, larger.size.fit) == ("letterbox", "squash")


def test_a_joined_backbone_is_its_parts_side_by_side() -> None:
    file = yolo_file("yolo:objects")
    joined = build(
        "squeezenet1_1+yolo:objects", weights=f"random+{file}", size=224, fit="squash", dtype="float32"
    )
    frames = drawn_frames(4)
    alone = build("squeezenet1_1", weights="random", dtype="float32")
    objects = build_yolo("yolo:objects", file, size=224, fit="squash")
    for part, single in zip(joined.parts, (alone.parts[0], objects.parts[0]), strict=True):
        assert apart(outputs(part, frames), outputs(single, frames)) <= roundoff(part, "float32")
    assert torch.equal(joined(frames), torch.cat([part(frames) for part in joined.parts], 1))
    assert [p["backbone"] for p in joined.spec["parts"]] == ["squeezenet1_1", "yolo:objects"]
    assert joined.is_random
    assert joined.spec["weights_sha256"].count("+") == 1


def test_joined_views_and_sizes_reach_their_networks() -> None:
    joined = build(
        "squeezenet1_1:motion+yolo:embed",
        weights=f"random+{yolo_file('yolo:embed')}",
        size=SMALL_SIDE,
        dtype="float32",
        fit="squash",
    )
    assert (joined.views, joined.channels, joined.size.height) == (("motion", "picture"), 6, 224)
    motion, picture = drawn_frames(4), drawn_frames(4, seed=1)
    both = joined(torch.cat([motion, picture], -1))
    alone = build("squeezenet1_1", weights="random", dtype="float32")(motion)
    assert apart([both[:, :512]], [alone]) <= roundoff(joined.parts[0], "float32")
    # Brought to the size of the small network by the mean of what each pixel covers.
    small = torch.nn.functional.interpolate(
        picture.permute(0, 3, 1, 2).float(), (SMALL_SIDE, SMALL_SIDE), mode="bilinear", antialias=True
    )
    small = small.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()
    assert torch.cosine_similarity(both[:, 512:], untrained("yolo:embed")(small)).min() > 0.999


FEATURES = {
    "objects": lambda found: describe_objects(found, 640, 3),
    "poses": lambda found: describe_poses(found, 640),
    "joints": lambda found: describe_joints(found, 640),
}
KINDS = pytest.mark.parametrize("kind", FEATURES)


@KINDS
def test_nothing_detected_is_all_zeros(kind: str) -> None:
    assert not FEATURES[kind](people()).any()


@KINDS
def test_features_are_well_scaled(kind: str) -> None:
    crowd = [(30.0 * i, 20.0 * i, 30.0 * i + 60 + 20 * i, 20.0 * i + 150 + 9 * i) for i in range(12)]
    features = FEATURES[kind](people(*crowd))
    assert features.isfinite().all()
    assert features.abs().max() <= 3.5
    one_point = people((5.0, 5.0, 5.0, 5.0), (5.0, 5.0, 5.0, 5.0))
    assert FEATURES[kind](one_point).isfinite().all()


@KINDS
def test_a_faint_detection_counts_little(kind: str) -> None:
    box = (100.0, 100.0, 160.0, 300.0)
    features = [FEATURES[kind](people(box, confidence=c)) for c in (0.11, 0.25, 0.9)]
    sizes = [float(f.norm()) for f in features]
    assert sizes[0] < 0.25 * sizes[1]
    assert sizes[1] < 0.75 * sizes[2]


def test_counts_are_by_class() -> None:
    found = people((0, 0, 50, 50), (100, 0, 150, 50), (200, 0, 250, 50))
    found.classes_BN[0, :3] = torch.tensor([2, 2, 0])
    features = describe_objects(found, 640, 3)[0]
    torch.testing.assert_close(features[:3].expm1(), torch.tensor([1.0, 0.0, 2.0]))
    torch.testing.assert_close(features[3:6], torch.tensor([0.9, 0.0, 0.9]))


def test_the_order_of_the_detections_does_not_matter() -> None:
    boxes = [(0.0, 0.0, 60.0, 170.0), (80.0, 10.0, 150.0, 200.0), (300.0, 10.0, 350.0, 140.0)]
    for features in FEATURES.values():
        torch.testing.assert_close(features(people(*boxes)), features(people(*boxes[::-1])))


def test_poses_do_not_care_where_people_are_nor_for_mirrors_nor_how_far_they_stand() -> None:
    near = people((100.0, 100.0, 200.0, 400.0), (180.0, 110.0, 290.0, 420.0))
    features = describe_poses(near, 640)
    torch.testing.assert_close(describe_poses(moved(near, 77.0), 640), features, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(describe_poses(mirrored(near, 640), 640), features, atol=1e-5, rtol=1e-4)
    far = people((50.0, 50.0, 100.0, 200.0), (90.0, 55.0, 145.0, 210.0))
    torch.testing.assert_close(describe_poses(far, 640), features, atol=1e-5, rtol=1e-4)


def test_a_fist_at_the_other_ones_face_is_seen() -> None:
    """The relation of wrists to heads, the seventh of eleven, which end the features."""
    apart = people((100.0, 100.0, 180.0, 340.0), (300.0, 100.0, 380.0, 340.0))
    struck = people((100.0, 100.0, 180.0, 340.0), (300.0, 100.0, 380.0, 340.0))
    struck.points_BNKC[0, 0, 10, :2] = struck.points_BNKC[0, 1, 0, :2]
    before, after = (describe_poses(found, 640)[0, -11:] for found in (apart, struck))
    assert before[6] < 0.4
    assert after[6] > 0.95
    assert after[10] > 0.95, "any joint to any joint"
    torch.testing.assert_close(after[:5], before[:5], msg="the boxes are where they were")
