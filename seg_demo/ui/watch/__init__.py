"""The browser component that shows a training run while it learns."""

from seg_demo.ui.watch.component import RunWatch, Watched, WatchState

__all__ = ["RunWatch", "WatchState", "Watched"]
