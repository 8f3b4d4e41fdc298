"""What a family of networks promises the builder. ``families.py`` lists them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vidlstm.backbones.network import Network
    from vidlstm.backbones.parts import Part
    from vidlstm.settings import BackboneSettings


class Family(ABC):
    """Networks that are found and built alike.

    Attributes:
        spelling: how one of them is named, for messages and help.
        takes_size: whether ``--backbone.size`` says how large its frames are.
        allows_motion: whether they may be shown ``:motion``.
    """

    spelling: str
    takes_size = False
    allows_motion = True

    @abstractmethod
    def names(self) -> Sequence[str]:
        """All that can be named here, so that a misspelt one can be told."""

    def knows(self, name: str) -> bool:
        """Whether ``name`` is one of this family; nothing is built or imported to find out."""
        return name in self.names()

    def is_here(self, name: str) -> bool:
        """Whether it can be had without importing a module that nothing but ``name`` speaks of."""
        return self.knows(name)

    @abstractmethod
    def build(self, part: Part, settings: BackboneSettings) -> Network:
        """Builds one network.

        Args:
            part: which, and its weights; the builder sees to the view.
            settings: ``trust``, ``size`` and ``download``; ``name`` and ``weights`` are those of all parts.

        Returns:
            The network. The fit in its ``size`` is the one it is used to; ``--backbone.fit`` overrides it.

        Raises:
            SettingsError: the settings do not suit it.
            WeightsError: its weights are nowhere, or do not fit.
        """
