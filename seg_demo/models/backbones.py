"""torchvision's classifiers as backbones: the features they compute at strides 2, 4, 8, 16 and 32."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torchvision.models import get_model

# Channels of the features at strides 2, 4, 8, 16 and 32.
CHANNELS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("vgg16", "vgg16_bn", "vgg19_bn"), (64, 128, 256, 512, 512)),
    **dict.fromkeys(("resnet18", "resnet34"), (64, 64, 128, 256, 512)),
    **dict.fromkeys(("resnet50", "resnet101", "resnet152"), (64, 256, 512, 1024, 2048)),
    "densenet121": (64, 256, 512, 1024, 1024),
    "densenet161": (96, 384, 768, 2112, 2208),
    "densenet169": (64, 256, 512, 1280, 1664),
    "densenet201": (64, 256, 512, 1792, 1920),
    "mobilenet_v3_large": (16, 24, 40, 80, 960),
}


class Backbone(nn.ModuleDict):
    """Images (N, 3, H, W) -> five feature maps (N, `channels[k]`, H / `strides[k]`, W / `strides[k]`).

    The layers are torchvision's, under torchvision's names, up to the last feature: after each pooling of VGG; after
    the stem and the four stages of ResNet; after the stem and the four dense blocks of DenseNet, of which only the last
    is normalised; and after the first block at each stride of MobileNetV3, as torchvision's own networks have it, with
    all of them at the end. With an `output_stride` of 16 or 8 the last stages see the same field by dilation instead
    of strides (Yu and Koltun, ICLR 2016); that is there for the ResNets, and for MobileNetV3 down to 16, which is
    what it then gets for 8 as well.
    """

    def __init__(self, name: str, output_stride: int = 32) -> None:
        layers, self.taps = _layers(name, output_stride)
        super().__init__(layers)
        self.name = name
        self.channels = CHANNELS[name]
        coarsest = max(output_stride, 16) if name.startswith("mobilenet") else output_stride
        self.strides = tuple(min(stride, coarsest) for stride in (2, 4, 8, 16, 32))

    def forward(self, images: Tensor) -> list[Tensor]:
        features = []
        x = images
        for name, layer in self.items():
            x = layer(x)
            if name in self.taps:
                features.append(x)
        return features

    def load_classifier(self, classifier: nn.Module) -> None:
        """Take the weights of the same network as torchvision built it."""
        self.load_state_dict(nn.ModuleDict(_children(classifier)).state_dict())


def _layers(name: str, output_stride: int) -> tuple[dict[str, nn.Module], list[str]]:
    """The layers of a backbone by torchvision's names, up to the last feature; the layers that end in a feature."""
    if name.startswith("resnet"):
        dilate = [False, output_stride < 16, output_stride < 32]
        bottleneck = name not in ("resnet18", "resnet34")
        net = get_model(name, **{"replace_stride_with_dilation": dilate} if bottleneck else {})
        if not bottleneck:
            _dilate_basic_blocks([net.layer3] * dilate[1] + [net.layer4] * dilate[2])
        taps = ["relu", "layer1", "layer2", "layer3", "layer4"]
    elif name.startswith("mobilenet"):
        net = get_model(name, dilated=output_stride < 32)
        taps = ["0", "2", "4", "7", "16"]
    elif name.startswith("densenet"):
        net = get_model(name)
        taps = ["relu0", "denseblock1", "denseblock2", "denseblock3", "relu5"]
    else:
        net = _vgg(name)
        taps = [number for number, layer in net.features.named_children() if isinstance(layer, nn.MaxPool2d)]
    if name.startswith(("vgg", "densenet")) and output_stride != 32:
        raise ValueError(f"{name} cannot be dilated")
    return _children(net), taps


def _children(net: Any) -> dict[str, nn.Module]:
    """The layers of a classifier without its head."""
    layers = dict(getattr(net, "features", net).named_children())
    if "norm5" in layers:
        layers["relu5"] = nn.ReLU(inplace=True)  # which torchvision's forward does by itself
    return {name: layer for name, layer in layers.items() if name not in ("avgpool", "fc")}


def _vgg(name: str) -> Any:
    """VGG without its fully connected layers, which are nine tenths of it: those are never given memory."""
    with torch.device("meta"):
        net = get_model(name)
    net.features.to_empty(device=torch.get_default_device())
    for layer in net.features:
        if isinstance(layer, nn.Conv2d):  # as torchvision does
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(cast(Tensor, layer.bias))
        elif isinstance(layer, nn.BatchNorm2d):
            layer.reset_parameters()
    return net


def _dilate_basic_blocks(stages: list[nn.Sequential]) -> None:
    """What torchvision's `replace_stride_with_dilation` does for bottlenecks, for the blocks of ResNet-18 and -34."""
    dilation = 1
    for stage in stages:
        for layer in stage.modules():
            if isinstance(layer, nn.Conv2d):
                # The convolution that had the stride still sees the undilated grid, the later ones the coarser one.
                after = dilation if layer.stride == (2, 2) else 2 * dilation
                layer.stride = (1, 1)
                if layer.kernel_size == (3, 3):
                    layer.dilation = layer.padding = (after, after)
        dilation *= 2
