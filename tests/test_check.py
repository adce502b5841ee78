"""The data check finds every mistake that is planted, and its repairs mend what can be mended."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.faults import AGREES, FAULTS, PICTURES, Fault, Good, run
from benchmarks.markdown import DOCS
from seg_demo.data.check import KINDS, check


def test_a_good_data_set_has_no_findings(tmp_path: Path) -> None:
    report = check(Good.write(tmp_path / "data").root).report
    assert report.may_train
    assert [found.sentence for found in report.findings] == []
    assert report.splits == {"train": 8, "val": 2}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.planted)
def test_a_planted_fault(fault: Fault, tmp_path: Path) -> None:
    outcome = run(fault, tmp_path)
    report = outcome.checked.report
    assert set(fault.kinds) <= {found.kind for found in report.findings}, [found.sentence for found in report.findings]
    assert report.may_train == fault.may_train, [found.sentence for found in report.findings]
    if fault.mended == "by hand":
        assert outcome.may_train == fault.may_train
        assert not any(found.repair for found in report.findings if found.kind in fault.kinds)
        return
    assert outcome.repaired and outcome.may_train
    assert outcome.agreement >= AGREES
    assert outcome.repaired.written == PICTURES if fault.mended == "yes" else outcome.repaired.written < PICTURES


def test_every_kind_of_finding_is_planted_and_shown() -> None:
    assert len(FAULTS) >= 40
    documented = DOCS.with_name("data.md").read_text("utf-8")
    assert all(documented.count(f"\n| {fault.planted} |") == 1 for fault in FAULTS)
    assert f" {len(FAULTS)} mistakes that were planted" in (DOCS.parents[1] / "README.md").read_text("utf-8")
    assert {kind for fault in FAULTS for kind in fault.kinds} == set(KINDS)
