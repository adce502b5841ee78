"""The running average of a model's weights."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from seg_demo.train.optimizers import check_tensors


class WeightAverage:
    """Exponential moving average of the weights, which often predicts better than those of the last step.

    The t-th update, from 1, keeps min(decay, (1 + t) / (10 + t)) of the average, as TensorFlow's
    ExponentialMovingAverage does: so the first weights, which know nothing, are soon forgotten. Parameters and
    floating-point buffers are averaged, others are copied. `model` is the averaged model: a copy in eval mode, on the
    device and in the memory format of the original, without gradients.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.model = copy.deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the weights of `model` after an optimisation step."""
        self.updates += 1
        kept = min(self.decay, (1 + self.updates) / (10 + self.updates))
        averages, values = [], []
        for average, value in zip(_weights(self.model), _weights(model), strict=True):
            if average.is_floating_point():
                averages.append(average)
                values.append(value)
            else:
                average.copy_(value)
        torch._foreach_lerp_(averages, values, 1 - kept)

    def tensors(self) -> dict[str, Tensor]:
        """A copy of everything, to go on from: "updates", a whole number, and "model.NAME"; all contiguous."""
        weights = {
            f"model.{name}": value.clone(memory_format=torch.contiguous_format)
            for name, value in self.model.state_dict().items()
        }
        return {"updates": torch.tensor(self.updates), **weights}

    @torch.no_grad()
    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from what `tensors` gave, bit by bit.

        Raises `UserError` for names, shapes or dtypes that are not those of this model; then nothing has changed.
        """
        weights = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        check_tensors("average of the weights", {"updates": torch.tensor(0), **weights}, tensors)
        for name, value in weights.items():
            value.copy_(tensors[name])
        self.updates = int(tensors["updates"])


def _weights(model: nn.Module) -> Iterator[Tensor]:
    yield from model.parameters()
    yield from model.buffers()
