"""The loader: batches that depend on the seed, the pass and the picture, and on nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torchvision import tv_tensors
from torchvision.transforms import v2

from seg_demo.data.dataset import Sample
from seg_demo.data.loader import Batch, loader
from seg_demo.data.preprocessing import Preprocessing
from seg_demo.data.procedural import ProceduralNewts
from seg_demo.data.transforms import Resize, training_chain
from seg_demo.errors import UserError

NEWTS = ProceduralNewts(5, longest=64)
CHAIN = training_chain(32, Preprocessing())
STILL = v2.Compose([Resize(8, 8), v2.ToDtype(torch.float32, scale=True)])


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


def passes(count: int, samples: Sequence[Sample] = NEWTS, transform: Any = CHAIN, **changes: Any) -> list[list[Batch]]:
    settings: dict[str, Any] = {"batch_size": 2, "seed": 3} | changes
    batches = loader(samples, transform, **settings)
    return [list(batches) for _ in range(count)]


def equal(one: list[list[Batch]], other: list[list[Batch]]) -> bool:
    return all(
        torch.equal(part, same)
        for batches, others in zip(one, other, strict=True)
        for batch, another in zip(batches, others, strict=True)
        for part, same in zip(batch, another, strict=True)
    )


def order(batches: list[Batch]) -> list[int]:
    return torch.cat([label_maps[:, 0, 0] for _, label_maps in batches]).tolist()


def test_batches() -> None:
    ((first, _, last),) = passes(1)
    images, label_maps = first
    assert images.shape == (2, 3, 32, 32)
    assert images.dtype == torch.float32
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert label_maps.shape == (2, 32, 32)
    assert label_maps.dtype == torch.int64
    assert type(images) is type(label_maps) is torch.Tensor
    assert images.mean().abs() < 2
    assert len(last[0]) == 1
    assert [len(images) for images, _ in passes(1, drop_last=True)[0]] == [2, 2]


def test_workers_change_nothing() -> None:
    alone = passes(2)
    assert equal(alone, passes(2, workers=2))
    assert equal(alone, passes(2))
    assert not equal(alone, passes(2, seed=4))
    assert not equal(alone[:1], alone[1:])


def test_a_picture_varies_with_the_seed_the_pass_and_its_number() -> None:
    same = [NEWTS[0]] * 3
    images = torch.cat([images for batches in passes(2, same, shuffle=False) for images, _ in batches])
    others = torch.cat([images for images, _ in passes(1, same, shuffle=False, seed=4)[0]])
    assert len({image.sum().item() for image in (*images, *others)}) == 9


def test_batch_size_does_not_change_what_a_picture_becomes() -> None:
    ones, threes = (passes(1, batch_size=size) for size in (1, 3))
    assert torch.equal(*(torch.cat([images for images, _ in batches]) for (batches,) in (ones, threes)))


def test_order() -> None:
    first, second, third = (order(batches) for batches in passes(3, numbered(20), STILL, batch_size=6))
    assert sorted(first) == sorted(second) == sorted(third) == list(range(20))
    assert len({tuple(drawn) for drawn in (first, second, third, range(20))}) == 4
    assert order(passes(1, numbered(20), STILL, shuffle=False)[0]) == list(range(20))
    batches = loader(numbered(20), STILL, batch_size=6, seed=3)
    batches.sampler.epoch = 2  # type: ignore[attr-defined]
    assert order(list(batches)) == third


def test_a_loader_leaves_the_random_numbers_of_its_process_alone() -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    batches = iter(loader(NEWTS, CHAIN, batch_size=2, seed=3))
    next(batches)
    torch.manual_seed(0)
    next(batches)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_picture_that_cannot_be_read_ends_in_its_sentence(workers: int) -> None:
    batches = loader(Damaged(), CHAIN, batch_size=2, seed=0, shuffle=False, workers=workers)
    seen = []
    with pytest.raises(UserError, match=r"^\{cat\}\.png is empty\. Choose another file\.$") as caught:
        seen.extend(batches)
    assert caught.value.fields == {"name": "{cat}.png"}
    assert caught.value.template == "{name} is empty. Choose another file."


def test_no_pictures() -> None:
    with pytest.raises(UserError, match="^There are no pictures to learn from."):
        loader([], CHAIN, batch_size=2, seed=0)


def test_a_transform_gets_the_pair() -> None:
    got = []

    def look(image: tv_tensors.Image, label_map: tv_tensors.Mask) -> Any:
        got.append((type(image), type(label_map), tuple(image.shape), tuple(label_map.shape)))
        return STILL(image, label_map)

    list(loader(numbered(1), look, batch_size=1, seed=0))
    assert got == [(tv_tensors.Image, tv_tensors.Mask, (3, 9, 8), (1, 9, 8))]
