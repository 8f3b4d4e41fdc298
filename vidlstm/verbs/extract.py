"""``extract``: videos to a feature store. Also builds backbones and stores for the other verbs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidlstm.backbones.build import build_backbone
from vidlstm.backbones.restore import backbone_of_spec
from vidlstm.datasets.files import IMAGE_SUFFIXES, VIDEO_SUFFIXES, entries, is_folder, suffix_of
from vidlstm.errors import DatasetError
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
    """:func:`build_backbone`."""
    return build_backbone(settings, device=device)


def backbone_of_card(
    card: dict[str, Any], settings: BackboneSettings, *, device: str | None = None
) -> Backbone:
    """:func:`backbone_of_spec` of the card of a checkpoint."""
    source = str(card.get("weights_source", ""))
    return backbone_of_spec(card["backbone"], weights_source=source, settings=settings, device=device)


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
