"""The networks that come with published weights: ready to predict the classes of VOC, under names of their own."""

from __future__ import annotations

from dataclasses import dataclass

from seg_demo.checkpoint import Checkpoint, CheckpointConfig
from seg_demo.data.preprocessing import Preprocessing
from seg_demo.models.registry import ARCHITECTURES, BACKBONES, build_model
from seg_demo.palettes import VOC
from seg_demo.registry import look_up


@dataclass(frozen=True)
class Pretrained:
    """An architecture on a backbone, as it is shown, and the size of the download in MB."""

    architecture: str
    backbone: str
    title: str
    megabytes: int


# Small downloads first.
PRETRAINED: dict[str, Pretrained] = {
    f"{found.architecture}-{found.backbone}": found
    for found in sorted(
        (
            Pretrained(name, backbone, f"{architecture.title} {BACKBONES[backbone]}", published.megabytes)
            for name, architecture in ARCHITECTURES.items()
            for backbone, published in architecture.published.items()
        ),
        key=lambda found: found.megabytes,
    )
}


def load_pretrained(name: str) -> Checkpoint:
    """Build a network of `PRETRAINED` with torchvision's weights, trained on COCO for the 21 classes of VOC.

    The first use downloads them. Raises `UserError` where that fails.
    """
    pretrained = look_up("pretrained model", PRETRAINED, name)
    model = build_model(pretrained.architecture, len(VOC), weights="coco-voc", backbone=pretrained.backbone)
    config = CheckpointConfig(
        pretrained.architecture, model.origin[1], "multiclass", VOC, Preprocessing("shortest", 520)
    )
    return Checkpoint(name, config, model.eval())
