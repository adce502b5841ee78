"""What becomes of a fault: planted, checked, repaired, and compared with the truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults.fault import Fault
from benchmarks.faults.good import Good
from seg_demo.data.check import Checked, Repaired, check, repair, repairs_of
from seg_demo.data.folder import open_folder
from seg_demo.errors import UserError

AGREES = 0.97  # share of pixels in which a mended label map is the one before the fault


@dataclass(frozen=True)
class Outcome:
    """What became of a fault. agreement: smallest share of pixels in which a written label map is the true one."""

    fault: Fault
    checked: Checked
    repaired: Repaired | None
    may_train: bool
    agreement: float

    @property
    def said(self) -> str:
        found = [each for each in self.checked.report.findings if each.kind in self.fault.kinds]
        return found[0].sentence if found else self.checked.folder.reading.reasons[-1]

    @property
    def repair(self) -> str:
        if not self.fault.kinds:
            return "not needed, it is read right"
        possible = repairs_of(self.checked.report.findings)
        mended = next((possible[kind] for kind in self.fault.kinds if kind in possible), None)
        if mended:
            return f"yes: {mended}"
        return "by hand" if self.fault.mended == "by hand" else "not needed"


def run(fault: Fault, folder: Path) -> Outcome:
    """Plant a fault into a good data set below `folder`, check it, repair all that can be, and compare."""
    good = Good.write(folder / "data")
    fault.plant(good)
    checked = check(good.root)
    try:
        repaired = repair(checked, folder / "repaired", repairs_of(checked.report.findings))
    except UserError:
        return Outcome(fault, checked, None, False, 0.0)
    after = check(repaired.out)
    return Outcome(fault, checked, repaired, after.report.may_train, _agreement(good, repaired.out))


def _agreement(good: Good, folder: Path) -> float:
    """Over the pixels that are not ignored."""
    opened = open_folder(folder)
    shares = []
    for split in sorted({look.pair.split or "" for look in opened.looks}):
        for name, _, label_map in opened.split(split):
            counted = label_map != 255
            shares.append(float((label_map == good.truth[name])[counted].mean()) if counted.any() else 1.0)
    return min(shares)
