"""Small typed dataclasses that flags, YAML files, Python arguments and checkpoints are made from.

This is the one place of defaults and ranges: a field's type says what it may be (``ranges.py``), its
docstring becomes the help text of the command line. Settings flow down whole; :func:`settings_from` checks
them, wherever they come from. A file a task, and one of what tasks share; none postpones its
annotations, which the parser of flags would read without their ranges.
"""

from vidlstm.settings.action import (
    ActionDataSettings,
    ActionModelSettings,
    ActionSettings,
    OptimiserSettings,
)
from vidlstm.settings.checking import (
    SHORTHAND,
    by_name,
    dotted,
    first_mistake,
    given_in,
    path_from,
    paths_from,
    plain,
    settings_from,
    store_from,
    value_from,
)
from vidlstm.settings.common import BackboneSettings, SamplingSettings, TrackingSettings
from vidlstm.settings.live import OnlineSettings, SurfaceSettings, WatchSettings
from vidlstm.settings.object_action import ObjectActionDataSettings, ObjectActionSettings
from vidlstm.settings.prediction import PredictSettings, WindowSettings
from vidlstm.settings.ranges import (
    Bias,
    Count,
    Devices,
    Dropout,
    Few,
    Figures,
    FramesOrAuto,
    Lags,
    Layers,
    Margin,
    NotNegative,
    Number,
    Positive,
    Rate,
    Seconds,
    Seed,
    Share,
    Side,
    Steps,
    Units,
    UnitsOrNone,
    Workers,
)
from vidlstm.settings.segmentation import (
    SegmentationDataSettings,
    SegmentationModelSettings,
    SegmentationOptimiserSettings,
    SegmentationSettings,
)
from vidlstm.settings.trainer import TRAINER_DEFAULTS
from vidlstm.settings.trajectory import (
    TrajectoryDataSettings,
    TrajectoryModelSettings,
    TrajectoryOptimiserSettings,
    TrajectorySettings,
)

__all__ = [
    "SHORTHAND",
    "TRAINER_DEFAULTS",
    "ActionDataSettings",
    "ActionModelSettings",
    "ActionSettings",
    "BackboneSettings",
    "Bias",
    "Count",
    "Devices",
    "Dropout",
    "Few",
    "Figures",
    "FramesOrAuto",
    "Lags",
    "Layers",
    "Margin",
    "NotNegative",
    "Number",
    "ObjectActionDataSettings",
    "ObjectActionSettings",
    "OnlineSettings",
    "OptimiserSettings",
    "Positive",
    "PredictSettings",
    "Rate",
    "SamplingSettings",
    "Seconds",
    "Seed",
    "SegmentationDataSettings",
    "SegmentationModelSettings",
    "SegmentationOptimiserSettings",
    "SegmentationSettings",
    "Share",
    "Side",
    "Steps",
    "SurfaceSettings",
    "TrackingSettings",
    "TrajectoryDataSettings",
    "TrajectoryModelSettings",
    "TrajectoryOptimiserSettings",
    "TrajectorySettings",
    "Units",
    "UnitsOrNone",
    "WatchSettings",
    "WindowSettings",
    "Workers",
    "by_name",
    "dotted",
    "first_mistake",
    "given_in",
    "path_from",
    "paths_from",
    "plain",
    "settings_from",
    "store_from",
    "value_from",
]
