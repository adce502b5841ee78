"""The training recipes by name. Importing this does not import torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from seg_demo.data.preprocessing import Preprocessing
from seg_demo.palettes import CAMVID, CITYSCAPES, NEWTS_BINARY, NEWTS_SPECIES, SKYDIVING, VOC
from seg_demo.train.config import (
    Augmentation,
    DataSettings,
    LossSettings,
    ModelSettings,
    OptimizerSettings,
    ScheduleSettings,
    TrainConfig,
    ValidationSettings,
)


@dataclass(frozen=True)
class Preset:
    """A recipe.

    about: a sentence for the model card and the list. source: the project or paper that the recipe is from, and where
    it departs from that. published: the result that was published with it, and under which conditions; or that there
    is none.
    """

    config: TrainConfig
    about: str
    source: str
    published: str


# As it is, but for where a crop is cut out.
_STILL = Augmentation(flip=0.0, rotation=0.0, scale=(1.0, 1.0), color=0.0, hue=0.0, blur=0.0)

_ZOO = "ZijunDeng, pytorch-semantic-segmentation, 2017, https://github.com/ZijunDeng/pytorch-semantic-segmentation"
_ZOO_PUBLISHED = "The project published no figures in its text, but curves of its FCN-8s as pictures."

_PSPNET = ModelSettings("pspnet", {"backbone": "resnet101"}, backbone_weights="imagenet")
_PSPNET_AUGMENTATION = replace(_STILL, flip=0.5, rotation=10.0)
_PSPNET_DEPARTURE = (
    "A step of the project is one of the overlapping crops of a picture, or of as many pictures as its batch has; here "
    "crops are cut out at random places of different pictures."
)


def _pspnet_optimizer(batch: int) -> OptimizerSettings:
    # The paper's 0.01 is for batches of 16; the project scales it by the root of the batch size.
    return OptimizerSettings(
        "sgd", 1e-2 / math.sqrt(16 / batch), 1e-4, momentum=0.9, nesterov=True, bias_factor=2.0, clip=0.0
    )


def _fcn_optimizer(momentum: float, pixels: int) -> OptimizerSettings:
    """What 1e-10 with a weight decay of 5e-4 is where the loss is the mean over a picture's `pixels`, not their sum."""
    return OptimizerSettings("sgd", 1e-10 * pixels, 5e-4 / pixels, momentum=momentum, bias_factor=2.0, clip=0.0)


_FCN8S = ModelSettings("fcn8s", {"backbone": "vgg16"}, backbone_weights="imagenet")
_FCN_DEPARTURE = (
    "The project sums the loss over the pixels of a picture; here it is their mean, and the learning rate and weight "
    "decay are what the sum's are for {size} pixels. Its scheduler waits for 100 epochs without progress, which comes "
    "to a constant rate. "
)

_NEWTS = TrainConfig(
    ModelSettings("unet", {"width": 16, "depth": 4, "stem": 2}),
    DataSettings(preprocessing=Preprocessing("longest", 160), crop=128, drawn_share=0.5, drawn_pictures=400, workers=1),
    Augmentation(
        vertical_flip=0.2, rotation=30.0, scale=(0.6, 1.6), stretch=0.2, focus=0.5, paste=0.5, color=0.2, hue=0.03,
        blur=0.0, noise=0.03, grayscale=0.1,
    ),
    LossSettings("cross-entropy+dice"),
    OptimizerSettings("muon", 0.02, 0.01, clip=0.0),
    ScheduleSettings("cosine", warm_up=0.1),
    steps=1500,
    batch_size=8,
    average=0.997,
)  # fmt: skip
_NEWTS_SOURCE = (
    "Made in this project for the photos of yoyoyo-yo, Deep Learning Mugen Knock, "
    "https://github.com/yoyoyo-yo/DeepLearningMugenKnock, with as many pictures drawn by code beside them."
)
_NEWTS_PUBLISHED = "None: the origin shows predictions as pictures only."

PRESETS: dict[str, Preset] = {
    "voc-deeplabv3-128": Preset(
        TrainConfig(
            ModelSettings("deeplabv3", {"backbone": "resnet101"}, weights="coco-voc", head="xavier"),
            DataSettings(
                task="multiclass",
                classes=VOC,
                preprocessing=Preprocessing("shortest", 128, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
                crop=128,
            ),
            replace(_STILL, centred=True),
            LossSettings("cross-entropy", auxiliary=0.4),
            OptimizerSettings("sgd", 1e-3, 1e-4, momentum=0.9, new_factor=10.0, clip=0.0),
            ScheduleSettings("poly", power=0.9),
            epochs=30.0,
            batch_size=2,
        ),
        "It finds the 21 classes of PASCAL VOC in small pictures, 128 pixels along the shorter side.",
        "Tatsuya1112, pytorch_VOC_Segmentation, https://github.com/Tatsuya1112/pytorch_VOC_Segmentation. As there, "
        "colours go into the network from 0 to 1, not normalised. The project's README weighs the auxiliary loss by "
        "0.4, as it is here; its code adds it whole. There only the class layers learn ten times as fast, here both "
        "heads do; there the rate falls once an epoch, here at each step.",
        "Mean IoU 0.373, pixel accuracy 0.776 and loss 1.764 on the central squares at 128 x 128 (the README, which "
        "does not name the split; the project's script measures on VOC 2012 val).",
    ),
    "voc-pspnet": Preset(
        TrainConfig(
            _PSPNET,
            DataSettings(task="multiclass", classes=VOC, preprocessing=Preprocessing("longest", 512), crop=473),
            _PSPNET_AUGMENTATION,
            LossSettings("cross-entropy", auxiliary=0.4),
            _pspnet_optimizer(4),
            ScheduleSettings("poly", power=0.9),
            ValidationSettings(window=473),
            steps=30_000,
            batch_size=4,
        ),
        "PSPNet finds the 21 classes of PASCAL VOC in photos.",
        f"{_ZOO}, train/voc-psp_net, after Zhao et al., Pyramid Scene Parsing Network, CVPR 2017, "
        f"https://arxiv.org/abs/1612.01105. {_PSPNET_DEPARTURE} Its learning rate is for batches of four, which are "
        "taken here; it took one, and began with its network for Cityscapes, here with ImageNet's ResNet-101. It "
        "learned from SBD's training pictures.",
        f"{_ZOO_PUBLISHED} The paper: mean IoU 85.4 % on VOC 2012 test, with COCO and more labelled pictures.",
    ),
    "voc-fcn8s": Preset(
        TrainConfig(
            _FCN8S,
            DataSettings(task="multiclass", classes=VOC, crop=512),  # in which a picture of VOC lies whole
            _STILL,
            LossSettings("cross-entropy"),
            _fcn_optimizer(0.99, 500 * 375),
            ScheduleSettings("constant"),
            epochs=30.0,
            batch_size=1,
        ),
        "FCN-8s finds the 21 classes of PASCAL VOC in photos.",
        f"{_ZOO}, train/voc-fcn (caffe vgg), after Long, Shelhamer and Darrell, CVPR 2015, "
        f"https://arxiv.org/abs/1411.4038. {_FCN_DEPARTURE.format(size='500 x 375')}It begins with torchvision's VGG16 "
        "instead of Caffe's, and its new layers with small random weights instead of zeros. It learned from SBD's "
        "training pictures.",
        f"{_ZOO_PUBLISHED} The paper: mean IoU 62.7 % on a part of VOC 2011 val, 62.2 % on VOC 2012 test.",
    ),
    "cityscapes-pspnet": Preset(
        TrainConfig(
            _PSPNET,
            DataSettings(task="multiclass", classes=CITYSCAPES, preprocessing=Preprocessing("longest", 2048), crop=713),
            _PSPNET_AUGMENTATION,
            LossSettings("cross-entropy", auxiliary=0.4),
            _pspnet_optimizer(2),
            ScheduleSettings("poly", power=0.9),
            ValidationSettings(window=713, best="loss"),
            steps=90_000,
            batch_size=2,
        ),
        "PSPNet finds the 19 classes of Cityscapes in pictures of streets.",
        f"{_ZOO}, train/cityscapes-psp_net, after Zhao et al., Pyramid Scene Parsing Network, CVPR 2017, "
        f"https://arxiv.org/abs/1612.01105. {_PSPNET_DEPARTURE} It measured after every 400 batches of pictures, here "
        "it is ten times in the run.",
        f"{_ZOO_PUBLISHED} The paper: mean IoU 80.2 % on Cityscapes test, with the coarse label maps as well.",
    ),
    "cityscapes-fcn8s": Preset(
        TrainConfig(
            _FCN8S,
            DataSettings(task="multiclass", classes=CITYSCAPES, preprocessing=Preprocessing("shortest", 292), crop=256),
            replace(_STILL, flip=0.5),
            LossSettings("cross-entropy"),
            _fcn_optimizer(0.95, 256 * 512),
            ScheduleSettings("constant"),
            epochs=500.0,
            batch_size=16,
        ),
        "FCN-8s finds the 19 classes of Cityscapes in small pictures of streets, 292 pixels along the shorter side.",
        f"{_ZOO}, train/cityscapes-fcn, after Long, Shelhamer and Darrell, CVPR 2015, https://arxiv.org/abs/1411.4038. "
        f"{_FCN_DEPARTURE.format(size='256 x 512')}Its crops were 256 x 512, here they are squares of 256; it measured "
        "the central crop, here it is the whole picture. New layers begin with small random weights instead of zeros.",
        f"{_ZOO_PUBLISHED} FCN-8s in Cordts et al., CVPR 2016, at full size: mean IoU 65.3 % on Cityscapes test.",
    ),
    "skydiving-deeplabv3": Preset(
        TrainConfig(
            ModelSettings("deeplabv3", {"backbone": "resnet101", "aux": False}, weights="coco-voc", freeze=True),
            DataSettings(task="multiclass", classes=SKYDIVING, crop=224),
            replace(_STILL, flip=0.5, vertical_flip=0.5),
            LossSettings("cross-entropy"),
            OptimizerSettings("sgd", 1e-3, 0.0, momentum=0.9, clip=0.0),
            ScheduleSettings("constant"),
            epochs=100.0,
            batch_size=16,
        ),
        "It finds persons, airplanes, ground and sky in pictures of skydivers.",
        "jnkl314, DeepLabV3FineTuning, 2020, https://github.com/jnkl314/DeepLabV3FineTuning, as its README starts it: "
        "with a frozen backbone, and all classes weighing the same (loss.class_weights is its -w). Unlike there, the "
        "head begins with COCO's weights but for its class layer, the backbone's BatchNorm keeps its statistics, and "
        "whole pictures are measured, not their central 224 x 224.",
        "Mean IoU 0.8099 and loss 0.2066 on its validation pictures, of about 500 pictures in all, ten of which are "
        "public to train and two to validate; averaged over batches of central squares of 224, without the class 0.",
    ),
    "newts-binary-simple": Preset(
        TrainConfig(
            ModelSettings("simple", {"width": 32, "layers": 6}),
            DataSettings(
                task="binary",
                classes=NEWTS_BINARY,
                split="trainval",  # all 16 photos: the origin keeps none back
                validation_split="",
                preprocessing=Preprocessing("exact", 64, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
                crop=64,
            ),
            replace(_STILL, flip=0.5, vertical_flip=0.5),
            LossSettings("bce"),
            OptimizerSettings("sgd", 1e-2, 0.0, momentum=0.9, clip=0.0),
            ScheduleSettings("constant"),
            steps=500,
            batch_size=4,
            precision="float32",
        ),
        "It finds newts in photos at 64 x 64 pixels, by a network of six plain layers.",
        "yoyoyo-yo, Deep Learning Mugen Knock, chapter on semantic segmentation, bin_test_pytorch.py, "
        "https://github.com/yoyoyo-yo/DeepLearningMugenKnock. There the photos lie beside their mirror images, left to "
        "right, upside down and both; here each is mirrored at random.",
        _NEWTS_PUBLISHED,
    ),
    "newts-binary": Preset(
        replace(_NEWTS, data=replace(_NEWTS.data, task="binary", classes=NEWTS_BINARY)),
        "It finds newts in photos, whatever their species.",
        _NEWTS_SOURCE,
        _NEWTS_PUBLISHED,
    ),
    "newts-species": Preset(
        replace(
            _NEWTS,
            data=replace(_NEWTS.data, task="multiclass", classes=NEWTS_SPECIES),
            augmentation=replace(_NEWTS.augmentation, grayscale=0.05),  # colours tell them apart
            steps=2000,
        ),
        "It tells red-bellied newts (akahara) from marbled newts (madara).",
        _NEWTS_SOURCE,
        _NEWTS_PUBLISHED,
    ),
    "camvid": Preset(
        TrainConfig(
            # Folding 2 x 2 pixels into channels quarters the cost.
            ModelSettings("unet", {"width": 32, "depth": 5, "stem": 2}),
            DataSettings(task="multiclass", classes=CAMVID, preprocessing=Preprocessing("shortest", 360), crop=352),
            Augmentation(rotation=5.0, stretch=0.1, category_max_ratio=0.75, noise=0.02, grayscale=0.05),
            LossSettings("cross-entropy+dice"),  # Dice, because poles and signs count as much as roads
            OptimizerSettings("muon", 0.02, 0.01, clip=0.0),
            ScheduleSettings("cosine", warm_up=0.05),
            epochs=400.0,
            batch_size=8,
            average=0.999,
        ),
        "It finds eleven classes in pictures of streets, learned from CamVid's 367 pictures alone.",
        "Made in this project: a U-Net (Ronneberger, Fischer and Brox, MICCAI 2015) from random weights, with much "
        "variation of the pictures, cross-entropy + Dice, Muon and a running average of the weights.",
        "None with this recipe. From random weights, on CamVid's 233 test pictures at 360 x 480: mean IoU 66.9 % by "
        "FC-DenseNet103 (Jégou et al., 2017, https://arxiv.org/abs/1611.09326), 67.7 % by FC-HarDNet84 (Chao et al., "
        "ICCV 2019, https://arxiv.org/abs/1909.00948).",
    ),
    "finetune": Preset(
        TrainConfig(
            ModelSettings("unet", {"width": 16, "depth": 5, "stem": 2}),
            DataSettings(preprocessing=Preprocessing("longest", 320), crop=224),
            Augmentation(scale=(0.6, 1.6), focus=0.25, color=0.3),
            LossSettings("cross-entropy+dice"),
            # Layers of a checkpoint move gently; where all are new, the encoder is the slower part and copes.
            OptimizerSettings("muon", 0.005, 0.01, new_factor=4.0),
            ScheduleSettings("cosine", warm_up=0.1),
            ValidationSettings(patience=5),
            minutes=5.0,
            batch_size=8,
            average=0.99,
        ),
        "It was trained for a few minutes on pictures of its own.",
        "Made in this project, for 10 to 500 labelled pictures of any classes, from any checkpoint or random weights.",
        "None: it depends on the pictures.",
    ),
}
