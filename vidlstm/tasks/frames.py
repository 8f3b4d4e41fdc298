"""What the tasks share that read the features of whole frames: where those come from, and their words."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidlstm.errors import SettingsError
from vidlstm.settings import dotted, given_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vidlstm.backbones.base import Backbone
    from vidlstm.cards import VideoCard
    from vidlstm.features.engines import Engine
    from vidlstm.features.extract import ExtractionReport
    from vidlstm.features.given import GivenFeatures, GivenStore
    from vidlstm.features.store import FeatureStore
    from vidlstm.settings import BackboneSettings, SamplingSettings
    from vidlstm.structures import ActionPrediction
    from vidlstm.tasks.base import Run
    from vidlstm.tasks.predictor import Work


RANDOM = "  warning: the backbone's weights are random; these labels mean nothing"
FEATURES = "features"
"""The format of data whose features were made elsewhere."""


@dataclass(frozen=True)
class How:
    """How videos are decoded, and frames a forward pass of the backbone."""

    sampling: SamplingSettings
    batch_size: int


class FrameFeatures:
    """The backbone of a training and of its checkpoint, and predictions in words."""

    def network(self, settings: Any, device: str | None, files: Sequence[Path]) -> Backbone | GivenFeatures:
        """What gives the features: the backbone that the settings ask for, or files as they lie there."""
        if settings.data.format == FEATURES:
            from vidlstm.features.given import GivenFeatures

            data = settings.data
            return GivenFeatures.of(files, layout=data.features_layout, fps=data.features_fps, device=device)
        from vidlstm.backbones.build import build_backbone
        from vidlstm.features.given_files import refuse_feature_files

        refuse_feature_files(files, "they are read with `data.format features`")
        return build_backbone(settings.backbone, device=device)

    def network_of(
        self,
        card: VideoCard,
        settings: BackboneSettings,
        device: str | None,
        given: Backbone | None = None,
    ) -> Backbone | GivenFeatures:
        """What gave the features of the training; ``given`` is used in place of what settings lead to."""
        if card.given:
            from vidlstm.features.given import GivenFeatures

            if given is not None:
                raise SettingsError(f"`backbone` has no effect: {WITHOUT_NETWORK}", setting="backbone")
            layout = card.data.features_layout  # type: ignore[attr-defined]
            return GivenFeatures(card.feature_dim, layout, card.fps, device=device)
        from vidlstm.backbones.restore import backbone_of_spec

        source = card.weights_source
        return backbone_of_spec(
            card.backbone, weights_source=source, settings=settings, device=device, given=given
        )

    def told(self, prediction: ActionPrediction) -> Iterable[str]:
        """The segments."""
        yield prediction.video
        if prediction.produced_by["random_weights"]:
            yield RANDOM
        for s in prediction.segments:
            yield f"  {s.start_seconds:8.2f} - {s.end_seconds:8.2f} s  {s.label}  {s.probability:.2f}"


def engine_of(work: Work, spec: dict[str, Any], weights_source: str, settings: BackboneSettings) -> Engine:
    """What extracts the features of videos for a checkpoint.

    Args:
        work: has the engine's name.
        spec: of the backbone of the training.
        weights_source: see :func:`~vidlstm.backbones.restore.backbone_of_spec`.
        settings: where the backbone's weights are, on each machine.

    Raises:
        SettingsError: see :func:`~vidlstm.features.engines.engine_named`.
    """
    from vidlstm.backbones.restore import backbone_of_spec
    from vidlstm.features.engines import engine_named

    build = partial(backbone_of_spec, spec, weights_source=weights_source, settings=settings)
    return engine_named(work.engine, address=work.address, build=build)


WITHOUT_NETWORK = "the checkpoint was trained on features that were made elsewhere, and there is no backbone"


def check_given(settings: Any) -> None:
    """Refuses settings of features that were made elsewhere where there are none, and of networks where are.

    Raises:
        SettingsError: one has no effect, or the rate of such features is missing.
    """
    data = settings.data
    if data.format != FEATURES:
        for name in given_in({"features_fps": data.features_fps}, "data"):
            raise SettingsError(f"`data.{name}` has no effect without `data.format features`; leave it out")
        return
    if data.features_fps is None:
        raise SettingsError(
            "`data.features_fps` is missing: how many steps a second the files of features have"
        )
    for section in ("backbone", "sampling"):
        for name in given_in(getattr(settings, section), section):
            raise SettingsError(
                f"`{dotted(section, name)}` has no effect with `data.format features`; leave it out"
            )


def check_kind(format: str, card: VideoCard) -> None:
    """Refuses videos for a checkpoint that reads features made elsewhere, and the reverse.

    Raises:
        SettingsError: the format of the data is of the other kind.
    """
    if card.given and format != FEATURES:
        raise SettingsError(
            f"`data.format {format}`: {WITHOUT_NETWORK}; give it such files: `data.format features`"
        )
    if format == FEATURES and not card.given:
        raise SettingsError(
            f"`data.format features`: the checkpoint reads videos, through {card.backbone['backbone']}; "
            "features that were made elsewhere are of no use to it"
        )


def settings_of_given(data: Any, network: Any) -> Any:
    """Settings of the data with the layout that was found; those of videos as they are."""
    from dataclasses import replace

    from vidlstm.features.given import GivenFeatures

    given = isinstance(network, GivenFeatures)
    return replace(data, features_layout=network.layout) if given else data


def gather_features(
    paths: Sequence[Path], network: Backbone | GivenFeatures, how: How, run: Run
) -> tuple[FeatureStore | GivenStore, ExtractionReport]:
    """Where the features of files are, and what became of each; those of videos are extracted if need be.

    Args:
        paths: videos, or files of features.
        network: what gives the features.
        how: how videos are decoded.
        run: has the store, and says whether this process extracts.

    Warns:
        UserWarning: a video ends early.
    """
    from vidlstm.features.extract import fill_store, make_store
    from vidlstm.features.given import GivenFeatures, GivenStore

    if isinstance(network, GivenFeatures):
        given = GivenStore(network, paths, run.store)
        return given, given.report
    store = make_store(run.store, network, fps=how.sampling.fps, image_fps=how.sampling.image_fps)
    report = fill_store(
        paths,
        store,
        network,
        sampling=how.sampling,
        batch_size=how.batch_size,
        elsewhere=not run.extracts,
        ranks=run.ranks,
        progress=run.progress,
    )
    for failure in report.failures:
        if failure.reason == "truncated":
            warnings.warn(str(failure), stacklevel=2)
    return store, report
