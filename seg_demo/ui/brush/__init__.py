"""The label painter: the browser component in which label maps are painted over a picture."""

from seg_demo.ui.brush.component import BrushValue, LabelPainter
from seg_demo.ui.brush.payload import LabelWork
from seg_demo.ui.brush.saved import read_saved

__all__ = ["BrushValue", "LabelPainter", "LabelWork", "read_saved"]
