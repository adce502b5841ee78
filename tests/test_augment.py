"""Random variations: image and label map stay aligned, and no new values come up in a label map."""

from __future__ import annotations

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seg_demo.train.augment import augmentation, random_window, sample
from seg_demo.train.config import Augmentation

PLAIN = Augmentation(color=0, hue=0, blur=0, noise=0, grayscale=0)


def picture(height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A label map of four big blocks, and an image whose red is 60 times the label."""
    label_map = torch.zeros(1, height, width, dtype=torch.uint8)
    label_map[:, height // 2 :] += 1
    label_map[:, :, width // 2 :] += 2
    image = torch.zeros(3, height, width, dtype=torch.uint8)
    image[0] = 60 * label_map[0]
    return image, label_map


@settings(max_examples=60, deadline=None)
@given(height=st.integers(8, 120), width=st.integers(8, 120), seed=st.integers(0, 2**31))
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


def test_without_variation_a_crop_is_a_cutout() -> None:
    still = Augmentation(flip=0, vertical_flip=0, rotation=0, scale=(1, 1), stretch=0, focus=0)
    torch.manual_seed(1)
    image = torch.randint(0, 256, (3, 40, 40), dtype=torch.uint8)
    label_map = torch.randint(0, 3, (1, 40, 40), dtype=torch.uint8)
    grid = random_window(still, label_map, 40, 255)
    cut, cut_map = sample(image, label_map, grid, 255)
    torch.testing.assert_close(cut * 255, image.float(), atol=0.01, rtol=0)
    assert torch.equal(cut_map, label_map)


def test_beyond_the_border_the_label_map_is_ignored() -> None:
    image, label_map = picture(20, 20)
    still = Augmentation(flip=0, vertical_flip=0, rotation=0, scale=(1, 1), stretch=0, focus=0)
    _, cut_map = sample(image, label_map, random_window(still, label_map, 60, 255), 255)
    assert (cut_map == 255).sum() == 60 * 60 - 20 * 20
    assert torch.equal(cut_map[:, 20:40, 20:40], label_map)


@pytest.mark.parametrize(("focus", "hit"), [(1.0, 1.0), (0.0, 0.2)])
def test_focus_puts_the_class_into_the_crop(focus: float, hit: float) -> None:
    label_map = torch.zeros(1, 200, 200, dtype=torch.uint8)
    label_map[:, 90:94, 150:154] = 1
    torch.manual_seed(0)
    aimed = Augmentation(focus=focus)
    hits = [
        bool((sample(torch.zeros(3, 200, 200, dtype=torch.uint8), label_map, grid, 255)[1] == 1).any())
        for grid in (random_window(aimed, label_map, 32, 255) for _ in range(40))
    ]
    assert sum(hits) / 40 == hit if focus else sum(hits) / 40 < hit
