"""The canvas: the one browser component of the page that draws pictures with their label maps."""

from seg_demo.ui.canvas.component import CanvasImage, CanvasValue, SegmentationCanvas
from seg_demo.ui.canvas.payload import CanvasPicture

__all__ = ["CanvasImage", "CanvasPicture", "CanvasValue", "SegmentationCanvas"]
