"""Data-set layouts: each is recognised as what it is, and its pairs, splits and label maps are those that were made."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from seg_demo.data.decoding import find_reading
from seg_demo.data.layouts import camvid, cityscapes, newts
from seg_demo.data.listing import Listing, Pair, Tree, is_picture, matched
from seg_demo.data.masks import read_label_file
from seg_demo.data.registry import LAYOUTS, find_listing, named_splits
from seg_demo.data.survey import LabelFacts, survey
from seg_demo.errors import UserError
from seg_demo.palettes import CITYSCAPES, VOC

HEIGHT, WIDTH = 24, 32
PALETTE = VOC.palette().ravel().tolist()
Planted = dict[tuple[str | None, str], np.ndarray]


def write(path: Path, pixels: np.ndarray, palette: list[int] | None = None) -> None:
    """uint8 pixels as a picture; (H, W) is grey, or a palette file where a palette is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".mat":
        import scipy.io

        cell = np.empty((1, 1), [("Segmentation", object)])
        cell[0, 0] = (pixels,)
        scipy.io.savemat(path, {"GTcls": cell})
        return
    image = Image.fromarray(pixels)
    if palette:
        image.putpalette(palette)
    image.save(path)


def lines(path: Path, names: Iterable[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(names) + "\n", "utf-8")


def plant(root: Path, image: str, label: str, values: tuple[int, ...], palette: list[int] | None = None) -> np.ndarray:
    """Write an image and a label file with an area of each value; returns which of the values is where."""
    places = (np.arange(HEIGHT * WIDTH) * len(values) // (HEIGHT * WIDTH)).reshape(HEIGHT, WIDTH)
    write(root / image, np.random.default_rng(len(image)).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8))
    write(root / label, np.array(values, np.uint8)[places], palette)
    return places


def build_newts(root: Path) -> Planted:
    planted: Planted = {}
    for folder, species, number in [(f, s, n) for f in ("train", "test") for s in (1, 2) for n in range(1, 6)]:
        name = ("akahara", "madara")[species - 1]
        file = f"{name}/{name}_{number:04}"
        places = plant(root, f"{folder}/images/{file}.jpg", f"{folder}/seg_images/{file}.png", (0, species), PALETTE)
        if number in (2, 3):  # some are RGB, of either level
            level = 125 + number
            rgb = np.array([(0, 0, 0), [(level, 0, 0), (0, level, 0)][species - 1]], np.uint8)[places]
            write(root / f"{folder}/seg_images/{file}.png", rgb)
        planted["val" if folder == "train" and number == 4 else folder, Path(file).name] = places * species
    return planted


def build_voc(root: Path) -> Planted:
    planted: Planted = {}
    for split, name in (("train", "2007_000032"), ("train", "2008_000001"), ("val", "2007_000033")):
        places = plant(root, f"JPEGImages/{name}.jpg", f"SegmentationClass/{name}.png", (0, 15, 255), PALETTE)
        planted[split, name] = np.array([0, 15, 255])[places]
        lines(root / f"ImageSets/Segmentation/{split}.txt", [name for its, name in planted if its == split])
    plant(root, "JPEGImages/2007_000027.jpg", "SegmentationObject/2007_000032.png", (0, 1))
    return planted


def build_sbd(root: Path) -> Planted:
    planted: Planted = {}
    for split, name in (("train", "2008_000002"), ("train", "2008_000004"), ("val", "2008_000007")):
        planted[split, name] = np.array([0, 20])[plant(root, f"img/{name}.jpg", f"cls/{name}.mat", (0, 20))]
        lines(root / f"{split}.txt", [name for its, name in planted if its == split])
    return planted


def build_cityscapes(root: Path) -> Planted:
    planted: Planted = {}
    for split, name in (("train", "aachen_000000_000019"), ("val", "munster_000000_000019")):
        stem = f"{split}/{name.split('_')[0]}/{name}"
        places = plant(
            root, f"leftImg8bit/{stem}_leftImg8bit.png", f"gtFine/{stem}_gtFine_labelIds.png", (0, 7, 26, 33, 29)
        )
        write(root / f"gtFine/{stem}_gtFine_instanceIds.png", places.astype(np.uint8))
        planted[split, name] = np.array([255, 0, 13, 18, 255])[places]
    write(root / "leftImg8bit/test/bonn/bonn_000000_000019_leftImg8bit.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    return planted


def build_camvid(root: Path) -> Planted:
    planted: Planted = {}
    for split, name in (("train", "0001TP_006690"), ("val", "0016E5_07959"), ("test", "Seq05VD_f00000")):
        places = plant(root, f"{split}/{name}.png", f"{split}annot/{name}.png", (0, 10, 11))
        planted[split, name] = np.array([0, 10, 255])[places]
    return planted


def build_ade20k(root: Path) -> Planted:
    planted: Planted = {}
    for split, folder in (("train", "training"), ("val", "validation")):
        name = f"ADE_{split}_00000001"
        places = plant(root, f"images/{folder}/{name}.jpg", f"annotations/{folder}/{name}.png", (0, 1, 150))
        planted[split, name] = np.array([255, 0, 149])[places]
    return planted


def build_folders(root: Path) -> Planted:
    planted: Planted = {}
    for split, name in (("train", "cat"), ("train", "dog"), ("val", "cat"), ("test", "eel")):
        planted[split, name] = plant(root, f"{split}/images/{name}.jpg", f"{split}/masks/{name}.png", (0, 1, 2))
    lines(root / "classes.txt", ["background", "head", "tail"])
    return planted


BUILDERS: dict[str, Callable[[Path], Planted]] = {
    "newts": build_newts,
    "voc": build_voc,
    "sbd": build_sbd,
    "cityscapes": build_cityscapes,
    "camvid": build_camvid,
    "ade20k": build_ade20k,
    "folders": build_folders,
}


def decoded(listing: Listing) -> Planted:
    """The label maps of a listing."""
    files = [look.label for look in survey(listing, labels_only=True) if isinstance(look.label, LabelFacts)]
    decoding = find_reading(
        files, listing.classes, colors_given=listing.colors_fixed, numbers=listing.numbers, colors=listing.colors
    ).decoding  # fmt: skip
    return {
        (pair.split, pair.name): decoding.decode(read_label_file(pair.label), pair.name)
        for pair in listing.pairs if pair.label
    }  # fmt: skip


def test_every_layout_is_tested() -> None:
    assert list(BUILDERS) == list(LAYOUTS)


@pytest.mark.parametrize("wrapped", [False, True], ids=["bare", "wrapped"])
@pytest.mark.parametrize("layout", BUILDERS)
def test_contract(layout: str, wrapped: bool, tmp_path: Path) -> None:
    root = tmp_path / "download/set" if wrapped else tmp_path
    planted = BUILDERS[layout](root)
    lines(tmp_path / "README.md", ["Pictures."])
    listing = find_listing(tmp_path)
    assert listing.layout == layout
    assert LAYOUTS[layout].find(Tree(listing.root)) == listing
    assert {(pair.split, pair.name) for pair in listing.pairs} == set(planted)
    for pair in listing.pairs:
        assert pair.image, pair.name
        assert pair.image.is_file()
        assert pair.label, pair.name
    found = decoded(listing)
    for key, label_map in planted.items():
        assert found[key].dtype == np.uint8
        assert np.array_equal(found[key], label_map), key
    assert listing.reasons
    assert all(reason.endswith(".") and reason[0].isalnum() and "\n" not in reason for reason in listing.reasons)
    assert find_listing(tmp_path, layout) == listing


# "image + label; image + label; lonely image" -> "split:name" of each, in this order; "-" for no split.
HABITS: list[tuple[str, str]] = [
    ("images/cat.jpg + masks/cat.png", "-:cat"),
    ("images/cat.jpg + labels/cat.png", "-:cat"),
    ("images/cat.jpg + label/cat.png", "-:cat"),
    ("images/cat.jpg + annotations/cat.png", "-:cat"),
    ("images/cat.jpg + gt/cat.png", "-:cat"),
    ("images/cat.jpg + ground_truth/cat.png", "-:cat"),
    ("images/cat.tif + targets/cat.tif", "-:cat"),
    ("images/cat.jpg + seg/cat.png", "-:cat"),
    ("images/cat.jpg + Segmentation/cat.png", "-:cat"),
    ("Images/cat.jpg + Labels/cat.png", "-:cat"),
    ("IMAGES/cat.JPG + MASKS/cat.PNG", "-:cat"),
    ("JPEGImages/cat.jpg + SegmentationClass/cat.png", "-:cat"),
    ("JPEGImages/cat.jpg + SegmentationClassPNG/cat.png; | SegmentationClassVisualization/cat.jpg", "-:cat"),
    ("img/cat.jpg + label/cat.png", "-:cat"),
    ("imgs/cat.jpg + masks/cat.gif", "-:cat"),
    ("image/cat.jpg + mask/cat.png", "-:cat"),
    ("photos/cat.jpg + label maps/cat.png", "-:cat"),
    ("original_images/cat.jpg + label_images_semantic/cat.png", "-:cat"),
    ("train/cat.jpg + trainannot/cat.png; val/dog.jpg + valannot/dog.png", "train:cat val:dog"),
    ("train/cat.jpg + train_masks/cat_mask.gif", "train:cat"),
    ("train_img/cat.jpg + train_lab/cat.png; val_img/cat.jpg + val_lab/cat.png", "train:cat val:cat"),
    ("train_images/cat.jpg + train_labels/cat.png; test_images/cat.jpg + test_labels/cat.png", "train:cat test:cat"),
    ("TrainImages/cat.jpg + TrainMasks/cat.png; ValImages/cat.jpg + ValMasks/cat.png", "train:cat val:cat"),
    ("cats/cat.jpg + cats_mask/cat.png", "-:cat"),
    ("train/images/cat.jpg + train/masks/cat.png; valid/images/cat.jpg + valid/masks/cat.png", "train:cat val:cat"),
    ("Train/Images/cat.jpg + Train/Labels/cat.png; TEST/Images/dog.jpg + TEST/Labels/dog.png", "train:cat test:dog"),
    ("images/train/cat.jpg + masks/train/cat.png; images/val/cat.jpg + masks/val/cat.png", "train:cat val:cat"),
    (
        "images/training/cat.jpg + labels/training/cat.png; images/validation/a.jpg + labels/validation/a.png",
        "train:cat val:a",
    ),
    ("images/train2017/cat.jpg + stuffthingmaps/train2017/cat.png", "train:cat"),
    (
        "data/images/dev/cat.jpg + data/masks/dev/cat.png; data/images/testing/a.jpg + data/masks/testing/a.png",
        "val:cat test:a",
    ),
    ("images/train/cat.jpg + masks/cat.png; images/val/dog.jpg + masks/dog.png", "train:cat val:dog"),
    ("images/cat.jpg + masks/train/cat.png; images/dog.jpg + masks/val/dog.png", "train:cat val:dog"),
    ("Segmentation/train/cat.jpg + Segmentation/trainannot/cat.png", "train:cat"),
    ("images/newt/cat.jpg + masks/newt/cat.png; images/frog/cat.jpg + masks/frog/cat.png", "-:newt_cat -:frog_cat"),
    ("images/face_mask/cat.jpg + masks/face_mask/cat.png", "-:cat"),
    ("images/train/cat.jpg + masks/train/cat.png; images/bus/a.jpg + masks/bus/a.png", "-:cat -:a"),
    (
        "train/images/newt/a.jpg + train/seg_images/newt/a.png; test/images/newt/a.jpg + test/seg_images/newt/a.png",
        "train:a test:a",
    ),
    ("segmentation_set/images/cat.jpg + segmentation_set/masks/cat.png", "-:cat"),
    ("Masks of cats/train/cat.jpg + Masks of cats/train/cat_mask.png", "train:cat"),
    ("cat.jpg + cat_mask.png; dog.jpg + dog_mask.png", "-:cat -:dog"),
    ("cat.png + cat_label.png; dog.png + dog_label.png", "-:cat -:dog"),
    ("cat.jpg + cat_gt.png", "-:cat"),
    ("cat.jpg + cat-seg.png", "-:cat"),
    ("cat.jpg + cat.mask.png", "-:cat"),
    ("cat.jpg + cat.png; dog.jpeg + dog.png", "-:cat -:dog"),
    ("855_sat.jpg + 855_mask.png", "-:855_sat"),
    ("cat_image.png + cat_label.png", "-:cat_image"),
    ("cat_img.png + cat_img_mask.png", "-:cat_img"),
    ("train/cat.jpg + train/cat_mask.png; val/dog.jpg + val/dog_mask.png", "train:cat val:dog"),
    ("images/img_001.png + masks/mask_001.png; images/img_002.png + masks/mask_002.png", "-:img_001 -:img_002"),
    ("image12.png + mask12.png; image13.png + mask13.png", "-:image12 -:image13"),
    ("images/cat.jpg + masks/Cat.png", "-:cat"),
    ("images/cafe\u0301.jpg + masks/caf\u00e9.png", "-:cafe\u0301"),
    ("写真/images/猫.jpg + 写真/masks/猫.png", "-:猫"),
    ("images/cat.jpg + masks/cat.png; images/dog.jpg; | preview.png", "-:cat -:dog"),
    ("images/cat.jpg + masks/cat.png; | masks_rgb/cat.png", "-:cat"),
]


@pytest.mark.parametrize(("files", "expected"), HABITS, ids=[files for files, _ in HABITS])
def test_naming_habits(files: str, expected: str, tmp_path: Path) -> None:
    belongs, _, passed_over = files.partition("; | ")
    rows = [tuple(tmp_path / name for name in row.split(" + ")) for row in belongs.split("; ")]
    junk = [tmp_path / name for name in passed_over.split("; ") if name]
    for path in [*(path for row in rows for path in row), *junk]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    listing = find_listing(tmp_path)
    assert listing.layout == "folders"
    wanted = []
    for row, text in zip(rows, expected.split(" "), strict=True):
        split, name = text.split(":")
        wanted.append(Pair(name, row[0], row[1] if len(row) > 1 else None, None if split == "-" else split))
    assert sorted(listing.pairs, key=lambda pair: str(pair.image)) == sorted(wanted, key=lambda pair: str(pair.image))
    assert list(listing.passed_over) == junk


NOTHING = [
    "images/cat.jpg; images/dog.jpg",
    "cat.jpg; dog.png",
    "images/cat.jpg; annotations/cat.xml; annotations/instances.json",
    "masks/cat.png; masks/dog.png",
    "notes.txt",
    "JPEGImages/cat.jpg; SegmentationObject/cat.png",
]


@pytest.mark.parametrize("files", NOTHING)
def test_nothing_is_made_of_what_has_no_label_maps(files: str, tmp_path: Path) -> None:
    for name in files.split("; "):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(UserError, match=r"but no label maps that belong to them|holds no pictures\."):
        find_listing(tmp_path)


def touched(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_reasons_tell_what_is_missing(tmp_path: Path) -> None:
    names = ("train/images/a.jpg", "train/images/b.jpg", "train/masks/a.png", "train/masks/c.png", "test/images/d.jpg")
    listing = find_listing(touched(tmp_path, *names))
    assert listing.reasons == (
        'Images of the split "train" in train/images that have a label file of the same name in train/masks: 1.',
        "Images in train/images without a label file: 1.",
        "Label files in train/masks without an image: 1.",
        "Images in test/images without a label file: 1.",
        "There is no folder for validation.",
    )
    assert [(pair.split, pair.name, bool(pair.image), bool(pair.label)) for pair in listing.pairs] == [
        ("train", "a", True, True), ("train", "b", True, False), ("train", "c", False, True), ("test", "d", True, False)
    ]  # fmt: skip


@pytest.mark.parametrize("wrapped", ["", "set", "set/inner"])
def test_a_class_file_names_the_classes(wrapped: str, tmp_path: Path) -> None:
    touched(tmp_path / wrapped, "images/a.jpg", "masks/a.png")
    lines(tmp_path / wrapped / "labelmap.txt", ["background:0,0,0::", "newt:127,0,0::"])
    listing = find_listing(tmp_path)
    assert listing.classes
    assert listing.classes.names == ("background", "newt")
    assert listing.colors_fixed
    assert "labelmap.txt names 2 classes, with their colours." in listing.reasons


def test_an_unknown_layout(tmp_path: Path) -> None:
    with pytest.raises(UserError, match='There is no data-set layout "camvd". Did you mean "camvid"'):
        find_listing(tmp_path, "camvd")
    with pytest.raises(UserError, match="is no folder. Give the folder that holds the pictures"):
        find_listing(tmp_path / "nowhere")


def test_newts_keep_their_split_and_both_levels(tmp_path: Path) -> None:
    names = [
        f"train/{kind}/akahara/{n}.{end}"
        for n in range(1, 9)
        for kind, end in (("images", "jpg"), ("seg_images", "png"))
    ]
    listing = find_listing(touched(tmp_path, *names, "train/seg_images/madara/9.png"))
    assert [pair.name for pair in listing.pairs if pair.split == "val"] == ["4", "8"]
    assert [pair.name for pair in listing.pairs if not pair.image] == ["9"]
    assert listing.colors == newts.COLORS
    assert listing.colors is not None
    assert [listing.colors[color] for color in (0, 0x7F0000, 0x800000, 0x007F00, 0x008000)] == [0, 1, 1, 2, 2]


def test_newts_that_somebody_has_split_keep_that(tmp_path: Path) -> None:
    names = [
        f"{split}/{kind}/akahara/{split}{n}.{end}"
        for split in ("train", "val")
        for n in range(1, 9)
        for kind, end in (("images", "jpg"), ("seg_images", "png"))
    ]
    pairs = find_listing(touched(tmp_path, *names)).pairs
    assert {pair.name for pair in pairs if pair.split == "val"} == {f"val{n}" for n in range(1, 9)}


def test_newts_in_palettes_of_any_order(tmp_path: Path) -> None:
    planted = build_newts(tmp_path)
    for label in sorted(tmp_path.rglob("*_0001.png")):  # index 0 is the newt, index 1 the background
        ids = np.asarray(Image.open(label))
        write(label, (ids == 0).astype(np.uint8), [128 * (ids.max() == 1), 128 * (ids.max() == 2), 0, 0, 0, 0])
    for key, found in decoded(find_listing(tmp_path)).items():
        assert np.array_equal(found, planted[key]), key


def test_voc_beside_its_archive_and_with_unlabelled_test(tmp_path: Path) -> None:
    base = tmp_path / "VOCdevkit/VOC2012"
    build_voc(base)
    touched(tmp_path, "VOCtrainval_11-May-2012.tar", "VOCdevkit/VOC2012/JPEGImages/2012_1.jpg")
    lines(base / "ImageSets/Segmentation/test.txt", ["2012_1"])
    lines(base / "ImageSets/Segmentation/trainval.txt", ["2007_000032", "2007_000033"])
    lines(base / "ImageSets/Segmentation/train.txt", ["2007_000032", "2007_000027", "2009_nowhere", "../../../secret"])
    listing = find_listing(tmp_path)
    assert [(pair.split, pair.name, bool(pair.label)) for pair in listing.pairs] == [
        ("train", "2007_000027", False), ("train", "2007_000032", True), ("val", "2007_000033", True)
    ]  # fmt: skip
    assert any("names 1 pictures without label files: they are left out" in reason for reason in listing.reasons)
    assert any(reason.startswith("2 of them are missing altogether") for reason in listing.reasons)


def test_voc_with_classes_of_its_own(tmp_path: Path) -> None:
    """CVAT and Datumaro write this layout for any classes, with one list and a labelmap.txt."""
    touched(tmp_path, "JPEGImages/a.jpg", "SegmentationClass/a.png", "SegmentationObject/a.png")
    lines(tmp_path / "ImageSets/Segmentation/default.txt", ["a"])
    lines(tmp_path / "labelmap.txt", ["background:0,0,0::", "newt:127,0,0::"])
    listing = find_listing(tmp_path)
    assert (listing.layout, [(pair.split, pair.name) for pair in listing.pairs]) == ("voc", [(None, "a")])
    assert listing.classes
    assert listing.classes.names == ("background", "newt")
    assert listing.colors_fixed
    assert listing.numbers is None


def test_a_list_that_is_no_text(tmp_path: Path) -> None:
    touched(tmp_path, "JPEGImages/a.jpg", "SegmentationClass/a.png", "ImageSets/Segmentation/train.txt")
    (tmp_path / "ImageSets/Segmentation/train.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"train.txt is not text in UTF-8. Save it as UTF-8."):
        find_listing(tmp_path)
    with open(tmp_path / "ImageSets/Segmentation/train.txt", "wb") as file:
        file.truncate((1 << 24) + 1)
    with pytest.raises(
        UserError, match=r"train.txt is larger than 16 MB, which no list of pictures is. Check the file."
    ):
        find_listing(tmp_path)


def test_sbd_with_torchvisions_list(tmp_path: Path) -> None:
    build_sbd(tmp_path)
    (tmp_path / "train.txt").unlink()
    lines(tmp_path / "train_noval.txt", ["2008_000004"])
    counts = Counter(pair.split for pair in find_listing(tmp_path).pairs)
    assert counts == {"train": 1, "val": 1}


def test_a_damaged_mat_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.mat").write_bytes(b"MATLAB 5.0 MAT-file" + bytes(200))
    with pytest.raises(UserError, match=r"^a.mat is no label file of the Semantic Boundaries Dataset \(GTcls"):
        read_label_file(tmp_path / "a.mat")
    monkeypatch.setitem(__import__("sys").modules, "scipy.io", None)
    with pytest.raises(UserError, match=r"^a.mat is a MATLAB file, for which SciPy is missing. Run: pip install scipy"):
        read_label_file(tmp_path / "a.mat")


def test_cityscapes_label_ids() -> None:
    """As cityscapesscripts/helpers/labels.py lists them."""
    published = (
        "7 road, 8 sidewalk, 11 building, 12 wall, 13 fence, 17 pole, 19 traffic light, 20 traffic sign, "
        "21 vegetation, 22 terrain, 23 sky, 24 person, 25 rider, 26 car, 27 truck, 28 bus, 31 train, "
        "32 motorcycle, 33 bicycle"
    )
    names = {
        label_id: CITYSCAPES.names[class_id] for label_id, class_id in cityscapes.LABEL_IDS.items() if class_id < 19
    }
    assert ", ".join(f"{label_id} {name}" for label_id, name in sorted(names.items())) == published


def test_cityscapes_prefers_train_ids_where_all_pictures_have_them(tmp_path: Path) -> None:
    planted = build_cityscapes(tmp_path)
    for label in sorted((tmp_path / "gtFine").rglob("*_labelIds.png")):
        assert find_listing(tmp_path).numbers == cityscapes.LABEL_IDS
        ids = np.array([cityscapes.LABEL_IDS[value] for value in range(34)], np.uint8)[np.asarray(Image.open(label))]
        write(label.with_name(label.name.replace("labelIds", "labelTrainIds")), ids)
    listing = find_listing(tmp_path)
    assert listing.numbers == cityscapes.TRAIN_IDS
    assert all(np.array_equal(found, planted[key]) for key, found in decoded(listing).items())
    assert len(listing.pairs) == 2
    assert "gtFine/test holds no label files: the test pictures are left out." in listing.reasons


def test_only_camvids_pictures_are_camvid(tmp_path: Path) -> None:
    build_camvid(tmp_path)
    touched(tmp_path, "train/my_street.jpg", "trainannot/my_street.png")
    assert find_listing(tmp_path).layout == "folders"
    assert camvid.FILMS.fullmatch("Seq05VD_f00030")


def test_ade20k_by_its_lists(tmp_path: Path) -> None:
    touched(tmp_path, "images/training/a.jpg", "annotations/training/a.png")
    assert find_listing(tmp_path).layout == "folders"
    listing = find_listing(touched(tmp_path, "objectInfo150.txt"))
    assert listing.layout == "ade20k"
    assert listing.reasons[-1].startswith("objectInfo150.txt lies beside them")


def test_matched_prefers_the_exact_name() -> None:
    images, labels = [Path("i/Cat.jpg"), Path("i/cat.jpg")], [Path("m/cat.png")]
    assert matched(images, labels) == [
        Pair("Cat", Path("i/Cat.jpg"), None), Pair("cat_2", Path("i/cat.jpg"), Path("m/cat.png"))
    ]  # fmt: skip


def test_named_splitss() -> None:
    train, val = (named_splits("procedural:2")(split) for split in ("train", "val"))
    assert train is not None
    assert val is not None
    assert len(train) == 2
    assert train.classes.names == ("background", "akahara", "madara")
    assert named_splits("photos") is named_splits("C:\\photos") is None
    for bad in ("procedural:", "procedural:0", "procedural:-3", "procedural:many", "procedural:99999999999"):
        with pytest.raises(UserError, match=r'named "procedural:COUNT" with 1 to 100000 pictures, not'):
            named_splits(bad)
    with pytest.raises(UserError, match='There is no split "tran"'):
        named_splits("procedural:2")("tran")


@pytest.mark.parametrize(
    ("folder", "layout", "counts"),
    [
        ("newts", "newts", {"train": 12, "val": 4, "test": 6}),
        ("camvid", "camvid", {"train": 367, "val": 101, "test": 233}),
        ("skydiving", "folders", {"train": 10, "val": 2}),
    ],
)
def test_real_data(folder: str, layout: str, counts: dict[str, int], real_data: Path) -> None:
    if not (real_data / folder).is_dir():
        pytest.skip(f"{real_data}/{folder} is missing")
    listing = find_listing(real_data / folder)
    assert listing.layout == layout
    assert Counter(pair.split for pair in listing.pairs) == counts
    assert all(pair.image and pair.label for pair in listing.pairs)


FOLDERS = (
    "images masks train val trainannot test labels Images newt img_train cats cats_mask gt rgb_masks 2017 . .".split()
)
FILES = "cat cat_mask Cat mask_1 image_1 cat.png.mask 12 12mask mask cat_image cat_image_mask".split()
paths = st.tuples(
    st.lists(st.sampled_from(FOLDERS), max_size=3),
    st.sampled_from(FILES),
    st.sampled_from([".jpg", ".png", ".JPG", ".txt"]),
).map(lambda parts: "/".join([*parts[0], parts[1] + parts[2]]))


@settings(max_examples=150, deadline=None)
@given(names=st.sets(paths, min_size=1, max_size=14))
def test_every_picture_has_one_place(names: set[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = touched(Path(folder), *sorted(names))
        try:
            listing = find_listing(root)
        except UserError:
            return
        tree = Tree(listing.root)
        sides = [path for pair in listing.pairs for path in (pair.image, pair.label) if path]
        there = [tree.path(path) for path in tree.files if is_picture(path)]
        assert sorted([*sides, *listing.passed_over]) == sorted(there)
        assert all(pair.image or pair.label for pair in listing.pairs)
        keys = Counter((pair.split, pair.name.casefold()) for pair in listing.pairs)
        assert set(keys.values()) == {1}
        assert listing == find_listing(root)
