"""A model that learns: its weights, their running average and the optimiser, and one step of all of these."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from seg_demo.classes import ClassMap, Task
from seg_demo.data.loader import Batch, Order, Varied
from seg_demo.errors import UserError
from seg_demo.infer.memory import is_out_of_memory
from seg_demo.infer.precision import quick_precision
from seg_demo.models.model import SegmentationModel
from seg_demo.train.average import WeightAverage
from seg_demo.train.config import TrainConfig
from seg_demo.train.features import Kept, KeptFeatures
from seg_demo.train.losses import build_loss
from seg_demo.train.optimizers import build_optimizer, load_optimizer_tensors, optimizer_tensors, set_rate
from seg_demo.train.ranks import Ranks

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Diverged(Exception):
    """The loss or the weights are no longer finite."""


class Learner:
    """`step` by step, the weights of a model follow the gradient of a loss.

    model: as it is saved, on `device`; saved: the running average of its weights or, without one, itself. precision:
    the name of what the network computes in; weights stay in float32. parts: in how many parts a batch goes through
    the network; the gradients of all parts are added up to that of the whole batch.
    """

    def __init__(
        self,
        model: SegmentationModel,
        config: TrainConfig,
        classes: ClassMap,
        task: Task,
        device: torch.device,
        ranks: Ranks,
    ) -> None:
        layout = torch.channels_last if config.channels_last else torch.contiguous_format
        model = model.to(device).to(memory_format=layout)
        self.device, self.ranks, self.clip = device, ranks, config.optimizer.clip
        model.auxiliary = config.loss.auxiliary > 0
        self.model = ranks.joined_norms(model, device)
        self.precision = quick_precision(device) if config.precision == "auto" else config.precision
        self.average = WeightAverage(self.model, config.average) if config.average else None
        self.optimizer = build_optimizer(self.model, config.optimizer)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.precision == "float16")
        self.loss = build_loss(config.loss, task, len(classes), classes.ignore_index, device, ranks.total)
        quick: Any = torch.compile(self.model) if config.compile else self.model
        self.network = ranks.learning(quick, device, all_used=self.model.auxiliary)
        self.parts = config.accumulate

    @property
    def saved(self) -> nn.Module:
        return self.average.model if self.average else self.model

    def keep_features(self, varied: Varied, order: Order, config: TrainConfig, folder: Path) -> KeptFeatures:
        """Batches of features that are computed once; the backbone is frozen. folder: for what memory cannot hold."""
        counts = [
            length if used else 0
            for length, used in zip(order.lengths, (order.share < 1, order.share > 0), strict=True)
        ]
        return KeptFeatures(
            self.model, varied.__getitem__, config.model.keep_features, counts, block=config.batch_size,
            dtype=DTYPES[self.precision], device=self.device, folder=folder, memory_limit=config.data.memory * 1e9,
        )  # fmt: skip

    def sizes(self) -> tuple[int, int]:
        """Parameters of the model, and those that learn."""
        every = [(weight.numel(), weight.requires_grad) for weight in self.model.parameters()]
        return sum(count for count, _ in every), sum(count for count, learns in every if learns)

    def step(self, batch: Batch, rate: float) -> float:
        """Learn from a batch with the learning rate `rate`; returns the loss. Out of memory doubles `parts`.

        Raises `Diverged` before a weight that is not finite gets into the average, and `UserError` where even one
        picture at a time does not fit into memory.
        """
        set_rate(self.optimizer, rate)
        self.model.train()
        loss = None
        while loss is None:
            try:
                loss = self._gradient(batch)
            except (torch.OutOfMemoryError, RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            if loss is None:  # and the error is gone, which kept what had been computed in memory
                self._halve(len(batch.label_maps))
        if self.average:
            self.average.update(self.model)
        return loss

    def _gradient(self, batch: Batch) -> float:
        self.optimizer.zero_grad(set_to_none=True)
        inputs = batch.images if isinstance(batch.images, Kept) else batch.images.to(self.device, non_blocking=True)
        label_maps = batch.label_maps.to(self.device, non_blocking=True)
        parts = list(zip(inputs.chunk(self.parts), label_maps.chunk(self.parts), strict=True))
        weights = [self.loss.weight(labels) for _, labels in parts]
        whole = self.ranks.total(torch.stack(weights).sum()).clamp(min=1e-12)
        total = torch.zeros((), device=self.device)
        for number, ((some, labels), weight) in enumerate(zip(parts, weights, strict=True), 1):
            with self.ranks.alone(self.network) if number < len(parts) else nullcontext():
                with torch.autocast(self.device.type, DTYPES[self.precision], enabled=self.precision != "float32"):
                    # "out" and, for some networks, "aux": (N, C, S, S)
                    outputs = self.network(*some) if isinstance(some, Kept) else self.network(some)
                loss = self.loss(outputs, labels) * (weight / whole)
                self.scaler.scale(loss * self.ranks.world).backward()
            total += loss.detach()
        self.scaler.unscale_(self.optimizer)
        learned = [value for value in self.model.parameters() if value.grad is not None]
        norm = nn.utils.get_total_norm([value.grad for value in learned if value.grad is not None])
        if self.clip:
            nn.utils.clip_grads_with_norm_(learned, self.clip, norm)
        total = self.ranks.total(total)
        if not torch.isfinite(total) or not (torch.isfinite(norm) or self.scaler.is_enabled()):
            raise Diverged("loss" if not torch.isfinite(total) else "gradient")
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if not _finite([*learned, *self.model.buffers()]):
            raise Diverged("weights")
        return total.item()

    def finite(self) -> bool:
        """Whether what would be saved is."""
        return _finite([*self.saved.parameters(), *self.saved.buffers()])

    def _halve(self, pictures: int) -> None:
        if self.parts >= pictures or self.ranks.world > 1:
            raise UserError(
                "There is not enough memory to learn from {what}. Lower data.crop or batch_size.",
                what="one picture at a time" if self.ranks.world == 1 else "a batch in so many processes",
            )
        self.parts = min(2 * self.parts, pictures)
        self.optimizer.zero_grad(set_to_none=True)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def tensors(self) -> dict[str, Tensor]:
        """All that is needed to go on, by name: weights, average, optimiser, random numbers."""
        found = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        found |= {f"optimizer.{name}": value for name, value in optimizer_tensors(self.optimizer).items()}
        if self.average:
            found |= {f"average.{name}": value for name, value in self.average.tensors().items()}
        found["random"] = torch.get_rng_state()
        if self.device.type == "cuda":
            found["random.cuda"] = torch.cuda.get_rng_state(self.device)
        scaler = json.dumps(self.scaler.state_dict()).encode()
        found["scaler"] = torch.frombuffer(bytearray(scaler), dtype=torch.uint8)
        return found

    def load(self, tensors: dict[str, Tensor]) -> None:
        """The inverse of `tensors`. Raises `UserError` where they belong to another model."""
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "optimizer": {}, "average": {}}
        for name, value in tensors.items():
            part, _, rest = name.partition(".")
            parts.setdefault(part, {})[rest] = value
        try:
            random, scaler = parts["random"], json.loads(bytes(parts["scaler"][""].tolist()))
            self.model.load_state_dict(parts["model"])
            torch.set_rng_state(random[""])
        except (RuntimeError, KeyError, TypeError, ValueError):
            raise UserError("The state of the run belongs to another model. Start a new run.") from None
        load_optimizer_tensors(self.optimizer, parts["optimizer"])
        if self.average:
            self.average.load(parts["average"])
        if self.device.type == "cuda" and "cuda" in random:
            torch.cuda.set_rng_state(random["cuda"], self.device)
        if self.scaler.is_enabled():
            self.scaler.load_state_dict(scaler)


def _finite(values: list[Tensor]) -> bool:
    norms = torch._foreach_norm([value.detach() for value in values if value.is_floating_point()])
    return bool(torch.isfinite(torch.stack(norms)).all())
