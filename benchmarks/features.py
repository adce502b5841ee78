"""What an epoch costs with a frozen backbone, when its features are computed each time and when they are kept.

`python -m benchmarks.features --data DIR` trains the heads of DeepLabV3 on ResNet-101 on the training pictures of a
folder and measures the loss on its validation pictures. Without `--weights imagenet` (a download) the backbone is
random, but for its BatchNorm, which has seen the pictures. The ways of training take turns epoch by epoch, so that a
busy moment of the machine does not fall on one of them.
"""

from __future__ import annotations

import argparse
import copy
import platform
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.markdown import table
from seg_demo.classes import ClassMap
from seg_demo.data.folder import open_splits
from seg_demo.data.loader import Key, Order, ResizedPictures, Varied
from seg_demo.data.preprocessing import Preprocessing
from seg_demo.data.transforms import normalize, training_chain
from seg_demo.models import build_model
from seg_demo.models.adapt import freeze
from seg_demo.models.model import SegmentationModel
from seg_demo.train.config import LossSettings, OptimizerSettings
from seg_demo.train.features import KeptFeatures
from seg_demo.train.losses import Loss, build_loss
from seg_demo.train.optimizers import build_optimizer

NORMAL = Preprocessing()
SGD = OptimizerSettings("sgd", 1e-3, 0.0, momentum=0.9)


@dataclass(frozen=True)
class Way:
    """How the head is trained. dtype: of what is computed. auxiliary: weight of the auxiliary loss; 0 leaves it out."""

    name: str
    dtype: torch.dtype
    kept: bool
    auxiliary: float = 0.4


WAYS = (
    Way("each time, float32", torch.float32, False),
    Way("each time, bfloat16", torch.bfloat16, False),
    Way("kept, float32", torch.float32, True),
    Way("kept, bfloat16", torch.bfloat16, True),
    Way("kept, bfloat16, no auxiliary loss", torch.bfloat16, True, auxiliary=0.0),
)


class Training:
    """One way of training, epoch by epoch. The first is as PyTorch does it by itself: NCHW in memory."""

    def __init__(self, way: Way, model: SegmentationModel, varied: Varied, views: int, batch: int, loss: Loss) -> None:
        self.way, self.varied, self.views, self.loss, self.batch = way, varied, views, loss, batch
        layout = torch.contiguous_format if way is WAYS[0] else torch.channels_last
        self.layout = layout
        self.model: SegmentationModel = copy.deepcopy(model).to(memory_format=layout)  # type: ignore[call-overload]
        self.model.auxiliary = way.auxiliary > 0
        self.optimizer = build_optimizer(self.model, SGD)
        self.order = Order((len(varied.pools[0]), 0), 0.0, 0)
        self.features: KeptFeatures | None = None
        self.seconds: list[float] = []
        """Of each epoch."""

    def epoch(self, folder: Path) -> None:
        start = time.perf_counter()
        if self.way.kept and self.features is None:
            self.features = KeptFeatures(
                self.model, self.varied.__getitem__, self.views, [len(self.varied.pools[0])],
                block=self.batch, dtype=self.way.dtype, device="cpu", folder=folder, memory_limit=4e9,
            )  # fmt: skip
        self.model.train()
        for keys in self._batches(len(self.seconds)):
            outputs, label_maps = self._forward(keys)
            self.optimizer.zero_grad(set_to_none=True)
            self.loss(outputs, label_maps).backward()
            self.optimizer.step()
        self.seconds.append(time.perf_counter() - start)

    def _batches(self, epoch: int) -> Iterator[list[Key]]:
        count = len(self.varied.pools[0])
        positions = range(epoch * count, (epoch + 1) * count)
        for first in range(0, count, self.batch):
            yield [self.order[position] for position in positions[first : first + self.batch]]

    def _forward(self, keys: list[Key]) -> tuple[dict[str, Tensor], Tensor]:
        if self.features:
            inputs, label_maps = self.features.batch(keys)
            return self.features.forward(inputs), label_maps
        pairs = [self.varied[Key(key.pool, key.epoch % self.views, key.index)] for key in keys]
        images = torch.stack([image.as_subclass(Tensor) for image, _ in pairs]).contiguous(memory_format=self.layout)
        label_maps = torch.cat([label_map.as_subclass(Tensor) for _, label_map in pairs]).long()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.way.dtype == torch.bfloat16):
            return self.model(images), label_maps

    def validation_loss(self, pictures: ResizedPictures) -> float:
        """Of the main head alone, in float32; the mean over the pictures."""
        losses = []
        with torch.no_grad(), self.model.predicting():
            for image, label_map in pictures:
                logits = self.model(normalize(image, NORMAL)[None].as_subclass(Tensor))["out"]  # (1, C, H, W)
                losses.append(self.loss({"out": logits}, label_map.as_subclass(Tensor).long()).item())
        return statistics.mean(losses)


def network(classes: ClassMap, weights: str | None, varied: Varied) -> SegmentationModel:
    """DeepLabV3 on a frozen ResNet-101."""
    torch.manual_seed(0)
    model = build_model("deeplabv3", len(classes), backbone="resnet101", backbone_weights=weights)
    if weights is None:  # or else its residual blocks would double the features one by one
        norms = [layer for layer in model.get_submodule("backbone").modules() if isinstance(layer, nn.BatchNorm2d)]
        for norm in norms:
            norm.momentum = 1.0
        pictures = [varied[Key(0, 0, index)][0].as_subclass(Tensor) for index in range(min(8, len(varied.pools[0])))]
        with torch.no_grad():
            model.train().encode(torch.stack(pictures))
    return freeze(model)


def report(data: Path, arguments: argparse.Namespace) -> str:
    split = open_splits(data)
    learned, measured = (ResizedPictures(split(name), NORMAL, 1e9) for name in ("train", "val"))
    classes = split("train").classes
    varied = Varied((learned, ()), training_chain(arguments.crop, NORMAL), 0)
    model = network(classes, arguments.weights, varied)
    trainings = []
    for way in WAYS:
        loss = build_loss(LossSettings("cross-entropy", way.auxiliary), "multiclass", len(classes), 255)
        trainings.append(Training(way, model, varied, arguments.views, arguments.batch, loss))
    before = trainings[0].validation_loss(measured)
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(arguments.epochs):
            for training in trainings:
                training.epoch(Path(folder))
    rows = []
    for training in trainings:
        # The first epochs of both are left out of the ratio: in them features are computed.
        later, plain = (seconds[arguments.views :] for seconds in (training.seconds, trainings[0].seconds))
        ratio = statistics.median(one / other for one, other in zip(plain, later, strict=True))
        rows.append(
            [
                training.way.name,
                f"{statistics.median(training.seconds[: arguments.views]):.2f}",
                f"{statistics.median(later):.2f}",
                f"{ratio:.1f}",
                f"{sum(training.seconds):.1f}",
                f"{training.validation_loss(measured):.4f}",
            ]
        )
    kept = next(training.features for training in trainings if training.way is WAYS[3])
    assert kept is not None
    first = f"s for epoch 1 to {arguments.views}" if arguments.views > 1 else "s for epoch 1"
    header = ["backbone's features", first, "s for a later one", "times as fast", "s in all", "validation loss"]
    return (
        table(header, rows, right=(1, 2, 3, 4, 5))
        + f"\n{len(learned)} pictures, crop {arguments.crop}, batch {arguments.batch}, {arguments.epochs} epochs, "
        f"kept variations of each picture: {arguments.views}, {kept.bytes / kept.total / 1e6:.1f} MB each in bfloat16; "
        f"medians; validation loss before training {before:.4f} ({len(measured)} pictures, cross-entropy); "
        f"{torch.get_num_threads()} threads, {platform.machine()}, torch {torch.__version__.partition('+')[0]}.\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="a folder of labelled pictures")
    parser.add_argument("--weights", choices=["imagenet"], help="of the backbone (default: random ones)")
    parser.add_argument("--crop", type=int, default=224, help="(default: 224)")
    parser.add_argument("--batch", type=int, default=10, help="(default: 10)")
    parser.add_argument("--epochs", type=int, default=10, help="(default: 10)")
    parser.add_argument("--views", type=int, default=1, help="kept variations of each picture (default: 1)")
    print(report((arguments := parser.parse_args()).data, arguments), end="")


if __name__ == "__main__":
    main()
