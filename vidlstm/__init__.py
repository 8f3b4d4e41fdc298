"""vidlstm: frozen CNN or YOLO features, and a recurrent network over them.

The public names, which are loaded when they are first asked for: importing this loads nothing heavy. The
rooms behind them, in the order data flows through: ``video``, ``backbones``, ``features``, ``datasets``,
``datamodules``, ``models``, ``training``, ``inference``, ``render``, ``tasks`` and ``verbs``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from vidlstm.backbones.base import Backbone
    from vidlstm.backbones.families import register_backbone
    from vidlstm.models.classifier import SequenceClassifier
    from vidlstm.models.labeller import SequenceLabeller
    from vidlstm.render.sinks import register_sink
    from vidlstm.structures import (
        ActionPrediction,
        FeatureSequence,
        ObjectActions,
        Segment,
        TrackForecasts,
    )
    from vidlstm.tasks.predictor import Predictor
    from vidlstm.verbs.bench import bench
    from vidlstm.verbs.evaluate import evaluate
    from vidlstm.verbs.extract import extract, extract_to_store
    from vidlstm.verbs.import_labels import import_labels
    from vidlstm.verbs.load import load
    from vidlstm.verbs.predict import predict
    from vidlstm.verbs.save_card import save_card
    from vidlstm.verbs.track import track
    from vidlstm.verbs.train import train
    from vidlstm.verbs.watch import watch
    from vidlstm.video.reader import open_video

_PLACES = {
    "ActionPrediction": "structures",
    "Backbone": "backbones.base",
    "FeatureSequence": "structures",
    "ObjectActions": "structures",
    "Predictor": "tasks.predictor",
    "Segment": "structures",
    "SequenceClassifier": "models.classifier",
    "SequenceLabeller": "models.labeller",
    "TrackForecasts": "structures",
    "bench": "verbs.bench",
    "evaluate": "verbs.evaluate",
    "extract": "verbs.extract",
    "extract_to_store": "verbs.extract",
    "import_labels": "verbs.import_labels",
    "load": "verbs.load",
    "open_video": "video.reader",
    "predict": "verbs.predict",
    "register_backbone": "backbones.families",
    "register_sink": "render.sinks",
    "save_card": "verbs.save_card",
    "track": "verbs.track",
    "train": "verbs.train",
    "watch": "verbs.watch",
}
"""Public name to the module that has it."""

__all__ = [
    "ActionPrediction",
    "Backbone",
    "FeatureSequence",
    "ObjectActions",
    "Predictor",
    "Segment",
    "SequenceClassifier",
    "SequenceLabeller",
    "TrackForecasts",
    "bench",
    "evaluate",
    "extract",
    "extract_to_store",
    "import_labels",
    "load",
    "open_video",
    "predict",
    "register_backbone",
    "register_sink",
    "save_card",
    "track",
    "train",
    "watch",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
    globals()[name] = value  # found at once the next time
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
