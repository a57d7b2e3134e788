"""`offline`: rules, no language model."""

from codexd.models.offline.model import Offline

__all__ = ["Offline"]
