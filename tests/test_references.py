"""The table of docs/models.md: every difference of parameters is explained to the last one."""

from __future__ import annotations

import pytest
from torchvision.models import get_weight

from benchmarks.markdown import DOCS
from benchmarks.models import backbones
from benchmarks.references import REFERENCES, Reference, rows
from seg_demo.models import ARCHITECTURES


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda reference: f"{reference.architecture} {reference.source}")
def test_the_differences_add_up(reference: Reference) -> None:
    assert reference.ours() - reference.parameters == sum(difference for _, difference in reference.differences)


def test_the_documentation_shows_what_is_there() -> None:
    text = DOCS.read_text("utf-8")
    assert all(" | ".join(row) in text for row in rows())
    assert backbones() in text
    costs = text.partition("<!-- end of models -->")[0]
    assert all(costs.count(f"\n| `{name}` |") == 1 for name in ARCHITECTURES)
    exports = text.partition("<!-- export -->")[2]
    assert all(exports.count(f"\n| {name} |") == 1 for name in ARCHITECTURES)


def test_torchvision_says_the_same() -> None:
    checked = 0
    for reference in REFERENCES:
        published = ARCHITECTURES[reference.architecture].published
        if published:
            name = published[reference.arguments.get("backbone", "mobilenet_v3_large")].name
            assert get_weight(f"{name}.COCO_WITH_VOC_LABELS_V1").meta["num_params"] == reference.parameters
            checked += 1
    assert checked == 6
