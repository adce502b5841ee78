"""Batches without end: labelled pictures, varied and stacked, in an order that a seed repeats."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Generator, Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import tv_tensors

from seg_demo.data.dataset import Sample
from seg_demo.data.preprocessing import Preprocessing
from seg_demo.data.transforms import ResizeByRule, as_pair
from seg_demo.errors import UserError

Pair = tuple[tv_tensors.Image, tv_tensors.Mask]
Transform = Callable[[tv_tensors.Image, tv_tensors.Mask], Pair]


class Key(NamedTuple):
    """One variation of one picture: of which of the two pools, in which pass over it, and its place there."""

    pool: int
    epoch: int
    index: int  # type: ignore[assignment]  # of a pool, not of this tuple


class Batch(NamedTuple):
    """Images (N, 3, S, S) float32, channels last, or what else a network takes, and label maps (N, S, S) int64."""

    images: Any
    label_maps: Tensor
    keys: tuple[Key, ...]


class Order:
    """Which picture comes at which position of an endless sequence that mixes two pools; a function of the seed alone.

    Of every `n` pictures in a row, `n` x `share` (rounded up or down) are of the second pool. Each pool is passed again
    and again, each time in another order. Batches may therefore begin at any position, and lie across two passes.
    Raises `UserError` where a pool that is asked for is empty.
    """

    def __init__(self, lengths: tuple[int, int], share: float, seed: int) -> None:
        self.lengths, self.share, self.seed = lengths, share, seed
        if (share < 1 and not lengths[0]) or (share > 0 and not lengths[1]):
            raise UserError("There are no pictures to learn from. Give a folder of photos, or draw some.")
        self._share = Fraction(share).limit_denominator(10**6)  # 0.29 of 100 are 29, and not 28.999...
        self._order = lru_cache(maxsize=4)(self._shuffled)

    def __getitem__(self, position: int) -> Key:
        before = math.floor(position * self._share)
        pool = math.floor((position + 1) * self._share) - before
        epoch, place = divmod(before if pool else position - before, self.lengths[pool])
        return Key(pool, epoch, self._order(pool, epoch)[place])

    @property
    def epoch_length(self) -> float:
        """Positions in which each picture of the first pool, or of the only one, comes once."""
        return self.lengths[0] / (1 - self.share) if self.share < 1 else float(self.lengths[1])

    def passes(self, positions: int) -> float:
        """How often the first `positions` have been through the first pool, or the only one."""
        return positions / self.epoch_length

    def _shuffled(self, pool: int, epoch: int) -> list[int]:
        generator = torch.Generator().manual_seed(_mixed(self.seed, pool, epoch))
        return torch.randperm(self.lengths[pool], generator=generator).tolist()


class Varied(Dataset[Pair]):
    """Key -> a variation of its picture, which depends on `seed` and the key, and on nothing else.

    pools: two sequences of pairs as `ResizedPictures` has them. transform: from image (3, H, W) uint8 and label map
    (1, H, W) uint8 to a normalised image, float32, and a label map, of one size for all of a batch. It may use torch's
    global random numbers, which stay for others as they were.
    """

    def __init__(self, pools: tuple[Sequence[Pair], Sequence[Pair]], transform: Transform, seed: int) -> None:
        self.pools, self.transform, self.seed = pools, transform, seed

    def __getitem__(self, key: Key) -> Pair:  # type: ignore[override]
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(_mixed(self.seed, *key, 1))
            return self.transform(*self.pools[key.pool][key.index])


def keys_of_batches(order: Order, batch_size: int, start: int, rank: int, world: int) -> Iterator[list[Key]]:
    """The keys of each batch; arguments as `batches`."""
    for number in itertools.count(start):
        yield [order[position] for position in range(number * batch_size + rank, (number + 1) * batch_size, world)]


def batches(
    varied: Varied, order: Order, *, batch_size: int, start: int = 0, workers: int = 0, rank: int = 0, world: int = 1
) -> Generator[Batch, None, None]:
    """Batches of `batch_size` pictures without end, from batch number `start` on.

    workers: processes that make them (0 makes them in this one); their number changes nothing. rank, world: of each
    batch only every `world`-th picture from the `rank`-th on, for processes that learn together. Raises `UserError`,
    while it is iterated, where a picture cannot be read. Closing the iterator ends the workers.
    """
    keys = keys_of_batches(order, batch_size, start, rank, world)
    loader = DataLoader(
        _Told(varied),
        batch_sampler=keys,  # type: ignore[arg-type]
        num_workers=workers,
        collate_fn=collate,
        generator=torch.Generator(),  # or else a seed for the workers would be drawn from the global one
    )
    iterator = iter(loader)
    try:
        for batch in iterator:
            if isinstance(batch, UserError):
                raise batch
            yield batch
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise UserError(
            "A process that prepares pictures was ended by the system, which mostly is for want of memory. Lower "
            "data.workers, data.memory or data.crop."
        ) from None
    finally:
        del iterator  # ends the workers; the garbage collector would take seconds to come by


class AnyPicture:
    """Draws a pair, by torch's global random numbers: of the second pool with the chance `share`."""

    def __init__(self, pools: tuple[Sequence[Pair], Sequence[Pair]], share: float) -> None:
        self.pools, self.share = pools, share

    def __call__(self) -> Pair:
        pool = self.pools[int(torch.rand(()) < self.share)]
        return pool[int(torch.randint(len(pool), ()))]


class _Told(Dataset[tuple[Key, Pair | UserError]]):
    """An error that is raised in a worker would lose its template and gain a traceback, so it is returned."""

    def __init__(self, varied: Varied) -> None:
        self.varied = varied

    def __getitem__(self, key: Key) -> tuple[Key, Pair | UserError]:  # type: ignore[override]
        try:
            return key, self.varied[key]
        except UserError as error:
            return key, error


def collate(pairs: list[tuple[Key, Pair | UserError]]) -> Batch | UserError:
    """Stack pairs into a batch; where one of them could not be read, the batch is the reason."""
    images, label_maps = [], []
    for _, pair in pairs:
        if isinstance(pair, UserError):
            return pair
        images.append(pair[0].as_subclass(Tensor))
        label_maps.append(pair[1].as_subclass(Tensor))
    stacked = torch.stack(images).contiguous(memory_format=torch.channels_last)
    return Batch(stacked, torch.cat(label_maps).long(), tuple(key for key, _ in pairs))


class ResizedPictures(Sequence[Pair]):
    """Samples as tensors in the size at which a model sees them: image (3, h, w) uint8, label map (1, h, w) uint8.

    They are read when they are first asked for, and kept while together they take no more than `memory` bytes.
    """

    def __init__(self, samples: Sequence[Sample], preprocessing: Preprocessing, memory: float) -> None:
        self.samples, self.resize, self.memory = samples, ResizeByRule(preprocessing), memory
        self.kept: dict[int, Pair] = {}

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Pair:  # type: ignore[override]  # no slices
        if index in self.kept:
            return self.kept[index]
        pair: Pair = self.resize(*as_pair(self.samples[index]))
        size = sum(part.nbytes for part in pair)
        if size <= self.memory:
            self.kept[index] = pair
            self.memory -= size
        return pair


def _mixed(*numbers: int) -> int:
    """One seed out of several numbers; unlike a sum, neighbours have nothing to do with each other."""
    return int(np.random.SeedSequence([number % 2**64 for number in numbers]).generate_state(1)[0])
