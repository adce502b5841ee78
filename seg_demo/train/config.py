"""The configuration of a training run."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from seg_demo.classes import ClassMap, Task
from seg_demo.data.preprocessing import Preprocessing
from seg_demo.errors import UserError


@dataclass(frozen=True)
class Augmentation:
    """How a training picture is varied before it is seen; 0 switches a variation off.

    flip: chance of a horizontal flip. vertical_flip: chance of a vertical one. rotation: largest angle in
    degrees, either way. scale: smallest and largest zoom. stretch: largest change of the aspect, as a logarithm.
    focus: chance that a crop is centred on a pixel of a class other than 0. color: largest relative change of
    brightness, contrast and saturation. hue: largest shift of the hue, in turns, up to 0.5. blur: chance of a
    Gaussian blur. noise: standard deviation of Gaussian noise, in units of [0, 1]. grayscale: chance of losing all
    colour.
    """

    flip: float = 0.5
    vertical_flip: float = 0.2
    rotation: float = 30.0
    scale: tuple[float, float] = (0.6, 1.6)
    stretch: float = 0.2
    focus: float = 0.5
    color: float = 0.4
    hue: float = 0.05
    blur: float = 0.2
    noise: float = 0.03
    grayscale: float = 0.1


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides what a run does, besides the pictures.

    architecture, arguments: the network, from the registry. task, classes: what it learns. preprocessing:
    the model's own, also at prediction. crop: side of the training crops in pixels of the resized picture.
    batch_size: crops per step. steps: optimisation steps. learning_rate: the peak of the one-cycle schedule.
    warm_up: share of the steps in which the learning rate rises. weight_decay: AdamW's. clip: largest
    gradient norm. average: decay of the running average of the weights that is validated and saved.
    drawn_share: share of the crops that come from drawn pictures. drawn_pictures: how many are drawn.
    validate_every: steps between validations. seed: of weights, order and augmentation. bfloat16: compute in
    bfloat16 where that is faster, keeping float32 weights.
    """

    architecture: str
    arguments: dict[str, Any]
    task: Task
    classes: ClassMap
    preprocessing: Preprocessing
    augmentation: Augmentation = field(default_factory=Augmentation)
    crop: int = 192
    batch_size: int = 8
    steps: int = 1000
    learning_rate: float = 3e-3
    warm_up: float = 0.1
    weight_decay: float = 0.01
    clip: float = 1.0
    average: float = 0.995
    drawn_share: float = 0.0
    drawn_pictures: int = 0
    validate_every: int = 200
    seed: int = 0
    bfloat16: bool = True

    def __post_init__(self) -> None:
        for name, low in (("crop", 32), ("batch_size", 1), ("steps", 1), ("validate_every", 1)):
            if getattr(self, name) < low:
                raise UserError(
                    "The training setting {name} is {value}, but must be at least {low}.",
                    name=name, value=getattr(self, name), low=low,
                )  # fmt: skip
        if not 0 < self.learning_rate < math.inf:
            raise UserError(
                "The training setting learning_rate is {value}, but must be above 0. Try 0.001.",
                value=self.learning_rate,
            )
        if not 0 <= self.drawn_share <= 1 or (self.drawn_share > 0 and self.drawn_pictures < 1):
            raise UserError(
                "The training setting drawn_share is {share} with {pictures} drawn pictures. Give a share from 0 to 1, "
                "and at least one picture where it is above 0.",
                share=self.drawn_share, pictures=self.drawn_pictures,
            )  # fmt: skip
