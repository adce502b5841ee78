"""GCN, the global convolutional network."""

from __future__ import annotations

from torch import Tensor, nn

from seg_demo.models.backbones import Backbone
from seg_demo.models.layers import LearnedUpsampling
from seg_demo.models.model import SegmentationModel


class GlobalConvolution(nn.Module):
    """A k x k convolution to class scores, made of 1 x k and k x 1 in both orders."""

    def __init__(self, channels: int, num_classes: int, kernel: int) -> None:
        super().__init__()
        tall, wide = (kernel, 1), (1, kernel)
        self.tall_wide = nn.Sequential(
            nn.Conv2d(channels, num_classes, tall, padding="same"),
            nn.Conv2d(num_classes, num_classes, wide, padding="same"),
        )
        self.wide_tall = nn.Sequential(
            nn.Conv2d(channels, num_classes, wide, padding="same"),
            nn.Conv2d(num_classes, num_classes, tall, padding="same"),
        )

    def forward(self, features: Tensor) -> Tensor:
        return self.tall_wide(features) + self.wide_tall(features)  # (N, C, h, w)


class BoundaryRefinement(nn.Module):
    """A residual block on class scores (N, C, h, w)."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.Conv2d(num_classes, num_classes, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(num_classes, num_classes, kernel_size=3, padding=1),
        )

    def forward(self, scores: Tensor) -> Tensor:
        return scores + self.residual(scores)


class GCN(SegmentationModel):
    """Class scores by large kernels at strides 32 to 4, refined and summed from coarse to fine.

    Source: Peng et al., "Large Kernel Matters", CVPR 2017, figure 2. The kernels have k = 7 on every stride, where
    the paper ends with 15; upsampling is learned, from bilinear on.
    """

    multiple = 32
    smallest = 64
    stride = 4

    def __init__(self, num_classes: int, backbone: str) -> None:
        super().__init__()
        self.backbone = Backbone(backbone)
        channels = self.backbone.channels[:0:-1]  # at strides 32, 16, 8, 4
        self.score = nn.ModuleList(GlobalConvolution(count, num_classes, kernel=7) for count in channels)
        self.refine = nn.ModuleList(BoundaryRefinement(num_classes) for _ in channels)
        self.upsample = nn.ModuleList(LearnedUpsampling(num_classes, 2) for _ in range(5))
        self.refine_sum = nn.ModuleList(BoundaryRefinement(num_classes) for _ in range(5))

    def logits(self, images: Tensor) -> dict[str, Tensor]:
        features = self.backbone(images)[:0:-1]
        scores = [refine(score(x)) for x, score, refine in zip(features, self.score, self.refine, strict=True)]
        x = scores.pop(0)  # (N, C, H / 32, W / 32)
        for upsample, refine in zip(self.upsample, self.refine_sum, strict=True):
            x = upsample(x)
            x = refine(x + scores.pop(0) if scores else x)
        return {"out": x}  # (N, C, H, W)
