"""Random variations: image and label map stay aligned, and no new values come up in a label map."""

from __future__ import annotations

import hashlib

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torchvision import tv_tensors

from seg_demo.data.transforms import RandomWindow
from seg_demo.train.augment import augmentation
from seg_demo.train.config import Augmentation

PLAIN = Augmentation(color=0, hue=0, blur=0, noise=0, grayscale=0)


def picture(height: int, width: int) -> tuple[tv_tensors.Image, tv_tensors.Mask]:
    """A label map of four big blocks, and an image whose red is 60 times the label."""
    label_map = torch.zeros(1, height, width, dtype=torch.uint8)
    label_map[:, height // 2 :] += 1
    label_map[:, :, width // 2 :] += 2
    image = torch.zeros(3, height, width, dtype=torch.uint8)
    image[0] = 60 * label_map[0]
    return tv_tensors.Image(image), tv_tensors.Mask(label_map)


@settings(max_examples=60, deadline=None)
@given(height=st.integers(16, 120), width=st.integers(16, 120), seed=st.integers(0, 2**31))
def test_image_and_label_map_stay_aligned(height: int, width: int, seed: int) -> None:
    image, label_map = picture(height, width)
    torch.manual_seed(seed)
    varied, varied_map = augmentation(PLAIN, 64, 255)(image, label_map)
    assert varied.shape == (3, 64, 64)
    assert varied_map.shape == (1, 64, 64)
    assert varied.dtype == torch.float32
    assert varied_map.dtype == torch.uint8
    assert set(varied_map.unique().tolist()) <= {0, 1, 2, 3, 255}
    inside = varied_map[0] != 255
    # Between blocks the image is a mixture, so a pixel may differ there; everywhere else it is its label's red.
    apart = (varied[0] * 255 - 60.0 * varied_map[0]).abs()[inside]
    if len(apart):
        assert (apart > 1).float().mean() < 0.35
        assert apart.median() < 1


@settings(max_examples=40, deadline=None)
@example(seed=10092434)  # white that is blurred
@given(seed=st.integers(0, 2**31))
def test_all_variations_keep_range_and_values(seed: int) -> None:
    image, label_map = picture(50, 70)
    label_map[:, :5] = 255
    torch.manual_seed(seed)
    varied, varied_map = augmentation(Augmentation(), 48, 255)(image, label_map)
    assert varied.min() >= 0
    assert varied.max() <= 1
    assert set(varied_map.unique().tolist()) <= {0, 1, 2, 3, 255}


def test_what_a_seed_draws_stays_the_same() -> None:
    """The bundled checkpoints can be trained again only with the variations that they have seen."""
    image, label_map = picture(50, 70)
    torch.manual_seed(5)
    window = RandomWindow(8, scale=(0.6, 1.6), stretch=0.2, rotation=30, flip=0.5, vertical_flip=0.2, focus=0.5)
    drawn = [window(image, label_map)[1] for _ in range(50)]
    torch.manual_seed(5)
    varied = [augmentation(Augmentation(), 8, 255)(image, label_map)[1] for _ in range(50)]
    digests = [hashlib.sha256(torch.cat(maps).numpy().tobytes()).hexdigest()[:12] for maps in (drawn, varied)]
    assert digests == ["2ee76bb4a7e3", "a2dc8764f25c"]


def test_without_variation_a_crop_is_a_cutout() -> None:
    torch.manual_seed(1)
    image = tv_tensors.Image(torch.randint(0, 256, (3, 40, 40), dtype=torch.uint8))
    label_map = tv_tensors.Mask(torch.randint(0, 3, (1, 40, 40), dtype=torch.uint8))
    cut, cut_map = RandomWindow(40)(image, label_map)
    torch.testing.assert_close(cut.as_subclass(torch.Tensor) * 255, image.float(), atol=0.01, rtol=0)
    assert torch.equal(cut_map, label_map)


def test_beyond_the_border_the_label_map_is_ignored() -> None:
    _, cut_map = RandomWindow(60)(*picture(20, 20))
    assert (cut_map == 255).sum() == 60 * 60 - 20 * 20
    assert torch.equal(cut_map[:, 20:40, 20:40], picture(20, 20)[1])


@pytest.mark.parametrize(("focus", "hit"), [(1.0, 1.0), (0.0, 0.2)])
def test_focus_puts_the_class_into_the_crop(focus: float, hit: float) -> None:
    label_map = tv_tensors.Mask(torch.zeros(1, 200, 200, dtype=torch.uint8))
    label_map[:, 90:94, 150:154] = 1
    torch.manual_seed(0)
    aimed = RandomWindow(32, scale=(0.6, 1.6), stretch=0.2, rotation=30, focus=focus)
    hits = [bool((aimed(label_map) == 1).any()) for _ in range(40)]
    assert sum(hits) / 40 == hit if focus else sum(hits) / 40 < hit
