"""The configuration of a training run: one tree of frozen dataclasses, a sentence for each field."""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from seg_demo.classes import ClassMap
from seg_demo.data.preprocessing import Preprocessing
from seg_demo.errors import UserError
from seg_demo.models.registry import BACKBONE_WEIGHTS, WEIGHTS, find_architecture
from seg_demo.settings import check, from_document, setting


@dataclass(frozen=True)
class ModelSettings:
    """Which network learns, and what it begins with."""

    architecture: str = setting("unet", "The network, by its name in `python -m seg_demo models`.")
    arguments: dict[str, Any] = setting({}, "The network's own arguments, such as its backbone.")
    checkpoint: str = setting("", "A checkpoint folder to start from, instead of architecture, arguments and weights.")
    weights: str = setting("", "Published weights of the whole network to start from.", choices=("", *WEIGHTS))
    backbone_weights: str = setting("", "Published weights of the backbone alone.", choices=("", *BACKBONE_WEIGHTS))
    head: Literal["keep", "default", "xavier"] = setting(
        "keep",
        "The layers that make class scores: kept where the weights are for the same classes, or always new, beginning "
        "as the network's authors or as Xavier has it.",
    )
    freeze: bool = setting(False, "Keep the backbone as it is, and train the head alone.")
    keep_features: int = setting(
        0, "Variations of each picture whose frozen features are computed once and kept; 0 computes them each time.",
        low=0, high=1000,
    )  # fmt: skip

    def __post_init__(self) -> None:
        check(self)
        find_architecture(self.architecture)
        if self.keep_features and not self.freeze:
            raise UserError(
                "The setting model.keep_features is {value}, but features can be kept only of a frozen "
                "backbone. Set model.freeze to true as well.",
                value=self.keep_features,
            )  # fmt: skip


@dataclass(frozen=True)
class DataSettings:
    """What is learned from."""

    source: str = setting(
        "", "A folder of labelled pictures, procedural:COUNT, or hub:OWNER/NAME; empty for drawn pictures alone."
    )
    task: Literal["auto", "binary", "multiclass"] = setting(
        "auto", "One class against the rest, or many; auto takes binary where the pictures have two classes."
    )
    classes: ClassMap | None = None  # None takes those of the pictures
    split: str = setting("train", "The pictures that are learned from.", choices=("train", "trainval", "val", "test"))
    validation_split: str = setting(
        "val", "The pictures that are measured on while it learns; empty for none.", choices=("", "val", "test")
    )
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    crop: int = setting(256, "Side of the squares that are cut out and learned from, in pixels.", low=32, high=4096)
    drawn_share: float = setting(0.0, "Share of the crops that come from pictures drawn by code.", low=0, high=1)
    drawn_pictures: int = setting(0, "How many pictures are drawn.", low=0, high=10**6)
    workers: int = setting(0, "Processes that prepare the pictures; 0 prepares them in this one.", low=0, high=256)
    memory: float = setting(1.0, "Gigabytes of decoded pictures that are kept in memory.", low=0, high=1000)

    def __post_init__(self) -> None:
        check(self)
        if self.drawn_share > 0 and self.drawn_pictures < 1:
            raise UserError(
                "The setting data.drawn_share is {share}, but data.drawn_pictures is 0. Draw at least one "
                "picture, or set the share to 0.",
                share=self.drawn_share,
            )  # fmt: skip
        if self.task == "binary" and self.classes is not None and len(self.classes) != 2:
            raise UserError(
                "The task binary has 2 classes, but there are {count}. Take the task multiclass.",
                count=len(self.classes),
            )  # fmt: skip


@dataclass(frozen=True)
class Augmentation:
    """How a picture is varied each time before it is learned from; 0 switches a variation off."""

    flip: float = setting(0.5, "Chance of a horizontal flip.", low=0, high=1)
    vertical_flip: float = setting(0.0, "Chance of a vertical flip.", low=0, high=1)
    rotation: float = setting(10.0, "Largest angle in degrees, either way.", low=0, high=180)
    scale: tuple[float, float] = setting((0.5, 2.0), "Smallest and largest zoom.", low=0.05, high=20)
    stretch: float = setting(0.0, "Largest change of the aspect, as a logarithm.", low=0, high=2)
    centred: bool = setting(False, "Cut out the middle instead of a random place.")
    focus: float = setting(0.0, "Chance that a crop is centred on a pixel of a class other than 0.", low=0, high=1)
    category_max_ratio: float = setting(
        1.0, "Share of a crop that one class may have before another place is tried.", low=0.1, high=1
    )
    paste: float = setting(
        0.0, "Chance that what is labelled in another picture, but for class 0, is pasted over it.", low=0, high=1
    )
    color: float = setting(0.4, "Largest relative change of brightness, contrast and saturation.", low=0, high=1)
    hue: float = setting(0.05, "Largest shift of the hue, in turns.", low=0, high=0.5)
    blur: float = setting(0.2, "Chance of a Gaussian blur.", low=0, high=1)
    noise: float = setting(0.0, "Standard deviation of Gaussian noise, in units of [0, 1].", low=0, high=1)
    grayscale: float = setting(0.0, "Chance of losing all colour.", low=0, high=1)

    def __post_init__(self) -> None:
        check(self)
        if self.scale[0] > self.scale[1]:
            raise UserError(
                "The setting augmentation.scale is {value}, but must be the smallest and the largest zoom. "
                "Give two numbers such as 0.5,2.",
                value=self.scale,
            )  # fmt: skip


@dataclass(frozen=True)
class LossSettings:
    """What is made small."""

    name: Literal["cross-entropy", "bce", "dice", "focal", "lovasz", "cross-entropy+dice", "ohem"] = setting(
        "cross-entropy", "The loss, by its name."
    )
    auxiliary: float = setting(0.4, "Weight of the auxiliary head's loss, where there is such a head.", low=0, high=10)
    class_weights: tuple[float, ...] = setting(
        (), "A weight for each class; none weighs all the same.", low=0, high=1e6
    )
    balance: Literal["none", "median-frequency"] = setting(
        "none", "Weights of the classes by how frequent they are in the training pictures."
    )
    focal_gamma: float = setting(2.0, "How much the focal loss turns to hard pixels.", low=0, high=10)
    ohem_threshold: float = setting(
        0.7, "Pixels whose class has a lower probability than this are hard ones (OHEM).", low=0, high=1
    )
    ohem_kept: float = setting(1 / 16, "Share of the pixels that OHEM keeps at least.", low=0, high=1)

    def __post_init__(self) -> None:
        check(self)
        if self.class_weights and self.balance != "none":
            raise UserError(
                "The classes are weighed by loss.class_weights and by loss.balance at once. Leave one of them out."
            )


@dataclass(frozen=True)
class OptimizerSettings:
    """How the weights follow the gradient."""

    name: Literal["adamw", "sgd", "muon"] = setting(
        "adamw", "The optimiser; muon is for convolutions, and leaves what else there is to AdamW."
    )
    learning_rate: float = setting(1e-3, "The highest learning rate.", low=1e-12, high=1e6)
    weight_decay: float = setting(0.01, "Weight decay.", low=0, high=10)
    momentum: float = setting(0.9, "Momentum of SGD and Muon.", low=0, high=0.9999)
    nesterov: bool = setting(False, "Nesterov's momentum (SGD).")
    new_factor: float = setting(1.0, "How many times as fast layers outside the backbone learn.", low=0, high=1000)
    bias_factor: float = setting(
        1.0, "How many times as fast biases learn; other than 1, they do not decay either.", low=0, high=1000
    )
    other_factor: float = setting(
        0.25, "How many times as fast as Muon AdamW learns what is left to it, which does not decay.", low=0, high=1000
    )
    clip: float = setting(1.0, "Largest norm of the gradient; 0 for no bound.", low=0, high=1e9)

    def __post_init__(self) -> None:
        check(self)
        if self.nesterov and (self.name != "sgd" or self.momentum == 0):
            raise UserError("Nesterov's momentum needs the optimiser sgd and a momentum above 0. Switch it off.")


@dataclass(frozen=True)
class ScheduleSettings:
    """How the learning rate changes from the first step to the last."""

    name: Literal["one-cycle", "cosine", "poly", "step", "constant"] = setting(
        "one-cycle", "The schedule, by its name."
    )
    warm_up: float = setting(0.1, "Share of the run in which the learning rate rises.", low=0, high=1)
    power: float = setting(0.9, "The power of the schedule poly.", low=0, high=10)
    milestones: tuple[float, ...] = setting(
        (0.5, 0.75), "Where the schedule step drops, as shares of the run.", low=0, high=1
    )
    drop: float = setting(0.1, "What each drop of the schedule step multiplies with.", low=0, high=1)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class ValidationSettings:
    """How and how often the model is measured while it learns."""

    every: int = setting(0, "Steps between two validations; 0 for ten in the run.", low=0, high=10**9)
    window: int = setting(0, "Side of sliding windows in pixels; 0 for the whole picture at once.", low=0, high=8192)
    scales: tuple[float, ...] = setting((1.0,), "Sizes at which a picture is seen; averaged.", low=0.1, high=4)
    flip: bool = setting(False, "See each picture mirrored, too.")
    best: Literal["mean_iou", "loss"] = setting("mean_iou", "Which figure decides what is the best checkpoint.")
    patience: int = setting(
        0, "Validations without a better one after which the run ends; 0 for never.", low=0, high=10**9
    )
    pictures: int = setting(4, "Pictures that are drawn with their prediction at each validation.", low=0, high=100)

    def __post_init__(self) -> None:
        check(self)
        if 0 < self.window < 32:
            raise UserError(
                "The setting validation.window is {value}, but a window has at least 32 pixels. Set 0 for none.",
                value=self.window,
            )
        if not self.scales:
            raise UserError("The setting validation.scales is empty. Give 1 for the picture as it is.")


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides what a run does, besides the pictures."""

    model: ModelSettings = field(default_factory=ModelSettings)
    data: DataSettings = field(default_factory=DataSettings)
    augmentation: Augmentation = field(default_factory=Augmentation)
    loss: LossSettings = field(default_factory=LossSettings)
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    validation: ValidationSettings = field(default_factory=ValidationSettings)
    steps: int = setting(
        0, "Optimisation steps of the run; 0 leaves its length to epochs or minutes.", low=0, high=10**9
    )
    epochs: float = setting(0.0, "Passes over the pictures; 0 for no bound.", low=0, high=10**6)
    minutes: float = setting(0.0, "Minutes of training; 0 for no bound.", low=0, high=10**6)
    batch_size: int = setting(8, "Crops that one optimisation step learns from.", low=1, high=65536)
    accumulate: int = setting(1, "Parts in which a batch goes through the network, to save memory.", low=1, high=65536)
    average: float = setting(
        0.0, "Decay of the running average of the weights that is saved; 0 for none.", low=0, high=1
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = setting(
        "auto", "What the network computes in; auto takes bfloat16 where the device is quicker with it."
    )
    channels_last: bool = setting(True, "Keep the channels of a pixel together in memory, which convolutions like.")
    compile: bool = setting(False, "Compile the network first (torch.compile): worth it for long runs.")
    seed: int = setting(0, "Of new weights, of the order of the pictures and of their variations.", low=0, high=2**31)
    save_every: float = setting(
        30.0, "Seconds after which the state is saved again, or 20 times as long as that takes.", low=0, high=10**6
    )

    def __post_init__(self) -> None:
        check(self)
        if not (self.steps or self.epochs or self.minutes):
            raise UserError("The training settings give no length of the run. Set steps, epochs or minutes.")
        if self.accumulate > self.batch_size:
            raise UserError(
                "A batch of {batch} crops cannot be cut in {parts} parts. Lower accumulate.",
                batch=self.batch_size, parts=self.accumulate,
            )  # fmt: skip
        if self.precision == "float16" and self.model.keep_features:
            raise UserError("Kept features are computed in bfloat16 or float32. Set precision to one of them.")
        classes, weights = self.data.classes, self.loss.class_weights
        if classes is not None and weights and len(weights) != len(classes):
            raise UserError(
                "There are {weights} weights for {classes} classes in loss.class_weights. Give one for each class.",
                weights=len(weights), classes=len(classes),
            )  # fmt: skip

    def sentence(self) -> str:
        """The recipe in a sentence, for the model card."""
        optimizer, data, vary = self.optimizer, self.data, self.augmentation
        name = {"adamw": "AdamW", "muon": "Muon", "sgd": f"SGD with momentum {optimizer.momentum:g}"}[optimizer.name]
        varied = {
            "flips": vary.flip or vary.vertical_flip, "rotation": vary.rotation, "zoom": len(set(vary.scale)) > 1,
            "colour": vary.color or vary.hue or vary.grayscale, "blur": vary.blur, "noise": vary.noise,
            "copy and paste": vary.paste,
        }  # fmt: skip
        size = f" of {data.preprocessing.size}" if data.preprocessing.resize != "none" else ""
        parts = [
            f"{self.loss.name}; {name}, {self.schedule.name} to {optimizer.learning_rate:g}, weight decay "
            f"{optimizer.weight_decay:g}; batches of {self.batch_size} crops of {data.crop} pixels from pictures "
            f"resized by the rule {data.preprocessing.resize}{size}",
            f", {data.drawn_share:.0%} of them drawn" if data.drawn_share else "",
            f"; {', '.join(each for each, on in varied.items() if on) or 'not varied'}",
            f"; running average of the weights, decay {self.average:g}" if self.average else "",
            "; frozen backbone" if self.model.freeze else "",
        ]
        return "".join(parts)


def read_settings(file: Path, base: TrainConfig) -> TrainConfig:
    """`base` with what a TOML or JSON file says otherwise. Raises `UserError` where it cannot be read or is wrong."""
    try:
        text = file.read_text("utf-8")
        document = json.loads(text) if file.suffix.lower() == ".json" else _toml().loads(text)
    except OSError as error:
        raise UserError(
            "{file} cannot be read ({reason}). Give a TOML or JSON file.", file=file, reason=error.strerror or error
        ) from None
    except (ValueError, RecursionError) as error:
        raise UserError("{file} is not valid ({reason}). Mend it.", file=file, reason=str(error)[:200]) from None
    document.pop("about", None) if isinstance(document, dict) else None  # what a run's config.json adds
    return from_document(base, document)


def _toml() -> Any:
    return importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
