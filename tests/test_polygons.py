"""Polygons of labelling tools: every format and every kind of shape becomes exactly the label map that is expected."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from seg_demo.classes import ClassMap
from seg_demo.data.images import read_image
from seg_demo.data.polygons import FORMATS, convert, detect
from seg_demo.data.polygons.painting import paint
from seg_demo.data.polygons.rasters import FILLS, RASTERS, fill_opencv
from seg_demo.data.polygons.shapes import Drawing, Patch, Shape
from seg_demo.errors import UserError

HEIGHT, WIDTH = 20, 30
SQUARE = [[2, 3], [9, 3], [9, 12], [2, 12]]  # painted by labelme with both ends: x 2..9, y 3..12
CLASSES = ClassMap.of("background", "cat", "dog")


def expected(*boxes: tuple[int, int, int, int, int]) -> np.ndarray:
    """A label map of boxes (left, top, right, bottom, class id), right and bottom included."""
    label_map = np.zeros((HEIGHT, WIDTH), np.uint8)
    for left, top, right, bottom, class_id in boxes:
        label_map[top : bottom + 1, left : right + 1] = class_id
    return label_map


def save_picture(path: Path, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (10, 20, 30)).save(path)
    return path


def write(path: Path, content: str | dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


def png(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


def labelme(*shapes: dict[str, Any], **fields: Any) -> dict[str, Any]:
    document = {"version": "5.5.0", "imagePath": "a.jpg", "imageData": None, "imageHeight": HEIGHT, "imageWidth": WIDTH}
    return {**document, "shapes": list(shapes), **fields}


def shape(label: str, points: Any, kind: str | None = "polygon", **fields: Any) -> dict[str, Any]:
    return {"label": label, "points": points, "shape_type": kind, **fields}


def painted(source: Path, format: str, **options: Any) -> np.ndarray:
    """The label map of the only drawing that the format reads."""
    (drawing,) = FORMATS[format].read(source).drawings
    return paint(drawing, options.pop("classes", CLASSES), **options)


def drawn(paint_on: Any) -> np.ndarray:
    canvas = Image.new("L", (WIDTH, HEIGHT))
    paint_on(ImageDraw.Draw(canvas))
    return np.asarray(canvas)


# labelme JSON

MASK = np.array([[1, 0, 1], [0, 1, 0]], np.uint8)
LABELME_SHAPES: list[tuple[str, dict[str, Any], np.ndarray]] = [
    ("polygon", shape("cat", SQUARE), expected((2, 3, 9, 12, 1))),
    ("no type, as in old files", shape("cat", SQUARE, None), expected((2, 3, 9, 12, 1))),
    ("fractions are dropped", shape("cat", [[2.9, 3.9], [9.9, 3.9], [9.9, 12.9], [2.9, 12.9]]),
     expected((2, 3, 9, 12, 1))),
    ("rectangle", shape("dog", [[4, 5], [8, 9]], "rectangle"), expected((4, 5, 8, 9, 2))),
    ("rectangle from below", shape("dog", [[8.5, 9.2], [4.1, 5.7]], "rectangle"), expected((4, 5, 8, 9, 2))),
    ("turned rectangle", shape("dog", SQUARE, "oriented_rectangle"), expected((2, 3, 9, 12, 2))),
    ("circle", shape("cat", [[15, 10], [15, 14]], "circle"), drawn(lambda d: d.ellipse((11, 6, 19, 14), fill=1))),
    ("point", shape("cat", [[15, 10]], "point"), drawn(lambda d: d.ellipse((10, 5, 20, 15), fill=1))),
    ("line", shape("cat", [[2, 10], [20, 10]], "line"), drawn(lambda d: d.line((2, 10, 20, 10), fill=1, width=10))),
    ("line strip", shape("cat", [[6, 6], [20, 6], [20, 18]], "linestrip"),
     drawn(lambda d: d.line((6, 6, 20, 6, 20, 18), fill=1, width=10, joint="curve"))),
    ("mask", shape("dog", [[5, 6], [7, 7]], "mask", mask=base64.b64encode(png(MASK)).decode()),
     np.pad(MASK * 2, ((6, 12), (5, 22)))),
    ("1-bit mask over the corner", shape("cat", [[28, 19], [30, 20]], "mask",
                                         mask=base64.b64encode(png(MASK.astype(bool))).decode()),
     np.pad(MASK, ((19, 0), (28, 0)))[:HEIGHT, :WIDTH]),
    ("mask before the corner", shape("cat", [[-1, -1], [1, 0]], "mask", mask=base64.b64encode(png(MASK)).decode()),
     np.pad(MASK[1:, 1:], ((0, 19), (0, 28)))),
    ("ignored", shape("__ignore__", SQUARE), expected((2, 3, 9, 12, 255))),
    ("partly outside", shape("cat", [[-50, -50], [5, -50], [5, 900], [-50, 900]]), expected((0, 0, 5, 19, 1))),
    ("all outside", shape("cat", [[100, 100], [200, 100], [200, 200]]), expected()),
    ("two points", shape("cat", [[3, 3], [9, 9]]), expected()),
    ("no points", shape("cat", []), expected()),
    ("all on one line", shape("cat", [[3, 3], [9, 9], [12, 12], [5, 5]]), expected()),
    ("no radius", shape("cat", [[3, 3], [3, 3]], "circle"), expected()),
    ("a bow tie has an area", shape("cat", [[2, 2], [10, 10], [10, 2], [2, 10]]),
     drawn(lambda d: d.polygon([2, 2, 10, 10, 10, 2, 2, 10], fill=1, outline=1))),
]  # fmt: skip


@pytest.mark.parametrize(("name", "entry", "label_map"), LABELME_SHAPES, ids=[row[0] for row in LABELME_SHAPES])
def test_labelme_shapes(name: str, entry: dict[str, Any], label_map: np.ndarray, tmp_path: Path) -> None:
    file = write(tmp_path / "a.json", labelme(entry))
    assert np.array_equal(painted(file, "labelme-json"), label_map), name


def test_labelme_background_lies_over_others(tmp_path: Path) -> None:
    hole = shape("_background_", [[4, 5], [6, 8]], "rectangle")
    file = write(tmp_path / "a.json", labelme(shape("cat", SQUARE), hole))
    assert np.array_equal(painted(file, "labelme-json"), expected((2, 3, 9, 12, 1), (4, 5, 6, 8, 0)))


def test_embedded_picture(tmp_path: Path) -> None:
    picture = png(np.full((HEIGHT, WIDTH, 3), 77, np.uint8))
    fields = {"imageData": base64.b64encode(picture).decode(), "imagePath": "..\\photos\\a.jpg"}
    done = convert(write(tmp_path / "in/a.json", labelme(shape("cat", SQUARE), **fields)), tmp_path / "out")
    assert (tmp_path / "out/images/a.png").read_bytes() == picture
    assert done.pictures == 1
    assert done.passed_over == ()


# Painting order

OVERLAP = (Shape("cat", "polygon", np.array(SQUARE, float)), Shape("dog", "polygon", np.array(SQUARE, float) + 3))
CAT, DOG = (2, 3, 9, 12), (5, 6, 12, 15)


@pytest.mark.parametrize(
    ("shapes", "order", "boxes"),
    [
        (OVERLAP, None, [(*CAT, 1), (*DOG, 2)]),
        (OVERLAP[::-1], None, [(*DOG, 2), (*CAT, 1)]),
        (OVERLAP, ["dog", "cat"], [(*DOG, 2), (*CAT, 1)]),
        (OVERLAP, ["dog"], [(*CAT, 1), (*DOG, 2)]),
        (OVERLAP, ["cat"], [(*DOG, 2), (*CAT, 1)]),
        ((Shape("cat", "polygon", np.array(SQUARE, float), z=5), OVERLAP[1]), None, [(*DOG, 2), (*CAT, 1)]),
        ((Shape("cat", "polygon", np.array(SQUARE, float), z=5), OVERLAP[1]), ["cat", "dog"], [(*CAT, 1), (*DOG, 2)]),
    ],
)
def test_order(shapes: tuple[Shape, ...], order: list[str] | None, boxes: list[tuple[int, ...]]) -> None:
    drawing = Drawing("a", "a.jpg", Path("a.json"), shapes, HEIGHT, WIDTH)
    assert np.array_equal(paint(drawing, CLASSES, order), expected(*boxes))  # type: ignore[arg-type]
    assert np.array_equal(paint(drawing, {"cat": 1, "dog": 2}, order), expected(*boxes))  # type: ignore[arg-type]


def test_painting_a_label_without_class() -> None:
    drawing = Drawing("a", "a.jpg", Path("a.json"), OVERLAP, HEIGHT, WIDTH)
    with pytest.raises(UserError, match=r'^a\.json has the label "dog" \(1 shapes in all\), which is none of .* cat\.'):
        paint(drawing, ClassMap.of("background", "cat"))


# LabelMe XML


def labelme_object(name: str, points: list[list[float]], deleted: int = 0, more: str = "") -> str:
    corners = "".join(f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in points)
    return (
        f"<object><name>{name}</name><deleted>{deleted}</deleted>{more}"
        f"<polygon>{corners}<username>me</username></polygon></object>"
    )


def labelme_xml(*objects: str, filename: str = "a.jpg") -> str:
    size = f"<imagesize><nrows>{HEIGHT}</nrows><ncols>{WIDTH}</ncols></imagesize>"
    return f"<annotation><filename>{filename}</filename><folder></folder>{size}{''.join(objects)}</annotation>"


def test_labelme_xml(tmp_path: Path) -> None:
    box = "<type>bounding_box</type>"
    file = write(
        tmp_path / "a.xml",
        labelme_xml(
            labelme_object("cat", [[2.9, 3.9], [9.9, 3], [9, 12.2], [2, 12]]),
            labelme_object("dog", SQUARE, deleted=1),
            labelme_object("dog", [[4, 5], [6, 5], [6, 7], [4, 7]], more=box),
            "<object><name>dog</name><segm><mask>m.png</mask></segm></object>",
        ),
    )
    mask = np.zeros((HEIGHT, WIDTH, 4), np.uint8)  # as CVAT's exporter paints it, on nothing
    mask[15:18, 20:25] = (255, 203, 0, 153)
    (tmp_path / "Masks").mkdir()
    (tmp_path / "Masks/m.png").write_bytes(png(mask))
    label_map = painted(file, "labelme-xml")
    assert np.array_equal(label_map, expected((2, 3, 9, 12, 1), (4, 5, 6, 7, 2), (20, 15, 24, 17, 2)))
    assert [str(note) for note in FORMATS["labelme-xml"].read(file).passed_over] == [
        f"{file}: 1 objects are marked as deleted and were passed over."
    ]


def test_labelme_xml_has_no_order_so_nothing_large_hides_what_is_small(tmp_path: Path) -> None:
    large, small = [[1, 1], [25, 1], [25, 17], [1, 17]], [[4, 5], [6, 5], [6, 7], [4, 7]]
    file = write(tmp_path / "a.xml", labelme_xml(labelme_object("dog", small), labelme_object("cat", large)))
    assert np.array_equal(painted(file, "labelme-xml"), expected((1, 1, 25, 17, 1), (4, 5, 6, 7, 2)))


# CVAT


def cvat_xml(*shapes: str, image: str = 'name="a.jpg"', labels: str = "") -> str:
    meta = f"<meta><task><labels>{labels}</labels></task></meta>"
    size = f'width="{WIDTH}" height="{HEIGHT}"'
    return (
        f'<annotations><version>1.1</version>{meta}<image id="0" {image} {size}>{"".join(shapes)}</image></annotations>'
    )


CVAT_SHAPES: list[tuple[str, str, np.ndarray]] = [
    # pycocotools leaves the right and lower border out, as CVAT's own masks do
    ("polygon", '<polygon label="cat" points="2.00,3.00;10.00,3.00;10.00,13.00;2.00,13.00" z_order="0"/>',
     expected((2, 3, 9, 12, 1))),
    ("box", '<box label="cat" xtl="2.00" ytl="3.00" xbr="10.00" ybr="13.00"/>', expected((2, 3, 9, 12, 1))),
    ("turned box", '<box label="cat" xtl="5" ytl="4" xbr="15" ybr="10" rotation="90.00"/>',
     expected((7, 2, 12, 11, 1))),
    ("mask", '<mask label="dog" rle="0, 1, 1, 1, 1, 1, 1" left="5" top="6" width="3" height="2"/>',
     np.pad(MASK * 2, ((6, 12), (5, 22)))),
    ("polyline", '<polyline label="cat" points="2,10;20,10"/>',
     drawn(lambda d: d.line((2, 10, 20, 10), fill=1, width=10))),
    ("points", '<points label="cat" points="6,10;22,10"/>',
     drawn(lambda d: (d.ellipse((1, 5, 11, 15), fill=1), d.ellipse((17, 5, 27, 15), fill=1)))),
    ("z order", '<box label="cat" xtl="2" ytl="3" xbr="10" ybr="13" z_order="2"/>'
     '<box label="dog" xtl="5" ytl="6" xbr="13" ybr="16" z_order="1"/>', expected((*DOG, 2), (*CAT, 1))),
    ("tag", '<tag label="cat"><attribute name="good">yes</attribute></tag>', expected()),
]  # fmt: skip


@pytest.mark.parametrize(("name", "element", "label_map"), CVAT_SHAPES, ids=[row[0] for row in CVAT_SHAPES])
def test_cvat_shapes(name: str, element: str, label_map: np.ndarray, tmp_path: Path) -> None:
    assert np.array_equal(painted(write(tmp_path / "annotations.xml", cvat_xml(element)), "cvat"), label_map), name


@pytest.mark.parametrize("rotation", [0, 30, 90])
def test_cvat_ellipse(rotation: int, tmp_path: Path) -> None:
    element = f'<ellipse label="cat" cx="15" cy="10" rx="9" ry="5" rotation="{rotation}"/>'
    label_map = painted(write(tmp_path / "annotations.xml", cvat_xml(element)), "cvat")
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    angle = np.deg2rad(rotation)
    along, across = (
        (x - 15) * np.cos(angle) + (y - 10) * np.sin(angle),
        (y - 10) * np.cos(angle) - (x - 15) * np.sin(angle),
    )
    inside = (along / 9) ** 2 + (across / 5) ** 2 <= 1
    assert (inside != label_map.astype(bool)).sum() <= 6


def test_cvat_labels_colours_and_subsets(tmp_path: Path) -> None:
    labels = (
        "<label><name>dog</name><color>#ff0000</color></label><label><name>cat</name><color>#00FF00</color></label>"
    )
    box = '<box label="cat" xtl="2" ytl="3" xbr="10" ybr="13"/><tag label="cat"/>'
    write(tmp_path / "in/annotations.xml", cvat_xml(box, image='name="sub/a.jpg" subset="Validation"', labels=labels))
    save_picture(tmp_path / "in/images/sub/a.jpg")
    done = convert(tmp_path / "in", tmp_path / "out")
    assert done.classes == ClassMap(("background", "dog", "cat"), ((0, 0, 0), (255, 0, 0), (0, 255, 0)))
    assert (tmp_path / "out/val/masks/a.png").is_file()
    assert done.pixels == {"background": 520, "dog": 0, "cat": 80}
    assert "has 1 elements of the type tag, which have no area" in done.passed_over[0]


# COCO

CATEGORIES = [{"id": 7, "name": "cat"}, {"id": 3, "name": "dog"}]


def coco(*annotations: dict[str, Any], **fields: Any) -> dict[str, Any]:
    image = {"id": 1, "file_name": "a.jpg", "height": HEIGHT, "width": WIDTH}
    listed = [{"id": place, "image_id": 1, "iscrowd": 0, **entry} for place, entry in enumerate(annotations)]
    return {"images": [image], "categories": CATEGORIES, "annotations": listed, **fields}


def test_coco_polygons_large_ones_first(tmp_path: Path) -> None:
    small = {"category_id": 3, "segmentation": [[4, 5, 7, 5, 7, 8, 4, 8], [20, 2, 22, 2, 22, 4, 20, 4]]}
    large = {"category_id": 7, "segmentation": [[2, 3, 10, 3, 10, 13, 2, 13]]}
    file = write(tmp_path / "a.json", coco(small, large))
    boxes = [(2, 3, 9, 12, 1), (4, 5, 6, 7, 2), (20, 2, 21, 3, 2)]
    assert np.array_equal(painted(file, "coco"), expected(*boxes))
    on_top = painted(file, "coco", order=["dog", "cat"])
    assert np.array_equal(on_top, expected(boxes[2], boxes[0]))


@pytest.mark.filterwarnings("ignore::DeprecationWarning:pycocotools")
@pytest.mark.parametrize("seed", range(20))
def test_coco_polygons_and_runs_as_pycocotools_has_them(seed: int, tmp_path: Path) -> None:
    from pycocotools import mask as coco_mask

    random = np.random.default_rng(seed)
    rings = [random.uniform(-3, 33, 2 * random.integers(3, 9)).tolist() for _ in range(2)]
    packed = coco_mask.merge(coco_mask.frPyObjects(rings, HEIGHT, WIDTH))
    mask = coco_mask.decode(packed)
    flat = mask.ravel(order="F")
    runs = np.diff(np.concatenate([[0], np.flatnonzero(np.diff(flat)) + 1, [len(flat)]])).tolist()
    plain = {"size": [HEIGHT, WIDTH], "counts": [0, *runs] if flat[0] else runs}
    for segmentation in (rings, plain, {"size": [HEIGHT, WIDTH], "counts": packed["counts"].decode()}):
        file = write(tmp_path / "a.json", coco({"category_id": 7, "segmentation": segmentation}))
        assert np.array_equal(painted(file, "coco"), mask)


def test_long_runs_as_pycocotools_packs_them(tmp_path: Path) -> None:
    from pycocotools import mask as coco_mask

    mask = np.zeros((500, 700), np.uint8)
    mask[100:450, 300:301], mask[:, 500:], mask[7, 7] = 1, 1, 1
    packed = coco_mask.encode(np.asfortranarray(mask))["counts"].decode()
    image = {"id": 1, "file_name": "a.jpg", "height": 500, "width": 700}
    entry = {"category_id": 7, "segmentation": {"size": [500, 700], "counts": packed}}
    file = write(tmp_path / "a.json", coco(entry, images=[image]))
    assert np.array_equal(painted(file, "coco"), mask)


def test_coco_crowd_is_ignored(tmp_path: Path) -> None:
    crowd = {"category_id": 7, "iscrowd": 1, "segmentation": {"size": [HEIGHT, WIDTH], "counts": [0, 100, 500]}}
    file = write(tmp_path / "a.json", coco(crowd))
    assert np.array_equal(painted(file, "coco"), expected((0, 0, 4, 19, 255)))


def test_coco_files_of_several_splits(tmp_path: Path) -> None:
    large = {"category_id": 3, "segmentation": [[2, 3, 10, 3, 10, 13, 2, 13]]}
    for split in ("train", "val2017"):
        write(tmp_path / f"in/annotations/instances_{split}.json", coco(large, {"category_id": 7, "segmentation": []}))
    write(tmp_path / "in/annotations/person_keypoints_train.json", coco())
    save_picture(tmp_path / "in/images/a.jpg")
    done = convert(tmp_path / "in", tmp_path / "out")
    assert done.classes.names == ("background", "cat", "dog")
    assert sorted(path.parent.parent.name for path in (tmp_path / "out").glob("*/masks/a.png")) == ["train", "val"]
    assert sum("have no outline, only boxes, which are no masks" in note for note in done.passed_over) == 2
    assert any("person_keypoints_train.json was passed over" in note for note in done.passed_over)


# Pascal VOC


def voc(root: Path, colors: np.ndarray) -> Path:
    write(root / "labelmap.txt", "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncat:64,0,0::\ndog:0,64,0::\n")
    save_picture(root / "JPEGImages/a.jpg")
    (root / "SegmentationClass").mkdir()
    (root / "SegmentationClass/a.png").write_bytes(png(colors))
    write(root / "ImageSets/Segmentation/val.txt", "a\nb\n")
    write(root / "Annotations/a.xml", "<annotation><size/><object><bndbox/></object></annotation>")
    return root


def test_voc(tmp_path: Path) -> None:
    colors = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    colors[3:13, 2:10], colors[15:, :], colors[0, 0] = (0, 64, 0), (64, 0, 0), (224, 224, 192)
    done = convert(voc(tmp_path / "in", colors), tmp_path / "out")
    assert done.format == "voc"
    assert done.classes == ClassMap(("background", "cat", "dog"), ((0, 0, 0), (64, 0, 0), (0, 64, 0)))
    label_map = np.asarray(Image.open(tmp_path / "out/val/masks/a.png"))
    assert np.array_equal(label_map, expected((2, 3, 9, 12, 2), (0, 15, 29, 19, 1), (0, 0, 0, 0, 255)))
    assert done.pixels == {"background": 369, "cat": 150, "dog": 80}
    assert done.ignored == 1
    assert "val.txt lists b, but SegmentationClass has no such picture" in done.passed_over[0]


def test_voc_colour_without_a_line(tmp_path: Path) -> None:
    colors = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    colors[:2, :2] = (1, 2, 3)
    with pytest.raises(
        UserError, match=r"a\.png holds the colour \(1, 2, 3\) in 4 pixels, which labelmap\.txt does not"
    ):
        FORMATS["voc"].read(voc(tmp_path, colors))


def test_voc_label_map_file_without_colours(tmp_path: Path) -> None:
    voc(tmp_path, np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    write(tmp_path / "labelmap.txt", "background\ncat\n")
    with pytest.raises(
        UserError, match=r'labelmap\.txt gives no colours\. Write one line a class, such as "cat:64,0,0'
    ):
        FORMATS["voc"].read(tmp_path)


def test_boxes_are_no_masks(tmp_path: Path) -> None:
    write(tmp_path / "a.xml", "<annotation><size/><object><name>cat</name><bndbox/></object></annotation>")
    with pytest.raises(UserError, match=r"boxes only, and boxes are no masks\. Draw polygons"):
        convert(tmp_path, tmp_path / "out")


# Recognising

SMALL: dict[str, tuple[str, str | dict[str, Any]]] = {
    "labelme-json": ("a.json", labelme()),
    "labelme-xml": ("a.xml", labelme_xml()),
    "cvat": ("annotations.xml", cvat_xml()),
    "coco": ("instances.json", coco()),
}


@pytest.mark.parametrize("name", SMALL)
def test_each_format_is_recognised_and_converted(name: str, tmp_path: Path) -> None:
    file_name, content = SMALL[name]
    file = write(tmp_path / "in" / file_name, content)
    save_picture(tmp_path / "in/a.jpg")
    for source in (file, tmp_path / "in"):
        assert detect(source) == (name, f"{FORMATS[name].title}: {file.name} is {FORMATS[name].evidence}.")
    done = convert(tmp_path / "in", tmp_path / "out")
    assert (done.format, done.pictures, done.pixels["background"]) == (name, 1, HEIGHT * WIDTH)
    assert (tmp_path / "out/images/a.jpg").read_bytes() == (tmp_path / "in/a.jpg").read_bytes()
    assert convert(file, tmp_path / "again", format=name).why.startswith(f"{FORMATS[name].title}: chosen")


def test_the_label_maps_must_not_go_into_the_source(tmp_path: Path) -> None:
    write(tmp_path / "a.json", labelme())
    with pytest.raises(UserError, match="lies in .* itself. Name a folder outside of it"):
        convert(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nothing_or_too_much_is_recognised(tmp_path: Path) -> None:
    write(tmp_path / "package.json", {"name": "x"})
    write(tmp_path / "notes.txt", "hello")
    with pytest.raises(UserError, match=r"holds no polygons in a format that is known here\. Known: labelme-json \("):
        detect(tmp_path)
    with pytest.raises(UserError, match=r"nowhere does not exist\. Check the path\."):
        detect(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"nowhere does not exist\. Check the path\."):
        convert(tmp_path / "nowhere", tmp_path / "out", format="coco")
    with pytest.raises(UserError, match=r"holds no COCO JSON\. Check the path and the format\."):
        convert(tmp_path, tmp_path / "out", format="coco")
    with pytest.raises(UserError, match=r'There is no polygon format "cocoa"\. Did you mean "coco"'):
        convert(tmp_path, tmp_path / "out", format="cocoa")
    write(tmp_path / "a.json", labelme())
    write(tmp_path / "b.xml", labelme_xml())
    with pytest.raises(
        UserError, match=r"two formats: a\.json is labelme-json, b\.xml is labelme-xml\. Name the format"
    ):
        detect(tmp_path)


# Real data


def test_skydiving(real_data: Path, tmp_path: Path) -> None:
    """Its label maps were made from CVAT's LabelMe XML by a script of its project, with OpenCV."""
    names = ["no label", "person", "airplane", "ground", "sky"]
    order = ["sky", "ground", "airplane", "person"]
    done = convert(real_data / "skydiving", tmp_path / "out", classes=names, order=order)
    assert (done.format, done.pictures, done.passed_over) == ("labelme-xml", 12, ())
    for split, count in (("train", 10), ("val", 2)):
        published = sorted((real_data / "skydiving" / split / "Labels").glob("*.png"))
        assert len(published) == count
        for path in published:
            ours = np.asarray(Image.open(tmp_path / "out" / split / "masks" / path.name))
            assert (ours == np.asarray(Image.open(path))).mean() >= 0.9998, path  # 99.981 % to 100 %


def test_newts(real_data: Path, tmp_path: Path) -> None:
    """Their label maps were made by labelme itself."""
    done = convert(real_data / "newts", tmp_path / "out", classes=["background", "akahara", "madara"])
    assert (done.format, done.pictures, done.passed_over) == ("labelme-json", 22, ())
    compared = 0
    for path in sorted((real_data / "newts").glob("*/seg_images/*/*.png")):
        ours = np.asarray(Image.open(tmp_path / "out" / path.parts[-4] / "masks" / path.name))
        assert np.array_equal(ours, np.asarray(Image.open(path))), path
        compared += 1
    assert compared == 22
    first = tmp_path / "out/test/images/akahara_0009.jpg"
    assert np.array_equal(read_image(first), read_image(real_data / "newts/test/images/akahara/akahara_0009.jpg"))


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("raster", RASTERS)
def test_small_shapes_are_painted_as_on_the_whole_picture(raster: Any, seed: int) -> None:
    """Only the surroundings of a shape are drawn, with equal pixels."""
    random = np.random.default_rng(seed)
    center, reach = random.uniform(-10, 110, 2), random.uniform(2, 60)
    for kind in ("polygon", "circle", "line", "point"):
        count = 2 if kind == "circle" else random.integers(3, 9)
        points = np.round(center + random.uniform(-reach, reach, (count, 2)), 1)
        whole = (RASTERS[raster] if kind == "polygon" else FILLS[kind])(points, 90, 100)
        drawing = Drawing("a", "a.jpg", Path("a.json"), (Shape("cat", kind, points),), 90, 100, raster=raster)  # type: ignore[arg-type]
        assert np.array_equal(paint(drawing, CLASSES), whole), kind


# What cv2.fillPoly of OpenCV 5.0 makes of these points without their fractions.
OPENCV_POINTS = [[1.7, 1.2], [18.9, 3.5], [12.1, 9.9], [15.3, 13.0], [4.4, 11.8], [8.8, 6.1]]
OPENCV_PIXELS = """
....................
.#####..............
..############......
....###############.
.....#############..
......###########...
........########....
.......########.....
......########......
......#######.......
.....#########......
....##########......
.......########.....
.............###....
....................
....................
"""


def test_the_raster_of_opencv() -> None:
    pixels = [[sign == "#" for sign in row] for row in OPENCV_PIXELS.split()]
    assert np.array_equal(fill_opencv(np.array(OPENCV_POINTS), 16, 20), pixels)


def test_patches_pack_and_unpack() -> None:
    for seed in range(5):
        mask = np.random.default_rng(seed).random((seed, 7)) < 0.5
        assert np.array_equal(Patch.of(mask).mask(), mask)
        assert Patch.of(mask).count == mask.sum()
