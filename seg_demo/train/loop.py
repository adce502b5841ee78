"""The training loop: a generator of events that can be stopped between any two steps."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from seg_demo.checkpoint import Checkpoint, CheckpointConfig, save_checkpoint
from seg_demo.checkpoint.weights import is_finite
from seg_demo.data.dataset import Sample
from seg_demo.data.transforms import ResizeByRule, as_pair, normalize
from seg_demo.errors import UserError
from seg_demo.evaluate.report import measure
from seg_demo.models import build_model
from seg_demo.train.augment import augmentation
from seg_demo.train.config import TrainConfig
from seg_demo.train.events import CheckpointSaved, EpochDone, Event, RunFailed, RunFinished, RunStarted, StepDone
from seg_demo.train.losses import segmentation_loss

AUXILIARY_SHARE = 0.4  # of the auxiliary head's loss, as PSPNet's authors have it


def train(
    config: TrainConfig,
    real: Sequence[Sample],
    drawn: Sequence[Sample],
    validation: Sequence[Sample],
    run: Path,
    about: dict[str, object],
) -> Iterator[Event]:
    """Train a model on `real` and `drawn` samples; write the checkpoints `run`/last and `run`/best.

    best: the highest mean IoU on `validation` so far; without validation samples there is only last. What is
    validated and saved is the running average of the weights. `about` goes into the checkpoints' config.
    Closing the generator saves the last state. A loss or weight that is not finite ends the run with `RunFailed`.
    Raises `UserError` where there are no pictures.
    """
    if not drawn and (not real or config.drawn_share > 0):
        raise UserError("There are no pictures to learn from. Give a folder of photos, or draw some.")
    torch.manual_seed(config.seed)
    started = time.perf_counter()
    num_outputs = 1 if config.task == "binary" else len(config.classes)
    model = build_model(config.architecture, num_outputs, **config.arguments).to(memory_format=torch.channels_last)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(config.average), use_buffers=True)
    optimizer = torch.optim.AdamW(model.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    batches = _batches(config, real, drawn)
    step, best = 0, -math.inf
    parameters = sum(parameter.numel() for parameter in model.parameters())
    yield RunStarted(len(real) + len(drawn), config.steps, parameters)

    def checkpoint_config(metrics: dict[str, float]) -> CheckpointConfig:
        training = {**about, "steps": step, "seed": config.seed}
        measured = {"validation": metrics} if metrics else {}
        return CheckpointConfig(
            config.architecture, config.arguments, config.task, config.classes, config.preprocessing,
            training=training, metrics=measured,
        )  # fmt: skip

    try:
        for step in range(1, config.steps + 1):
            tick = time.perf_counter()
            rate = one_cycle(step, config.steps, config.learning_rate, config.warm_up)
            for group in optimizer.param_groups:
                group["lr"] = rate
            images, label_maps = next(batches)  # (N, 3, S, S), (N, S, S)
            model.train()
            with torch.autocast("cpu", torch.bfloat16, enabled=config.bfloat16):
                outputs = model(images)  # "out" and, for some networks, "aux": (N, C, S, S)
            losses = {
                head: segmentation_loss(logits, label_maps, config.task, config.classes.ignore_index)
                for head, logits in outputs.items()
            }
            loss = losses["out"] + AUXILIARY_SHARE * losses.get("aux", 0)
            if not torch.isfinite(loss):
                yield RunFailed(step, f"The loss was {loss.item()} at step {step}. Lower the learning rate.")
                return
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), config.clip)
            optimizer.step()
            # The average is what is saved, so nothing broken may enter it.
            if not _is_finite(model):
                yield RunFailed(step, f"The weights grew beyond all bounds at step {step}. Lower the learning rate.")
                return
            average.update_parameters(model)
            yield StepDone(step, loss.item(), rate, config.batch_size / (time.perf_counter() - tick))

            if step % config.validate_every == 0 or step == config.steps:
                averaged = Checkpoint("", checkpoint_config({}), average.module)
                metrics = measure(averaged, validation, "cpu") if validation else {}  # where the average is updated
                yield EpochDone(step, metrics)
                if metrics and metrics["mean_iou"] > best:
                    best = metrics["mean_iou"]
                    yield CheckpointSaved(
                        step, "best", save_checkpoint(run / "best", average.module, checkpoint_config(metrics))
                    )
    finally:
        last = save_checkpoint(run / "last", average.module, checkpoint_config({})) if step else None
    if last:
        yield CheckpointSaved(step, "last", last)
    yield RunFinished(step, time.perf_counter() - started)


def one_cycle(step: int, steps: int, peak: float, warm_up: float) -> float:
    """Learning rate at `step` of `steps`: a linear rise to `peak`, then half a cosine to zero.

    >>> one_cycle(100, 1000, 0.1, 0.1)
    0.1
    """
    rise = max(1.0, warm_up * steps)
    if step <= rise:
        return peak * step / rise
    return peak * (1 + math.cos(math.pi * (step - rise) / (steps - rise + 1))) / 2


def _is_finite(model: nn.Module) -> bool:
    return all(is_finite(value) for value in model.state_dict().values())


def _batches(config: TrainConfig, real: Sequence[Sample], drawn: Sequence[Sample]) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless batches of normalised crops (N, 3, S, S) float32 and label maps (N, S, S) int64."""
    vary = augmentation(config.augmentation, config.crop, config.classes.ignore_index)
    resize = ResizeByRule(config.preprocessing)
    pools = [[resize(*as_pair(sample)) for sample in samples] for samples in (real, drawn)]
    while True:
        crops = []
        for _ in range(config.batch_size):
            pool = pools[1] if not pools[0] or torch.rand(()) < config.drawn_share else pools[0]
            crops.append(vary(*pool[int(torch.randint(len(pool), ()))]))
        images = torch.stack([normalize(image, config.preprocessing) for image, _ in crops])
        label_maps = torch.cat([label_map for _, label_map in crops])
        yield images.contiguous(memory_format=torch.channels_last), label_maps.long()
