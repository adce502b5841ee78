"""What the tests of training share: a network and pictures so small that a step takes milliseconds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from seg_demo.classes import ClassMap
from seg_demo.data.dataset import Sample, fingerprint
from seg_demo.data.preprocessing import Preprocessing
from seg_demo.models.arguments import Whole
from seg_demo.models.model import SegmentationModel
from seg_demo.models.registry import Architecture
from seg_demo.palettes import NEWTS_BINARY
from seg_demo.settings import changed
from seg_demo.train.config import (
    DataSettings,
    ModelSettings,
    OptimizerSettings,
    TrainConfig,
    ValidationSettings,
)
from seg_demo.train.events import Event
from seg_demo.train.loop import train
from seg_demo.train.pictures import Pictures
from seg_demo.train.run import Run


class Backbone(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 8, kernel_size=3, stride=2, padding=1)

    def forward(self, images: Tensor) -> list[Tensor]:
        return [self.layer(images).relu()]


class Tiny(SegmentationModel):
    """Two convolutions and no BatchNorm, so that a batch in parts has the gradient of the whole batch."""

    stride = multiple = 2
    most = 1000  # images that go through it at once in training, before memory is short

    def __init__(self, num_classes: int, dropout: int) -> None:
        super().__init__()
        self.backbone = Backbone()
        self.dropout = nn.Dropout(dropout / 100)
        self.classifier = nn.Conv2d(8, num_classes, kernel_size=3, padding=1)

    def logits(self, images: Tensor) -> dict[str, Tensor]:
        if self.training and len(images) > self.most:
            raise torch.OutOfMemoryError("not enough memory")
        (features,) = self.backbone(images)
        return {"out": self.classifier(self.dropout(features))}


TINY = Architecture("Tiny", "training:Tiny", "these tests", {"dropout": Whole(0, 0, 90)})
"""Its dropout in percent. Tests put it into `ARCHITECTURES` as "tiny"."""

THREE = ClassMap.of("background", "cat", "dog")

QUICK = TrainConfig(
    ModelSettings(arguments={"width": 4, "depth": 2}),
    DataSettings(task="binary", classes=NEWTS_BINARY, preprocessing=Preprocessing("none"), crop=32),
    optimizer=OptimizerSettings(learning_rate=0.01),
    validation=ValidationSettings(every=2, pictures=1),
    steps=4, batch_size=2, average=0.5, precision="float32",
)  # fmt: skip


def with_(config: TrainConfig = QUICK, **changes: Any) -> TrainConfig:
    """`config` with other settings: `loss__name` is the setting loss.name."""
    classes = changes.pop("classes", None)
    if classes is not None:
        config = replace(config, data=replace(config.data, classes=classes, task="multiclass"))
    arguments = changes.pop("model__arguments", {} if "model__architecture" in changes else None)
    config = changed(config, {path.replace("__", "."): value for path, value in changes.items()})
    return config if arguments is None else replace(config, model=replace(config.model, arguments=arguments))


def squares(count: int = 4, labels: Sequence[int] = (1,)) -> list[Sample]:
    """Bright squares on dark noise; the label is in the colour."""
    random = np.random.default_rng(0)
    samples = []
    for number in range(count):
        image = random.integers(0, 60, (48, 56, 3), np.uint8)
        label_map = np.zeros((48, 56), np.uint8)
        label = labels[number % len(labels)]
        top, left = random.integers(4, 16, 2)
        label_map[top : top + 24, left : left + 28] = label
        image[label_map > 0, label] = 230
        samples.append(Sample(f"square_{number}", image, label_map))
    return samples


def pictures(
    real: Sequence[Sample] | None = None,
    drawn: Sequence[Sample] = (),
    validation: Sequence[Sample] | None = None,
    classes: ClassMap = NEWTS_BINARY,
) -> Pictures:
    """Four squares to learn from and two to validate on, unless others are given."""
    real = squares() if real is None else real
    validation = squares(2) if validation is None else validation
    task: Any = "binary" if len(classes) == 2 else "multiclass"
    return Pictures(real, drawn, validation, classes, task, "squares", fingerprint(real, drawn))


def run(config: TrainConfig, folder: Path | str, some: Pictures | None = None, **rest: Any) -> list[Event]:
    """All events of a run in `folder`, begun or gone on with, and recorded there; `rest` goes to `train`."""
    holder = Run(folder)
    try:
        if holder.exists:
            holder.go_on()
        else:
            holder.begin(config, {})
        return list(holder.record(train(config, some or pictures(), holder, {}, device="cpu", **rest)))
    finally:
        holder.close()


def kinds(events: Sequence[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


def recorded(folder: Path) -> list[dict[str, Any]]:
    """The recorded events without what tells of time, and without how often the run was gone on with."""
    timed = {"seconds", "images_per_second", "memory"}
    lines = (folder / "events.jsonl").read_text("utf-8").splitlines()
    events = [{key: value for key, value in json.loads(line).items() if key not in timed} for line in lines]
    return [event for event in events if event["event"] != "RunStarted"]


def weights(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / "model.safetensors")


def state(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / "state" / "state.safetensors")


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Whether two sets of named tensors are equal bit for bit."""
    return one.keys() == other.keys() and all(
        value.dtype == other[name].dtype and torch.equal(value, other[name]) for name, value in one.items()
    )


def left_of(folder: Path) -> dict[str, Any]:
    """All that two runs that came to the same end have in common, as what can be compared."""
    checkpoints = {name: (folder / name / "model.safetensors") for name in ("last", "best")}
    found: dict[str, Any] = {name: file.read_bytes() for name, file in checkpoints.items() if file.is_file()}
    found |= {f"{name}/config.json": (folder / name / "config.json").read_text() for name in tuple(found)}
    found |= {f"state {name}": value.numpy().tobytes() for name, value in state(folder).items()}
    found["events"] = recorded(folder)
    found["files"] = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if "tfevents" not in path.name)
    return found
