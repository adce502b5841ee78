"""Batches: labelled pictures, transformed and stacked, in an order and with variations that a seed repeats."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler
from torchvision import tv_tensors

from seg_demo.data.dataset import Sample
from seg_demo.data.transforms import as_pair
from seg_demo.errors import UserError

Pair = tuple[tv_tensors.Image, tv_tensors.Mask]
Batch = tuple[Tensor, Tensor]


def loader(
    samples: Sequence[Sample],
    transform: Callable[[tv_tensors.Image, tv_tensors.Mask], Pair],
    *,
    batch_size: int,
    seed: int,
    workers: int = 0,
    shuffle: bool = True,
    drop_last: bool = False,
) -> DataLoader[Batch]:
    """Batches of images (N, 3, S, S), in memory channels last, and label maps (N, S, S) int64.

    transform: from image (3, H, W) uint8 and label map (1, H, W) uint8 to a normalised image, float32, and a label
    map, of one size for all of a batch. It may use torch's global random numbers: which it gets, and the order, is a
    function of `seed`, the pass and the picture, so the number of `workers` (processes; 0 reads in this one) changes
    nothing, and the random numbers of this process stay as they are. Every iteration is another pass; to go on after a
    stop, set `loader.sampler.epoch` to the number of passes that are done. drop_last: leave out a last batch that is
    not full.

    Raises `UserError` where there are no samples, and, while it is iterated, where one cannot be read.
    """
    if not samples:
        raise UserError("There are no pictures to learn from. Give a folder of photos, or draw some.")
    return _Loader(
        _Transformed(samples, transform, seed),
        batch_size,
        sampler=_Order(len(samples), seed, shuffle),
        num_workers=workers,
        collate_fn=collate,
        drop_last=drop_last,
        persistent_workers=workers > 0,
    )


class _Order(Sampler[tuple[int, int]]):
    """Which pictures come when: (epoch, index), where `epoch` counts the passes that have begun."""

    def __init__(self, length: int, seed: int, shuffle: bool) -> None:
        self.length, self.seed, self.shuffle = length, seed, shuffle
        self.epoch = 0

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[tuple[int, int]]:
        epoch, self.epoch = self.epoch, self.epoch + 1
        if not self.shuffle:
            return iter([(epoch, index) for index in range(self.length)])
        generator = torch.Generator().manual_seed(_mixed(self.seed, epoch, 0))
        return iter([(epoch, index) for index in torch.randperm(self.length, generator=generator).tolist()])


class _Transformed(Dataset[Pair]):
    def __init__(self, samples: Sequence[Sample], transform: Callable[..., Pair], seed: int) -> None:
        self.samples, self.transform, self.seed = samples, transform, seed

    def __getitem__(self, key: tuple[int, int]) -> Pair | UserError:  # type: ignore[override]
        epoch, index = key
        try:
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(_mixed(self.seed, epoch, index + 1))
                return self.transform(*as_pair(self.samples[index]))
        except UserError as error:
            return error  # which would lose its template and gain a traceback if it were raised in a worker


class _Loader(DataLoader[Batch]):
    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        failure = None
        for batch in super().__iter__():
            if isinstance(batch, UserError):
                failure = batch
                break
            yield batch
        if failure:
            # The traceback would keep the workers until the garbage collector comes, which takes seconds to end them.
            self._iterator = None
            raise failure


def collate(pairs: list[Pair | UserError]) -> Batch | UserError:
    """Stack pairs into a batch; where one of them could not be read, the batch is the reason."""
    images, label_maps = [], []
    for pair in pairs:
        if isinstance(pair, UserError):
            return pair
        images.append(pair[0].as_subclass(Tensor))
        label_maps.append(pair[1].as_subclass(Tensor))
    return torch.stack(images).contiguous(memory_format=torch.channels_last), torch.cat(label_maps).long()


def _mixed(*numbers: int) -> int:
    """One seed out of several numbers; unlike a sum, neighbours have nothing to do with each other."""
    return int(np.random.SeedSequence([number % 2**64 for number in numbers]).generate_state(1)[0])
