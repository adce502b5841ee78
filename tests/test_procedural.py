"""The procedural newts: their contract, and that pictures and label maps belong together."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from seg_demo.data.procedural import SPECIES, ProceduralNewts, draw_newts

SMALL = (128, 228)


@pytest.fixture(scope="module")
def many() -> list[tuple[np.ndarray, np.ndarray]]:
    """Forty small pictures."""
    return [draw_newts(seed, SMALL) for seed in range(40)]


def test_same_seed_same_bytes() -> None:
    first, second = draw_newts(7, SMALL), draw_newts(7, SMALL)
    assert first[0].tobytes() == second[0].tobytes()
    assert first[1].tobytes() == second[1].tobytes()


def test_drawing_leaves_the_global_random_state_alone() -> None:
    np.random.seed(1)
    expected = np.random.random(4)
    np.random.seed(1)
    draw_newts(3, SMALL)
    assert np.array_equal(np.random.random(4), expected)


def test_seeds_differ(many: list[tuple[np.ndarray, np.ndarray]]) -> None:
    assert len({image.tobytes() for image, _ in many}) == len(many)
    assert len({label_map.tobytes() for _, label_map in many}) == len(many)


@pytest.mark.parametrize("size", [(32, 32), (33, 57), (101, 64), (256, 455), (32, 400), (301, 35)])
def test_any_size(size: tuple[int, int]) -> None:
    for seed in range(6):
        image, label_map = draw_newts(seed, size)
        assert image.shape == (*size, 3) and image.dtype == np.uint8
        assert label_map.shape == size and label_map.dtype == np.uint8
        assert set(np.unique(label_map)) <= {0, 1, 2}
        assert image.std() > 4


@pytest.mark.parametrize("size", [(31, 64), (64, 2049), (0, 0)])
def test_size_out_of_range(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="size"):
        draw_newts(0, size)


@pytest.mark.parametrize("species", [(), ("axolotl",), ("akahara",) * 4])
def test_unknown_species(species: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="species"):
        draw_newts(0, SMALL, species=species)


@pytest.mark.parametrize("number", [1, 2])
def test_one_species(number: int) -> None:
    for seed in range(8):
        _, label_map = draw_newts(seed, SMALL, species=(SPECIES[number - 1],))
        assert set(np.unique(label_map)) == {0, number}


def test_two_species_in_one_picture() -> None:
    together = [draw_newts(seed, SMALL, species=SPECIES)[1] for seed in range(6)]
    assert all(set(np.unique(label_map)) == {0, 1, 2} for label_map in together)


def test_share_of_the_frame(many: list[tuple[np.ndarray, np.ndarray]]) -> None:
    shares = np.array([(label_map > 0).mean() for _, label_map in many])
    assert shares.min() > 0.02 and shares.max() < 0.6
    assert 0.06 < np.median(shares) < 0.3
    assert shares.max() > 3 * shares.min()


def test_both_species_appear(many: list[tuple[np.ndarray, np.ndarray]]) -> None:
    for number in (1, 2):
        assert sum(bool((label_map == number).any()) for _, label_map in many) >= 10


def test_labels_follow_image_edges(many: list[tuple[np.ndarray, np.ndarray]]) -> None:
    ratios = []
    for image, label_map in many:
        grey = image.astype(np.float32).mean(axis=2)
        steps = np.abs(np.diff(grey, axis=1))
        border = (label_map[:, 1:] > 0) != (label_map[:, :-1] > 0)
        shifted = np.roll(border, (5, 5), axis=(0, 1))  # the same shape, in the wrong place
        ratios.append((steps[border].mean() / steps.mean(), steps[border].mean() / steps[shifted].mean()))
    against_all, against_shifted = np.array(ratios).T
    assert np.median(against_all) > 1.3
    assert np.median(against_shifted) > 1.2


def test_animal_has_another_colour_than_the_ground(many: list[tuple[np.ndarray, np.ndarray]]) -> None:
    away = [
        np.linalg.norm(image[label_map > 0].mean(axis=0) - image[label_map == 0].mean(axis=0))
        for image, label_map in many
    ]
    assert np.median(away) > 20


@pytest.mark.parametrize("seed", range(10))
def test_composition_is_kept_across_sizes(seed: int) -> None:
    image, label_map = draw_newts(seed, SMALL)
    large_image, large = draw_newts(seed, (2 * SMALL[0], 2 * SMALL[1]))
    centres = (large > 0).reshape(SMALL[0], 2, SMALL[1], 2).mean(axis=(1, 3)) >= 0.5
    animal = label_map > 0
    assert (centres & animal).sum() / (centres | animal).sum() > 0.9
    reduced = np.asarray(Image.fromarray(large_image).reduce(2), np.float32)
    assert np.abs(reduced.mean(axis=(0, 1)) - image.mean(axis=(0, 1))).max() < 16


def test_data_set() -> None:
    newts = ProceduralNewts(3, longest=64, seed=5)
    assert len(newts) == 3
    items = list(newts)
    assert [item.image.shape[:2] for item in items] == [(36, 64), (64, 36), (48, 64)]
    assert np.array_equal(newts[2].image, items[2].image)
    assert not np.array_equal(items[0].image, ProceduralNewts(3, longest=64, seed=6)[0].image)
    with pytest.raises(IndexError):
        newts[3]


def test_binary_data_set_has_one_newt_class() -> None:
    species, binary = (ProceduralNewts(4, longest=64, species=flag) for flag in (True, False))
    assert any(2 in sample.label_map for sample in species)
    for with_species, without in zip(species, binary, strict=True):
        assert np.array_equal(with_species.label_map > 0, without.label_map == 1)
        assert set(np.unique(without.label_map)) <= {0, 1}
    assert binary.classes.names == ("background", "newt")
