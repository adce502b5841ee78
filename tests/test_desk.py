"""The desk: pictures that are labelled one after another become a data set that trains, and no id is lost."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seg_demo.classes import ClassMap
from seg_demo.data.check import check
from seg_demo.data.desk import Desk
from seg_demo.data.images import read_image
from seg_demo.data.writer import DataSetWriter
from seg_demo.errors import UserError

CLASSES = ClassMap.of("background", "newt", "leaf")
RNG = np.random.default_rng(3)


def photo(path: Path, height: int = 48, width: int = 64, *, rotated: bool = False) -> Path:
    """Noise in blocks, another one at each call."""
    blocks = RNG.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    image = Image.fromarray(np.kron(blocks, np.ones((8, 8, 1), np.uint8)))
    exif = Image.Exif()
    if rotated:
        exif[0x0112] = 6
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, exif=exif)
    return path


def scribbles(height: int = 48, width: int = 64) -> np.ndarray:
    """A few strokes of each class, 255 elsewhere."""
    label_map = np.full((height, width), 255, np.uint8)
    for class_id in range(len(CLASSES)):
        top, left = (int(RNG.integers(2, side - 16)) for side in (height, width))
        label_map[top : top + 4, left : left + 12] = class_id
    return label_map


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk.begin(tmp_path / "desk", CLASSES)


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """A data set in our own layout with train and val; both have a picture of the same name."""
    with DataSetWriter(tmp_path / "before", CLASSES) as writer:
        for split, names in {"train": "abc", "val": "a"}.items():
            for name in names:
                writer.add(split, name, photo(tmp_path / "photos" / f"{split}_{name}.png"), scribbles())
    return tmp_path / "before"


def test_sparse_scribbles_train_and_come_back_exactly(desk: Desk, tmp_path: Path) -> None:
    files = [photo(tmp_path / f"newt_{number}.png") for number in range(12)]
    arrivals = desk.bring(files)
    assert arrivals.taken == tuple(f"newt_{number}" for number in range(12))
    assert [picture.name for picture in desk.pictures()] == list(arrivals.taken)  # newt_2 before newt_10
    wanted = {}
    for name in arrivals.taken:
        image, label_map = desk.read(name)
        assert label_map is None
        wanted[name] = scribbles(*image.shape[:2])
        desk.save(name, wanted[name])
    again = Desk.open(desk.folder)
    assert [picture.name for picture in again.pictures()] == list(arrivals.taken)
    for name, label_map in wanted.items():
        np.testing.assert_array_equal(again.read(name)[1], label_map)
    checked = check(desk.labelled)
    assert checked.report.may_train, [finding.kind for finding in checked.report.findings]
    assert checked.folder.classes == CLASSES
    assert sum(checked.report.splits.values()) == 12
    for split in checked.report.splits:
        for sample in checked.folder.split(split):
            np.testing.assert_array_equal(sample.label_map, wanted[sample.name])


def test_image_files_are_kept_byte_by_byte(desk: Desk, tmp_path: Path) -> None:
    file = photo(tmp_path / "IMG 1.JPG", rotated=True)
    desk.bring([file])
    assert desk.read("IMG 1")[0].shape == (64, 48, 3)
    desk.save("IMG 1", scribbles(64, 48))
    (picture,) = desk.pictures()
    assert picture.image.read_bytes() == file.read_bytes()
    assert picture.image == desk.labelled / "images" / "IMG 1.jpg"
    assert not list((desk.folder / "waiting").iterdir())
    with pytest.raises(UserError, match=r"^The label map of IMG 1 is 64 x 48 pixels but its image is 48 x 64\. Label"):
        desk.save("IMG 1", scribbles(48, 64))


def test_what_is_brought(desk: Desk, tmp_path: Path) -> None:
    first = photo(tmp_path / "one" / "cat.png")
    twin = tmp_path / "two" / "renamed.png"
    twin.parent.mkdir()
    twin.write_bytes(first.read_bytes())
    other = photo(tmp_path / "three" / "Cat.png")
    nameless = photo(tmp_path / "four" / "upload.png").rename(tmp_path / "four" / "upload")
    text = tmp_path / "notes.jpg"
    text.write_text("no picture")
    arrivals = desk.bring([first, twin, other, nameless, text, tmp_path / "gone.png"])
    assert arrivals.taken == ("cat", "Cat_2", "upload")
    assert arrivals.known == ("cat",)
    assert [str(error) for error in arrivals.refused] == [
        "notes.jpg is not a picture that can be read. Use JPEG, PNG, WebP, GIF, BMP or TIFF.",
        "gone.png does not exist. Check the path.".replace("gone.png", str(tmp_path / "gone.png")),
    ]
    desk.save("cat", scribbles())
    assert desk.bring([twin]).known == ("cat",)  # also among the labelled ones
    assert {picture.image.suffix for picture in desk.pictures()} == {".png"}


def test_pictures_that_are_too_large_are_refused(desk: Desk, tmp_path: Path) -> None:
    Image.new("1", (9000, 9000)).save(tmp_path / "poster.png")
    (error,) = desk.bring([tmp_path / "poster.png"]).refused
    assert "megapixels" in str(error)
    assert desk.pictures() == ()


def test_a_labelled_folder_is_taken_over_and_not_changed(labelled: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in labelled.rglob("*") if path.is_file()}
    desk = Desk.begin(tmp_path / "desk", CLASSES, labelled)
    there = {picture.name: picture.split for picture in desk.pictures()}
    assert there == {"a": "train", "a_2": "val", "b": "train", "c": "train"}
    mask = labelled / "val" / "masks" / "a.png"
    assert os.stat(mask).st_nlink == 2  # one file under two names
    np.testing.assert_array_equal(desk.read("a_2")[1], np.asarray(Image.open(mask)))
    desk.save("a_2", scribbles())
    desk = desk.with_classes(ClassMap.of("background", "newt", "leaf", "stone"))
    desk.remove("b")
    assert {path: path.read_bytes() for path in labelled.rglob("*") if path.is_file()} == before
    assert check(desk.labelled).report.splits == {"train": 2, "val": 1}


def test_a_fifth_goes_to_validation_where_there_are_splits(labelled: Path, tmp_path: Path) -> None:
    desk = Desk.begin(tmp_path / "desk", CLASSES, labelled)  # three and one
    for number in range(11):
        (name,) = desk.bring([photo(tmp_path / f"new_{number}.png")]).taken
        desk.save(name, scribbles())
    splits = [picture.split for picture in desk.pictures()]
    assert (splits.count("train"), splits.count("val")) == (12, 3)
    assert desk.pictures()[-1].split == "val"


def test_an_unlabelled_label_map_is_not_saved(desk: Desk, tmp_path: Path) -> None:
    desk.bring([photo(tmp_path / "a.png")])
    with pytest.raises(UserError, match=r"^Nothing is labelled in a\. Paint a class before you save it\.$"):
        desk.save("a", np.full((48, 64), 255, np.uint8))
    with pytest.raises(UserError, match=r"holds the class 3, but there are 3 classes, 0 to 2\. Add classes\.$"):
        desk.save("a", np.full((48, 64), 3, np.uint8))
    with pytest.raises(UserError, match=r"^There is no picture 'b' to label any more\. Choose another one\.$"):
        desk.save("b", scribbles())
    assert desk.read("a")[1] is None
    desk.remove("a")
    assert desk.pictures() == ()


def test_a_save_that_fails_leaves_what_was_there(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.bring([photo(tmp_path / "a.png")])
    first = scribbles()
    desk.save("a", first)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(UserError, match=r"^a\.png could not be written \(No space left on device\)\. Free some"):
            desk.save("a", scribbles())
    np.testing.assert_array_equal(desk.read("a")[1], first)
    assert sorted(path.name for path in desk.folder.rglob("*.png")) == ["a.png", "a.png"]  # no half of one


def test_a_save_that_was_cut_off_is_finished(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.bring([photo(tmp_path / "a.png")])
    wanted = scribbles()
    replace = os.replace

    def killed(source: Path, target: Path) -> None:
        if "waiting" in str(source):
            raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "replace", killed)
        desk.save("a", wanted)
    desk = Desk.open(desk.folder)
    assert desk.pictures()[0].label
    np.testing.assert_array_equal(desk.read("a")[1], wanted)


def test_classes_are_renamed_added_and_coloured(desk: Desk, tmp_path: Path) -> None:
    desk.bring([photo(tmp_path / f"{number}.png") for number in range(2)])
    wanted = scribbles()
    desk.save("0", wanted)
    classes = ClassMap(("nothing", "akahara", "leaf", "#1 stone"), ((0, 0, 0), (9, 8, 7), (1, 2, 3), (200, 0, 0)))
    with pytest.raises(UserError, match=r"^These class names cannot be kept"):
        desk.with_classes(ClassMap.of("0 a", "1 b", "2 c"))
    assert Desk.open(desk.folder).classes == CLASSES
    desk = desk.with_classes(classes)
    assert Desk.open(desk.folder) == desk
    np.testing.assert_array_equal(desk.read("0")[1], wanted)
    label = desk.pictures()[0].label
    assert label
    assert (Image.open(label).getpalette() or [])[3:6] == [9, 8, 7]
    desk.save("1", wanted)
    assert check(desk.labelled).folder.classes == classes


def test_a_class_that_is_in_use_stays(desk: Desk, tmp_path: Path) -> None:
    desk.bring([photo(tmp_path / "a.png")])
    desk.save("a", np.where(scribbles() == 1, 1, 255).astype(np.uint8))
    assert desk.with_classes(ClassMap.of("background", "newt")).classes.names == ("background", "newt")
    with pytest.raises(UserError, match=r'^The class "newt" is in use in a\.png\. Label these pixels as something'):
        Desk.open(desk.folder).with_classes(ClassMap.of("background"))
    with pytest.raises(
        UserError, match=r'^The class "background" would change from id 0 to 1, and label maps would mean'
    ):
        desk.with_classes(ClassMap.of("newt", "background"))


def test_what_is_no_desk(desk: Desk, labelled: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is no folder in which pictures are labelled\. Begin a new one\.$"):
        Desk.open(tmp_path / "photos")
    with pytest.raises(UserError, match=r"is there already and is not empty"):
        Desk.begin(desk.folder, CLASSES)
    with pytest.raises(UserError, match=r"holds the class 2, but there are 2 classes, 0 to 1\. Add classes\.$"):
        Desk.begin(tmp_path / "other", ClassMap.of("background", "newt"), labelled)
    assert not (tmp_path / "other").exists()
    Image.fromarray(np.full((48, 64), 300, np.uint16)).save(labelled / "train" / "masks" / "b.png")
    with pytest.raises(
        UserError, match=r"^b\.png is no label map of 8 bits\. Save it as a palette PNG of class ids\.$"
    ):
        Desk.begin(tmp_path / "other", CLASSES, labelled)


def test_reading_is_upright(desk: Desk, tmp_path: Path) -> None:
    file = photo(tmp_path / "a.jpg", rotated=True)
    desk.bring([file])
    np.testing.assert_array_equal(desk.read("a")[0], read_image(file))
