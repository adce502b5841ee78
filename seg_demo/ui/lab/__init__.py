"""The laboratory: the browser component in which a threshold turns probabilities into a mask."""

from seg_demo.ui.lab.component import LabDataSet, LabPicture, LabValue, ThresholdLab
from seg_demo.ui.lab.payload import Subject

__all__ = ["LabDataSet", "LabPicture", "LabValue", "Subject", "ThresholdLab"]
