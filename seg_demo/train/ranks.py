"""The processes that train one model together; mostly, that is this one alone."""

from __future__ import annotations

import atexit
import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from seg_demo.errors import UserError

Thing = TypeVar("Thing")
Network = TypeVar("Network", bound=nn.Module)


class Ranks:
    """`world` processes with the numbers 0 to `world` - 1, of which this one is `rank`; number 0 writes the files."""

    def __init__(self, rank: int = 0, world: int = 1) -> None:
        self.rank, self.world = rank, world

    @classmethod
    def of_environment(cls) -> Ranks:
        """As `torchrun` says; without it, this process alone. Each process gets a GPU, where there are GPUs."""
        world = int(os.environ.get("WORLD_SIZE", "1"))
        if world == 1:
            return cls()
        if gpus := torch.cuda.device_count():
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")) % gpus)
        if not dist.is_initialized():
            # Numbers and decisions are exchanged between processors, gradients between GPUs, where there are some.
            dist.init_process_group("cpu:gloo,cuda:nccl" if gpus else "gloo")
            atexit.register(dist.destroy_process_group)
        return cls(dist.get_rank(), world)

    def check(self, batch_size: int, parts: int) -> None:
        """Raise a `UserError` where the processes could not all do the same with their shares of a batch."""
        smallest, largest = batch_size // self.world, -(-batch_size // self.world)
        chunks = [len(torch.empty(count).chunk(parts)) for count in (smallest, largest) if count]
        if smallest == 0 or len(set(chunks)) > 1:
            raise UserError(
                "A batch of {batch} crops in {parts} parts cannot be shared by {world} processes. Take a multiple of "
                "{least} as batch_size.",
                batch=batch_size, parts=parts, world=self.world, least=self.world * parts,
            )  # fmt: skip

    def check_agreement(self, step: int) -> None:
        """Raise a `UserError` where the processes would begin at different steps."""
        if self.any(self.first(step) != step):
            raise UserError("The processes do not see the same run folder. Put it on a disk that all of them share.")

    @property
    def writes(self) -> bool:
        return self.rank == 0

    def learning(self, model: nn.Module, device: torch.device, all_used: bool = True) -> nn.Module:
        """The model whose backward pass leaves the mean gradient of all processes.

        all_used: whether the loss reaches all of its weights, which saves a search.
        """
        if self.world == 1:
            return model
        devices = [device] if device.type == "cuda" else None
        return DistributedDataParallel(model, device_ids=devices, find_unused_parameters=not all_used)

    def joined_norms(self, model: Network, device: torch.device) -> Network:
        """The same model with BatchNorms that take their statistics over all processes."""
        if self.world == 1:
            return model
        if device.type == "cuda":
            return nn.SyncBatchNorm.convert_sync_batchnorm(model)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.__class__ = JoinedBatchNorm2d  # the weights, and their names in a checkpoint, stay
        return model

    def alone(self, model: nn.Module) -> AbstractContextManager[Any]:
        """While gradients are only added up, the processes need not exchange them."""
        return model.no_sync() if isinstance(model, DistributedDataParallel) else nullcontext()

    def total(self, value: Tensor) -> Tensor:
        """Sum over all processes; gradients go back to each of them."""
        return _Total.apply(value) if self.world > 1 else value

    def total_array(self, array: np.ndarray) -> np.ndarray:
        """Sum of an array of numbers over all processes, of the same dtype."""
        if self.world == 1:
            return array
        return self.total(torch.from_numpy(np.ascontiguousarray(array))).numpy()

    def first(self, thing: Thing) -> Thing:
        """What process 0 has, for all: decisions about time must be the same everywhere."""
        if self.world > 1:
            things = [thing]
            dist.broadcast_object_list(things, device=torch.device("cpu"))
            return things[0]
        return thing

    def wait(self) -> None:
        """Until all processes are here."""
        self.any(False)

    def any(self, flag: bool) -> bool:
        """Whether one of the processes says so."""
        return bool(self.total_array(np.array([flag], np.int64))[0]) if self.world > 1 else flag


class _Total(torch.autograd.Function):
    """Sum over all processes: each of them has a share in it, and gets the gradients that all of them have of it."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        value = value.detach().clone(memory_format=torch.contiguous_format)
        dist.all_reduce(value)
        return value

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return _Total.forward(ctx, gradient)


class JoinedBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm over the batches of all processes, for the CPU, where torch has none.

    The sums are made in float64, so that the result is that of one process with the whole batch, up to rounding.
    """

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        exact = input.double()
        count = exact.new_full((1,), input.numel() // input.shape[1])
        sums = torch.cat([exact.sum((0, 2, 3)), exact.square().sum((0, 2, 3)), count])  # (2 C + 1,)
        sums = _Total.apply(sums)
        total = sums[-1]
        mean, square = (sums[:-1] / total).chunk(2)  # (C,), (C,)
        variance = (square - mean.square()).clamp(min=0)
        if self.track_running_stats and self.running_mean is not None and self.running_var is not None:
            with torch.no_grad():
                share = self.momentum if self.momentum is not None else 0.1
                self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
                unbiased = variance * total / (total - 1).clamp(min=1)
                self.running_var.lerp_(unbiased.to(self.running_var.dtype), share)
                if self.num_batches_tracked is not None:
                    self.num_batches_tracked += 1
        scale = torch.rsqrt(variance + self.eps)  # (C,)
        result = (exact - mean[:, None, None]) * scale[:, None, None]
        result = result.to(input.dtype)
        if self.affine:
            result = result * self.weight[:, None, None] + self.bias[:, None, None]
        return result
