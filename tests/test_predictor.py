"""The predictor: own size, the integers as the truth, tiles and bands that leave no trace, too little memory."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torchvision.transforms.v2.functional import resize

from seg_demo.checkpoint import Checkpoint, CheckpointConfig, load_checkpoint
from seg_demo.classes import ClassMap
from seg_demo.data.preprocessing import MAX_ENLARGED, Preprocessing
from seg_demo.data.transforms.crops import sliding_positions
from seg_demo.errors import UserError
from seg_demo.infer.predictor import SMALLEST_TILE, Predictor
from seg_demo.infer.segmentation import Segmentation, threshold_level
from seg_demo.infer.tiling import BAND_ROWS, resized_strips, tiled_logits
from seg_demo.infer.variants import variants_of
from seg_demo.models import build_model
from seg_demo.palettes import NEWTS_BINARY

THREE = ClassMap.of("background", "cat", "dog")


def photo(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


class Network(nn.Module):
    """A network that is a function of the normalised images."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"out": self.function(images)}


def checkpoint(function: Callable[[Tensor], Tensor], classes: ClassMap = NEWTS_BINARY, **changes: Any) -> Checkpoint:
    """A checkpoint whose network sees the picture in [0, 1]: the normalisation does nothing."""
    plain = Preprocessing("none", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    task = "binary" if len(classes) == 2 else "multiclass"
    config = replace(CheckpointConfig("simple", {}, task, classes, plain), **changes)
    return Checkpoint("test", config, Network(function))


def red_as_logit(images: Tensor) -> Tensor:
    """Logits whose sigmoid is the red channel: probabilities that are known beforehand."""
    return torch.logit(images[:, :1], eps=1e-6)


# Thresholds


def smallest_level(threshold: float, full: int) -> int:
    """By search, with exact rationals that are rounded once, as a division is."""
    return next(level for level in range(full + 2) if float(Fraction(level, full)) >= threshold)


@pytest.mark.parametrize("full", [255, 65535])
def test_every_level_is_its_own_threshold(full: int) -> None:
    for level in range(full + 1):
        assert threshold_level(level / full, full) == level


def test_thresholds_beside_a_level() -> None:
    for level in range(256):
        below, above = math.nextafter(level / 255, -1), math.nextafter(level / 255, 2)
        assert threshold_level(below) == level
        assert threshold_level(above) == level + 1


@settings(deadline=None)
@given(threshold=st.floats(0, 1), full=st.sampled_from([255, 65535]))
def test_level_is_the_smallest_at_or_above_the_threshold(threshold: float, full: int) -> None:
    level = threshold_level(threshold, full)
    assert level / full >= threshold
    assert level == 0 or (level - 1) / full < threshold
    assert 0 <= level <= full
    if full == 255:
        assert level == smallest_level(threshold, full)


# Sizes


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (37, 53), (97, 131), (300, 41)])
@pytest.mark.parametrize(
    "preprocessing",
    [
        Preprocessing("none"),
        Preprocessing("longest", 48),
        Preprocessing("longest", 400),
        Preprocessing("shortest", 33),
        Preprocessing("exact", 40),
    ],
    ids=lambda preprocessing: f"{preprocessing.resize} {preprocessing.size}",
)
def test_a_segmentation_has_the_size_of_its_image(
    preprocessing: Preprocessing, size: tuple[int, int], tiny_checkpoint: Path
) -> None:
    loaded = load_checkpoint(tiny_checkpoint)
    segmentation = Predictor(replace(loaded, config=replace(loaded.config, preprocessing=preprocessing)))(photo(*size))
    assert segmentation.label_map.shape == segmentation.confidence.shape == size
    assert segmentation.probabilities is not None
    assert segmentation.probabilities.shape == (1, *size)
    assert segmentation.label_map.dtype == segmentation.confidence.dtype == segmentation.probabilities.dtype == np.uint8
    assert set(segmentation.timing) == (
        {"prepare", "forward"} if preprocessing.input_size(*size) == size else {"prepare", "forward", "quantize"}
    )


@pytest.mark.parametrize(
    ("rule", "size", "image", "expected"),
    [
        ("none", 512, (1000, 2000), (1000, 2000)),
        ("exact", 512, (1000, 2000), (512, 512)),
        ("longest", 320, (1000, 2000), (160, 320)),
        ("longest", 320, (2000, 1000), (320, 160)),
        ("longest", 320, (10, 20), (160, 320)),
        ("longest", 100, (1, 5000), (1, 100)),
        ("shortest", 520, (1040, 2080), (520, 1040)),
        ("shortest", 520, (260, 520), (520, 1040)),
        ("shortest", 520, (333, 500), (520, 781)),
    ],
)
def test_input_size(rule: Any, size: int, image: tuple[int, int], expected: tuple[int, int]) -> None:
    assert Preprocessing(rule, size).input_size(*image) == expected


@pytest.mark.parametrize("image", [(1, 10_000), (64_000, 2), (1, 1), (100, 640_000)])
def test_enlarging_is_bounded(image: tuple[int, int]) -> None:
    """A photo of 10,000 pixels must not ask for 8 GB because it is one pixel high."""
    for size in (520, 8192):
        height, width = Preprocessing("shortest", size).input_size(*image)
        assert height * width <= max(image[0] * image[1], MAX_ENLARGED * 1.01)
        assert height >= image[0]
        assert width >= image[1]


@settings(deadline=None)
@given(rows=st.integers(1, 40), columns=st.integers(1, 40), height=st.integers(1, 300), width=st.integers(1, 60))
def test_streamed_enlarging_is_that_of_interpolate(rows: int, columns: int, height: int, width: int) -> None:
    logits = torch.randn(2, rows, columns, generator=torch.Generator().manual_seed(rows))
    strips = list(resized_strips(logits, height, width))
    assert [top for top, _, _ in strips] == list(range(0, height, BAND_ROWS))
    assert strips[-1][1] == height
    together = torch.cat([strip for _, _, strip in strips], dim=1)
    expected = F.interpolate(logits[None], (height, width), mode="bilinear", align_corners=False)[0]
    torch.testing.assert_close(together, expected, rtol=1e-4, atol=1e-4)


# What is predicted


@pytest.mark.parametrize(("depth", "full", "dtype"), [(8, 255, np.uint8), (16, 65535, np.uint16)])
@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.5, 128 / 255, 0.999, 1.0])
def test_the_integers_are_the_truth(depth: Any, full: int, dtype: type, threshold: float) -> None:
    image = photo(16, 16)
    image[..., 0] = np.arange(256).reshape(16, 16)
    segmentation = Predictor(checkpoint(red_as_logit), "cpu", depth=depth)(image, threshold)
    planes = segmentation.probabilities
    assert planes is not None
    assert planes.dtype == segmentation.confidence.dtype == dtype
    assert np.abs(planes[0] - image[..., 0] * (full / 255)).max() <= (0 if depth == 8 else 1)
    mask = planes[0] >= segmentation.level
    assert np.array_equal(segmentation.label_map, mask)
    assert np.array_equal(segmentation.mask("newt"), mask)
    assert np.array_equal(segmentation.confidence, np.where(mask, planes[0], full - planes[0]))
    assert segmentation.threshold == threshold
    if depth == 8:
        assert segmentation.counts()[1] == sum(value / 255 >= threshold for value in range(256))


def test_the_threshold_of_the_checkpoint_is_the_default() -> None:
    predict = Predictor(checkpoint(red_as_logit, threshold=0.8))
    image = photo(9, 9)
    assert predict(image).threshold == 0.8
    assert np.array_equal(predict(image).label_map, predict(image, 0.8).label_map)
    assert predict(image, 0.0).label_map.all()


@settings(deadline=None)
@given(threshold=st.floats(0, 1))
def test_at_threshold_is_predicting_again(threshold: float) -> None:
    predict, image = Predictor(checkpoint(red_as_logit)), photo(8, 8)
    first = predict(image)
    moved, again = first.at_threshold(threshold), predict(image, threshold)
    assert moved.threshold == threshold
    assert moved.timing == first.timing
    assert np.array_equal(moved.label_map, again.label_map)
    assert np.array_equal(moved.confidence, again.confidence)
    assert moved.probabilities is first.probabilities


@pytest.mark.parametrize(("depth", "full"), [(8, 255), (16, 65535)])
@pytest.mark.parametrize("keep", [False, True])
def test_multiclass(depth: Any, full: int, keep: bool) -> None:
    image = photo(21, 34)
    predict = Predictor(checkpoint(lambda images: images * 5, THREE), depth=depth, keep_probabilities=keep)
    segmentation = predict(image)
    exact = np.exp(image / 255 * 5)
    exact /= exact.sum(axis=2, keepdims=True)
    ties = np.sort(image, axis=2)[..., 1] == image.max(axis=2)
    assert np.array_equal(segmentation.label_map[~ties], image.argmax(axis=2)[~ties])
    assert np.abs(segmentation.confidence - exact.max(axis=2) * full).max() <= 1
    assert segmentation.level is None
    if keep:
        assert segmentation.probabilities is not None
        assert segmentation.probabilities.shape == (3, 21, 34)
        assert np.abs(segmentation.probabilities - exact.transpose(2, 0, 1) * full).max() <= 1
        assert np.array_equal(segmentation.probabilities.max(axis=0), segmentation.confidence)
    else:
        assert segmentation.probabilities is None


def test_counts_shares_and_masks() -> None:
    label_map = np.array([[0, 0, 2, 2, 2]], np.uint8)
    segmentation = Segmentation(THREE, "multiclass", label_map, np.full((1, 5), 255, np.uint8), None, 0.5)
    assert segmentation.counts().tolist() == [2, 0, 3]
    assert segmentation.shares == {"background": 0.4, "cat": 0.0, "dog": 0.6}
    assert segmentation.mask("dog").tolist() == [[False, False, True, True, True]]
    assert segmentation.mask("dog").dtype == bool
    assert not segmentation.mask("cat").any()
    with pytest.raises(UserError, match=r'There is no class "dgo". Did you mean "dog"\? Known: background, cat, dog.'):
        segmentation.mask("dgo")


def test_the_picture_is_normalised_as_the_checkpoint_says() -> None:
    seen: list[Tensor] = []
    preprocessing = Preprocessing("none", mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 2.0))
    made = checkpoint(lambda images: (seen.append(images.clone()), images[:, :1])[1], preprocessing=preprocessing)
    image = photo(5, 7)
    before = image.copy()
    Predictor(made)(image)
    expected = (image / 255 - [0.1, 0.2, 0.3]) / [0.5, 0.25, 2.0]
    assert np.allclose(seen[0][0].permute(1, 2, 0).numpy(), expected, atol=1e-5)
    assert np.array_equal(image, before)


def test_views_and_read_only_images() -> None:
    predict = Predictor(checkpoint(red_as_logit))
    image = photo(12, 10)
    turned = np.rot90(image)[::-1, ::2]
    assert np.array_equal(predict(turned).label_map, predict(np.ascontiguousarray(turned)).label_map)
    image.flags.writeable = False
    assert predict(image).label_map.shape == (12, 10)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((3, 8, 8), np.uint8),
        np.zeros((8, 8, 3), np.float32),
        np.zeros((8, 8, 3), np.int64),
        np.zeros((0, 8, 3), np.uint8),
        np.zeros((8, 0, 3), np.uint8),
        np.zeros((1, 8, 8, 3), np.uint8),
    ],
    ids=lambda image: f"{image.shape} {image.dtype}",
)
def test_images_of_a_wrong_kind(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match=re.escape(f"not {image.shape} {image.dtype}")):
        Predictor(checkpoint(red_as_logit))(image)


@pytest.mark.parametrize("device", ["gpu", "cuda:77", ""])
def test_a_device_that_is_not_there(device: str) -> None:
    if not device:
        assert Predictor(checkpoint(red_as_logit), device).device.type in ("cpu", "cuda")
        return
    with pytest.raises(UserError, match=f'There is no device "{device}" here. Use cpu.'):
        Predictor(checkpoint(red_as_logit), device)


# Tiles

tile_sizes = st.integers(2, 40).flatmap(lambda tile: st.tuples(st.just(tile), st.integers(0, tile - 1)))


@settings(deadline=None)
@given(height=st.integers(1, 90), width=st.integers(1, 90), tiles=tile_sizes)
def test_tiles_leave_what_does_not_depend_on_the_place(height: int, width: int, tiles: tuple[int, int]) -> None:
    """A function of the single pixel comes out as it is, so every pixel is covered, with weights that add up to one."""
    tile, overlap = tiles
    image = torch.arange(3 * height * width).reshape(3, height, width).remainder(251).to(torch.uint8)
    seen: list[tuple[int, ...]] = []

    def forward(images: Tensor) -> Tensor:
        seen.append(tuple(images.shape))
        return images[:, :2].float()

    strips = list(tiled_logits(forward, image, tile, overlap))
    assert [strips[0][0], strips[-1][1]] == [0, height]
    assert all(bottom == top for (_, bottom, _), (top, _, _) in itertools.pairwise(strips))
    assert all(strip.shape == (2, bottom - top, width) for top, bottom, strip in strips)
    torch.testing.assert_close(torch.cat([strip for _, _, strip in strips], dim=1), image[:2].float())
    assert {shape[-2:] for shape in seen} == {(min(tile, height), min(tile, width))}


def test_a_tile_counts_less_towards_its_border() -> None:
    answers = iter([0.0, 1.0])
    image = torch.zeros(3, 1, 10, dtype=torch.uint8)
    ((_, _, strip),) = tiled_logits(lambda tile: torch.full((1, 1, *tile.shape[-2:]), next(answers)), image, 6, 2)
    assert strip[0, 0].tolist() == pytest.approx([0, 0, 0, 0, 1 / 3, 2 / 3, 1, 1, 1, 1])


def test_tiles_do_not_show_in_a_network_of_a_small_view() -> None:
    """With weights that fall towards the border of a tile, only there can its padding show, and not much."""
    torch.manual_seed(0)
    model = build_model("simple", 1, width=8, layers=2).eval()  # a view of 5 pixels
    made = checkpoint(lambda images: model(images)["out"])
    image = photo(150, 170)
    whole, tiled = Predictor(made, tile=1024)(image), Predictor(made, tile=128)(image)
    assert whole.probabilities is not None
    assert tiled.probabilities is not None
    difference = np.abs(whole.probabilities[0].astype(int) - tiled.probabilities[0])
    # Tiles of 128 with an overlap of 32 begin at 0 and at 22 or 42, and end at 128 and at the border.
    inside = np.ones_like(difference, bool)
    for line in (22, 128):
        inside[line - 3 : line + 3] = False
    for line in (42, 128):
        inside[:, line - 3 : line + 3] = False
    assert difference[inside].max() <= 1
    assert difference.max() <= 8


# Sliding windows, scales and mirrors


def planes(segmentation: Segmentation) -> np.ndarray:
    """(C, H, W) probabilities in [0, 1]."""
    assert segmentation.probabilities is not None
    return segmentation.probabilities / np.iinfo(segmentation.probabilities.dtype).max


def wave(images: Tensor) -> Tensor:
    """Three logits that depend on the neighbours and on the place, so that a mirrored or scaled picture differs."""
    kernel = torch.linspace(-1, 1, 3 * 3 * 5 * 5, device=images.device).sin().reshape(3, 3, 5, 5)
    place = torch.linspace(-1, 1, images.shape[-1], device=images.device) * torch.tensor([1, -1, 0.5])[:, None, None]
    return F.conv2d(images - 0.5, kernel, padding=2) + place


def wave_of_one(images: Tensor) -> Tensor:
    return wave(images)[:, :1]


RULES = [Preprocessing("none", mean=(0, 0, 0), std=(1, 1, 1)), Preprocessing("longest", 40, (0, 0, 0), (1, 1, 1))]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.resize)
@pytest.mark.parametrize("classes", [NEWTS_BINARY, THREE], ids=len)
@pytest.mark.parametrize(("scales", "flip"), [((1.0,), True), ((0.5, 1.25), False), ((0.75, 1.0, 1.5), True)])
def test_probabilities_of_scales_and_mirrors_are_averaged(
    rule: Preprocessing, classes: ClassMap, scales: tuple[float, ...], flip: bool
) -> None:
    """Against single predictions, resized and mirrored and averaged here, at the size that the rule gives."""
    function = wave_of_one if len(classes) == 2 else wave
    image = photo(57, 46)
    height, width = rule.input_size(57, 46)
    total = np.zeros((1 if len(classes) == 2 else 3, height, width))
    count = 0
    with torch.inference_mode():
        for scale in scales:
            picture = torch.from_numpy(image).permute(2, 0, 1)
            size = [max(1, round(height * scale)), max(1, round(width * scale))]
            seen = resize(picture, size, antialias=True)[None].float() / 255
            for mirrored in (False, True) if flip else (False,):
                logits = function(seen.flip(-1)).flip(-1) if mirrored else function(seen)
                logits = F.interpolate(logits, (height, width), mode="bilinear", align_corners=False)[0]
                total += (torch.sigmoid(logits) if len(classes) == 2 else torch.softmax(logits, 0)).numpy()
                count += 1
    made = checkpoint(function, classes, preprocessing=rule)
    predict = Predictor(made, "cpu", depth=16, keep_probabilities=True, scales=scales, flip=flip)
    segmentation = predict(image)
    assert segmentation.label_map.shape == (57, 46)
    assert set(segmentation.timing) == {"forward", "quantize"}
    if rule.resize == "none":
        assert np.abs(planes(segmentation) - total / count).max() < 1e-4
    else:  # The mean is enlarged as logits.
        mean = torch.from_numpy(total / count)
        mean = torch.logit(mean) if len(classes) == 2 else mean.log()
        mean = F.interpolate(mean[None], (57, 46), mode="bilinear", align_corners=False)[0]
        expected = (torch.sigmoid(mean) if len(classes) == 2 else torch.softmax(mean, 0)).numpy()
        assert np.abs(planes(segmentation) - expected).max() < 1e-4


@pytest.mark.parametrize("classes", [NEWTS_BINARY, THREE], ids=len)
def test_a_mirrored_picture_is_segmented_as_the_mirror_image(classes: ClassMap) -> None:
    made = checkpoint(wave_of_one if len(classes) == 2 else wave, classes)
    predict = Predictor(made, "cpu", keep_probabilities=True, flip=True)
    image = photo(30, 41)
    one, other = planes(predict(image)), planes(predict(image[:, ::-1]))[..., ::-1]
    assert np.abs(one - other).max() <= 1 / 255
    once = Predictor(made, "cpu", keep_probabilities=True)
    assert np.abs(planes(once(image)) - planes(once(image[:, ::-1]))[..., ::-1]).max() > 0.1


def test_an_average_of_sure_networks_keeps_its_digits() -> None:
    """A probability of 1 - 1e-30 has no float32, but its logit has; the mean of 1 and 0 is 1/2."""
    sure = checkpoint(lambda images: torch.full_like(images[:, :1], 70.0))
    seen: list[Tensor] = []
    Predictor(sure, "cpu", flip=True)(photo(4, 4), watch=lambda top, bottom, strip: seen.append(strip))
    assert seen[0].flatten().tolist() == pytest.approx([70.0] * 16)
    left = checkpoint(lambda images: torch.tensor([90.0, -90.0]).expand(1, 1, 4, 2))
    assert np.abs(planes(Predictor(left, "cpu", depth=16, flip=True)(photo(4, 2))) - 0.5).max() < 1e-4


@pytest.mark.parametrize("scales", [(), (0.0,), (-1.0,), (math.nan,), (1.0, math.inf)])
def test_scales_of_no_size(scales: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="scales must be positive numbers, at least one"):
        Predictor(checkpoint(red_as_logit), "cpu", scales=scales)


def test_a_scale_counts_once() -> None:
    assert [variant.scale for variant in variants_of((1.0, 0.5, 1), False)] == [1.0, 0.5]


@pytest.mark.parametrize("window", [-1, -473])
def test_a_window_of_no_size(window: int) -> None:
    with pytest.raises(ValueError, match="window must be a number of pixels"):
        Predictor(checkpoint(red_as_logit), "cpu", window=window)


@settings(deadline=None, max_examples=40)
@given(window=st.integers(1, 60), height=st.integers(1, 50), width=st.integers(1, 50))
def test_sliding_windows_cover_every_picture(window: int, height: int, width: int) -> None:
    """A function of the single pixel comes out as it is; the windows have one size, and are two thirds of it apart."""
    seen: list[tuple[int, ...]] = []
    made = checkpoint(lambda images: (seen.append(tuple(images.shape[-2:])), red_as_logit(images))[1])
    image = photo(height, width)
    segmentation = Predictor(made, "cpu", window=window, tile=8)(image)
    assert segmentation.probabilities is not None
    assert np.array_equal(segmentation.probabilities[0], image[..., 0])
    assert set(seen) == {(min(window, height), min(window, width))}
    stride = -(-2 * window // 3)
    steps = [1 + max(0, -(-(side - window) // stride)) for side in (height, width)]
    assert len(seen) == steps[0] * steps[1] == len(sliding_positions(height, width, window))


def test_windows_scales_and_mirrors_together() -> None:
    made = checkpoint(lambda images: images * 5, THREE)
    image = np.full((70, 50, 3), (10, 200, 90), np.uint8)
    both = Predictor(made, "cpu", keep_probabilities=True, window=32, scales=(0.5, 1.0, 2.0), flip=True)(image)
    assert np.abs(planes(both) - planes(Predictor(made, "cpu", keep_probabilities=True)(image))).max() <= 1 / 255


# Watching, and other precisions


@pytest.mark.parametrize("size", [(300, 40), (700, 30), (5, 5)])
@pytest.mark.parametrize("options", [{}, {"tile": 128}, {"window": 128}, {"flip": True}], ids=str)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.resize)
def test_what_is_watched_is_what_is_segmented(rule: Preprocessing, options: dict, size: tuple[int, int]) -> None:
    made = checkpoint(wave, THREE, preprocessing=rule)
    strips: list[tuple[int, int, Tensor]] = []
    predict = Predictor(made, "cpu", **options)
    segmentation = predict(photo(*size), watch=lambda *strip: strips.append(strip))
    assert [strips[0][0], strips[-1][1]] == [0, size[0]]
    assert all(bottom == top for (_, bottom, _), (top, _, _) in itertools.pairwise(strips))
    assert all(strip.shape == (3, bottom - top, size[1]) for top, bottom, strip in strips)
    logits = torch.cat([strip for _, _, strip in strips], dim=1)
    assert logits.dtype == torch.float32
    assert np.array_equal(logits.argmax(dim=0).numpy(), segmentation.label_map)
    assert np.array_equal(predict(photo(*size)).label_map, segmentation.label_map)


def test_watching_begins_again_where_memory_ran_out() -> None:
    image = photo(700, 40)
    calls: list[int] = []

    def forward(images: Tensor) -> Tensor:
        calls.append(images.shape[-2])
        if len(calls) == 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return red_as_logit(images)

    tops: list[int] = []
    Predictor(checkpoint(forward), "cpu", tile=512)(image, watch=lambda top, bottom, strip: tops.append(top))
    assert calls[:3] == [512, 512, 256]
    assert tops[:2] == [0, 0]
    assert tops[1:] == sorted(set(tops))


def test_autocast_is_for_the_forward_pass_alone() -> None:
    """A matrix product shows in which dtype the network computes; what comes out of the predictor is float32."""
    seen: list[torch.dtype] = []

    def forward(images: Tensor) -> Tensor:
        logits = torch.einsum("nchw,oc->nohw", images, torch.eye(3)[:1] * 5)
        seen.append(logits.dtype)
        return logits

    image, strips = photo(20, 20), []
    exact = Predictor(checkpoint(forward), "cpu")(image)
    half = Predictor(checkpoint(forward), "cpu", amp=torch.bfloat16)(image, watch=lambda *strip: strips.append(strip))
    assert seen == [torch.float32, torch.bfloat16]
    assert strips[0][2].dtype == torch.float32
    assert np.abs(planes(exact) - planes(half)).max() < 0.02


# Memory


def test_logits_that_cannot_be_held_are_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scales and mirrors are averaged as a whole; what would be larger than the bound is told before anything runs."""
    monkeypatch.setattr("seg_demo.infer.predictor.MAX_RESIZED_LOGITS", 2500)
    made = checkpoint(red_as_logit)
    model = Small(10**9, MemoryError)
    made = replace(made, model=model)
    assert Predictor(made, "cpu")(photo(60, 60)).label_map.shape == (60, 60)
    assert Predictor(made, "cpu", flip=True)(photo(50, 50)).label_map.shape == (50, 50)
    for options in ({"flip": True}, {"scales": (1.0, 0.5)}):
        seen = len(model.sizes)
        with pytest.raises(UserError, match="There is not enough memory to segment 60 x 60 pixels"):
            Predictor(made, "cpu", **options)(photo(60, 60))
        assert len(model.sizes) == seen
    with pytest.raises(UserError, match="There is not enough memory to segment 50 x 50 pixels"):
        Predictor(made, "cpu", scales=(1.5,))(photo(50, 50))


@pytest.mark.parametrize("options", [{"window": 512}, {"tile": 512, "flip": True}], ids=str)
def test_out_of_memory_halves_windows_and_tiles_of_mirrors(options: dict) -> None:
    image = photo(300, 280)
    model = Small(200 * 200, MEMORY_ERRORS[0])
    segmentation = Predictor(replace(checkpoint(red_as_logit), model=model), "cpu", **options)(image)
    assert model.sizes[:3] == [(300, 280), (256, 256), (128, 128)]
    plain = Predictor(checkpoint(red_as_logit), **{**options, "tile": 1024, "window": 0})(image)
    assert np.array_equal(segmentation.label_map, plain.label_map)


class Small(Network):
    """A network on a machine with room for `most` pixels at a time."""

    def __init__(self, most: int, error: Callable[[], BaseException]) -> None:
        super().__init__(red_as_logit)
        self.most, self.error, self.sizes = most, error, []

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        self.sizes.append(tuple(images.shape[-2:]))
        if images.shape[-1] * images.shape[-2] > self.most:
            raise self.error()
        return super().forward(images)


MEMORY_ERRORS = [
    lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"),
    lambda: RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried"),
    MemoryError,
]


@pytest.mark.parametrize("error", MEMORY_ERRORS)
def test_out_of_memory_halves_the_tiles(error: Callable[[], BaseException]) -> None:
    image = photo(300, 280)
    model = Small(200 * 200, error)
    segmentation = Predictor(replace(checkpoint(red_as_logit), model=model), "cpu", tile=512)(image)
    assert model.sizes[:3] == [(300, 280), (256, 256), (128, 128)]
    assert {*model.sizes[2:]} == {(128, 128)}
    assert np.array_equal(segmentation.label_map, Predictor(checkpoint(red_as_logit))(image).label_map)


@pytest.mark.parametrize("error", MEMORY_ERRORS)
def test_nothing_fits(error: Callable[[], BaseException]) -> None:
    model = Small(SMALLEST_TILE**2 - 1, error)
    predict = Predictor(replace(checkpoint(red_as_logit), model=model), "cpu", tile=300)
    sentence = "There is not enough memory to segment 280 x 300 pixels. Make the picture smaller."
    with pytest.raises(UserError, match=re.escape(sentence)):
        predict(photo(300, 280))
    assert model.sizes == [(300, 280), (150, 150), (128, 128)]


def test_other_errors_are_not_taken_for_memory() -> None:
    model = Small(0, lambda: RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes do not match"):
        Predictor(replace(checkpoint(red_as_logit), model=model), "cpu")(photo(9, 9))
    assert len(model.sizes) == 1
