"""FCN-32s, FCN-16s and FCN-8s."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from seg_demo.models.backbones import Backbone
from seg_demo.models.layers import LearnedUpsampling
from seg_demo.models.model import SegmentationModel


class FCN32s(SegmentationModel):
    """Class scores of the coarsest features, enlarged 32 times.

    Source: Long, Shelhamer and Darrell, "Fully Convolutional Networks for Semantic Segmentation", CVPR 2015. On VGG,
    the fully connected layers fc6 and fc7 are kept as convolutions; other backbones have none, and are scored by one
    1x1 convolution on their last features. Unlike the paper: the image is padded to a multiple of 32 instead of by
    100 pixels and fc6 is padded, so that nothing needs cropping; all upsampling is learned; scores start small
    and random instead of at zero, so that the backbone learns from the first step. The skips are not scaled: the
    factors of the authors' at-once networks belong to Caffe's VGG and its inputs from 0 to 255.
    """

    skips: ClassVar[tuple[int, ...]] = ()
    """Strides of the finer features that are scored as well, coarse to fine."""
    multiple = 32
    smallest = 64

    def __init__(self, num_classes: int, backbone: str) -> None:
        super().__init__()
        self.backbone = Backbone(backbone)
        self.fully_convolutional = nn.Sequential()
        deepest = self.backbone.channels[-1]
        if backbone.startswith("vgg"):
            self.fully_convolutional = _fully_convolutional()
            self.backbone_parts = ("backbone", "fully_convolutional")
            deepest = 4096
        channels = dict(zip(self.backbone.strides, self.backbone.channels, strict=True))
        self.score = Score(deepest, num_classes)
        self.skip_scores = nn.ModuleList(Score(channels[stride], num_classes) for stride in self.skips)
        self.upsample = nn.ModuleList(LearnedUpsampling(num_classes, 2) for _ in self.skips)
        self.stride = self.skips[-1] if self.skips else 32
        self.enlarge = LearnedUpsampling(num_classes, self.stride)

    def logits(self, images: Tensor) -> dict[str, Tensor]:
        features = dict(zip(self.backbone.strides, self.backbone(images), strict=True))
        x = self.score(self.fully_convolutional(features[32]))  # (N, C, H / 32, W / 32)
        for stride, score, upsample in zip(self.skips, self.skip_scores, self.upsample, strict=True):
            x = upsample(x) + score(features[stride])  # (N, C, H / stride, W / stride)
        return {"out": self.enlarge(x)}  # (N, C, H, W)

    def load_classifier(self, classifier: Any) -> None:
        super().load_classifier(classifier)
        if self.fully_convolutional:
            fc6, fc7 = classifier.classifier[0], classifier.classifier[3]
            with torch.no_grad():
                for index, linear in ((0, fc6), (3, fc7)):
                    conv: Any = self.fully_convolutional[index]
                    conv.weight.copy_(linear.weight.view_as(conv.weight))
                    conv.bias.copy_(linear.bias)


class FCN16s(FCN32s):
    """FCN-32s with the features at stride 16 scored as well, and enlarged 16 times."""

    skips = (16,)


class FCN8s(FCN32s):
    """FCN-32s with the features at strides 16 and 8 scored as well, and enlarged 8 times."""

    skips = (16, 8)


def _fully_convolutional() -> nn.Sequential:
    """fc6 and fc7 of VGG, whose weights they can take."""
    return nn.Sequential(
        nn.Conv2d(512, 4096, kernel_size=7, padding=3),
        nn.ReLU(inplace=True),
        nn.Dropout(),
        nn.Conv2d(4096, 4096, kernel_size=1),
        nn.ReLU(inplace=True),
        nn.Dropout(),
    )


class Score(nn.Conv2d):
    """A 1x1 convolution to logits that start small."""

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__(channels, num_classes, kernel_size=1)

    def reset_parameters(self) -> None:
        nn.init.normal_(self.weight, std=0.01)
        nn.init.constant_(cast(Tensor, self.bias), 0)
