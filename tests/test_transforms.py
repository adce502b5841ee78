"""Joint transforms: whatever the chain, label maps keep their values and lie on their images."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from seg_demo.data.preprocessing import Preprocessing
from seg_demo.data.transforms import (
    CentreSquare,
    Clamp,
    RandomBlur,
    RandomCrop,
    RandomHue,
    RandomPaste,
    RandomRotation,
    RandomScale,
    RandomWindow,
    Resize,
    ResizeByRule,
    resize_image,
    resize_label_map,
    sliding_crops,
    sliding_positions,
    training_chain,
)
from seg_demo.data.transforms.colour import turn_hue
from seg_demo.data.transforms.crops import cut, largest_share
from seg_demo.data.transforms.tensors import to_float

Pair = tuple[tv_tensors.Image, tv_tensors.Mask]
SEEDS = st.integers(0, 2**31)


def noise(height: int, width: int, values: tuple[int, ...] = (0, 1, 2, 255)) -> Pair:
    image = torch.randint(0, 256, (3, height, width), dtype=torch.uint8)
    label_map = torch.tensor(values, dtype=torch.uint8)[torch.randint(len(values), (1, height, width))]
    return tv_tensors.Image(image), tv_tensors.Mask(label_map)


def rows(*lines: list[int]) -> tv_tensors.Mask:
    return tv_tensors.Mask(torch.tensor([lines], dtype=torch.uint8))


def image_of(*lines: list[int]) -> tv_tensors.Image:
    return tv_tensors.Image(torch.tensor([lines], dtype=torch.uint8).expand(3, -1, -1).contiguous())


def test_floats_are_quotients() -> None:
    """Exactly: trained checkpoints can be trained again to the same weights only from the same numbers."""
    assert torch.equal(to_float(torch.arange(256, dtype=torch.uint8)), torch.arange(256) / 255)


# Any chain


def geometric(sizes: st.SearchStrategy[int], least: float) -> st.SearchStrategy[Any]:
    """Transforms that move pixels, to crops of `sizes`; `least`: the smallest scale."""
    shares = st.sampled_from([0.5, 0.75, 1.0])
    return st.one_of(
        st.builds(Resize, sizes, sizes),
        st.builds(ResizeByRule, st.builds(Preprocessing, st.sampled_from(["longest", "exact"]), sizes)),
        st.builds(RandomScale, st.just(least), st.just(1.5)),
        st.builds(RandomCrop, sizes, shares),
        st.builds(CentreSquare),
        st.builds(RandomRotation, st.sampled_from([10, 180])),
        windows(sizes, least),
        st.sampled_from([v2.RandomHorizontalFlip(1), v2.RandomVerticalFlip(1)]),
    )  # fmt: skip


def windows(sizes: st.SearchStrategy[int], least: float) -> st.SearchStrategy[RandomWindow]:
    """Windows with every option, each of them off now and then."""
    chances = st.sampled_from([0.0, 0.5, 1.0])
    return st.builds(
        RandomWindow,
        sizes,
        scale=st.sampled_from([(1.0, 1.0), (least, 1.5), (least, least)]),
        stretch=st.sampled_from([0.0, 0.2]),
        rotation=st.sampled_from([0.0, 30.0, 180.0]),
        flip=chances,
        vertical_flip=chances,
        centred=st.booleans(),
        focus=chances,
        category_max_ratio=st.sampled_from([0.5, 0.75, 1.0]),
        ignore_index=st.sampled_from([255, 255, 9]),
    )


COLOURFUL = st.sampled_from([v2.ColorJitter(0.4, 0.4, 0.4), RandomHue(0.5), RandomBlur()])


@settings(max_examples=150, deadline=None)
@given(
    chain=st.lists(st.one_of(geometric(st.integers(1, 40), 0.1), COLOURFUL), max_size=4),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    values=st.lists(st.integers(0, 255), min_size=1, max_size=5),
    seed=SEEDS,
)
def test_any_chain_keeps_values_and_sizes(
    chain: list[Any], height: int, width: int, values: list[int], seed: int
) -> None:
    torch.manual_seed(seed)
    image, label_map = noise(height, width, tuple(values))
    before = image.clone(), label_map.clone()
    varied, varied_map = v2.Compose([v2.Identity(), *chain])(image, label_map)
    ignored = {getattr(step, "ignore_index", 255) for step in chain}
    assert set(varied_map.unique().tolist()) <= {*values, 255, *ignored}
    assert type(varied) is tv_tensors.Image
    assert type(varied_map) is tv_tensors.Mask
    assert varied_map.dtype == torch.uint8
    assert varied.shape == (3, *varied_map.shape[1:])
    if varied.dtype != torch.uint8:
        assert varied.dtype == torch.float32
        assert varied.min() >= 0
        assert varied.max() <= 1 + 1e-6
    assert torch.equal(image, before[0])  # the pictures that a run holds are varied again and again
    assert torch.equal(label_map, before[1])
    torch.manual_seed(seed)
    noise(height, width, tuple(values))
    again, again_map = v2.Compose([v2.Identity(), *chain])(image, label_map)
    assert torch.equal(varied, again)
    assert torch.equal(varied_map, again_map)


def marker(height: int, width: int, top: int, left: int, side: int) -> Pair:
    """A bright square of class 7 on a dark ground."""
    label_map = torch.zeros(1, height, width, dtype=torch.uint8)
    label_map[:, top : top + side, left : left + side] = 7
    return tv_tensors.Image(torch.where(label_map == 7, 230, 20).to(torch.uint8).expand(3, -1, -1).clone()), (
        tv_tensors.Mask(label_map)
    )


@settings(max_examples=150, deadline=None)
@given(
    chain=st.lists(st.one_of(geometric(st.integers(40, 90), 0.6), COLOURFUL), max_size=3),
    place=st.tuples(*[st.integers(0, 50)] * 2),
    side=st.integers(20, 40),
    seed=SEEDS,
)
def test_any_chain_moves_image_and_label_map_alike(
    chain: list[Any], place: tuple[int, int], side: int, seed: int
) -> None:
    torch.manual_seed(seed)
    varied, varied_map = v2.Compose([v2.Identity(), *chain])(*marker(80, 90, *place, side))
    bright = varied.float().mean(0) / (255 if varied.dtype == torch.uint8 else 1)
    labelled = (varied_map[0] == 0) | (varied_map[0] == 7)
    by_label = varied_map[0] == 7
    middle = (bright[by_label].median() + bright[varied_map[0] == 0].median()) / 2
    by_colour = (bright > middle) & labelled
    if min(extent(by_label)) < 16 or (varied_map == 0).sum() < 50:
        return  # too little of it is left to tell
    apart = (centroid(by_colour) - centroid(by_label)).abs().max()
    overlap = (by_colour & by_label).sum() / (by_colour | by_label).sum()
    assert apart <= 0.5 * len(chain) + 0.05  # nearest rounds by up to half a pixel, each time
    assert overlap > 0.8


def centroid(mask: Tensor) -> Tensor:
    return mask.nonzero().float().mean(0)


def extent(mask: Tensor) -> list[int]:
    """Rows and columns that hold any of `mask`."""
    return [int(mask.any(dim).sum()) for dim in (1, 0)]


@pytest.mark.parametrize("transform", [Resize(2, 2), RandomCrop(2), CentreSquare(), RandomRotation(5), RandomWindow(2)])
def test_pairs_that_are_refused(transform: Any) -> None:
    image, label_map = noise(4, 4)
    with pytest.raises(TypeError, match="takes tv_tensors.Image and tv_tensors.Mask, no plain tensor"):
        transform(image, label_map.as_subclass(Tensor))
    with pytest.raises(TypeError, match=r"a label map must be \(1, H, W\) uint8, not \(1, 4, 4\) torch.int64"):
        transform(image, tv_tensors.Mask(label_map.long()))
    with pytest.raises(ValueError, match="multiple HxW"):
        transform(image, noise(4, 5)[1])


# Sizes


def test_a_label_map_takes_the_pixel_in_the_middle() -> None:
    label_map = rows([0, 1, 2, 3, 4, 5, 6, 7, 8])
    _, small = Resize(1, 3)(tv_tensors.Image(label_map.expand(3, -1, -1)), label_map)
    assert small.tolist() == [[[1, 4, 7]]]
    assert v2.Resize((1, 3))(label_map).tolist() == [[[0, 3, 6]]]  # why `Resize` is not torchvision's


@settings(max_examples=60, deadline=None)
@given(size=st.integers(1, 60), new=st.integers(1, 60))
def test_nearest_lies_under_bilinear(size: int, new: int) -> None:
    """A ramp stays one: each label is the position of its pixel centre, within half a pixel."""
    (small,) = Resize(1, new)(rows(list(range(size)))).reshape(1, new).tolist()
    for position, value in enumerate(small):
        assert abs(value + 0.5 - (position + 0.5) * size / new) <= 0.5


def test_resize_to_a_rule_and_to_a_size() -> None:
    image, label_map = noise(30, 60)
    assert [part.shape for part in Resize(7, 9)(image, label_map)] == [(3, 7, 9), (1, 7, 9)]
    rule = Preprocessing("shortest", 15)
    small, small_map = ResizeByRule(rule)(image, label_map)
    assert small.shape == (3, 15, 30)
    assert small.dtype == torch.uint8
    assert torch.equal(small, resize_image(image.as_subclass(Tensor), rule))
    assert torch.equal(small_map, resize_label_map(label_map.as_subclass(Tensor), rule))
    assert torch.equal(ResizeByRule(Preprocessing())(image), image)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 2), (2, 1), (2, 2), (7, 3)])
def test_resize_of_small_pictures(height: int, width: int) -> None:
    """However they lie in memory; torch's own answers are wrong for some of them."""
    image, _ = noise(height, width)
    channels_last = tv_tensors.Image(image.permute(1, 2, 0).contiguous().permute(2, 0, 1))
    for size in ((1, 1), (3, 1), (5, 4), (1, 3)):
        expected = F.resize(image.double(), list(size), antialias=True).float()
        for same in (image, channels_last):
            small = Resize(*size)(same)
            assert small.dtype == torch.uint8
            torch.testing.assert_close(small.float(), expected, atol=1.01, rtol=0)


def test_random_scale_spans_its_range() -> None:
    torch.manual_seed(0)
    heights = [RandomScale()(noise(40, 20))[1].shape[1:] for _ in range(200)]
    assert all(abs(height - 2 * width) <= 1 for height, width in heights)
    assert 20 <= min(heights)[0] < 23
    assert 77 < max(heights)[0] <= 80
    assert 47 < sum(height for height, _ in heights) / 200 < 53


# Crops


def test_a_cut_beyond_the_picture() -> None:
    image, label_map = image_of([10, 20], [30, 40]), rows([1, 2], [3, 4])
    assert cut(label_map, -1, 0, 3, 4).tolist() == [[[255] * 4, [1, 2, 255, 255], [3, 4, 255, 255]]]
    assert cut(image, -1, 0, 3, 4)[0].tolist() == [[10, 20, 20, 10], [10, 20, 20, 10], [30, 40, 40, 30]]
    assert cut(image, 0, -3, 1, 5)[0].tolist() == [[20, 20, 10, 10, 20]]
    assert cut(label_map, 0, 1, 2, 1).tolist() == [[[2], [4]]]
    assert cut(label_map, 5, 5, 1, 2, 9).tolist() == [[[9, 9]]]


def test_random_crops_lie_everywhere_and_only_inside() -> None:
    label_map = rows(*torch.arange(12).reshape(3, 4).tolist())
    torch.manual_seed(0)
    crops = {tuple(RandomCrop(2)(label_map).flatten().tolist()) for _ in range(200)}
    assert crops == {(p, p + 1, p + 4, p + 5) for p in (0, 1, 2, 4, 5, 6)}


def test_a_small_picture_lies_whole_in_a_random_crop() -> None:
    torch.manual_seed(0)
    crops = [RandomCrop(4, 0.75)(rows([1, 2])) for _ in range(300)]
    assert all(sorted(crop.flatten().tolist()) == [1, 2, *[255] * 14] for crop in crops)
    assert len({int((crop == 1).flatten().int().argmax()) for crop in crops}) == 4 * 3


def test_largest_share_does_not_count_what_is_ignored() -> None:
    assert largest_share(rows([1, 1, 2, 255, 255, 255])) == pytest.approx(2 / 3)
    assert largest_share(rows([1, 7, 2, 7, 7, 7]), 7) == 0.5
    assert largest_share(rows([255, 255])) == 1


def shares(crop: Any, label_map: tv_tensors.Mask, count: int = 300) -> list[float]:
    return [largest_share(crop(label_map)) for _ in range(count)]


@pytest.mark.parametrize(
    ("kind", "chance"),
    [
        # 3 of the 91 places pass (3, 4 or 5 columns of class 1), so one of ten draws does with chance 1 - (88 / 91)^10.
        (RandomCrop, 1 - (88 / 91) ** 10),
        # Centres are drawn evenly from 0 to 100 and moved inside: 2.5 of class 1 are seen from 92.5 on.
        (lambda size, ratio: RandomWindow(size, category_max_ratio=ratio), 1 - 0.925**10),
    ],
)
def test_a_crop_of_nearly_one_class_is_drawn_again(kind: Any, chance: float) -> None:
    """Class 1 covers a twentieth of the picture, at its right side; a quarter of a crop must be other than 0."""
    label_map = tv_tensors.Mask(torch.zeros(1, 10, 100, dtype=torch.uint8))
    label_map[:, :, 95:] = 1
    torch.manual_seed(0)
    passed = sum(share <= 0.75 for share in shares(kind(10, 0.75), label_map)) / 300
    assert abs(passed - chance) < 3.5 * math.sqrt(chance * (1 - chance) / 300)
    assert sum(share <= 0.75 for share in shares(kind(10, 1.0), label_map)) / 300 < 0.12
    mixed = tv_tensors.Mask(label_map.clone())
    mixed[:, :, :95] = 255
    assert shares(kind(10, 0.75), mixed, 3) == [1] * 3  # nothing passes, and still it ends


def test_large_crops_are_judged_by_some_of_their_pixels() -> None:
    halves = tv_tensors.Mask(torch.zeros(1, 200, 400, dtype=torch.uint8))
    halves[:, :, 200:] = 1
    torch.manual_seed(0)
    # A quarter of the places passes; what is judged by a part of the pixels may be wrong by one of 67 columns.
    assert 0.15 < sum(share <= 0.77 for share in shares(RandomWindow(200), halves, 100)) / 100 < 0.4
    judged = shares(RandomWindow(200, category_max_ratio=0.75), halves, 100)
    assert sum(share <= 0.77 for share in judged) / 100 > 0.85  # 1 - 0.75^10 = 0.94


def test_the_tenth_crop_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    monkeypatch.setattr(
        "seg_demo.data.transforms.crops.draw_corner", lambda *sizes: drawn.append(sizes) or (0, len(drawn) - 1)
    )
    assert RandomCrop(1, 0.75)(rows(list(range(20)))).tolist() == [[[9]]]
    drawn.clear()
    RandomCrop(1)(rows(list(range(20))))
    assert len(drawn) == 1


def test_centre_square() -> None:
    assert CentreSquare()(rows([0, 1, 2, 3, 4, 5])).tolist() == [[[2]]]
    assert CentreSquare()(rows([0], [1], [2])).tolist() == [[[1]]]
    image, label_map = v2.Compose([CentreSquare(), Resize(128, 128)])(*noise(90, 200))
    assert image.shape == (3, 128, 128)
    assert label_map.shape == (1, 128, 128)


def test_sliding_positions_of_the_recipe() -> None:
    """Cityscapes at 473: three rows of six crops, 316 apart, of which the last ones go beyond the picture."""
    positions = sliding_positions(1024, 2048, 473)
    assert positions[:7] == [*((0, left) for left in range(0, 1581, 316)), (316, 0)]
    assert len(positions) == 3 * 6
    assert sliding_positions(473, 474, 473) == [(0, 0), (0, 316)]
    assert sliding_positions(1, 1, 473) == [(0, 0)]


@settings(max_examples=80, deadline=None)
@given(height=st.integers(1, 30), width=st.integers(1, 30), size=st.integers(1, 20))
def test_sliding_crops_cover_everything(height: int, width: int, size: int) -> None:
    image, label_map = noise(height, width, (0, 1, 2))
    rebuilt, rebuilt_map = torch.full_like(image, 77), torch.full_like(label_map, 99)
    ignored = 0
    crops = sliding_crops(image, label_map, size)
    for top, left, crop, crop_map in crops:
        assert crop.shape == (3, size, size)
        inside = crop_map[0, : height - top, : width - left]
        assert inside.numel() > 0
        assert (inside != 255).all()
        ignored += int((crop_map == 255).sum()) - (size**2 - inside.numel())
        rebuilt[:, top : top + size, left : left + size] = crop[:, : height - top, : width - left]
        rebuilt_map[:, top : top + size, left : left + size] = inside
    assert ignored == 0
    assert torch.equal(rebuilt, image)
    assert torch.equal(rebuilt_map, label_map)
    stride = -(-2 * size // 3)
    assert all(top % stride == left % stride == 0 for top, left, *_ in crops)


# Windows


@pytest.mark.parametrize("angle", [90, -30, 7.5])
def test_rotation_is_that_of_torchvision(angle: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seg_demo.data.transforms.windows.uniform", lambda low, high: angle)
    image, label_map = marker(60, 60, 10, 5, 20)
    turned, turned_map = RandomRotation(180)(image, label_map)
    expected = F.rotate(image, angle, v2.InterpolationMode.BILINEAR)
    expected_map = F.rotate(label_map, angle, fill=255)
    inside = F.rotate(tv_tensors.Image(torch.full_like(image, 255)), angle, v2.InterpolationMode.BILINEAR)[0] == 255
    torch.testing.assert_close((turned * 255)[:, inside], expected.float()[:, inside], atol=1, rtol=0)
    assert (turned_map != expected_map).float().mean() < 0.002
    assert (turned[0, ~inside] > 0.05).all()  # mirrored, not black


@settings(max_examples=60, deadline=None)
@given(
    zoom=st.floats(0.5, 2),
    angle=st.floats(-180, 180),
    stretch=st.floats(-0.5, 0.5),
    flips=st.tuples(st.integers(0, 1), st.integers(0, 1)),
    size=st.integers(1, 40),
)
def test_a_window_shows_the_places_that_are_written_down(
    zoom: float, angle: float, stretch: float, flips: tuple[int, int], size: int
) -> None:
    """A picture whose colours and labels say where they are, and complex numbers for the places."""
    across, down = (torch.arange(100) + 0.5) / 100, (torch.arange(80) + 0.5) / 80
    image = torch.stack([across.expand(80, 100), down[:, None].expand(80, 100), torch.zeros(80, 100)])
    columns = tv_tensors.Mask(torch.arange(100, dtype=torch.uint8).expand(1, 80, 100).clone())
    window = RandomWindow(
        size, scale=(zoom, zoom), stretch=1, rotation=180, flip=flips[0], vertical_flip=flips[1], centred=True
    )
    drawn = {(-180, 180): angle, (-1, 1): stretch}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "seg_demo.data.transforms.windows.uniform", lambda low, high: drawn.get((low, high), (low + high) / 2)
        )
        seen, labels = window(tv_tensors.Image(image), columns)
    steps = (np.arange(size) + 0.5 - size / 2) / zoom
    flipped = steps * (-1) ** flips[0] * math.exp(stretch) + 1j * (steps * (-1) ** flips[1])[:, None]
    places = flipped * np.exp(1j * math.radians(angle)) + (50 + 40j)
    inside = (abs(places.real - 50) < 49) & (abs(places.imag - 40) < 39)
    assert np.abs(seen[0].numpy() * 100 - places.real)[inside].max(initial=0) < 1e-2
    assert np.abs(seen[1].numpy() * 80 - places.imag)[inside].max(initial=0) < 1e-2
    assert np.abs(labels[0].numpy() + 0.5 - places.real)[inside].max(initial=0) < 0.51


def test_a_window_ignores_what_lies_beyond_the_picture() -> None:
    image, label_map = image_of([0, 100], [200, 255]), rows([1, 2], [3, 4])
    varied, varied_map = RandomWindow(4)(image, label_map)
    assert torch.equal(varied_map, cut(label_map, -1, -1, 4, 4))
    torch.testing.assert_close((varied * 255), cut(image, -1, -1, 4, 4).float(), atol=1e-3, rtol=0)
    _, other = RandomWindow(4, ignore_index=9)(image, label_map)
    assert torch.equal(other, cut(label_map, -1, -1, 4, 4, 9))


def test_a_window_without_variation_is_a_cutout() -> None:
    image, label_map = noise(40, 40)
    same, same_map = RandomWindow(40)(image, label_map)
    torch.testing.assert_close(same.as_subclass(Tensor) * 255, image.float(), atol=0.01, rtol=0)
    assert torch.equal(same_map, label_map)


def test_windows_lie_everywhere_and_only_inside() -> None:
    torch.manual_seed(0)
    label_map = tv_tensors.Mask(torch.arange(200, dtype=torch.uint8).reshape(1, 10, 20))
    crops = [RandomWindow(4)(label_map) for _ in range(400)]
    assert not any((crop == 255).any() for crop in crops)
    firsts = {divmod(int(crop[0, 0, 0]), 20) for crop in crops}
    assert {y for y, _ in firsts} == set(range(7))
    assert {x for _, x in firsts} == set(range(17))


@pytest.mark.parametrize(("height", "width", "size"), [(9, 9, 3), (10, 40, 4), (5, 3, 7)])
def test_a_centred_window_is_the_middle(height: int, width: int, size: int) -> None:
    image, label_map = noise(height, width)
    top, left = (height - size) // 2, (width - size) // 2
    window = RandomWindow(size, centred=True, focus=1, category_max_ratio=0.1)
    for _ in range(3):
        _, seen = window(image, label_map)
        assert torch.equal(seen, cut(label_map, top, left, size, size))


@pytest.mark.parametrize(("focus", "hit"), [(1.0, 1.0), (0.0, 0.2)])
def test_focus_puts_the_class_into_the_crop(focus: float, hit: float) -> None:
    label_map = tv_tensors.Mask(torch.zeros(1, 200, 200, dtype=torch.uint8))
    label_map[:, 90:94, 150:154] = 1
    label_map[:, 0] = 255
    torch.manual_seed(0)
    aimed = RandomWindow(32, scale=(0.6, 1.6), stretch=0.2, rotation=30, focus=focus)
    hits = [bool((aimed(label_map) == 1).any()) for _ in range(40)]
    assert sum(hits) / 40 == hit if focus else sum(hits) / 40 < hit


def test_focus_is_on_a_pixel_of_a_class_and_on_each_of_them() -> None:
    torch.manual_seed(0)
    label_map = rows([0, 5, 0, 255], [0, 0, 0, 7])
    seen = [RandomWindow(1, focus=1)(label_map).item() for _ in range(60)]
    assert set(seen) == {5, 7}
    assert RandomWindow(1, focus=1)(rows([0, 255])).item() in (0, 255)  # where there is none, anywhere


# Colour and sharpness


@settings(max_examples=40, deadline=None)
@given(turns=st.floats(-0.5, 0.5), seed=SEEDS)
def test_hue_is_that_of_torchvision(turns: float, seed: int) -> None:
    torch.manual_seed(seed)
    image = torch.rand(3, 6, 7).mul_(4).round_().div_(4)  # with greys, black, white and equal channels
    torch.testing.assert_close(turn_hue(image, turns), F.adjust_hue(image, turns), atol=1e-5, rtol=0)


@pytest.mark.parametrize("sigma", [0.3, 1.0, 1.5])
def test_blur_is_that_of_torchvision(sigma: float) -> None:
    image, label_map = noise(20, 30)
    blurred, same = RandomBlur(sigma, sigma)(image, label_map)
    expected = F.gaussian_blur(F.to_dtype(image, torch.float32, scale=True), [5, 5], [sigma, sigma])
    torch.testing.assert_close(blurred[:, 2:-2, 2:-2], expected[:, 2:-2, 2:-2], atol=1e-5, rtol=0)
    assert same is label_map
    grey = RandomBlur()(tv_tensors.Image(torch.full((3, 1, 1), 51, dtype=torch.uint8)))
    torch.testing.assert_close(grey.as_subclass(Tensor), torch.full((3, 1, 1), 0.2))


def test_clamp() -> None:
    label_map = rows([2])
    image, same = Clamp()(tv_tensors.Image(torch.tensor([-0.1, 0.5, 1.1]).reshape(3, 1, 1)), label_map)
    assert image.flatten().tolist() == [0, 0.5, 1]
    assert same is label_map


# The whole chain


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 70), width=st.integers(1, 70), seed=SEEDS,
    options=st.fixed_dictionaries({}, optional={
        "vertical_flip": st.just(0.5), "stretch": st.just(0.3), "focus": st.just(0.5), "centred": st.just(True),
        "category_max_ratio": st.just(1.0), "noise": st.just(0.3), "grayscale": st.just(0.5), "blur": st.just(1.0),
        "hue": st.just(0.0), "color": st.just(0.0),
    }),
)  # fmt: skip
def test_the_training_chain(height: int, width: int, options: dict[str, Any], seed: int) -> None:
    torch.manual_seed(seed)
    preprocessing = Preprocessing("longest", 40, mean=(0.5, 0.4, 0.3), std=(0.5, 0.25, 0.2))
    chain = training_chain(32, preprocessing, ignore_index=9, **options)
    image, label_map = chain(*noise(height, width, (0, 3, 9)))
    assert image.shape == (3, 32, 32)
    assert image.dtype == torch.float32
    assert label_map.shape == (1, 32, 32)
    assert label_map.dtype == torch.uint8
    assert set(label_map.unique().tolist()) <= {0, 3, 9}
    for channel, mean, std in zip(image, preprocessing.mean, preprocessing.std, strict=True):
        assert -mean / std - 1e-5 <= channel.min()
        assert channel.max() <= (1 - mean) / std + 1e-5


MOVES = ["flip", "vertical_flip", "rotation", "stretch"]
COLOURS = ["noise", "grayscale", "blur", "hue", "color"]


@pytest.mark.parametrize("option", MOVES + COLOURS)
def test_each_variation_varies_what_it_should(option: str) -> None:
    torch.manual_seed(0)
    image, label_map = noise(32, 32, (0, 1, 2))
    off = dict.fromkeys(MOVES + COLOURS, 0.0)
    plain = Preprocessing(mean=(0, 0, 0), std=(1, 1, 1))
    given = 30.0 if option == "rotation" else 0.5 if option in ("hue", "stretch") else 1.0
    chain = training_chain(32, plain, scale=(1, 1), category_max_ratio=1, **(off | {option: given}))
    varied, varied_map = chain(image, label_map)
    assert (varied - image / 255).abs().mean() > 0.005
    assert torch.equal(varied_map, label_map) == (option in COLOURS)
    if option.endswith("flip"):
        assert torch.equal(varied_map, label_map.flip(-1 if option == "flip" else -2))
    if option == "grayscale":
        assert torch.equal(varied[0], varied[1])


def test_a_training_chain_that_changes_nothing() -> None:
    image, label_map = noise(32, 32)
    still = training_chain(
        32, Preprocessing(mean=(0.5, 0.4, 0.3), std=(0.5, 0.25, 0.2)),
        scale=(1, 1), rotation=0, category_max_ratio=1, flip=0, color=0, hue=0, blur=0,
    )  # fmt: skip
    for _ in range(8):
        same, same_map = still(image, label_map)
        pixels = same * torch.tensor([0.5, 0.25, 0.2])[:, None, None] + torch.tensor([0.5, 0.4, 0.3])[:, None, None]
        torch.testing.assert_close(pixels * 255, image.float(), atol=0.01, rtol=0)
        assert torch.equal(same_map, label_map)
    flipped, flipped_map = v2.Compose([v2.RandomHorizontalFlip(1), v2.RandomVerticalFlip(1)])(image, label_map)
    assert torch.equal(flipped, image.flip(-1, -2))
    assert torch.equal(flipped_map, label_map.flip(-1, -2))


# Copy and paste


def test_what_is_labelled_in_another_picture_is_pasted() -> None:
    image, label_map = tv_tensors.Image(torch.zeros(3, 8, 8)), tv_tensors.Mask(torch.ones(1, 8, 8, dtype=torch.uint8))
    other_map = torch.zeros(1, 8, 8, dtype=torch.uint8)
    other_map[:, :4] = 2
    other_map[:, 0] = 255
    others = lambda: (tv_tensors.Image(torch.ones(3, 8, 8)), tv_tensors.Mask(other_map))  # noqa: E731
    pasted, labels = RandomPaste(1.0, others, RandomWindow(8))(image, label_map)
    assert type(pasted) is tv_tensors.Image
    assert type(labels) is tv_tensors.Mask
    expected = torch.ones(8, 8)
    expected[1:4] = 2  # neither the background nor what is ignored comes along
    assert torch.equal(labels[0].float(), expected)
    assert torch.equal(pasted.as_subclass(torch.Tensor), (expected == 2).float().expand(3, 8, 8))
    assert (label_map == 1).all()  # a copy
    still, same = RandomPaste(0.0, others, RandomWindow(8))(image, label_map)
    assert still is image
    assert same is label_map


def test_the_chain_pastes_with_its_chance() -> None:
    image = tv_tensors.Image(torch.zeros(3, 16, 16, dtype=torch.uint8))
    empty, full = (tv_tensors.Mask(torch.full((1, 16, 16), value, dtype=torch.uint8)) for value in (0, 1))
    chain = training_chain(16, Preprocessing(), paste=0.25, others=lambda: (image, full))
    torch.manual_seed(0)
    share = np.mean([bool((chain(image, empty)[1] == 1).any()) for _ in range(400)])
    assert 0.18 < share < 0.32
    assert not any((training_chain(16, Preprocessing())(image, empty)[1] == 1).any() for _ in range(20))
