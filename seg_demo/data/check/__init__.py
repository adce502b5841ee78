"""The data check and its repairs: every mistake found, and mended where that can be done, before training."""

from seg_demo.data.check.checking import Checked, check
from seg_demo.data.check.finding import KINDS, SEVERITIES, Finding, Report
from seg_demo.data.check.repair import Repaired, repair, repairs_of

__all__ = ["KINDS", "SEVERITIES", "Checked", "Finding", "Repaired", "Report", "check", "repair", "repairs_of"]
