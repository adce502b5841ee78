"""Pictures of newts, drawn by code: for a first training run, for tests and for the examples of the page."""

from seg_demo.data.procedural.data_set import ProceduralNewts
from seg_demo.data.procedural.examples import ExampleNewts
from seg_demo.data.procedural.picture import SPECIES, draw_newts

__all__ = ["SPECIES", "ExampleNewts", "ProceduralNewts", "draw_newts"]
