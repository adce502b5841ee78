"""Every network learns four drawn pictures by heart, where data, loss, gradients and geometry are right.

What it cannot learn around: upsampling that leaves blocks, label maps that do not lie on their pictures and, where the
decoder is small, a dead skip. A constant shift inside a network it can, so that is tested in `test_models.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from seg_demo.classes import IGNORE_INDEX
from seg_demo.data.preprocessing import Preprocessing
from seg_demo.data.procedural import draw_newts
from seg_demo.data.transforms import normalize, to_tensor
from seg_demo.evaluate.confusion import ConfusionMatrix
from seg_demo.models import ARCHITECTURES, build_model
from seg_demo.models.model import SegmentationModel
from seg_demo.palettes import NEWTS_SPECIES
from seg_demo.train.config import LossSettings, OptimizerSettings, ScheduleSettings
from seg_demo.train.losses import build_loss
from seg_demo.train.optimizers import build_optimizer, set_rate
from seg_demo.train.schedule import rate_factor

TARGET = 0.95  # mean IoU of background, akahara and madara
STEPS, CHECK_EVERY = 120, 10
LEARNING_RATE = 2e-3
LOWER_RATES = {"refinenet": 5e-4}  # no BatchNorm in its decoder, which a higher rate ends in zeros
CLOSE_UPS = (6, 24, 64, 118)  # seeds of pictures with one large animal each, two of either species
BACKBONES = ("resnet18", "resnet50", "mobilenet_v3_large", "vgg16_bn")  # the first that there is
SMALL = {"unet": {"width": 16, "depth": 4}}  # where it is not the backbone that makes a network small
QUICK = ("unet",)
CASES = [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in ARCHITECTURES]


@pytest.mark.parametrize("name", CASES)
def test_four_pictures_are_learned_by_heart(name: str) -> None:
    torch.manual_seed(0)
    backbone = next((choice for choice in BACKBONES if choice in ARCHITECTURES[name].backbones), None)
    arguments: dict[str, Any] = SMALL.get(name) or ({"backbone": backbone} if backbone else {})
    model = build_model(name, len(NEWTS_SPECIES), **arguments)
    assert learn(model, *pictures(model.stride), LOWER_RATES.get(name, LEARNING_RATE)) >= TARGET


def pictures(stride: int) -> tuple[Tensor, Tensor]:
    """Images (4, 3, H, W), normalised, and label maps (4, H, W) int64, as small as a grid of `stride` allows.

    Bilinear from a grid of 12 cells in height, scores can give these outlines with a mean IoU of 0.97; from 6 with
    0.92, and by nearest from 12 with 0.85. The sides are no multiples of a stride, so that every network has to pad.
    """
    height = max(64, 12 * stride) - 2
    drawn = [draw_newts(seed, (height, height * 4 // 3)) for seed in CLOSE_UPS]
    images = torch.stack([normalize(to_tensor(image), Preprocessing()) for image, _ in drawn])
    return images, torch.cat([to_tensor(label_map) for _, label_map in drawn]).long()


def learn(model: SegmentationModel, images: Tensor, label_maps: Tensor, rate: float) -> float:
    """Train on all pictures at once until they are known or `STEPS` are over; the mean IoU in the end."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            # Each step sees all pictures, so the statistics for prediction may follow at once. With the 0.01 of
            # MobileNetV3 they would take hundreds of steps.
            module.momentum = 0.5
    model.to(memory_format=torch.channels_last)  # faster on a CPU
    loss_of = build_loss(LossSettings("cross-entropy+dice"), "multiclass", len(NEWTS_SPECIES), IGNORE_INDEX)
    optimizer = build_optimizer(model, OptimizerSettings())
    reached = 0.0
    for step in range(1, STEPS + 1):
        set_rate(optimizer, rate * rate_factor(ScheduleSettings("cosine"), (step - 0.5) / STEPS))
        loss = loss_of(model.train()(images), label_maps)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % CHECK_EVERY == 0:
            reached = mean_iou(model, images, label_maps)
            if reached >= TARGET:
                break
    return reached


def mean_iou(model: SegmentationModel, images: Tensor, label_maps: Tensor) -> float:
    with torch.inference_mode():
        predicted = model.eval()(images)["out"].argmax(dim=1)  # (4, H, W)
    confusion = ConfusionMatrix(len(NEWTS_SPECIES))
    confusion.update(label_maps.numpy(), predicted.numpy().astype(np.uint8))
    return confusion.mean_iou()
