"""``train --task object_action``: labelled clips, and the objects that were tracked in them."""

from dataclasses import dataclass, field
from pathlib import Path

from vidlstm.settings.action import ActionDataSettings, ActionSettings
from vidlstm.settings.ranges import Margin, NotNegative


@dataclass
class ObjectActionDataSettings(ActionDataSettings):
    """Labelled clips, and the objects that were tracked in them.

    Every tracked object is a sequence of its own; a clip's label is that of its objects together, or of the
    one that its track_id names.

    Args:
        tracks: the tracks table of the clips, made by vidlstm track.
        max_gap_seconds: an object that is not seen for longer begins anew; a shorter gap is filled.
        minimum_seconds: an object that is seen for a shorter time is left out.
        crop_margin: shown around an object's box, as a share of its longer side.
    """

    tracks: Path | None = None
    max_gap_seconds: NotNegative = 0.5
    minimum_seconds: NotNegative = 0.5
    crop_margin: Margin = 0.1


@dataclass
class ObjectActionSettings(ActionSettings):
    """All that ``train --task object_action`` takes."""

    data: ObjectActionDataSettings = field(default_factory=ObjectActionDataSettings)
