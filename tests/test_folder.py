"""A folder of labelled pictures is opened, split and read; what is wrong with a file is said when it is read."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seg_demo.classes import ClassMap
from seg_demo.data.class_file import NamedClasses, read_class_file, write_class_file
from seg_demo.data.dataset import Sample, fingerprint, in_classes
from seg_demo.data.folder import open_folder
from seg_demo.data.writer import DataSetWriter
from seg_demo.errors import UserError

CLASSES = ClassMap(("background", "cat", "dog"), ((0, 0, 0), (200, 0, 0), (0, 0, 200)))


def label_map(number: int) -> np.ndarray:
    ids = np.zeros((40, 50), np.uint8)
    ids[5:30, 5 + number : 25 + number] = 1 + number % 2
    ids[0] = 255
    return ids


def write(root: Path, count: int = 10) -> Path:
    """A data set in this project's own layout, without splits."""
    noise = np.random.default_rng(0)
    pictures = root.with_name("pictures")
    pictures.mkdir()
    with DataSetWriter(root, CLASSES) as writer:
        for number in range(count):
            path = pictures / f"{number}.png"
            Image.fromarray(noise.integers(0, 255, (40, 50, 3), np.uint8)).save(path)
            writer.add(None, f"picture_{number}", path, label_map(number))
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write(tmp_path / "data")


def test_what_was_written_is_read(root: Path) -> None:
    folder = open_folder(root)
    assert folder.classes == CLASSES and folder.classes_named
    train, val, both = (folder.split(split) for split in ("train", "val", "trainval"))
    assert (len(train), len(val), len(both)) == (8, 2, 10)
    for sample in both:
        number = int(sample.name.split("_")[1])
        np.testing.assert_array_equal(sample.label_map, label_map(number))
        assert sample.image.shape == (40, 50, 3)


def test_the_split_is_the_same_every_time_and_another_for_another_seed(root: Path) -> None:
    def names(seed: int) -> list[str]:
        return [sample.name for sample in open_folder(root, seed=seed).split("val")]

    assert names(0) == names(0)
    assert len({tuple(names(seed)) for seed in range(6)}) > 1


def test_fingerprints(root: Path) -> None:
    samples = list(open_folder(root).split("train"))
    assert fingerprint(samples) == fingerprint(list(open_folder(root).split("train")))
    name, image, ids = samples[0]
    touched = ids.copy()
    touched[-1, -1] = 2
    for other in (Sample(name + "x", image, ids), Sample(name, image[::-1], ids), Sample(name, image, touched)):
        assert fingerprint([other, *samples[1:]]) != fingerprint(samples)


def mask_of(root: Path) -> Path:
    (sample, *_) = open_folder(root).split("train").pairs  # type: ignore[attr-defined]
    assert sample.label
    return sample.label


ERRORS: list[tuple[Callable[[Path], object], str]] = [
    (
        lambda mask: Image.fromarray(np.full((40, 50), 9, np.uint8)).save(mask),
        r"masks/picture_\d\.png holds the value 9 in 2000 pixels, which stands for no class \(known: 0, 1, 2, 255\)",
    ),
    (
        lambda mask: Image.fromarray(np.zeros((20, 50), np.uint8)).save(mask),
        r"masks/picture_\d\.png is 50 x 20 pixels but its image is 50 x 40\. Run `data check`",
    ),
    (lambda mask: mask.write_bytes(b""), r"picture_\d\.png is empty"),
    (
        lambda mask: (mask.parent.parent / "images" / mask.name).write_text("no"),
        r"images/picture_\d\.png is not a picture that can be read",
    ),
]


@pytest.mark.parametrize(("spoil", "sentence"), ERRORS, ids=[sentence[-30:] for _, sentence in ERRORS])
def test_a_file_that_is_wrong_is_named_when_it_is_read(spoil: Callable, sentence: str, root: Path) -> None:
    folder = open_folder(root)
    spoil(folder.split("train").pairs[0].label)
    with pytest.raises(UserError, match=sentence):
        list(folder.split("train"))


def test_wrong_arguments(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no folder"):
        open_folder(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r'There is no split "tran"\. Did you mean "train"\?'):
        open_folder(root).split("tran")
    with pytest.raises(UserError, match=r'no labelled pictures in the split "test" \(there are: train 8, val 2\)'):
        open_folder(root).split("test")
    with pytest.raises(UserError, match=r'There is no data-set layout "folder"'):
        open_folder(root, layout="folder")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty holds no pictures\. Give the folder"):
        open_folder(tmp_path / "empty")
    (tmp_path / "empty" / "a.jpg").touch()
    with pytest.raises(UserError, match="empty holds 1 pictures, but no label maps that belong to them"):
        open_folder(tmp_path / "empty")
    with pytest.raises(UserError, match=r"does not have the layout voc, which looks like this: JPEGImages/"):
        open_folder(root, layout="voc")


def test_pictures_that_look_the_same_go_the_same_way(tmp_path: Path) -> None:
    root = write(tmp_path / "data", 20)
    for number in range(0, 20, 10):
        Image.open(root / "images" / f"picture_{number}.png").save(root / "images" / f"picture_{number + 1}.png")
    for seed in range(8):
        split = {look.pair.name: look.pair.split for look in open_folder(root, seed=seed).looks}
        assert split["picture_0"] == split["picture_1"] and split["picture_10"] == split["picture_11"]
        assert 3 <= sum(side == "val" for side in split.values()) <= 5


def test_a_named_pipe_is_no_picture(root: Path) -> None:
    os.mkfifo(root / "images" / "picture_99.png")
    assert len(open_folder(root).looks) == 10


def test_no_label_file_can_be_read(root: Path) -> None:
    for path in (root / "masks").iterdir():
        path.write_bytes(b"")
    with pytest.raises(UserError, match=r"None of the 10 label files can be read; the first: masks/\S+ is empty"):
        open_folder(root)


def test_a_layout_with_its_own_numbers_takes_no_other_classes(tmp_path: Path) -> None:
    for name, value in (("0001TP_1", 0), ("0001TP_2", 11)):
        for folder, picture in (("train", (40, 50, 3)), ("trainannot", (40, 50))):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.fromarray(np.full(picture, value, np.uint8)).save(tmp_path / folder / f"{name}.png")
    (tmp_path / "mine.txt").write_text("a\nb")
    with pytest.raises(
        UserError, match=r"has the layout camvid with 11 classes \(sky, \.\.\.\), but .*mine.txt names 2"
    ):
        open_folder(tmp_path, class_file=tmp_path / "mine.txt")


def test_two_classes_take_every_class_but_the_first_as_one(root: Path) -> None:
    two = ClassMap.of("background", "animal")
    samples = open_folder(root).split("trainval")
    merged = in_classes(samples, two, "binary", "A model")
    assert merged.classes is two
    for one, other in zip(samples, merged, strict=True):
        np.testing.assert_array_equal(other.label_map, np.where(one.label_map == 2, 1, one.label_map))
    assert in_classes(samples, CLASSES, "multiclass", "A model") is samples
    sentence = "A model knows the classes a, b, c, d, e and 1 more, but the pictures are labelled background, cat, dog."
    with pytest.raises(UserError, match=sentence):
        in_classes(samples, ClassMap.of(*"abcdef"), "multiclass", "A model")


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        (
            "classes.txt",
            "background\ncat\n\n# a remark\ndog\n",
            NamedClasses(ClassMap.of("background", "cat", "dog"), False),
        ),
        ("classes.txt", "background #000000\ncat #c80000\ndog #0000c8", NamedClasses(CLASSES, True)),
        ("classes.txt", "background 0 0 0\ncat 200, 0, 0\ndog,0,0,200", NamedClasses(CLASSES, True)),
        (
            "labelmap.txt",
            "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncat:200,0,0::\ndog:0,0,200::",
            NamedClasses(CLASSES, True),
        ),
        ("labels.txt", "__ignore__\nbackground\ncat", NamedClasses(ClassMap.of("background", "cat"), False)),
        ("class_dict.csv", "name,r,g,b\nbackground,0,0,0\ncat,200,0,0\ndog,0,0,200\n", NamedClasses(CLASSES, True)),
        ("classes.txt", "0: background\n1: cat\n", NamedClasses(ClassMap.of("background", "cat"), False)),
        ("classes.txt", "0 background 0 0 0\n1 cat 200 0 0\n2 dog 0 0 200", NamedClasses(CLASSES, True)),
        ("classes.csv", "id,name\n0,background\n1,cat\n", NamedClasses(ClassMap.of("background", "cat"), False)),
        ("classes.txt", "2 pence\n1 penny\n", NamedClasses(ClassMap.of("2 pence", "1 penny"), False)),
        ("a.json", '["背景", "猫"]', NamedClasses(ClassMap.of("背景", "猫"), False)),
        ("a.json", '{"1": "cat", "0": "background"}', NamedClasses(ClassMap.of("background", "cat"), False)),
        (
            "config.json",
            '{"id2label": {"0": "background", "1": "cat", "2": "dog"}, "palette": [[0,0,0],[200,0,0],[0,0,200]]}',
            NamedClasses(CLASSES, True),
        ),
    ],
)
def test_class_files(name: str, text: str, wanted: NamedClasses, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    assert read_class_file(tmp_path / name) == wanted


def test_a_class_file_comes_back(tmp_path: Path) -> None:
    classes = ClassMap.of("background", "traffic light", "猫 7", "a 1 2 3 b", "#1", "a\u3000b")
    write_class_file(tmp_path / "classes.txt", classes)
    assert read_class_file(tmp_path / "classes.txt") == NamedClasses(classes, True)


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("a.txt", b"", "names no class"),
        ("a.txt", b"\xff\xfe\x00", "is not text in UTF-8"),
        ("a.txt", b"a 1 2 300", r"line 1: a colour has parts from 0 to 255, not \(1, 2, 300\)"),
        ("a.txt", b"a #000000\nb", "gives a colour for 1 of its 2 classes"),
        ("a.txt", b"a\na", '"a" occurs twice'),
        ("a.txt", b"a\n" + b"x" * 201, "has 201 characters, but 200 is the most"),
        ("a.txt", b"a\nb\x07c", r"The class name 'b\\x07c' holds a control character"),
        ("a.json", b'["a", "b\\nc"]', r"The class name 'b\\nc' holds a control character, a line break"),
        ("a.json", b'["a", "\\ud800"]', r"The class name '\\ud800' holds .* broken character \(U\+D800\)"),
        ("a.txt", b"x" * (1 << 20) + b"y", "larger than 1 MB"),
        ("a.json", b"{", "is not a list of class names in JSON"),
        ("a.json", b'{"0": "a", "2": "b"}', "is not a list of class names in JSON"),
        ("a.json", b'"abc"', "is not a list of class names in JSON"),
        ("a.txt", b"1: background\n2: cat", r"numbers its classes from 1, but ids begin with 0"),
        ("a.json", b"[1, 2]", "is not a list of class names in JSON"),
        ("a.json", b"[" * 100_000, "is not a list of class names in JSON"),
    ],
)
def test_class_files_that_are_wrong(name: str, data: bytes, sentence: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=sentence):
        read_class_file(tmp_path / name)


def test_no_class_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_class_file(tmp_path / "nowhere.txt")


def test_other_classes_can_be_named(root: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("nothing\nNeko\nInu")
    folder = open_folder(root, class_file=tmp_path / "mine.txt")
    assert folder.classes.names == ("nothing", "Neko", "Inu")
    assert any("mine.txt" in reason for reason in folder.reasons)


def test_writing_leaves_nothing_behind_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), DataSetWriter(tmp_path / "out", CLASSES) as writer:
        writer.add("train", "a", b"\xff\xd8", label_map(0))
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    with (
        pytest.raises(UserError, match="full is there already and is not empty"),
        DataSetWriter(tmp_path / "full", CLASSES),
    ):
        pass
    assert [path.name for path in tmp_path.rglob("*")] == ["full", "mine"]
    (tmp_path / "file").touch()
    with (
        pytest.raises(UserError, match="could not be written|is there already"),
        DataSetWriter(tmp_path / "file" / "x", CLASSES),
    ):
        pass


def test_names_that_are_taken_get_a_number(tmp_path: Path) -> None:
    with DataSetWriter(tmp_path / "out", CLASSES) as writer:
        for data in (b"\xff\xd8", b"\x89PNG", b"GIF8"):
            writer.add("train", "../up/a", data, label_map(0))
    names = sorted(path.relative_to(tmp_path / "out").as_posix() for path in tmp_path.rglob("images/*"))
    assert names == ["train/images/a.jpg", "train/images/a_2.png", "train/images/a_3.gif"]


def test_the_real_newts(real_data: Path) -> None:
    folder = open_folder(real_data / "newts")
    assert [len(folder.split(split)) for split in ("train", "val", "trainval", "test")] == [12, 4, 16, 6]
    for sample in folder.split("val"):
        assert set(np.unique(sample.label_map)) == {0, 1 if re.match("akahara", sample.name) else 2}
        assert sample.image.shape[:2] == sample.label_map.shape
