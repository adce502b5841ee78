"""Repositories that a search has found."""

from seg_demo.ui.checkpoints.found.component import FoundList, FoundRow, FoundValue

__all__ = ["FoundList", "FoundRow", "FoundValue"]
