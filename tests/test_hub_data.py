"""Data sets of the library `datasets`: columns, classes and splits are found, label maps come out as they went in."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from seg_demo.data.dataset import fingerprint
from seg_demo.data.hub import load_hub, open_hub
from seg_demo.data.registry import named_splits
from seg_demo.errors import UserError

datasets = pytest.importorskip(
    "datasets", reason="the library of the Hub's data sets is an extra: pip install datasets"
)

IDS = (np.arange(24 * 32) * 3 // (24 * 32)).reshape(24, 32).astype(np.uint8)


@pytest.fixture(autouse=True)
def offline(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No request leaves, and the cache of whoever runs this stays as it is."""
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
    datasets.disable_progress_bars()


def image(number: int) -> Image.Image:
    return Image.fromarray(np.full((*IDS.shape, 3), number, np.uint8))


def palette_file(ids: np.ndarray) -> Image.Image:
    label = Image.fromarray(ids)
    label.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    return label


def table(
    count: int = 4,
    label: Callable[[np.ndarray], Image.Image] = Image.fromarray,
    names: tuple[str, str] = ("image", "label"),
    **more: tuple[Any, list],
) -> Any:
    """Rows whose label maps are `IDS`, moved down by the number of the row."""
    columns = {names[0]: [image(number) for number in range(count)]}
    columns[names[1]] = [label(np.roll(IDS, number, axis=0)) for number in range(count)]
    features = {name: datasets.Image() for name in names}
    for name, (feature, values) in more.items():
        columns[name], features[name] = values, feature
    return datasets.Dataset.from_dict(columns, features=datasets.Features(features))


def saved(folder: Path, **splits: Any) -> str:
    datasets.DatasetDict(splits).save_to_disk(folder)
    return str(folder)


LABELS: list[tuple[str, Callable[[np.ndarray], Image.Image], tuple[str, str]]] = [
    ("grey", Image.fromarray, ("image", "label")),
    ("palette", palette_file, ("image", "mask")),
    ("levels", lambda ids: Image.fromarray(ids * 100), ("pixel_values", "annotation")),
    ("16-bit", lambda ids: Image.fromarray(ids.astype(np.uint16)), ("img", "semantic_segmentation")),
    ("colours", lambda ids: palette_file(ids).convert("RGB"), ("photo", "truth")),
]


@pytest.mark.parametrize(("kind", "label", "names"), LABELS, ids=[row[0] for row in LABELS])
def test_label_maps_are_decoded_as_files_are(
    kind: str, label: Callable[[np.ndarray], Image.Image], names: tuple[str, str], tmp_path: Path
) -> None:
    name = saved(tmp_path / "set", train=table(4, label, names), validation=table(1, label, names))
    steps: list[tuple[int, int]] = []
    data = load_hub(name, progress=lambda *step: steps.append(step))
    assert steps[-1] == (5, 5)
    assert data.columns == names
    train = data.split("train")
    assert len(train) == len(list(train)) == 4
    for number, sample in enumerate(train):
        assert sample.name == f"train_{number:05}"
        assert np.array_equal(sample.image, np.asarray(image(number)))
        assert sample.label_map.dtype == np.uint8
        assert np.array_equal(sample.label_map, np.roll(IDS, number, axis=0)), kind
    assert len(data.split("val")) == 1
    assert len(train.classes) == 3
    assert all(reason.endswith(".") for reason in data.reasons)
    assert fingerprint(train) == fingerprint(open_hub(name))


def test_classes_of_a_list_of_class_labels(tmp_path: Path) -> None:
    present = datasets.Sequence(datasets.ClassLabel(names=["water", "akahara", "madara"]))
    kind = datasets.ClassLabel(names=["photo", "drawing"])  # of the picture, not of its pixels
    data = load_hub(saved(tmp_path / "set", train=table(2, kind=(kind, [0, 1]), objects=(present, [[0, 1], [2]]))))
    assert data.classes.names == ("water", "akahara", "madara")
    assert 'The column "objects" names 3 classes.' in data.reasons


def test_classes_of_id2label(tmp_path: Path) -> None:
    name = saved(tmp_path / "set", train=table(2))
    (tmp_path / "set/id2label.json").write_text(json.dumps({"0": "water", "1": "akahara", "2": "madara"}))
    data = load_hub(name)
    assert data.classes.names == ("water", "akahara", "madara")
    assert "id2label.json names 3 classes." in data.reasons


def test_a_missing_validation_split_is_taken_out_of_the_training(tmp_path: Path) -> None:
    data = load_hub(saved(tmp_path / "set", train=table(10), test=table(3)))
    assert {split: len(rows) for split, rows in data.rows.items()} == {"train": 8, "val": 2, "test": 3}
    assert not {*data.rows["train"]} & {*data.rows["val"]}
    assert any(reason.startswith("There is no validation split: 2 training pictures") for reason in data.reasons)


def test_a_folder_of_parquet_files_and_a_single_table(tmp_path: Path) -> None:
    (tmp_path / "parquet").mkdir()
    table(3).to_parquet(tmp_path / "parquet/train-00000.parquet")
    source = named_splits(f"hub:{tmp_path / 'parquet'}")("train")
    assert source is not None
    assert len(source) == 2  # one of three is for validation
    table(3).save_to_disk(tmp_path / "single")
    assert len(open_hub(str(tmp_path / "single"), "val")) == 1


def test_rows_without_a_label_map_are_left_out(tmp_path: Path) -> None:
    rows = table(4)
    data = datasets.Dataset.from_dict(
        {"image": rows["image"][:], "label": [None, *rows["label"][1:]]}, features=rows.features
    )
    loaded = load_hub(saved(tmp_path / "set", train=data, val=table(1)))
    assert [number for _, number in loaded.rows["train"]] == [1, 2, 3]


def test_a_turned_or_broken_row(tmp_path: Path) -> None:
    jpeg = io.BytesIO()
    image(1).save(jpeg, "JPEG")
    cells = [{"bytes": jpeg.getvalue()[:-300], "path": None}, {"bytes": jpeg.getvalue(), "path": None}]
    rows = table(2, lambda ids: Image.fromarray(ids[:, :20].copy()))
    data = datasets.Dataset.from_dict({"image": cells, "label": rows["label"][:]}, features=rows.features)
    train = open_hub(saved(tmp_path / "set", train=data, val=table(1)))
    with pytest.raises(UserError, match=r"^train_00000, image is damaged or cut off and cannot be decoded."):
        train[0]
    with pytest.raises(
        UserError,
        match=r"^train_00001, label is 20 x 24 pixels but its image is 32 x 24. Tell the owner of the data set.",
    ):
        train[1]


def test_a_broken_label_map(tmp_path: Path) -> None:
    png = io.BytesIO()
    Image.fromarray(IDS).save(png, "PNG")
    cells = [{"bytes": png.getvalue(), "path": None}, {"bytes": png.getvalue()[:-40], "path": None}]
    rows = table(2)
    data = datasets.Dataset.from_dict({"image": rows["image"][:], "label": cells}, features=rows.features)
    with pytest.raises(UserError, match=r"^train_00001, label is damaged or cut off and cannot be decoded."):
        load_hub(saved(tmp_path / "set", train=data))


def test_a_file_that_went_away(tmp_path: Path) -> None:
    image(1).save(tmp_path / "photo.png")
    rows = table(1)
    cell = {"bytes": None, "path": str(tmp_path / "photo.png")}
    data = datasets.Dataset.from_dict({"image": [cell], "label": rows["label"][:]}, features=rows.features)
    data.to_parquet(tmp_path / "train.parquet")
    train = open_hub(str(tmp_path / "train.parquet").removesuffix("/train.parquet"))
    (tmp_path / "photo.png").unlink()
    with pytest.raises(
        UserError, match=r"photo.png cannot be opened \(No such file.*\). Check its name and permissions."
    ):
        train[0]


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    (
        "columns",
        {"names": ("one", "two")},
        r"does not tell its images from its label maps \(columns with pictures: one, two\). Choose one with an image",
    ),
    ("split", {}, r'has no labelled pictures in the split "test" \(there are: train, val\). Choose another split.'),
]


@pytest.mark.parametrize(("split", "options", "sentence"), REFUSED, ids=[row[0] for row in REFUSED])
def test_refused(split: str, options: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=sentence):
        open_hub(saved(tmp_path / "set", train=table(2, **options)), "test")


def test_columns_and_splits_that_are_named(tmp_path: Path) -> None:
    name = saved(tmp_path / "set", train=table(2, names=("one", "two")))
    assert load_hub(name, label_column="two").columns == ("one", "two")
    with pytest.raises(UserError, match='There is no split "tran". Did you mean "train"'):
        load_hub(name, image_column="one").split("tran")
    with pytest.raises(UserError, match=r"has no split for training, validation or test \(there are: extra\). Choose"):
        load_hub(saved(tmp_path / "other", extra=table(2)))


def test_no_such_data_set_and_no_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    for name in (str(tmp_path / "empty"), "nobody/nothing", "a b c"):
        with pytest.raises(UserError, match=r"cannot be loaded \(.+\). Check its name, the network, and your login.$"):
            load_hub(name)
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UserError, match=r"need a library that is missing. Run: pip install datasets"):
        load_hub("nobody/nothing")
