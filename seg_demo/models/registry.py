"""The architectures by name, with what may be asked of each. Importing this does not import torch."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from seg_demo.classes import MAX_CLASSES
from seg_demo.errors import UserError, shorten
from seg_demo.models.arguments import Argument, Choice, Document, Flag, Whole
from seg_demo.registry import look_up

if TYPE_CHECKING:
    from seg_demo.models.model import SegmentationModel

# torchvision's name -> as people write it
BACKBONES = {
    "vgg16": "VGG16",
    "vgg16_bn": "VGG16-BN",
    "vgg19_bn": "VGG19-BN",
    "resnet18": "ResNet-18",
    "resnet34": "ResNet-34",
    "resnet50": "ResNet-50",
    "resnet101": "ResNet-101",
    "resnet152": "ResNet-152",
    "densenet121": "DenseNet-121",
    "densenet161": "DenseNet-161",
    "densenet169": "DenseNet-169",
    "densenet201": "DenseNet-201",
    "mobilenet_v3_large": "MobileNetV3-Large",
}
WEIGHTS = {"coco-voc": "trained on COCO for the 21 classes of VOC"}
BACKBONE_WEIGHTS = {"imagenet": "trained to classify the 1000 classes of ImageNet"}

_VGGS = tuple(name for name in BACKBONES if name.startswith("vgg"))
_RESNETS = tuple(name for name in BACKBONES if name.startswith("resnet"))
_BOTTLENECK_RESNETS = ("resnet50", "resnet101", "resnet152")
_DILATED = (*_RESNETS, "mobilenet_v3_large")
_ALL = tuple(BACKBONES)


@dataclass(frozen=True)
class Published:
    """Weights that torchvision publishes: their name there, and the size of the download in MB."""

    name: str
    megabytes: int


@dataclass(frozen=True)
class Architecture:
    """A network that can be built by name.

    title: as its authors write it. builder: "module:name", called as `name(num_classes, **arguments)`; imported only
    when it is built. source: the paper or project it comes from. arguments: every argument besides `num_classes`; a
    checkpoint may name no other. own_encoder: those that mean something with the backbone "none" only. published:
    weights trained on COCO for the classes of VOC, by backbone.
    """

    title: str
    builder: str
    source: str
    arguments: Mapping[str, Argument] = field(default_factory=dict)
    own_encoder: tuple[str, ...] = ()
    published: Mapping[str, Published] = field(default_factory=dict)

    @property
    def backbones(self) -> tuple[str, ...]:
        """The backbones that can be chosen, the default one first; none where there is no choice of them."""
        argument = self.arguments.get("backbone")
        if not isinstance(argument, Choice):
            return ()
        return (argument.default, *(choice for choice in argument.choices if choice != argument.default))

    def check(self, name: str, arguments: Mapping[str, object]) -> dict[str, Any]:
        """Return `arguments` filled up with the defaults, or raise a `UserError` that names the wrong one."""
        checked: dict[str, Any] = {key: argument.default for key, argument in self.arguments.items()}
        for key, value in arguments.items():
            checked[key] = look_up(f"argument of {name}", self.arguments, key).check(name, key, value)
        if checked.get("backbone", "none") != "none":
            for key in self.own_encoder:
                if key in arguments:
                    raise UserError(
                        'The argument "{key}" of {name} belongs to its own encoder. Leave it out with the backbone '
                        "{backbone}.",
                        key=key, name=name, backbone=checked["backbone"],
                    )  # fmt: skip
                del checked[key]
        return checked

    def check_weights(self, name: str, backbone: str, weights: str | None, backbone_weights: str | None) -> None:
        """Raise a `UserError` for weights that nobody publishes."""
        if weights is not None:
            look_up("set of weights", WEIGHTS, weights)
            if backbone not in self.published:
                known = [f"{key} on {found}" for key, entry in ARCHITECTURES.items() for found in entry.published]
                raise UserError(
                    'There are no weights "coco-voc" for {name} on {backbone}. There are for: {known}.',
                    name=name, backbone=backbone, known=", ".join(known),
                )  # fmt: skip
        if backbone_weights is not None:
            look_up("set of backbone weights", BACKBONE_WEIGHTS, backbone_weights)
            if backbone == "none":
                raise UserError(
                    "The network {name} has no backbone that weights are published for. Leave backbone_weights out.",
                    name=name,
                )


_FCN = "Long, Shelhamer and Darrell, Fully Convolutional Networks for Semantic Segmentation, CVPR 2015"
_DUC = "Wang et al., Understanding Convolution for Semantic Segmentation, WACV 2018"

ARCHITECTURES: dict[str, Architecture] = {
    "simple": Architecture(
        "Simple",
        "seg_demo.models.simple:SimpleNet",
        "yoyoyo-yo, Deep Learning Mugen Knock, semantic segmentation chapter",
        {"width": Whole(32, 1, 512), "layers": Whole(6, 1, 32)},
    ),
    "unet": Architecture(
        "U-Net",
        "seg_demo.models.unet:unet",
        "Ronneberger, Fischer and Brox, U-Net, MICCAI 2015",
        {
            "backbone": Choice("none", ("none", *_ALL)),
            "width": Whole(64, 1, 128),
            "depth": Whole(5, 2, 7),
            "stem": Whole(1, 1, 4),
        },
        own_encoder=("width", "depth", "stem"),
    ),
    "segnet": Architecture(
        "SegNet",
        "seg_demo.models.segnet:SegNet",
        "Badrinarayanan, Kendall and Cipolla, SegNet, PAMI 2017",
        {"backbone": Choice("vgg16_bn", _VGGS)},
    ),
    "fcn32s": Architecture(
        "FCN-32s", "seg_demo.models.fcn:FCN32s", _FCN, {"backbone": Choice("vgg16", _ALL)}
    ),
    "fcn16s": Architecture(
        "FCN-16s", "seg_demo.models.fcn:FCN16s", _FCN, {"backbone": Choice("vgg16", _ALL)}
    ),
    "fcn8s": Architecture(
        "FCN-8s", "seg_demo.models.fcn:FCN8s", _FCN, {"backbone": Choice("vgg16", _ALL)}
    ),
    "fcn": Architecture(
        "FCN",
        "seg_demo.models.torchvision:FCN",
        f"{_FCN}; torchvision's dilated form",
        {"backbone": Choice("resnet50", _RESNETS), "aux": Flag(True)},
        published={
            "resnet50": Published("FCN_ResNet50_Weights", 135),
            "resnet101": Published("FCN_ResNet101_Weights", 208),
        },
    ),
    "pspnet": Architecture(
        "PSPNet",
        "seg_demo.models.pspnet:PSPNet",
        "Zhao et al., Pyramid Scene Parsing Network, CVPR 2017",
        {"backbone": Choice("resnet50", _DILATED)},
    ),
    "gcn": Architecture(
        "GCN",
        "seg_demo.models.gcn:GCN",
        "Peng et al., Large Kernel Matters, CVPR 2017",
        {"backbone": Choice("resnet50", _ALL)},
    ),
    "duc": Architecture(
        "DUC", "seg_demo.models.duc:DUC", _DUC, {"backbone": Choice("resnet101", _RESNETS)}
    ),
    "hdc": Architecture(
        "DUC-HDC", "seg_demo.models.duc:HDC", _DUC, {"backbone": Choice("resnet101", _BOTTLENECK_RESNETS)}
    ),
    "refinenet": Architecture(
        "RefineNet",
        "seg_demo.models.refinenet:RefineNet",
        "Lin et al., RefineNet: Multi-Path Refinement Networks, CVPR 2017",
        {"backbone": Choice("resnet101", _ALL)},
    ),
    "deeplabv3": Architecture(
        "DeepLabV3",
        "seg_demo.models.torchvision:DeepLabV3",
        "Chen et al., Rethinking Atrous Convolution for Semantic Image Segmentation, 2017",
        {"backbone": Choice("resnet50", _DILATED), "aux": Flag(True)},
        published={
            "mobilenet_v3_large": Published("DeepLabV3_MobileNet_V3_Large_Weights", 42),
            "resnet50": Published("DeepLabV3_ResNet50_Weights", 161),
            "resnet101": Published("DeepLabV3_ResNet101_Weights", 233),
        },
    ),
    "deeplabv3plus": Architecture(
        "DeepLabV3+",
        "seg_demo.models.deeplab:DeepLabV3Plus",
        "Chen et al., Encoder-Decoder with Atrous Separable Convolution, ECCV 2018",
        {"backbone": Choice("resnet50", _DILATED)},
    ),
    "lraspp": Architecture(
        "LR-ASPP",
        "seg_demo.models.torchvision:LRASPP",
        "Howard et al., Searching for MobileNetV3, ICCV 2019",
        {"backbone": Choice("mobilenet_v3_large", ("mobilenet_v3_large",))},
        published={"mobilenet_v3_large": Published("LRASPP_MobileNet_V3_Large_Weights", 12)},
    ),
}  # fmt: skip

# Networks that other libraries build; they come with checkpoints that were made there, and are chosen nowhere else.
IMPORTED: dict[str, Architecture] = {
    "smp": Architecture(
        "segmentation-models-pytorch",
        "seg_demo.models.imported.smp:build",
        "Iakubovskii, Segmentation Models PyTorch, 2019",
        {"config": Document()},
    ),
    "transformers": Architecture(
        "transformers",
        "seg_demo.models.imported.transformers:build",
        "Wolf et al., Transformers: State-of-the-Art Natural Language Processing, EMNLP 2020",
        {"config": Document(), "bgr": Flag(False)},
    ),
}  # fmt: skip


def find_architecture(name: str) -> Architecture:
    """The architecture `name`, one of ours or an imported one. Raises `UserError` for another."""
    imported = IMPORTED.get(name) if isinstance(name, str) else None
    return imported or look_up("architecture", ARCHITECTURES, name)


def networks_by_backbones() -> dict[tuple[str, ...], list[str]]:
    """The backbones that can be chosen together, and the architectures that take just these."""
    networks: dict[tuple[str, ...], list[str]] = {}
    for name, architecture in ARCHITECTURES.items():
        choices = tuple(backbone for backbone in BACKBONES if backbone in architecture.backbones)
        if choices:
            networks.setdefault(choices, []).append(name)
    return networks


def build_model(
    name: str,
    num_classes: int,
    *,
    weights: str | None = None,
    backbone_weights: str | None = None,
    **arguments: object,
) -> SegmentationModel:
    """Build the architecture `name` with `num_classes` output channels (1 for the task "binary").

    The model takes images (N, 3, H, W), float and normalised as the checkpoint says, and returns a dict whose "out" is
    (N, num_classes, H, W) logits at the size of the input, and whose "aux", where the network has an auxiliary head, is
    the same of that. arguments: those of the architecture, such as `backbone`. weights: None, or "coco-voc" for
    torchvision's, trained on COCO for the 21 classes of VOC; with another `num_classes` the last layers stay new.
    backbone_weights: None, or "imagenet" for torchvision's. Weights are downloaded when they are first used;
    `weights` include the backbone's.
    Without them, equal seeds of torch make equal models.

    Raises `UserError` for an unknown name or argument, or a value out of range, before anything is built, and for
    weights that do not exist or do not arrive.

    >>> build_model("unet", 1, width=8, depth=3)(torch.zeros(1, 3, 33, 47))["out"].shape
    torch.Size([1, 1, 33, 47])
    """
    architecture = find_architecture(name)
    if type(num_classes) is not int or not 1 <= num_classes <= MAX_CLASSES:
        raise UserError("A model has 1 to {most} classes, not {value}.", most=MAX_CLASSES, value=shorten(num_classes))
    checked = architecture.check(name, arguments)
    architecture.check_weights(name, checked.get("backbone", "none"), weights, backbone_weights)
    module, _, attribute = architecture.builder.partition(":")
    model: SegmentationModel = getattr(importlib.import_module(module), attribute)(num_classes, **checked)
    model.origin = (name, checked)
    if weights is not None:
        from seg_demo.models.pretrained import load_published

        load_published(model)
    elif backbone_weights is not None:
        from seg_demo.models.pretrained import imagenet_classifier

        model.load_classifier(imagenet_classifier(checked["backbone"]))
    return model
