"""Mistakes that people make with labelled pictures, planted one at a time into a good data set.

`python -m benchmarks.faults` checks and repairs each and prints the table of docs/data.md; `--docs` writes it there.
The tests run every row: `kinds` must be found, and the repair must do what `mended` says.
"""

from benchmarks.faults import in_files, in_values, in_whole_sets
from benchmarks.faults.fault import FAULTS, Fault
from benchmarks.faults.good import CLASSES, PICTURES, Good
from benchmarks.faults.outcome import AGREES, Outcome, run

__all__ = ["AGREES", "CLASSES", "FAULTS", "PICTURES", "Fault", "Good", "Outcome", "run"]
__all__ += ["in_files", "in_values", "in_whole_sets"]
