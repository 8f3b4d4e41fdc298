"""Settings of ``watch``: how sources are read, and when something has begun."""

from dataclasses import dataclass
from typing import Literal

from vidlstm.errors import SettingsError
from vidlstm.settings.ranges import NotNegative, Positive, Share


@dataclass
class WatchSettings:
    """How sources are read.

    Args:
        pace: files as a camera would give them, or as fast as they go.
        drop: latest keeps the newest frame where the machine does not keep up, and counts the others; none
            reads every frame, and what is said grows old. auto drops of what goes at its own pace alone.
        timeout_seconds: a camera or stream that gives nothing for so long has broken off.
        reconnect_seconds: for so long one that broke off is tried again, ever more seldom; 0 never.
        keep_state_seconds: what is carried of a source outlives a break of so long; after a longer one it
            begins anew.
        heartbeat_seconds: how often each source is reported on when nothing happens.
        steps: an event at every step, with the probabilities of all labels.
        seconds: stop after so long; None goes on.
    """

    pace: Literal["real", "fast"] = "fast"
    drop: Literal["auto", "latest", "none"] = "auto"
    timeout_seconds: Positive = 10.0
    reconnect_seconds: NotNegative = 60.0
    keep_state_seconds: NotNegative = 2.0
    heartbeat_seconds: Positive = 10.0
    steps: bool = False
    seconds: Positive | None = None


@dataclass
class OnlineSettings:
    """When a label begins and is over.

    Args:
        enter: the probability from which on a label begins.
        leave: below this it is over.
        minimum_seconds: how long a label must be as likely as enter before it is said to have begun.
    """

    enter: Share = 0.6
    leave: Share = 0.4
    minimum_seconds: NotNegative = 0.5

    def __post_init__(self) -> None:
        if self.leave > self.enter:
            raise SettingsError(
                f"`online.leave` {self.leave:g} is above `online.enter` {self.enter:g}: a label would be "
                "over before it begins",
                setting="online.leave",
            )
