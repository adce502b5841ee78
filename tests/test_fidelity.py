"""The networks that torchvision has are torchvision's: its state dicts load unchanged and give its logits."""

from __future__ import annotations

import pytest
import torch
from torchvision.models import segmentation

from seg_demo.models import build_model

THEIRS = [
    ("fcn", "resnet50"),
    ("fcn", "resnet101"),
    ("deeplabv3", "resnet50"),
    ("deeplabv3", "resnet101"),
    ("deeplabv3", "mobilenet_v3_large"),
    ("lraspp", "mobilenet_v3_large"),
]


@pytest.mark.parametrize(
    ("name", "backbone", "aux"),
    [
        *(pytest.param(*theirs, True, marks=pytest.mark.slow if theirs[1] == "resnet101" else ()) for theirs in THEIRS),
        ("deeplabv3", "mobilenet_v3_large", False),
    ],
)
def test_a_state_dict_of_torchvision_gives_its_logits(name: str, backbone: str, aux: bool) -> None:
    torch.manual_seed(0)
    options = {} if name == "lraspp" else {"aux_loss": aux}
    theirs = getattr(segmentation, f"{name}_{backbone}")(weights=None, weights_backbone=None, num_classes=21, **options)
    ours = build_model(name, 21, backbone=backbone, **({} if name == "lraspp" else {"aux": aux}))
    ours.load_state_dict(theirs.state_dict(), strict=True)
    theirs.eval(), ours.eval()
    for size in ((97, 131), (224, 224), (65, 64)):
        picture = torch.randn(1, 3, *size)
        with torch.inference_mode():
            wanted, found = theirs(picture), ours(picture)
        assert found.keys() == wanted.keys()
        assert all(torch.equal(found[head], wanted[head]) for head in wanted)
    assert list(ours.state_dict()) == list(theirs.state_dict()), "and ours load in torchvision"
