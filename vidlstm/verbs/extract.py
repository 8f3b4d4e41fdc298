"""``extract``: videos to a feature store. Also builds backbones and stores for the other verbs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidlstm.backbones.build import JOINT, build_backbone
from vidlstm.backbones.yolo.family import YOLO_KINDS
from vidlstm.backbones.yolo.person_features import NAME as POSE
from vidlstm.datasets.files import IMAGE_SUFFIXES, VIDEO_SUFFIXES, entries, is_folder, suffix_of
from vidlstm.errors import DatasetError, SettingsError, WeightsError, side_by_side
from vidlstm.features.extract import ExtractionReport, extract_features, make_store
from vidlstm.settings import BackboneSettings, SamplingSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vidlstm.backbones.base import Backbone
    from vidlstm.features.store import FeatureStore

    Progress = Callable[[ExtractionReport, int], None]


def find_videos(paths: Sequence[Path]) -> list[Path]:
    """Videos named by paths: files as they are, folders searched to the bottom.

    A folder that holds images and no folder or video is one video.

    Raises:
        DatasetError: a path is not there, or a folder holds no video.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = _videos_in(path)
        if not inside:
            raise DatasetError(
                f"{path} holds no video; known endings are {', '.join(sorted(VIDEO_SUFFIXES))}"
            )
        found += inside
    return found


def _videos_in(folder: Path) -> list[Path]:
    children = entries(folder)
    videos: list[Path] = []
    for child in children:
        if is_folder(child):
            if not child.is_symlink():  # links may run in a circle
                videos += _videos_in(Path(child.path))
        elif suffix_of(child.name) in VIDEO_SUFFIXES:
            videos.append(Path(child.path))
    if not videos and any(suffix_of(child.name) in IMAGE_SUFFIXES for child in children):
        return [folder]
    return videos


def backbone_from(settings: BackboneSettings, *, device: str | None = None) -> Backbone:
    """The backbone that settings describe.

    Raises:
        SettingsError, WeightsError: see :func:`build_backbone`; or it describes tracked objects.
    """
    if POSE in settings.name.split(JOINT):
        raise SettingsError(f"{POSE} describes tracked objects; train on their table: --data.tracks FILE")
    return build_backbone(
        settings.name,
        weights=settings.weights,
        trust=settings.trust,
        size=settings.size,
        download=settings.download,
        dtype=settings.dtype,
        fit=settings.fit,
        compile=settings.compile,
        device=device,
    )


def backbone_of_card(
    card: dict[str, Any], settings: BackboneSettings, *, device: str | None = None
) -> Backbone:
    """The backbone a checkpoint was trained on, with the weights that settings lead to.

    Args:
        card: the checkpoint's.
        settings: where the weights are, and how to run it; name, dtype, fit and size are the checkpoint's.

    Raises:
        WeightsError: the weights found are not those of the training.
    """
    spec = card["backbone"]
    backbone = build_backbone(
        spec["backbone"],
        weights=_weights_of_card(card, settings.weights),
        trust=settings.trust,
        size=_yolo_size(spec),
        download=settings.download,
        dtype=spec["dtype"],
        fit=spec["frame"][2],
        compile=settings.compile,
        device=device,
    )
    if backbone.spec != spec:
        raise WeightsError(
            "this backbone is not the one the checkpoint was trained on; give its weights with "
            f"--backbone.weights:\n{side_by_side(spec, backbone.spec)}"
        )
    return backbone


def _weights_of_card(card: dict[str, Any], given: str | None) -> str | None:
    """For each network: ``random``, the file that was given, that of the training if it is still there."""
    parts = card["backbone"].get("parts", [card["backbone"]])
    hashes = [str(part["weights_sha256"]) for part in parts]
    sources = str(card.get("weights_source", "")).split(JOINT)
    places: list[str | None] = [None] * len(parts) if given is None else list(given.split(JOINT))
    if len(parts) == 1:
        sources, places = [str(card.get("weights_source", ""))], [given]
    if len(places) != len(parts) or len(sources) != len(parts):
        return given  # it says what is wrong itself
    for i, digest in enumerate(hashes):
        if digest.startswith("random:"):
            places[i] = "random"
        elif not places[i] and Path(sources[i]).is_file():
            places[i] = sources[i]  # checked by its hash when it is built
    return JOINT.join(place or "" for place in places) or None


def _yolo_size(spec: dict[str, Any]) -> int | None:
    """The one size that YOLO networks were given; None where they have none or each had its own."""
    parts = [part for part in spec.get("parts", [spec]) if part["backbone"] in YOLO_KINDS]
    sides = {int(part["frame"][0]) for part in parts}
    return sides.pop() if len(sides) == 1 else None


def fill_store(
    paths: Sequence[Path],
    store: FeatureStore,
    backbone: Backbone,
    *,
    backbone_settings: BackboneSettings,
    sampling: SamplingSettings,
    progress: Progress | None = None,
) -> ExtractionReport:
    """Extracts what the store lacks; ``progress`` gets the report so far and the number of videos in all."""
    unique = list(dict.fromkeys(paths))
    return extract_features(
        unique,
        store,
        backbone,
        decoder=sampling.decoder,
        workers=sampling.workers,
        timeout_seconds=sampling.timeout_seconds,
        batch_size=backbone_settings.batch_size,
        progress=None if progress is None else lambda report: progress(report, len(unique)),
    )


def extract(
    paths: Sequence[Path],
    *,
    store: Path = Path("features"),
    backbone: BackboneSettings | None = None,
    sampling: SamplingSettings | None = None,
    device: str | None = None,
    progress: Progress | None = None,
) -> ExtractionReport:
    """Extracts features of videos into a store. What is there already is not done again.

    Args:
        paths: videos, and folders to search for them.
        store: the store's root folder.
        backbone: the frozen network.
        sampling: which frames.
        device: such as cpu or cuda:1; None takes a GPU where there is one.
        progress: told of the report so far and the number of videos in all.

    Raises:
        DatasetError: a folder holds no video.
        WeightsError: the backbone's weights are nowhere.
    """
    backbone, sampling = backbone or BackboneSettings(), sampling or SamplingSettings()
    videos = find_videos([Path(p) for p in paths])
    network = backbone_from(backbone, device=device)
    target = make_store(Path(store), network, fps=sampling.fps, image_fps=sampling.image_fps)
    return fill_store(
        videos, target, network, backbone_settings=backbone, sampling=sampling, progress=progress
    )
