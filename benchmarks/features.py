"""What an epoch costs with a frozen backbone, when its features are computed each time and when they are kept.

`python -m benchmarks.features --data DIR` trains the heads of DeepLabV3 on ResNet-101 on the training pictures of a
folder by the project's own training loop, and measures the loss on its validation pictures. Without a download
(`--weights imagenet`) the backbone is random, but for its BatchNorm, which has seen the pictures. The ways of training
take turns epoch by epoch, so that a busy moment of the machine does not fall on one of them. `--docs` writes the table
into docs/training.md.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.markdown import table, write_table
from seg_demo.checkpoint import CheckpointConfig, save_checkpoint
from seg_demo.data.transforms import CentreSquare, as_pair, normalize
from seg_demo.data.transforms.sizes import resized
from seg_demo.models import build_model
from seg_demo.settings import changed
from seg_demo.train.config import TrainConfig
from seg_demo.train.events import EpochDone, Event, StepDone
from seg_demo.train.loop import train
from seg_demo.train.pictures import Pictures, open_pictures
from seg_demo.train.run import Run
from seg_demo.train.start import complete

# The first is what the origin does, which is what PyTorch does by itself: NCHW in memory.
WAYS: dict[str, dict[str, object]] = {
    "each time, float32": {"precision": "float32", "channels_last": False},
    "each time, bfloat16": {"precision": "bfloat16"},
    "kept, float32": {"precision": "float32", "model.keep_features": 1},
    "kept, bfloat16": {"precision": "bfloat16", "model.keep_features": 1},
    "kept, bfloat16, no auxiliary loss": {"precision": "bfloat16", "model.keep_features": 1, "loss.auxiliary": 0.0},
}
COMMON = {
    "optimizer.name": "sgd", "optimizer.learning_rate": 1e-3, "optimizer.weight_decay": 0.0,
    "schedule.name": "constant", "validation.every": 10**9, "validation.pictures": 0, "save_every": 10**6,
    "model.freeze": True, "model.head": "xavier", "data.memory": 4.0,
}  # fmt: skip


def network(pictures: Pictures, weights: str | None, crop: int, folder: Path) -> Path:
    """A checkpoint of DeepLabV3 on ResNet-101 to start from."""
    torch.manual_seed(0)
    arguments = {"backbone": "resnet101"}
    model = build_model("deeplabv3", len(pictures.classes), backbone_weights=weights, **arguments)
    config = CheckpointConfig("deeplabv3", arguments, pictures.task, pictures.classes)
    if weights is None:  # or else its residual blocks would double the features one by one
        for norm in model.get_submodule("backbone").modules():
            if isinstance(norm, nn.BatchNorm2d):
                norm.momentum = 1.0
        some = [CentreSquare()(*as_pair(pictures.real[index]))[0] for index in range(min(8, len(pictures.real)))]
        images = torch.stack([normalize(resized(image, crop, crop), config.preprocessing) for image in some])
        with torch.no_grad():
            model.train().encode(images.as_subclass(Tensor))
    return save_checkpoint(folder / "start", model, config)


class Training:
    """One way of training, epoch by epoch."""

    def __init__(self, config: TrainConfig, pictures: Pictures, folder: Path) -> None:
        self.events: Iterator[Event] = train(config, pictures, Run(folder), device="cpu")
        self.steps = -(-len(pictures.real) // config.batch_size)
        self.batch_size = config.batch_size
        self.seconds: list[float] = []
        """Of each epoch."""

    def epoch(self) -> None:
        done = (event for event in self.events if isinstance(event, StepDone))
        self.seconds.append(sum(self.batch_size / next(done).images_per_second for _ in range(self.steps)))

    def validation_loss(self) -> float:
        return next(event.metrics["loss"] for event in self.events if isinstance(event, EpochDone))


def report(arguments: argparse.Namespace) -> str:
    config = TrainConfig(epochs=arguments.epochs, batch_size=arguments.batch)
    config = changed(config, {"data.source": arguments.data, "data.crop": arguments.crop, **COMMON})
    pictures = open_pictures(config)
    rows, trainings = [], []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        start = network(pictures, arguments.weights, arguments.crop, folder)
        for number, settings in enumerate(WAYS.values()):
            way = complete(changed(config, {"model.checkpoint": str(start), **settings}), pictures)
            if way.model.keep_features:
                way = replace(way, model=replace(way.model, keep_features=arguments.views))
            trainings.append(Training(way, pictures, folder / str(number)))
        for _ in range(arguments.epochs):
            for training in trainings:
                training.epoch()
        for name, training in zip(WAYS, trainings, strict=True):
            # The first epochs of both are left out of the ratio: in them features are computed.
            later, plain = (seconds[arguments.views :] for seconds in (training.seconds, trainings[0].seconds))
            ratio = statistics.median(one / other for one, other in zip(plain, later, strict=True))
            first = statistics.median(training.seconds[: arguments.views])
            rows.append([
                name, f"{first:.2f}", f"{statistics.median(later):.2f}",
                f"{ratio:.1f}", f"{sum(training.seconds):.1f}", f"{training.validation_loss():.4f}",
            ])  # fmt: skip
    begin = f"s for epoch 1 to {arguments.views}" if arguments.views > 1 else "s for epoch 1"
    header = ["backbone's features", begin, "s for a later one", "times as fast", "s in all", "validation loss"]
    return (
        table(header, rows, right=(1, 2, 3, 4, 5))
        + f"\n{len(pictures.real)} pictures, crop {arguments.crop}, batch {arguments.batch}, {arguments.epochs} "
        f"epochs, kept variations of each picture: {arguments.views}; medians; {len(pictures.validation)} validation "
        f"pictures; {torch.get_num_threads()} threads, {platform.machine()}, torch "
        f"{torch.__version__.partition('+')[0]}.\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--data", required=True, help="a folder of labelled pictures")
    parser.add_argument("--weights", choices=["imagenet"], help="of the backbone (default: random ones)")
    parser.add_argument("--crop", type=int, default=224, help="(default: 224)")
    parser.add_argument("--batch", type=int, default=10, help="(default: 10)")
    parser.add_argument("--epochs", type=int, default=10, help="(default: 10)")
    parser.add_argument("--views", type=int, default=1, help="kept variations of each picture (default: 1)")
    parser.add_argument("--docs", action="store_true", help="write the table into docs/training.md")
    text = report(arguments := parser.parse_args())
    print(text, end="")
    if arguments.docs:
        write_table("features", text, "training.md")


if __name__ == "__main__":
    main()
