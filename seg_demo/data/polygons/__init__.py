"""Pictures labelled with polygons in other tools -> label maps."""

from seg_demo.data.polygons.convert import Conversion, convert
from seg_demo.data.polygons.registry import FORMATS, PolygonFormat, detect, formats_of

__all__ = ["FORMATS", "Conversion", "PolygonFormat", "convert", "detect", "formats_of"]
