"""Files of labelling tools that are wrong, damaged or meant to harm: each ends in a sentence and nothing is written."""

from __future__ import annotations

import base64
import copy
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from seg_demo.classes import ClassMap
from seg_demo.data.polygons import FORMATS, convert
from seg_demo.data.polygons.painting import paint
from seg_demo.errors import UserError

HEIGHT, WIDTH = 20, 30
SQUARE = [[2, 3], [9, 3], [9, 12], [2, 12]]
LABELME: dict[str, Any] = {
    "imagePath": "a.jpg", "imageData": None, "imageHeight": HEIGHT, "imageWidth": WIDTH,
    "shapes": [{"label": "cat", "points": SQUARE, "shape_type": "polygon"}],
}  # fmt: skip
COCO: dict[str, Any] = {
    "images": [{"id": 1, "file_name": "a.jpg", "height": HEIGHT, "width": WIDTH}],
    "categories": [{"id": 1, "name": "cat"}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0, "segmentation": [[2, 3, 9, 3, 9, 12]]},
        {"image_id": 1, "category_id": 1, "segmentation": {"size": [HEIGHT, WIDTH], "counts": [0, 100, 500]}},
        {"image_id": 1, "category_id": 1, "segmentation": {"size": [HEIGHT, WIDTH], "counts": "0T3l?"}},
    ],
}  # fmt: skip
LABELME_XML = (
    "<annotation><filename>a.jpg</filename><folder/><imagesize><nrows>20</nrows><ncols>30</ncols></imagesize><object>"
    "<name>cat</name><deleted>0</deleted><polygon><pt><x>2</x><y>3</y></pt><pt><x>9</x><y>3</y></pt><pt><x>9</x>"
    "<y>12</y></pt></polygon></object></annotation>"
)
CVAT_XML = (
    "<annotations><meta><task><labels><label><name>cat</name><color>#ff0000</color></label></labels></task></meta>"
    '<image id="0" name="a.jpg" width="30" height="20"><polygon label="cat" points="2,3;9,3;9,12" z_order="0"/>'
    '<box label="cat" xtl="2" ytl="3" xbr="9" ybr="12" rotation="5"/>'
    '<ellipse label="cat" cx="9" cy="9" rx="3" ry="2"/>'
    '<mask label="cat" rle="1, 2, 3" left="2" top="3" width="3" height="2"/></image></annotations>'
)
TEXTS = {
    "labelme-json": ("a.json", json.dumps(LABELME)), "coco": ("a.json", json.dumps(COCO)),
    "labelme-xml": ("a.xml", LABELME_XML), "cvat": ("a.xml", CVAT_XML),
}  # fmt: skip
CLASSES = ClassMap.of("background", "cat")


def write(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


def save_picture(path: Path, size: tuple[int, int] = (WIDTH, HEIGHT), orientation: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[274] = orientation
    Image.new("RGB", size, (10, 20, 30)).save(path, exif=exif)
    return path


def changed(document: dict[str, Any], way: tuple[Any, ...], value: object) -> dict[str, Any]:
    """A copy in which what lies at the end of the way has another value."""
    document = copy.deepcopy(document)
    inner: Any = document
    for key in way[:-1]:
        inner = inner[key]
    inner[way[-1]] = value
    return document


def read_and_paint(format: str, file: Path) -> None:
    """Nothing but a `UserError` of one line may leave this."""
    try:
        for drawing in FORMATS[format].read(file).drawings:
            if drawing.height and drawing.width and drawing.height * drawing.width < 10**6:
                assert paint(drawing, CLASSES).shape == (drawing.height, drawing.width)
            if drawing.embedded:
                drawing.embedded()
    except UserError as error:
        assert "\n" not in str(error)


# One thing wrong

SHAPE, OBJECT = ("shapes", 0), ("annotations", 0)
WRONG: list[tuple[str, tuple[Any, ...], object, str]] = [
    ("labelme-json", ("shapes",), {}, "shapes should be a list, but is an object"),
    ("labelme-json", ("shapes",), None, "shapes should be a list, but is missing"),
    ("labelme-json", SHAPE, "x", 'shape 1 should be an object with named entries, but is "x"'),
    ("labelme-json", (*SHAPE, "label"), 5, "shape 1, label should be a text, but is 5"),
    ("labelme-json", (*SHAPE, "label"), "a\nb", 'shape 1, label should be a text, but is "a?b"'),
    ("labelme-json", (*SHAPE, "label"), "\ud800", "shape 1, label should be a text"),
    ("labelme-json", (*SHAPE, "label"), " ", "shape 1, label is empty. Fill it in"),
    ("labelme-json", (*SHAPE, "shape_type"), "cube", 'shape 1 has the shape type "cube", which is not known here'),
    ("labelme-json", (*SHAPE, "shape_type"), "circle", "shape 1 is a circle with 4 points, but should have 2"),
    ("labelme-json", (*SHAPE, "points"), "x", 'points should be a list of finite x, y pairs, but is "x"'),
    ("labelme-json", (*SHAPE, "points"), [[1, 2], [3]], "points should be a list of finite x, y pairs, but is a list"),
    ("labelme-json", (*SHAPE, "points"), [[1, float("nan")]] * 3, "should be a list of finite x, y pairs"),
    ("labelme-json", (*SHAPE, "points"), [[1, float("inf")]] * 3, "should be a list of finite x, y pairs"),
    ("labelme-json", (*SHAPE, "points"), [[1, 10**400]] * 3, "should be a list of finite x, y pairs"),
    ("labelme-json", (*SHAPE, "points"), [[1, 2], [3, 4], [5, -2e6]], "the coordinate -2e+06, far outside of any"),
    ("labelme-json", (*SHAPE, "points"), [[1, 2]] * 100_001, "100001 points, more than the 100000 that a shape may"),
    ("labelme-json", (*SHAPE, "points"), [[0, 0], [99_999, 5]] * 50, "an outline of more than 2000000 pixels"),
    ("labelme-json", ("imageHeight",), "high", 'imageHeight should be a finite number, but is "high"'),
    ("labelme-json", ("imageHeight",), 10**400, "imageHeight should be a finite number, but is a very large number"),
    ("labelme-json", ("imageHeight",), 0, "imageHeight should be a whole number from 1 to 100000, but is 0"),
    ("labelme-json", ("imageHeight",), 7.5, "imageHeight should be a whole number from 1 to 100000, but is 7.5"),
    ("labelme-json", ("imageHeight",), True, "imageHeight should be a finite number, but is True"),
    ("labelme-json", ("imagePath",), [], "imagePath should be a text, but is a list of 0"),
    ("labelme-json", SHAPE, {"label": "cat", "points": [[1, 1], [2, 2]], "shape_type": "mask", "mask": "?"},
     "shape 1, mask should be a picture in base64, but cannot be decoded"),
    ("labelme-json", SHAPE, {"label": "cat", "points": [[1, 1], [2, 2]], "shape_type": "mask", "mask": "aGVsbG8="},
     "shape 1, mask is not a picture that can be read"),
    ("coco", ("images", 0, "id"), None, "image 1, id should be a finite number, but is missing"),
    ("coco", ("images",), COCO["images"] * 2, "image 2 has the id 1, which another image has too"),
    ("coco", ("images", 0, "file_name"), 3, "image 1, file_name should be a text, but is 3"),
    ("coco", ("images", 0, "height"), -1, "image 1, height should be a whole number from 1 to 100000, but is -1"),
    ("coco", ("categories", 0, "name"), None, "category 1, name should be a text, but is missing"),
    ("coco", (*OBJECT, "image_id"), 9, "annotation 1 belongs to the image 9, which the file does not list"),
    ("coco", (*OBJECT, "category_id"), "9", "annotation 1 belongs to the category 9, which the file does not list"),
    ("coco", (*OBJECT, "iscrowd"), 3, "annotation 1, iscrowd should be a whole number from 0 to 1, but is 3"),
    ("coco", (*OBJECT, "segmentation"), 3, "annotation 1, segmentation should be a list, but is 3"),
    ("coco", (*OBJECT, "segmentation", 0), [1, 2, 3], "entry 1 has 3 numbers, but x and y come in pairs"),
    ("coco", (*OBJECT, "segmentation", 0), [1, 2, 3, None], "should be a list of finite x, y pairs"),
    ("coco", (*OBJECT, "segmentation"), {"size": [HEIGHT], "counts": []}, "size should be height and width"),
    ("coco", (*OBJECT, "segmentation"), {"size": [5, 7], "counts": [35]}, "a mask of 7 x 5 pixels, but its picture"),
    ("coco", (*OBJECT, "segmentation"), {"size": [20, 30], "counts": [601]}, "fills 601 pixels, but its mask has 30 x"),
    ("coco", (*OBJECT, "segmentation"), {"size": [20, 30], "counts": [-1, 601]}, "entry 1 should be a whole number"),
    ("coco", (*OBJECT, "segmentation"), {"size": [20, 30], "counts": "oo"}, "counts is not COCO's run-length text"),
    ("coco", (*OBJECT, "segmentation"), {"size": [20, 30], "counts": "o" * 10**6}, "counts is not COCO's run-length"),
    ("coco", (*OBJECT, "segmentation"), {"size": [20, 30], "counts": "0\u00e9"}, "is not COCO's run-length text"),
    ("coco", (*OBJECT, "segmentation"), {"size": [20, 30], "counts": "1"}, "fills 1 pixels, but its mask has 30 x 20"),
]  # fmt: skip


@pytest.mark.parametrize(("format", "way", "value", "sentence"), WRONG, ids=[f"{row[0]} {row[3]}" for row in WRONG])
def test_one_wrong_value(format: str, way: tuple[Any, ...], value: object, sentence: str, tmp_path: Path) -> None:
    file = write(tmp_path / "a.json", changed(LABELME if format == "labelme-json" else COCO, way, value))
    with pytest.raises(UserError) as caught:
        FORMATS[format].read(file)
    assert str(caught.value).startswith(f"{file}: ")
    assert sentence in str(caught.value)


WRONG_XML: list[tuple[str, str, str, str]] = [
    ("labelme-xml", "<x>9</x>", "<x>nine</x>", 'object 1, point 2, x should be a finite number, but is "nine"'),
    ("labelme-xml", "<x>9</x>", "<x>1e999</x>", 'object 1, point 2, x should be a finite number, but is "1e999"'),
    ("labelme-xml", "<x>9</x>", "", "object 1, point 2, x should be a finite number, but is missing"),
    ("labelme-xml", "<x>9</x>", "<x>1e7</x>", "object 1 has the coordinate 1e+07, far outside of any picture"),
    ("labelme-xml", "<nrows>20", "<nrows>0", 'imagesize, nrows should be a whole number from 1 to 100000, but is "0"'),
    ("labelme-xml", "<name>cat</name>", "", "object 1, name should be a text, but is missing"),
    ("labelme-xml", "polygon>", "scribble>", "object 1 has neither a polygon nor a mask"),
    ("labelme-xml", "<polygon>", "<segm><mask>../a.xml</mask></segm><polygon>", ""),
    ("cvat", 'width="30"', "", "image 1, width should be a finite number, but is missing"),
    ("cvat", 'name="a.jpg"', "", "image 1, name should be a text, but is missing"),
    ("cvat", 'label="cat"', "", "image 1, polygon 1, label should be a text, but is missing"),
    ("cvat", "2,3;9,3", "2,3;9", 'image 1, polygon 1 should have points such as "1.5,2;3,4"'),
    ("cvat", "2,3;9,3", "2,3;9,x", "image 1, polygon 1, points should be a list of finite x, y pairs"),
    ("cvat", 'z_order="0"', 'z_order="top"', 'polygon 1, z_order should be a finite number, but is "top"'),
    ("cvat", 'xtl="2"', 'xtl="nan"', 'image 1, box 2, xtl should be a finite number, but is "nan"'),
    ("cvat", 'rx="3"', 'rx="3e8"', "image 1, ellipse 3 has the coordinate"),
    ("cvat", "1, 2, 3", "1, 2, 4", "image 1, mask 4, rle fills 7 pixels, but its mask has 3 x 2"),
    ("cvat", "1, 2, 3", "1, 2, -3", "rle, entry 3 should be a whole number"),
    ("cvat", 'left="2"', 'left="-2"', "mask 4, left should be a whole number from 0 to 100000"),
    ("cvat", 'width="3" height="2"', 'width="90000" height="90000"', "rle fills 90000 x 90000 pixels, more than a"),
    ("cvat", "ellipse", "sphere", "image 1, sphere 3 is of the type sphere, which is not known here"),
    ("cvat", "</image>", '</image><track id="0"/>', 'holds tracks of a video ("CVAT for video")'),
    ("cvat", "<name>cat</name>", "", "meta, label, name should be a text, but is missing"),
]


@pytest.mark.parametrize(
    ("format", "old", "new", "sentence"), WRONG_XML, ids=[f"{row[0]} {row[1]} {row[2]}" for row in WRONG_XML]
)
def test_one_wrong_value_in_xml(format: str, old: str, new: str, sentence: str, tmp_path: Path) -> None:
    text = TEXTS[format][1]
    assert old in text
    file = write(tmp_path / "a.xml", text.replace(old, new))
    if not sentence:  # a polygon counts before a mask
        FORMATS[format].read(file)
        return
    with pytest.raises(UserError) as caught:
        FORMATS[format].read(file)
    assert str(caught.value).startswith(f"{file}")
    assert sentence in str(caught.value)


# Harm

BOMB = (
    '<?xml version="1.0"?><!DOCTYPE z [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>'
)
EXTERNAL = '<?xml version="1.0"?><!DOCTYPE z [<!ENTITY c SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize("format", ["labelme-xml", "cvat"])
@pytest.mark.parametrize("start", [BOMB, EXTERNAL])
def test_entities(format: str, start: str, tmp_path: Path) -> None:
    file = write(tmp_path / "a.xml", start + TEXTS[format][1].replace("a.jpg", "&c;", 1))
    assert FORMATS[format].recognise(file) == file
    with pytest.raises(UserError, match=r"a\.xml defines XML entities, which no labelling tool writes"):
        FORMATS[format].read(file)


@pytest.mark.parametrize("path", ["../../secret.jpg", "/etc/passwd", "..\\..\\secret.jpg", "link.jpg", "a" * 900])
def test_no_way_out_of_the_folder(path: str, tmp_path: Path) -> None:
    save_picture(tmp_path / "secret.jpg")
    file = write(tmp_path / "in/labels/a.json", {**LABELME, "imagePath": path})
    os.symlink(tmp_path / "secret.jpg", tmp_path / "in/labels/link.jpg")
    with pytest.raises(UserError, match=r"^None of the 1 pictures was found: .*, which is not in .*/in\. Put it"):
        convert(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert file.is_file()


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "nothing.png", "..\\..\\secret.png", "link.png"])
def test_no_way_out_of_the_masks(name: str, tmp_path: Path) -> None:
    save_picture(tmp_path / "secret.png")
    (tmp_path / "Masks").mkdir()
    os.symlink(tmp_path / "secret.png", tmp_path / "Masks/link.png")
    text = LABELME_XML.replace("<polygon>", f"<segm><mask>{name}</mask></segm><other>").replace("/polygon", "/other")
    with pytest.raises(UserError, match=r"object 1, segm, mask names .*, which is not in the folder Masks beside it"):
        FORMATS["labelme-xml"].read(write(tmp_path / "a.xml", text))


DAMAGED: list[tuple[str, str, bytes, str]] = [
    ("labelme-json", "a.json", b'{"shapes": [], "imagePath": ', "is not valid JSON (line 1), perhaps cut off"),
    ("labelme-json", "a.json", b'{"shapes": [], "imagePath": "\xff"}', "is not text in UTF-8"),
    ("labelme-json", "a.json", b'{"imagePath": "", "shapes": ' + b"[" * 200_000, "is nested too deeply"),
    ("labelme-json", "a.json", b'{"imagePath": "", "shapes": ' + b"9" * 5000 + b"}", "is not valid JSON"),
    ("labelme-json", "a.json", b'["shapes", "imagePath"]"shapes" "imagePath"', "is not valid JSON"),
    ("labelme-xml", "a.xml", b"<annotation><imagesize></annotation>", "is not valid XML (line 1), perhaps cut off"),
    ("labelme-xml", "a.xml", b"<annotation><imagesize>\xff</imagesize></annotation>", "is not valid XML"),
    ("labelme-xml", "a.xml", b'<?xml version="1.0" encoding="nix"?><annotation><imagesize/></annotation>', "UTF-8"),
    ("cvat", "a.xml", b"<annotations><image " + b"<a>" * 100_000, "is not valid XML"),
]


@pytest.mark.parametrize(("format", "name", "content", "sentence"), DAMAGED)
def test_damaged_files(format: str, name: str, content: bytes, sentence: str, tmp_path: Path) -> None:
    file = write(tmp_path / name, content)
    with pytest.raises(UserError) as caught:
        FORMATS[format].read(file)
    assert str(file) in str(caught.value)
    assert sentence in str(caught.value)


def test_deep_xml(tmp_path: Path) -> None:
    deep = "<a>" * 100_000 + "</a>" * 100_000
    file = write(tmp_path / "a.xml", LABELME_XML.replace("<folder/>", deep))
    assert len(FORMATS["labelme-xml"].read(file).drawings) == 1


def test_large_and_forbidden_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "a.json", LABELME)
    monkeypatch.setattr("seg_demo.data.polygons.entries.MAX_BYTES", 100)
    with pytest.raises(UserError, match=r"a\.json has 0 MB, more than the 0 that are read\. Export the data set"):
        FORMATS["labelme-json"].read(file)
    monkeypatch.setattr(Path, "stat", lambda *_, **__: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    with pytest.raises(UserError, match=r"a\.json cannot be read \(Permission denied\)\. Check its permissions"):
        from seg_demo.data.polygons.entries import read_bytes

        read_bytes(file)


@pytest.mark.parametrize("kind", ["polygon", "linestrip", "circle"])
def test_far_points_cost_no_time(kind: str, tmp_path: Path) -> None:
    points = [[-99_999, -99_999], [99_999, 99_999]]
    if kind != "circle":
        points += [[99_999, 0], [0, 99_999]]
    clock = time.perf_counter()
    read_and_paint("labelme-json", write(tmp_path / "a.json", changed(LABELME, ("shapes", 0), {
        "label": "cat", "points": points, "shape_type": kind})))  # fmt: skip
    xml = f'<polygon label="cat" points="{";".join(f"{x},{y}" for x, y in points)}"/></image>'
    read_and_paint("cvat", write(tmp_path / "b.xml", CVAT_XML.replace("</image>", xml)))
    assert time.perf_counter() - clock < 2


# Anything at all

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(
        ["label", "points", "size", "counts", "shape_type", "mask", "id", "name"]), inner, max_size=4), max_leaves=8,
)  # fmt: skip


def ways(document: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    keys = document.keys() if isinstance(document, dict) else range(len(document)) if isinstance(document, list) else ()
    return [way for key in keys for way in [(*before, key), *ways(document[key], (*before, key))]]


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_value_anywhere_in_json(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    format, document = data.draw(st.sampled_from([("labelme-json", LABELME), ("coco", COCO)]))
    for _ in range(data.draw(st.integers(1, 2))):
        document = changed(document, data.draw(st.sampled_from(ways(document))), data.draw(VALUES))
    read_and_paint(format, write(tmp_path_factory.getbasetemp() / "any.json", document))


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damaged_text_of_any_format(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    format = data.draw(st.sampled_from(sorted(TEXTS)))
    name, text = TEXTS[format]
    spoiled = list(text)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(spoiled) - 1))
        spoiled[place] = data.draw(st.sampled_from([*"0123456789-.e<>\"'&;,[]{}", "1e999", "\x00", "é", ""]))
    read_and_paint(format, write(tmp_path_factory.getbasetemp() / f"any{Path(name).suffix}", "".join(spoiled)))


@settings(max_examples=200, deadline=None)
@given(text=st.binary(max_size=30))
def test_any_run_length_text(text: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    segmentation = {"size": [HEIGHT, WIDTH], "counts": text.decode("latin-1")}
    document = changed(COCO, ("annotations", 0, "segmentation"), segmentation)
    read_and_paint("coco", write(tmp_path_factory.getbasetemp() / "runs.json", document))


# Pictures, sizes, labels


@pytest.mark.parametrize(
    ("picture", "names"),
    [
        ("in/labels/a.jpg", "a.jpg"),
        ("in/images/a.jpg", "..\\images\\a.jpg"),
        ("in/images/a.jpg", "C:\\Users\\me\\a.jpg"),
        ("in/JPEGImages/cats/A.JPG", "a.jpg"),
        ("in/Images/a.png", "a.jpg"),
        ("in/other/deep/a.jpg", "a.jpg"),
        ("in/sub/a.jpg", "sub/a.jpg"),
        ("in/images/sub/a.jpg", "sub/a.jpg"),
        ("images/a.jpg", "a.jpg"),
    ],
)
def test_where_pictures_are_found(picture: str, names: str, tmp_path: Path) -> None:
    save_picture(tmp_path / picture)
    write(tmp_path / "in/labels/a.json", {**LABELME, "imagePath": names})
    assert convert(tmp_path / "in", tmp_path / "out").pictures == 1


def test_the_nearest_picture_of_a_name_counts(tmp_path: Path) -> None:
    for split, shade in (("train", 10), ("test", 20)):
        (tmp_path / "in" / split / "Images").mkdir(parents=True)
        Image.new("L", (WIDTH, HEIGHT), shade).save(tmp_path / "in" / split / "Images/a.png")
        save_picture(tmp_path / "in" / split / "masks/a.png")
        write(tmp_path / "in" / split / "labels/a.json", {**LABELME, "imagePath": "a.png"})
    assert convert(tmp_path / "in", tmp_path / "out").pictures == 2
    for split, shade in (("train", 10), ("test", 20)):
        assert np.asarray(Image.open(tmp_path / "out" / split / "images/a.png"))[0, 0] == shade


def test_missing_and_doubtful_pictures_are_passed_over(tmp_path: Path) -> None:
    save_picture(tmp_path / "in/labels/a.jpg")
    save_picture(tmp_path / "in/images/one/b.jpg")
    save_picture(tmp_path / "in/images/two/b.jpg")
    for name in "abc":
        write(tmp_path / f"in/labels/{name}.json", {**LABELME, "imagePath": f"{name}.jpg"})
    seen: list[tuple[int, int]] = []
    done = convert(tmp_path / "in", tmp_path / "out", progress=lambda *step: seen.append(step))
    assert (done.pictures, len(done.passed_over), seen) == (1, 2, [(1, 3), (2, 3), (3, 3)])
    assert "b.json names the picture b.jpg, but 2 files could be it, such as " in done.passed_over[0]
    assert "c.json names the picture c.jpg, which is not in " in done.passed_over[1]


def prepared(tmp_path: Path, document: object = LABELME, **picture: Any) -> Path:
    save_picture(tmp_path / "in/a.jpg", **picture)
    return write(tmp_path / "in/a.json", document)


def test_another_size(tmp_path: Path) -> None:
    file = prepared(tmp_path, size=(60, 40))
    with pytest.raises(UserError, match=r"was drawn on a picture of 30 x 20 pixels, but a\.jpg has 60 x 40\. Use the"):
        convert(file, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_exif_rotation(tmp_path: Path) -> None:
    upright = prepared(tmp_path / "upright", size=(HEIGHT, WIDTH), orientation=6)
    assert convert(upright, tmp_path / "upright/out").pictures == 1
    label_map = np.asarray(Image.open(tmp_path / "upright/out/masks/a.png"))
    assert label_map.shape == (HEIGHT, WIDTH)
    assert label_map[3:13, 2:10].all()
    stored = prepared(tmp_path / "stored", orientation=6)
    with pytest.raises(UserError, match=r"on a\.jpg as it is stored, 30 x 20, but its EXIF block turns it to 20 x"):
        convert(stored, tmp_path / "stored/out")


def test_size_that_the_file_does_not_tell(tmp_path: Path) -> None:
    file = prepared(tmp_path, {**LABELME, "imageHeight": None, "imageWidth": None})
    assert convert(file, tmp_path / "out").pixels == {"background": 520, "cat": 80}


def test_labels_and_classes(tmp_path: Path) -> None:
    shapes = [{"label": label, "points": SQUARE} for label in ("dog", "cat", "Background", "dog", "__ignore__")]
    source = prepared(tmp_path, {**LABELME, "shapes": [*shapes, {"label": "_background_", "points": SQUARE}]})
    assert convert(source, tmp_path / "1").classes.names == ("Background", "dog", "cat")
    own = convert(source, tmp_path / "2", classes=["nothing", "cat", "dog", "Background"], order=["dog"])
    assert (own.classes.names, own.pixels["dog"]) == (("nothing", "cat", "dog", "Background"), 80)
    ignored = convert(source, tmp_path / "3", order=["dog", "__ignore__"])
    assert (ignored.ignored, ignored.pixels["Background"]) == (80, 520)
    with pytest.raises(
        UserError, match=r'"dog" \(2 shapes in all\), which is none of the classes nothing, cat\. Add it'
    ):
        convert(source, tmp_path / "4", classes=["nothing", "cat"])
    with pytest.raises(
        UserError, match=r'The painting order names "cow", which is none of the classes Background, dog'
    ):
        convert(source, tmp_path / "4", order=["cow"])
    with pytest.raises(UserError, match=r"2 is there already and is not empty"):
        convert(source, tmp_path / "2")
    assert not (tmp_path / "4").exists()


def test_empty_shapes_are_told(tmp_path: Path) -> None:
    shapes = [{"label": "cat", "points": points} for points in ([[1, 1], [2, 2]], [], SQUARE)]
    done = convert(prepared(tmp_path, {**LABELME, "shapes": shapes}), tmp_path / "out")
    assert done.pixels["cat"] == 80
    assert "2 shapes on a.jpg have no area, as after a stray click, and were passed over." in done.passed_over[0]


def test_foreign_files_are_told(tmp_path: Path) -> None:
    prepared(tmp_path)
    write(tmp_path / "in/settings.json", {"editor": 1})
    assert (
        "settings.json is no LabelMe JSON and was passed over."
        in convert(tmp_path / "in", tmp_path / "1").passed_over[0]
    )
    for format, title in (("labelme-xml", "LabelMe"), ("cvat", "CVAT")):
        folder = write(tmp_path / format / "a.xml", TEXTS[format][1]).parent
        write(folder / "b.xml", "<config/>")
        save_picture(folder / "a.jpg")
        assert (
            f"b.xml is no {title} XML and was passed over."
            in convert(folder, tmp_path / f"{format}.out").passed_over[0]
        )


def test_a_damaged_embedded_picture(tmp_path: Path) -> None:
    for data, sentence in (("hello", "cannot be decoded"), (base64.b64encode(b"hello").decode(), "is not a picture")):
        file = write(tmp_path / "a.json", {**LABELME, "imageData": data})
        with pytest.raises(UserError, match=sentence):
            convert(file, tmp_path / "out")
