"""RefineNet."""

from __future__ import annotations

from torch import Tensor, nn

from seg_demo.models.backbones import Backbone
from seg_demo.models.layers import enlarge
from seg_demo.models.model import SegmentationModel


def _conv(before: int, after: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, kernel_size=3, padding=1, bias=False)


class ResidualConvUnit(nn.Module):
    """Two convolutions with ReLU before each, added to what comes in: (N, C, h, w)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(nn.ReLU(), _conv(channels, channels), nn.ReLU(), _conv(channels, channels))

    def forward(self, features: Tensor) -> Tensor:
        return features + self.residual(features)


class MultiResolutionFusion(nn.Module):
    """Feature maps of several sizes -> their sum at the size of the first, the finest."""

    def __init__(self, before: list[int], after: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(_conv(channels, after) for channels in before)

    def forward(self, paths: list[Tensor]) -> Tensor:
        fine, *coarser = (conv(path) for conv, path in zip(self.convs, paths, strict=True))
        return fine + sum(enlarge(path, like=fine) for path in coarser)


class ChainedResidualPooling(nn.Module):
    """A chain of 5x5 poolings, each followed by a convolution; all of its links are added: (N, C, h, w)."""

    def __init__(self, channels: int, length: int = 2) -> None:
        super().__init__()
        self.links = nn.ModuleList(
            nn.Sequential(nn.MaxPool2d(5, stride=1, padding=2), _conv(channels, channels)) for _ in range(length)
        )

    def forward(self, features: Tensor) -> Tensor:
        path = total = features.relu()
        for link in self.links:
            path = link(path)
            total = total + path
        return total


class RefineBlock(nn.Module):
    """One RefineNet: its paths, finest first, each through two units, fused, pooled, and through `units` at the end."""

    def __init__(self, before: list[int], after: int, units: int = 1) -> None:
        super().__init__()
        self.adapt = nn.ModuleList(
            nn.Sequential(ResidualConvUnit(channels), ResidualConvUnit(channels)) for channels in before
        )
        self.fuse = MultiResolutionFusion(before, after) if len(before) > 1 else None  # one path is left as it is
        self.pool = ChainedResidualPooling(after)
        self.output = nn.Sequential(*(ResidualConvUnit(after) for _ in range(units)))

    def forward(self, *paths: Tensor) -> Tensor:
        adapted = [adapt(path) for adapt, path in zip(self.adapt, paths, strict=True)]
        return self.output(self.pool(self.fuse(adapted) if self.fuse else adapted[0]))


class RefineNet(SegmentationModel):
    """Four RefineNets from stride 32 to stride 4, each joining a backbone's features with what the coarser made.

    Source: Lin et al., "RefineNet", CVPR 2017, the 4-cascaded network: 512 channels at stride 32 and 256 above it, two
    more residual units before the classifier, poolings chained in twos.
    """

    multiple = 32
    smallest = 64
    stride = 4

    def __init__(self, num_classes: int, backbone: str) -> None:
        super().__init__()
        self.backbone = Backbone(backbone)
        widths = (512, 256, 256, 256)  # at strides 32, 16, 8, 4
        self.reduce = nn.ModuleList(
            _conv(channels, width) for channels, width in zip(self.backbone.channels[:0:-1], widths, strict=True)
        )
        self.refine = nn.ModuleList(
            [
                RefineBlock([512], 512),
                RefineBlock([256, 512], 256),
                RefineBlock([256, 256], 256),
                RefineBlock([256, 256], 256, units=3),
            ]
        )
        self.classifier = nn.Sequential(nn.Dropout(), nn.Conv2d(256, num_classes, kernel_size=3, padding=1))

    def logits(self, images: Tensor) -> dict[str, Tensor]:
        paths: list[Tensor] = []
        for features, reduce, refine in zip(self.backbone(images)[:0:-1], self.reduce, self.refine, strict=True):
            paths = [refine(reduce(features), *paths)]  # (N, 512 or 256, h, w)
        return {"out": self.classifier(paths[0])}  # (N, C, H / 4, W / 4)
