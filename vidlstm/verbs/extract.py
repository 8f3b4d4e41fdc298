"""``extract``: videos to features, one at hand or many into a store."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidlstm.backbones.base import Backbone
from vidlstm.backbones.build import build_backbone
from vidlstm.datasets.videos import find_videos
from vidlstm.devices import resolve_device
from vidlstm.errors import SettingsError
from vidlstm.features.engines import engine_named
from vidlstm.features.extract import ExtractionReport, fill_store, make_store
from vidlstm.features.given_files import refuse_feature_files
from vidlstm.features.in_process import features_of_video
from vidlstm.features.launch import together
from vidlstm.features.shards import parse_shard, shard_of
from vidlstm.ray_cluster import check_engine
from vidlstm.settings import (
    BackboneSettings,
    Devices,
    Rate,
    SamplingSettings,
    settings_from,
    store_from,
    value_from,
)
from vidlstm.verbs.inputs import videos_from

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from vidlstm.structures import FeatureSequence, Progress

NOTHING_TO_DO = "there is nothing to extract: train on them with `data.format features`"
IMAGE_FPS = SamplingSettings().image_fps


def extract(
    video: Path | str | np.ndarray,
    *,
    backbone: Backbone | BackboneSettings | Mapping[str, Any] | str = "mobilenet_v2",
    fps: float = 10.0,
    image_fps: float | None = None,
    device: str | None = None,
) -> FeatureSequence:
    """The features of one video, here and now: no store, no other process.

    >>> extract("a.mp4", backbone="efficientnet_lite0", fps=10)  # doctest: +SKIP
    FeatureSequence(features (123, 1280) float16)

    Args:
        video: a file, a folder of images, or RGB uint8 frames ``(T, H, W, 3)`` of any size.
        backbone: a backbone, or the name or settings of one, which is then built for this call alone.
        fps: features per second of video.
        image_fps: the rate of frames in memory, which must be given, and of a folder of images, else 25.
        device: such as cpu or cuda:1; None takes a GPU where there is one.

    Raises:
        VideoError: the video cannot be read.
        WeightsError: the backbone's weights are nowhere.
        ValueError: the rate of frames in memory is not given.
    """
    if isinstance(video, str | Path):
        refuse_feature_files([Path(video)], NOTHING_TO_DO)
    if image_fps is None and not isinstance(video, str | Path):
        raise ValueError("frames in memory have no clock of their own; say how many a second: image_fps=25")
    device = str(resolve_device(device))
    if isinstance(backbone, Backbone):
        network, batch_size = backbone, BackboneSettings().batch_size
    else:
        settings = settings_from(BackboneSettings, backbone, section="backbone")
        network, batch_size = build_backbone(settings, device=device), settings.batch_size
    return features_of_video(
        videos_from(video, "video")[0] if isinstance(video, str) else video,
        network,
        fps=value_from(Rate, fps, name="fps"),
        image_fps=value_from(Rate, IMAGE_FPS if image_fps is None else image_fps, name="image_fps"),
        batch_size=batch_size,
    )


def extract_to_store(
    paths: Path | str | Sequence[Path | str],
    *,
    store: Path | str = Path("features"),
    backbone: BackboneSettings | Mapping[str, Any] | str | None = None,
    sampling: SamplingSettings | Mapping[str, Any] | None = None,
    shard: str | None = None,
    devices: int = 1,
    num_nodes: int = 1,
    engine: str = "local",
    address: str | None = None,
    device: str | None = None,
    progress: Progress | None = None,
) -> ExtractionReport:
    """Extracts features of many videos into a store. What is there already is not done again.

    Args:
        paths: videos, and folders to search for them.
        store: the store's root folder.
        backbone: the frozen network.
        sampling: which frames.
        shard: such as ``3/16``: the third of sixteen extractions that share the videos, see
            ``features/shards.py``; None takes all.
        devices: processes on this machine, one a device, which share the videos; see ``features/launch.py``.
        num_nodes: machines with so many each.
        engine: local, or ray: a cluster decodes and runs the backbone, whose weights its machines find under
            the same name; see ``features/ray_engine.py``.
        address: of the cluster, ``HOST:PORT`` or auto; None starts one on this machine.
        device: such as cpu or cuda:1; None takes a GPU where there is one.
        progress: told of the extraction.

    Returns:
        The report, of all processes together.

    Raises:
        DatasetError: a folder holds no video.
        WeightsError: the backbone's weights are nowhere.
        RankError: one of several processes has ended before its videos were done.
    """
    devices, num_nodes = (
        value_from(Devices, given, name=name)
        for name, given in (("devices", devices), ("num_nodes", num_nodes))
    )
    settings = settings_from(BackboneSettings, backbone, section="backbone")
    sampling = settings_from(SamplingSettings, sampling, section="sampling")
    check_engine(engine, address)
    if engine != "local" and devices * num_nodes > 1:
        raise SettingsError(
            f"`engine {engine}` lets a cluster work for one process; leave out `devices` and `num_nodes`"
        )
    part = None if shard is None else parse_shard(shard)
    given = videos_from(paths, "paths")
    refuse_feature_files(given, NOTHING_TO_DO)
    videos, store = find_videos(given), store_from(store)
    if part is not None:
        videos = shard_of(videos, *part, image_fps=sampling.image_fps)
    how: dict[str, Any] = {
        "backbone": settings,
        "sampling": sampling,
        "devices": devices,
        "num_nodes": num_nodes,
    }
    again = partial(extract_to_store, given, store=store, shard=shard, device=device, **how)
    with together(devices, num_nodes, device, again) as (ranks, place):
        network = build_backbone(settings, device=str(place))
        return fill_store(
            videos,
            make_store(store, network, fps=sampling.fps, image_fps=sampling.image_fps),
            network,
            sampling=sampling,
            batch_size=settings.batch_size,
            ranks=ranks,
            engine=engine_named(engine, address=address, build=partial(build_backbone, settings)),
            progress=progress,
        )
