"""The ranges of numbers: what a value may be is said by its type, and checked before any work.

The upper ends are far from anything that was ever of use, and near enough to what a machine can hold that a
slip of the finger is told before it takes the memory.
"""

from __future__ import annotations

import math
from typing import Annotated

from annotated_types import Ge, Gt, Interval, Lt

Positive = Annotated[float, Gt(0), Lt(math.inf)]
NotNegative = Annotated[float, Ge(0), Lt(math.inf)]
Share = Annotated[float, Interval(ge=0, le=1)]
Dropout = Annotated[float, Interval(ge=0, lt=1)]
Rate = Annotated[float, Interval(ge=1e-3, le=1e6)]
"""So many a second."""
Seconds = Annotated[float, Interval(gt=0, le=1e7)]
Bias = Annotated[float, Interval(ge=-1000, le=1000)]
Margin = Annotated[float, Interval(ge=0, le=10)]
"""Around a box, as a share of its side; beyond ten an object is a dot."""

Count = Annotated[int, Interval(ge=1, le=1_000_000)]
Number = Annotated[int, Interval(ge=0, le=1_000_000)]
Seed = Annotated[int, Interval(ge=0, lt=2**32)]
Layers = Annotated[int, Interval(ge=1, le=1000)]
Units = Annotated[int, Interval(ge=1, le=8192)]
UnitsOrNone = Annotated[int, Interval(ge=0, le=8192)]
Few = Annotated[int, Interval(ge=0, le=1000)]
Steps = Annotated[int, Interval(ge=1, le=10_000)]
Lags = Annotated[int, Interval(ge=2, le=10_000)]
Figures = Annotated[int, Interval(ge=3, le=1000)]
"""One at least for training, validation and test."""
Side = Annotated[int, Interval(ge=1, le=8192)]
"""Of a frame, in pixels."""
FramesOrAuto = Annotated[int, Interval(ge=0, le=4096)]
"""That go through a network together; 0 takes what suits the device."""
Devices = Annotated[int, Interval(ge=1, le=1024)]
Workers = Annotated[int, Interval(ge=0, le=1024)]
"""Processes; 0 takes what suits the machine."""
