"""The six-layer network of the newts origin project: full resolution, no pooling, a 13-pixel view."""

from __future__ import annotations

from torch import Tensor, nn

from seg_demo.models.model import SegmentationModel


class SimpleNet(SegmentationModel):
    """`layers` x [conv 3x3 - `width`, BatchNorm, ReLU], then conv 1x1 to `num_classes`.

    Source: yoyoyo-yo, Deep Learning Mugen Knock. Every layer keeps the size, so any input size >= 1 works.
    """

    backbone_parts = ("features",)

    def __init__(self, num_classes: int, width: int = 32, layers: int = 6) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        for index in range(layers):
            blocks += [
                nn.Conv2d(3 if index == 0 else width, width, kernel_size=3, padding=1),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
        self.features = nn.Sequential(*blocks)
        self.classifier = nn.Conv2d(width, num_classes, kernel_size=1)

    def logits(self, images: Tensor) -> dict[str, Tensor]:
        features = self.features(images)  # (N, width, H, W)
        return {"out": self.classifier(features)}  # (N, C, H, W)
