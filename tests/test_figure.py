"""The figure for a paper: what is in it, in each format, for pictures of any shape."""

from __future__ import annotations

import base64
import io
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from seg_demo.errors import UserError
from seg_demo.viz.figure import Captions, ThresholdFigure, draw_figure

JAPANESE = Captions(
    image="入力", probability="確率", mask="二値化", comparison="比較", threshold="しきい値", low="下側のしきい値",
    true_positive="真陽性", false_positive="偽陽性", false_negative="偽陰性", unlabelled="ラベルなし",
    precision="適合率", recall="再現率", iou="IoU",
)  # fmt: skip
WHITE, BLACK, ORANGE, BLUE, GREY = (255, 255, 255), (0, 0, 0), (213, 94, 0), (86, 180, 233), (110, 110, 110)
SVG = "{http://www.w3.org/2000/svg}"


def figure_of(height: int = 20, width: int = 30, **changes: Any) -> ThresholdFigure:
    """The probability rises from left to right."""
    plane = np.tile(np.linspace(0, 255, width).astype(np.uint8), (height, 1))
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return replace(ThresholdFigure(image, plane, plane >= 128, 0.5019, "newt"), **changes)


def labelled(**changes: Any) -> ThresholdFigure:
    """A picture of ten columns, of which the last five are in the mask: 3 right, 2 wrong, 1 missing, 1 not labelled."""
    label_map = np.tile(np.array([255, 0, 0, 0, 1, 1, 1, 1, 0, 0], np.uint8), (8, 1))
    return replace(figure_of(8, 10), label_map=label_map, **changes)


def pixels_of(shown: ThresholdFigure, path: Path) -> np.ndarray:
    draw_figure(shown, path)
    with Image.open(path) as picture:
        assert picture.format == "PNG" and picture.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        return np.asarray(picture.convert("RGB"))


def nodes_of(shown: ThresholdFigure, path: Path, tag: str) -> list[ElementTree.Element]:
    draw_figure(shown, path)
    return list(ElementTree.parse(path).iter(SVG + tag))


def texts_of(shown: ThresholdFigure, path: Path) -> list[str]:
    return [node.text or "" for node in nodes_of(shown, path, "text")]


def test_three_panels_of_equal_size_side_by_side(tmp_path: Path) -> None:
    shown = figure_of()
    pixels = pixels_of(shown, tmp_path / "new/figure.png")
    height, width, _ = pixels.shape
    assert 2090 <= width <= 2100 and 0.25 < height / width < 0.32
    middle, third = 46 + 230, width // 3
    row = pixels[middle]
    assert tuple(row[2 * third + 100]) == BLACK and tuple(row[width - 100]) == WHITE  # the mask
    for at, color in ((third + 45, (68, 1, 84)), (2 * third - 45, (253, 231, 37))):  # viridis' ends
        np.testing.assert_allclose(row[at], color, atol=30)
    colors = {tuple(color) for color in pixels[46 + 20 : 46 + 400, 20 : third - 40].reshape(-1, 3)}
    originals = {tuple(color) for color in shown.image.reshape(-1, 3)}
    assert len(originals) - 100 < len(colors) and colors <= originals  # enlarged, and no colour made up


def test_a_picture_that_is_larger_than_its_panel_is_averaged(tmp_path: Path) -> None:
    stripes = np.zeros((1200, 1800), np.uint8)
    stripes[:, ::2] = 255
    shown = ThresholdFigure(np.repeat(stripes[..., None], 3, 2), stripes, stripes > 0, 0.5, "newt")
    pixels = pixels_of(shown, tmp_path / "figure.png")
    inner = pixels[100:400, 50:600].astype(float)
    assert abs(inner.mean() - 127.5) < 4 and inner.std() < 60  # picking pixels would leave stripes of 0 and 255
    link = nodes_of(shown, tmp_path / "figure.svg", "image")[0].get("{http://www.w3.org/1999/xlink}href", "")
    with Image.open(io.BytesIO(base64.b64decode(link.partition(",")[2]))) as embedded:
        assert embedded.width == 2 * ((pixels.shape[1] - 2 * 8 - 2 * 30) // 3)  # 600 dpi, for printing


def test_right_wrong_and_missing_pixels_have_colours(tmp_path: Path) -> None:
    pixels = pixels_of(labelled(), tmp_path / "figure.png")
    row, width = pixels[200], pixels.shape[1]
    left = width - 8 - 497  # of the fourth picture
    found = [tuple(row[left + round((column + 0.5) * 49.7)]) for column in range(10)]
    assert found == [GREY, BLACK, BLACK, BLACK, BLUE, WHITE, WHITE, WHITE, ORANGE, ORANGE]


def test_the_figures_of_the_comparison(tmp_path: Path) -> None:
    texts = texts_of(labelled(low=0.25), tmp_path / "figure.svg")
    expected = ["precision 0.600", "recall 0.750", "IoU 0.500", "threshold 0.5019", "lower threshold 0.25"]
    assert set(expected) <= set(texts) and "not labelled" in texts
    label_map = np.zeros((8, 10), np.uint8)
    texts = texts_of(replace(labelled(), label_map=label_map, mask=label_map > 0), tmp_path / "figure.svg")
    assert {"precision –", "recall –", "IoU –"} <= set(texts) and "not labelled" not in texts


def test_the_marks_stand_at_the_thresholds(tmp_path: Path) -> None:
    pixels = pixels_of(figure_of(threshold=0.75, low=0.25), tmp_path / "figure.png").astype(int)
    panel, left = (pixels.shape[1] - 2 * 8 - 2 * 30) // 3, 8
    left += panel + 30
    bar = 46 + 8 + int(panel * 20 / 30) + 28 + 12  # the row in the middle of the colour bar
    dark = (pixels[bar, left : left + panel].sum(axis=1) < 120).nonzero()[0] / panel
    assert len(dark) <= 8 and np.abs(dark - 0.25).min() < 0.004 and np.abs(dark - 0.75).min() < 0.004
    marks = pixels[bar - 12 - 14, left : left + panel]
    assert marks[round(0.75 * panel)].sum() < 60 and marks[round(0.25 * panel)].sum() > 700  # full and hollow


def test_an_svg_holds_text_and_whole_pictures(tmp_path: Path) -> None:
    shown = labelled(class_name="$cash$ <イモリ> & \\frac", captions=JAPANESE)
    texts = texts_of(shown, tmp_path / "figure.SVG")
    assert texts[:2] == ["入力", "確率: $cash$ <イモリ> & \\frac"]
    assert {"二値化", "比較", "しきい値 0.5019", "真陽性", "偽陽性", "偽陰性", "ラベルなし", "適合率 0.600"} <= set(
        texts
    )
    images = nodes_of(shown, tmp_path / "figure.SVG", "image")
    links = [node.get("{http://www.w3.org/1999/xlink}href", "").partition(",")[2] for node in images]
    pictures = [np.asarray(Image.open(io.BytesIO(base64.b64decode(link))).convert("RGB")) for link in links]
    sizes = [picture.shape[:2] for picture in pictures]
    assert sizes.count((8, 10)) == 4  # as they are, whatever the viewer makes of them
    np.testing.assert_array_equal(pictures[0], shown.image)


def test_a_pdf_holds_text_as_truetype(tmp_path: Path) -> None:
    draw_figure(figure_of(), tmp_path / "figure.pdf")
    content = (tmp_path / "figure.pdf").read_bytes()
    assert content.startswith(b"%PDF-") and content.rstrip().endswith(b"%%EOF")
    assert b"/FontFile2" in content and b"/Type3" not in content
    box = re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", content)
    assert box and 500 < float(box[1]) <= 504  # points: 7 inches


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_equal_figures_are_equal_files(suffix: str, tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.{suffix}" for name in ("a", "b", "moved")]
    for path, threshold in zip(paths, (0.5, 0.5, 0.6), strict=True):
        draw_figure(figure_of(threshold=threshold), path)
    same, again, moved = (path.read_bytes() for path in paths)
    assert same == again != moved
    assert not re.search(rb"CreationDate|dc:date|20\d\d-\d\d-\d\d", same)


@pytest.mark.parametrize(
    ("height", "width", "stacked"),
    [(90, 30, False), (400, 20, False), (300, 1, False), (30, 85, False), (10, 50, True), (1, 300, True)],
)
def test_tall_and_wide_pictures(height: int, width: int, stacked: bool, tmp_path: Path) -> None:
    shown = figure_of(height, width, label_map=np.zeros((height, width), np.uint8))
    pixels = pixels_of(shown, tmp_path / "figure.png")
    assert pixels.shape[1] <= 2100 and pixels.shape[0] <= 2550
    inked = (pixels < 250).any(axis=2)
    assert inked.any(axis=0)[-20:].any() or height > 5 * width  # no wasted white at the right
    assert inked.any(axis=1)[-30:].any()  # nor below
    titles = [
        (float(node.get("x", 0)), float(node.get("y", 0)))
        for node in nodes_of(shown, tmp_path / "figure.svg", "text")
        if (node.text or "").split(":")[0] in ("Input", "Probability", "Binarised", "Comparison")
    ]
    assert len(titles) == 4 and len({title[0 if stacked else 1] for title in titles}) == 1


def test_planes_of_16_bits_look_the_same(tmp_path: Path) -> None:
    narrow = figure_of()
    wide = replace(narrow, plane=narrow.plane.astype(np.uint16) * 257)
    np.testing.assert_array_equal(pixels_of(narrow, tmp_path / "a.png"), pixels_of(wide, tmp_path / "b.png"))


@pytest.mark.filterwarnings("error")
def test_names_are_no_formulas_and_no_settings_are_left_behind(tmp_path: Path) -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    name = "$x_ \\frac{" + 190 * "w"
    title = texts_of(figure_of(class_name=name), tmp_path / "figure.svg")[1]
    assert dict(matplotlib.rcParams) == before
    assert title.startswith("Probability: $x_ \\frac{www") and title.endswith("w…") and len(title) < 60


def test_what_cannot_be_drawn_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError) as told:
        draw_figure(figure_of(), tmp_path / "figure.jpg")
    assert str(told.value) == f"{tmp_path}/figure.jpg must end in .png, .svg or .pdf. Name another file."
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "figure.png", tmp_path / "file" / "deeper" / "figure.png"):
        with pytest.raises(UserError, match=r"could not be written to .*figure\.png \(.+\)\. Choose another folder"):
            draw_figure(figure_of(), path)
