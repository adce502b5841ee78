"""The list of checkpoints, here and on the Hub."""

from seg_demo.ui.checkpoints.shelf.component import Shelf, ShelfClass, ShelfRow, ShelfValue

__all__ = ["Shelf", "ShelfClass", "ShelfRow", "ShelfValue"]
