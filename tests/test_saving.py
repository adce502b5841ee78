"""What the Threshold tab saves opens again and holds what Python computes; a threshold that stays."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from test_page import brightness_checkpoint

from seg_demo.checkpoint import load_checkpoint, save_checkpoint
from seg_demo.data.images import read_image
from seg_demo.errors import UserError
from seg_demo.infer.binarisation import Binarisation
from seg_demo.infer.library import Library
from seg_demo.infer.planes import Planes
from seg_demo.infer.predictor import Predictor
from seg_demo.ui.looking import Look
from seg_demo.ui.saving import FORMATS, Order, saved, write_threshold
from seg_demo.viz.figure import Captions

MODEL, CLASS_ID, CLASS = "newts-species", 2, "madara"
ONE, SEVERAL, OWN = "newts-binary", "newts-species", "mine"


@pytest.fixture(scope="module")
def planes(tmp_path_factory: pytest.TempPathFactory) -> Planes:
    folder = tmp_path_factory.mktemp("library")
    brightness_checkpoint(folder / MODEL, MODEL, [0.0, 1.0, 2.0], [0.0, -1.0, -1.0])
    return Planes(Library(folder))


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "my photo.2.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 33, 3), dtype=np.uint8)).save(path)
    return path


def plane_of(planes: Planes, photo: Path, depth: Any) -> np.ndarray:
    predict = Predictor(load_checkpoint(planes.library.folder / MODEL), depth=depth, keep_probabilities=True)
    probabilities = predict(read_image(photo)).probabilities
    assert probabilities is not None
    return probabilities[CLASS_ID]


def binarisation_for(plane: np.ndarray) -> Binarisation:
    """Everything at once, at thresholds where this plane has something to lose."""
    low, high = np.quantile(plane, [0.7, 0.85]) / 255
    return Binarisation(float(high), float(low), 4, 5)


def order_for(photo: Path, binarisation: Binarisation, **changes: Any) -> Order:
    return Order(Look(str(photo), MODEL, CLASS, **changes), binarisation, Captions())


def test_the_mask_is_that_of_the_binarisation(planes: Planes, photo: Path, tmp_path: Path) -> None:
    plane = plane_of(planes, photo, 8)
    asked = binarisation_for(plane)
    wanted = asked.mask(plane)
    plain = Binarisation(asked.threshold).mask(plane)
    for without in (Binarisation(asked.threshold, None, 4, 5), Binarisation(asked.threshold, asked.low, 0, 5),
                    Binarisation(asked.threshold, asked.low, 4, 0)):  # fmt: skip
        assert not np.array_equal(wanted, without.mask(plane)), "the picture must make each step matter"
    for binarisation, mask in ((asked, wanted), (Binarisation(asked.threshold), plain)):
        path = saved("mask", order_for(photo, binarisation), planes, tmp_path)
        assert path == tmp_path / "my_photo_2-madara.mask.png"
        with Image.open(path) as image:
            assert image.mode == "L"
            assert np.array_equal(np.asarray(image), np.where(mask, 255, 0))


def test_the_probabilities_are_those_of_the_predictor(planes: Planes, photo: Path, tmp_path: Path) -> None:
    order = order_for(photo, Binarisation())
    with Image.open(saved("probability_8", order, planes, tmp_path)) as image:
        assert image.mode == "L"
        assert np.array_equal(np.asarray(image), plane_of(planes, photo, 8))
    fine = plane_of(planes, photo, 16)
    with Image.open(saved("probability_16", order, planes, tmp_path)) as image:
        assert np.array_equal(np.asarray(image), fine)
        assert np.asarray(image).dtype.itemsize >= 2
    values = np.load(saved("probability_npy", order, planes, tmp_path), allow_pickle=False)
    assert (values.dtype, values.shape) == (np.float32, (24, 33))
    assert np.array_equal(values, fine.astype(np.float32) / 65535)
    assert 0 <= values.min() < values.max() <= 1


@pytest.mark.parametrize(
    ("name", "start"), [("figure_png", b"\x89PNG"), ("figure_svg", b"<?xml"), ("figure_pdf", b"%PDF")]
)
def test_the_figure_opens(planes: Planes, photo: Path, tmp_path: Path, name: str, start: bytes) -> None:
    labels = tmp_path / "labels.png"
    Image.fromarray(np.arange(24 * 33, dtype=np.int64).reshape(24, 33).astype(np.uint8) % 3).save(labels)
    plain = saved(name, order_for(photo, Binarisation(0.25)), planes, tmp_path / "plain")
    both = saved(name, order_for(photo, Binarisation(0.25), labels=str(labels)), planes, tmp_path / "labelled")
    for path in (plain, both):
        assert path.name == f"my_photo_2-madara.figure{path.suffix}"
        assert path.read_bytes().startswith(start)
    if name == "figure_png":
        with Image.open(plain) as image, Image.open(both) as labelled:
            assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
            assert image.size != labelled.size, "with a label map there is the comparison as well"
    if name == "figure_svg":
        drawn = plain.read_text("utf-8"), both.read_text("utf-8")
        assert "threshold 0.25" in drawn[0]
        assert f"Probability: {CLASS}" in drawn[0]
        assert ["true positive" in each for each in drawn] == [False, True]


def test_the_formats_are_those_of_the_buttons() -> None:
    assert [ending for ending, _ in FORMATS.values()] == [
        "mask.png", "probability.png", "probability16.png", "probability.npy", "figure.png", "figure.svg", "figure.pdf",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("stem", "wanted"),
    [
        ("../../etc", "______etc-madara"),
        ("<img src=x onerror=1>", "_img_src_x_onerror_1_-madara"),
        ("写真", "写真-madara"),
        ("写" * 80, "写" * 56),  # 3 bytes each, and a name may have 255
        ("x" * 190, "x" * 170),
    ],
)
def test_a_file_name_is_safe_and_not_too_long(
    planes: Planes, photo: Path, tmp_path: Path, stem: str, wanted: str
) -> None:
    named = tmp_path / f"{stem.replace('/', chr(92))}.png"
    shutil.copyfile(photo, named)
    path = saved("probability_16", order_for(named, Binarisation()), planes, tmp_path / "out")
    assert path == tmp_path / "out" / f"{wanted}.probability16.png"
    assert path.is_file()


def test_what_cannot_be_saved_is_one_sentence(planes: Planes, photo: Path, tmp_path: Path) -> None:
    order = order_for(photo, Binarisation())
    with pytest.raises(UserError, match='There is no format "mask.exe".*Known: mask, probability_8'):
        saved("mask.exe", order, planes, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="The results could not be written to"):
        saved("mask", order, planes, tmp_path / "file" / "folder")


# A threshold that stays -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path, tiny_species_checkpoint: Path) -> Library:
    """Two checkpoints with the names of the bundled ones, and two of the user's own."""
    folder = tmp_path_factory.mktemp("library")
    one, several = load_checkpoint(tiny_checkpoint), load_checkpoint(tiny_species_checkpoint)
    for checkpoint, names in ((one, (ONE, OWN)), (several, (SEVERAL, "my-species"))):
        for name in names:
            save_checkpoint(folder / name, checkpoint.model, checkpoint.config)
    return Library(folder)


def test_an_own_binary_checkpoint_gets_the_threshold(library: Library) -> None:
    before = load_checkpoint(library.folder / OWN)
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    library.predictor(OWN)
    assert write_threshold(library, OWN, 0.25).threshold == 0.5
    predicted = library.predictor(OWN)(image)
    assert predicted.threshold == 0.25, "the next prediction uses it, without a restart"
    document: dict[str, Any] = json.loads((library.folder / OWN / "config.json").read_text())
    assert document["threshold"] == 0.25
    assert document["training"] == {"about": "Untrained."}
    assert np.array_equal(predicted.confidence, Predictor(before)(image, 0.25).confidence)
    # Writing the old one is the way back.
    assert write_threshold(library, OWN, 0.5).threshold == 0.25
    assert load_checkpoint(library.folder / OWN).config == before.config


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (ONE, f"{ONE} comes with the page and stays as it is. Copy its folder under checkpoints/ and write there."),
        (SEVERAL, f"{SEVERAL} comes with the page"),
        ("LR-ASPP", "lraspp"),
        ("my-species", "my-species has several classes, and the most probable one is taken, so it has no threshold."),
        ("../mine", 'There is no model "../mine". Did you mean "mine"?'),
    ],
)
def test_others_stay_as_they_are(library: Library, model: str, sentence: str) -> None:
    if model == "LR-ASPP":  # its weights are never fetched for this
        model = next(name for name, entry in library.entries().items() if entry.kind == "pretrained")
        sentence = f"{model} comes with the page"
    files = {path: path.read_bytes() for path in library.folder.rglob("*") if path.is_file()}
    with pytest.raises(UserError) as caught:
        write_threshold(library, model, 0.25)
    assert str(caught.value).startswith(sentence)
    assert {path: path.read_bytes() for path in library.folder.rglob("*") if path.is_file()} == files


def test_what_else_is_in_the_folder_is_not_lost(library: Library) -> None:
    notes = library.folder / OWN / "notes.txt"
    notes.write_text("mine")
    try:
        with pytest.raises(UserError, match="holds notes.txt besides a checkpoint, which would be lost"):
            write_threshold(library, OWN, 0.25)
        assert notes.read_text() == "mine"
        assert load_checkpoint(library.folder / OWN).config.threshold == 0.5
    finally:
        notes.unlink()
