"""The loader: batches that depend on the seed and their number, and on nothing else."""

from __future__ import annotations

import itertools
import math
import multiprocessing
import pickle
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from seg_demo.data.dataset import Sample
from seg_demo.data.loader import AnyPicture, Batch, Key, Order, Pair, ResizedPictures, Varied, batches
from seg_demo.data.preprocessing import Preprocessing
from seg_demo.data.procedural import ProceduralNewts
from seg_demo.data.transforms import Resize, ResizeByRule, as_pair, training_chain
from seg_demo.errors import UserError

NEWTS = ProceduralNewts(5, longest=64)
CHAIN = training_chain(32, Preprocessing(), noise=0.05, grayscale=0.2, focus=0.5)
STILL = v2.Compose([Resize(8, 8), v2.ToDtype(torch.float32, scale=True)])
NONE: list[Sample] = []
GIGABYTE = 1e9


class Counted(Sequence[Sample]):
    """Other samples; `asked` counts how often each was read."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples, self.asked = samples, Counter[int]()

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        self.asked[index] += 1
        return self.samples[index]


class Damaged(Sequence[Sample]):
    """Three pictures, of which the last cannot be read."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        if index == 2:
            raise UserError("{name} is empty. Choose another file.", name="{cat}.png")
        return NEWTS[index]


def numbered(count: int) -> list[Sample]:
    """Pictures whose values are their number."""
    return [
        Sample(str(number), np.full((9, 8, 3), number, np.uint8), np.full((9, 8), number, np.uint8))
        for number in range(count)
    ]


def resized(samples: Sequence[Sample], memory: float = GIGABYTE, rule: Preprocessing | None = None) -> ResizedPictures:
    return ResizedPictures(samples, rule or Preprocessing(), memory)


def endless(
    samples: Sequence[Sample] = NEWTS, others: Sequence[Sample] = NONE, *,
    transform: Any = CHAIN, share: float = 0.0, seed: int = 3, memory: float = GIGABYTE, **changes: Any,
) -> Iterator[Batch]:  # fmt: skip
    varied = Varied((resized(samples, memory), resized(others, memory)), transform, seed)
    return batches(varied, Order((len(samples), len(others)), share, seed), **({"batch_size": 2} | changes))


def first(count: int, *arguments: Any, **changes: Any) -> list[Batch]:
    made = endless(*arguments, **changes)
    taken = list(itertools.islice(made, count))
    made.close()  # type: ignore[attr-defined]
    return taken


def equal(one: Sequence[Batch], other: Sequence[Batch]) -> bool:
    return all(
        torch.equal(batch.images, same.images)
        and torch.equal(batch.label_maps, same.label_maps)
        and batch.keys == same.keys
        for batch, same in zip(one, other, strict=True)
    )


def gone() -> bool:
    """Whether no worker is left; one that was told to end may take a moment."""
    for _ in range(50):
        if not multiprocessing.active_children():
            return True
        time.sleep(0.02)
    return False


# Order

LENGTHS = st.tuples(st.integers(1, 12), st.integers(1, 12))
SHARES = st.one_of(st.sampled_from([0.0, 0.1, 0.29, 1 / 3, 0.5, 0.7, 1.0]), st.integers(0, 100).map(lambda n: n / 100))


@settings(max_examples=60, deadline=None)
@given(
    lengths=LENGTHS, share=SHARES, seed=st.integers(0, 2**31), start=st.integers(0, 10**6), count=st.integers(1, 300)
)
def test_the_share_of_the_second_pool_is_exact_everywhere(
    lengths: tuple[int, int], share: float, seed: int, start: int, count: int
) -> None:
    order = Order(lengths, share, seed)
    drawn = sum(order[position].pool for position in range(start, start + count))
    exact = count * Fraction(share).limit_denominator(100)
    assert math.floor(exact) <= drawn <= math.ceil(exact)


@settings(max_examples=40, deadline=None)
@given(lengths=LENGTHS, share=SHARES, seed=st.integers(0, 2**31))
def test_each_pass_takes_each_picture_once(lengths: tuple[int, int], share: float, seed: int) -> None:
    order = Order(lengths, share, seed)
    keys = [order[position] for position in range(200)]
    for pool, length in enumerate(lengths):
        drawn = [key for key in keys if key.pool == pool]
        assert [key.epoch for key in drawn] == [place // length for place in range(len(drawn))]
        for begin in range(0, len(drawn) - length + 1, length):
            assert sorted(key.index for key in drawn[begin : begin + length]) == list(range(length))
    assert len(set(keys)) == len(keys)  # no variation comes twice


def test_an_order_is_a_function_of_its_seed_with_access_at_random() -> None:
    keys = [Order((7, 30), 0.6, 5)[position] for position in range(100)]
    order = Order((7, 30), 0.6, 5)
    places = np.random.default_rng(0).permutation(100).tolist()
    assert {place: order[place] for place in places} == dict(enumerate(keys))
    assert Order((7, 0), 0, 5)[7 * 10**12 + 3].epoch == 10**12


def indices(order: Order, pool: int, epoch: int) -> tuple[int, ...]:
    keys = map(order.__getitem__, range(400))
    return tuple(key.index for key in keys if (key.pool, key.epoch) == (pool, epoch))


def test_passes_pools_and_seeds_differ() -> None:
    orders = [Order((20, 20), 0.5, seed) for seed in (0, 1, 2**31)]
    drawn = {indices(order, pool, epoch) for order in orders for pool in (0, 1) for epoch in range(5)}
    assert len(drawn) == 3 * 2 * 5
    assert tuple(range(20)) not in drawn


@pytest.mark.parametrize(
    ("lengths", "share", "pool"), [((3, 0), 0.0, 0), ((0, 3), 1.0, 1), ((4, 3), 0, 0), ((4, 3), 1, 1)]
)
def test_one_pool_is_enough(lengths: tuple[int, int], share: float, pool: int) -> None:
    order = Order(lengths, share, 0)
    assert {order[position].pool for position in range(50)} == {pool}


@pytest.mark.parametrize(
    ("lengths", "share"), [((0, 0), 0.0), ((0, 0), 1.0), ((0, 3), 0.0), ((3, 0), 1.0), ((0, 3), 0.5), ((3, 0), 0.5)]
)
def test_no_pictures(lengths: tuple[int, int], share: float) -> None:
    with pytest.raises(
        UserError, match="^There are no pictures to learn from. Give a folder of photos, or draw some.$"
    ):
        Order(lengths, share, 0)


# Batches


@pytest.mark.parametrize("workers", [0, 1])
def test_what_a_batch_is(workers: int) -> None:
    (batch,) = first(1, batch_size=3, workers=workers)
    images, label_maps, keys = batch
    assert images.shape == (3, 3, 32, 32)
    assert images.dtype == torch.float32
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert label_maps.shape == (3, 32, 32)
    assert label_maps.dtype == torch.int64
    assert type(images) is type(label_maps) is Tensor
    assert images.mean().abs() < 2
    assert all(type(key) is Key for key in keys)


def test_a_batch_is_what_its_keys_say() -> None:
    made = first(9, numbered(3), numbered(5), transform=STILL, share=0.4, batch_size=4)
    order = Order((3, 5), 0.4, 3)
    assert [key for batch in made for key in batch.keys] == [order[position] for position in range(36)]
    for batch in made:
        assert batch.label_maps[:, 0, 0].tolist() == [key.index for key in batch.keys]
        assert (batch.images[:, 0, 0, 0] * 255).round().tolist() == [key.index for key in batch.keys]
    varied = Varied((resized(NEWTS), resized(NONE)), CHAIN, 3)
    for batch in first(4):
        for image, label_map, key in zip(*batch, strict=True):
            again, again_map = varied[key]
            assert torch.equal(image, again)
            assert torch.equal(label_map, again_map[0].long())


def test_workers_and_memory_change_nothing() -> None:
    alone = first(6)
    assert equal(alone, first(6))
    assert equal(alone, first(6, workers=2))
    assert equal(alone, first(6, memory=0))
    assert not equal(alone, first(6, seed=4))


def test_to_start_later_is_to_skip() -> None:
    sources = (numbered(3), numbered(4))
    whole = first(9, *sources, share=0.3, batch_size=5)
    for start in (1, 4, 8):
        assert equal(whole[start:], first(9 - start, *sources, share=0.3, batch_size=5, start=start))
    assert equal(whole[4:], first(5, *sources, share=0.3, batch_size=5, start=4, workers=2))


@pytest.mark.parametrize(("size", "world"), [(4, 2), (6, 3), (4, 1), (5, 2)])
def test_the_ranks_share_a_batch(size: int, world: int) -> None:
    whole = first(4, batch_size=size)
    parts = [first(4, batch_size=size, rank=rank, world=world) for rank in range(world)]
    for number, batch in enumerate(whole):
        for rank in range(world):
            part = parts[rank][number]
            assert part.keys == batch.keys[rank::world]
            assert torch.equal(part.images, batch.images[rank::world])
            assert torch.equal(part.label_maps, batch.label_maps[rank::world])


def test_the_size_of_a_batch_does_not_change_what_a_picture_becomes() -> None:
    twos, threes = first(6, batch_size=2), first(4, batch_size=3)
    assert torch.equal(*(torch.cat([batch.images for batch in made]) for made in (twos, threes)))


def test_each_time_a_picture_is_another() -> None:
    same = [NEWTS[0]] * 3
    images = [image for batch in first(4, same, same, share=0.5, batch_size=3) for image in batch.images]
    images += [image for batch in first(2, same, seed=4, batch_size=3) for image in batch.images]
    assert len({image.sum().item() for image in images}) == 18


@pytest.mark.parametrize("workers", [0, 2])
def test_the_random_numbers_of_the_process_are_left_alone(workers: int) -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    before = np.random.get_state()[1].tolist()  # type: ignore[union-attr, index]
    first(2, workers=workers)
    assert torch.equal(torch.rand(3), expected)
    assert np.random.get_state()[1].tolist() == before  # type: ignore[union-attr, index]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_picture_that_cannot_be_read_ends_in_its_sentence(workers: int) -> None:
    made = endless(Damaged(), batch_size=1, workers=workers)
    seen = []
    with pytest.raises(UserError, match=r"^\{cat\}\.png is empty\. Choose another file\.$") as caught:
        seen.extend(made)
    assert caught.value.fields == {"name": "{cat}.png"}
    assert caught.value.template == "{name} is empty. Choose another file."
    assert next(made, None) is None  # it has ended
    assert len(seen) == [Order((3, 0), 0, 3)[position].index for position in range(3)].index(2)
    if workers:
        assert gone()


def test_workers_are_gone_with_the_iterator() -> None:
    made = endless(workers=2)
    next(made)
    assert len(multiprocessing.active_children()) == 2
    made.close()  # type: ignore[attr-defined]
    assert gone()
    forgotten = endless(workers=2)
    next(forgotten)
    del forgotten
    assert gone()


def test_a_batch_is_no_part_of_what_is_kept() -> None:
    pictures = resized(numbered(1))
    kept = [part.clone() for part in pictures[0]]

    def as_it_is(image: tv_tensors.Image, label_map: tv_tensors.Mask) -> Pair:
        return image, label_map

    made = batches(Varied((pictures, pictures), as_it_is, 0), Order((1, 0), 0, 0), batch_size=1)
    batch = next(made)
    batch.images.fill_(77)
    batch.label_maps.fill_(77)
    assert all(map(torch.equal, pictures[0], kept))
    for whole in (False, True):  # nor does the chain write into it
        chain = training_chain(8, Preprocessing(), centred=whole, noise=0.5, grayscale=1, blur=1, focus=1)
        varied = Varied((pictures, pictures), chain, 0)
        for epoch in range(5):
            image, label_map = varied[Key(0, epoch, 0)]
            image.fill_(77)
            label_map.fill_(77)
    assert all(map(torch.equal, pictures[0], kept))


def test_a_transform_gets_the_pair() -> None:
    got = []

    def look(image: tv_tensors.Image, label_map: tv_tensors.Mask) -> Any:
        got.append((type(image), type(label_map), tuple(image.shape), tuple(label_map.shape)))
        return STILL(image, label_map)

    first(1, numbered(1), transform=look, batch_size=1)
    assert got == [(tv_tensors.Image, tv_tensors.Mask, (3, 9, 8), (1, 9, 8))]


# Pictures that are kept

BYTES = 9 * 8 * 4  # of one of `numbered`, image and label map


@pytest.mark.parametrize(
    ("memory", "kept"), [(0, 0), (BYTES - 1, 0), (BYTES, 1), (2.5 * BYTES, 2), (3 * BYTES, 3), (GIGABYTE, 3)]
)
def test_what_is_kept_fits_into_the_memory(memory: float, kept: int) -> None:
    samples = Counted(numbered(3))
    pictures = resized(samples, memory)
    assert len(pictures) == 3
    assert not samples.asked  # nothing is read before it is asked for
    for _ in range(4):
        for index in range(3):
            assert pictures[index][1].unique().tolist() == [index]
    assert sorted(samples.asked.values()) == sorted([1] * kept + [4] * (3 - kept))


def test_a_small_picture_is_kept_where_a_large_one_is_not() -> None:
    large = Sample("large", np.zeros((90, 80, 3), np.uint8), np.zeros((90, 80), np.uint8))
    samples = Counted([large, *numbered(1)])
    pictures = resized(samples, 2 * BYTES)
    for index in (0, 1, 0, 1):
        pictures[index]
    assert samples.asked == {0: 2, 1: 1}


def test_pictures_are_kept_in_their_new_size() -> None:
    rule = Preprocessing("longest", 20)
    for memory in (0, GIGABYTE):
        pictures = resized(NEWTS, memory, rule)
        for index in (0, 4, 0, 4):
            expected = ResizeByRule(rule)(*as_pair(NEWTS[index]))
            assert max(pictures[index][0].shape) == 20
            assert all(map(torch.equal, pictures[index], expected))
            assert [type(part) for part in pictures[index]] == [tv_tensors.Image, tv_tensors.Mask]
            assert [part.dtype for part in pictures[index]] == [torch.uint8] * 2
    assert equal(first(3, memory=0), first(3, memory=GIGABYTE))


def test_what_workers_get_can_be_sent_to_them() -> None:
    """Elsewhere than on Linux, they do not begin as copies of this process."""
    pools = (resized(numbered(3)), resized(numbered(2)))
    chain = training_chain(8, Preprocessing(), paste=1.0, others=AnyPicture(pools, 0.5))
    varied = Varied(pools, chain, 0)
    again = pickle.loads(pickle.dumps(varied))
    for one, other in zip(varied[Key(0, 0, 1)], again[Key(0, 0, 1)], strict=True):
        assert torch.equal(one, other)


def test_a_worker_that_is_killed_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(*_: object, **__: object) -> Any:
        raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed.")

    pools = (resized(numbered(3)), resized(numbered(1)))
    stream = batches(Varied(pools, training_chain(8, Preprocessing()), 0), Order((3, 1), 0, 0), batch_size=1)
    next(stream)
    monkeypatch.setattr(Varied, "__getitem__", ended)
    with pytest.raises(UserError, match="^A process that prepares pictures was ended by the system, .* Lower"):
        next(stream)
