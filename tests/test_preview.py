"""Previews show label maps in colours, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.faults import CLASSES, Good
from seg_demo.data.folder import LabelledFolder, open_folder
from seg_demo.errors import UserError
from seg_demo.viz.preview import UNKNOWN, chosen, previews
from seg_demo.viz.sheet import PANEL, draw_sheet


@pytest.fixture
def good(tmp_path: Path) -> Good:
    return Good.write(tmp_path / "data")


def shown(folder: LabelledFolder) -> dict[str, tuple]:
    return {each.name: each for each in previews(folder, 100)}


def test_a_label_map_is_shown_in_the_colours_of_its_classes(good: Good) -> None:
    found = shown(open_folder(good.root))
    assert set(found) == set(good.names)
    for name, preview in found.items():
        ids = good.truth[name]
        np.testing.assert_array_equal(preview.colors, CLASSES.colorize(ids))
        assert preview.overlaid.shape == preview.colors.shape
        assert preview.classes == tuple(CLASSES.names[class_id] for class_id in np.unique(ids))
        assert preview.wrong is None
    large = shown(open_folder(good.root))[good.names[0]]
    small = next(previews(open_folder(good.root), 1, longest=50))
    assert max(small.colors.shape) == 50 < max(large.colors.shape)


def test_what_stands_for_no_class_is_striped_and_named(good: Good) -> None:
    good.rewrite(1, lambda ids: np.where(ids > 0, 9, 0).astype(np.uint8))
    preview = shown(open_folder(good.root))[good.names[1]]
    striped = (preview.colors == UNKNOWN).all(-1)
    assert 0.2 * (good.truth[good.names[1]] > 0).sum() < striped.sum() < (good.truth[good.names[1]] > 0).sum()
    assert not (striped & (good.truth[good.names[1]] == 0)).any()
    assert "holds the value 9" in str(preview.wrong)


def test_another_size_is_named_and_an_unreadable_file_left_out(good: Good) -> None:
    good.rewrite(1, lambda ids: ids[::2, ::2])
    good.image(2).write_bytes(b"")
    found = shown(open_folder(good.root))
    assert "is not of the size of its image" in str(found[good.names[1]].wrong)
    assert good.names[2] not in found and len(found) == 9


def test_pictures_are_chosen_evenly(good: Good) -> None:
    folder = open_folder(good.root)
    assert [look.pair.name for look in chosen(folder, 4)] == [good.names[place] for place in (0, 3, 6, 9)]
    assert len(chosen(folder, 1)) == 1 and len(chosen(folder, 50)) == 10


def test_a_sheet_of_nothing(good: Good) -> None:
    for number in range(10):
        good.image(number).write_bytes(b"")
    with pytest.raises(UserError, match="has no picture with a label map that can be read"):
        draw_sheet(open_folder(good.root), 3)


def test_a_sheet_holds_all_and_grows_in_rows(good: Good) -> None:
    folder = open_folder(good.root)
    one, four = draw_sheet(folder, 1), draw_sheet(folder, 4)
    assert one.width >= 2 * PANEL and four.width > one.width and four.height > one.height
