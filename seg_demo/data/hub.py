"""Labelled pictures from the Hugging Face Hub, or saved by its library `datasets`, which is an optional extra."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from seg_demo.classes import ClassMap
from seg_demo.data.class_file import read_class_file
from seg_demo.data.dataset import DataSet, Sample
from seg_demo.data.decoding import Reading, find_reading
from seg_demo.data.images import opened, read_image, shown_size
from seg_demo.data.layouts.names import SPLIT_OF, place
from seg_demo.data.listing import SPLITS, Pair
from seg_demo.data.masks import LabelFile, label_file_of
from seg_demo.data.splits import assign_splits
from seg_demo.data.survey import LabelFacts, Progress, classes_in, label_facts
from seg_demo.errors import Sentence, UserError
from seg_demo.registry import look_up

CLASS_FILE = "id2label.json"


@dataclass(frozen=True)
class HubData:
    """A data set as it was loaded. tables: split -> rows. rows: split -> numbers of those that have a label map.

    reasons: sentences for the user, what was recognised by what.
    """

    name: str
    tables: Mapping[str, Any]
    rows: Mapping[str, tuple[tuple[str, int], ...]]
    columns: tuple[str, str]
    reading: Reading
    reasons: tuple[Sentence, ...]

    @property
    def classes(self) -> ClassMap:
        return self.reading.classes

    def split(self, name: str) -> HubDataSet:
        """The labelled pictures of "train", "val" or "test"."""
        look_up("split", dict.fromkeys(SPLITS), name)
        if not self.rows.get(name):
            raise UserError(
                '{name} has no labelled pictures in the split "{split}" (there are: {there}). Choose another split.',
                name=self.name, split=name, there=", ".join(split for split in self.rows if self.rows[split]),
            )  # fmt: skip
        return HubDataSet(self, self.rows[name])


class HubDataSet(DataSet):
    """Rows of a data set from the Hub, decoded as files are. Raises `UserError` for a row that cannot be."""

    def __init__(self, data: HubData, rows: Sequence[tuple[str, int]]) -> None:
        self.data, self.rows, self.classes = data, tuple(rows), data.classes

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]  # no slices
        split, number = self.rows[index]
        row = self.data.tables[split][number]
        name = f"{split}_{number:05}"
        image_column, label_column = self.data.columns
        image = read_image(io.BytesIO(_bytes(row[image_column])), name=f"{name}, {image_column}")
        shown = f"{name}, {label_column}"
        label_map = self.data.reading.decoding.decode(_label_file(row[label_column], shown), shown)
        if label_map.shape != image.shape[:2]:
            raise UserError(
                "{label} is {label_size} pixels but its image is {image_size}. Tell the owner of the data set.",
                label=shown, label_size=shown_size(label_map.shape), image_size=shown_size(image.shape),
            )  # fmt: skip
        return Sample(name, image, label_map)


def open_hub(name: str, split: str = "train", **options: Any) -> HubDataSet:
    """One split of a data set of the Hub; the options are those of `load_hub`, which to call for several splits."""
    return load_hub(name, **options).split(split)


def load_hub(
    name: str,
    *,
    image_column: str | None = None,
    label_column: str | None = None,
    revision: str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> HubData:
    """Load "OWNER/NAME" from the Hub, or a folder that `datasets` can read, and find out what its label maps mean.

    The columns are found by their type, `Image`, and their names, unless they are given. The classes are those of a
    column that lists `ClassLabel`s for each picture, or of id2label.json, or the label maps' own values decide. seed:
    of the validation split, where the data set has none. progress is called with (label maps looked at, all).
    Raises `UserError` where the library is missing, the data set cannot be had, or it has no such columns.
    """
    tables = _tables(name, revision)
    features = next(iter(tables.values())).features
    image_column, label_column = _columns(name, features, image_column, label_column)
    classes, reasons = _classes(name, features, revision)
    columns = Sentence(
        'The images are in the column "{image}", the label maps in "{label}".', image=image_column, label=label_column
    )
    reasons.insert(0, columns)
    tables = {split: _undecoded(table, (image_column, label_column)) for split, table in tables.items()}
    facts = _look(tables, label_column, progress)
    reading = find_reading(list(facts.values()), classes)
    rows = _rows(facts, reading, seed)
    if not any(split == "val" for split, _ in facts) and rows["val"]:
        reasons.append(
            Sentence(
                "There is no validation split: {count} training pictures were taken for it, by classes, at random with "
                "seed {seed}.",
                count=len(rows["val"]), seed=seed,
            )
        )  # fmt: skip
    return HubData(name, tables, rows, (image_column, label_column), reading, (*reasons, *reading.reasons))


def _tables(name: str, revision: str | None) -> dict[str, Any]:
    try:
        import datasets  # type: ignore[import-untyped]
    except ImportError:
        raise UserError("Data sets from the Hub need a library that is missing. Run: pip install datasets") from None
    from huggingface_hub import get_token

    folder = Path(name)
    saved = any((folder / mark).is_file() for mark in ("dataset_dict.json", "state.json"))
    token = get_token() or False
    try:
        loaded = datasets.load_from_disk(name) if saved else datasets.load_dataset(name, revision=revision, token=token)
    except Exception as error:  # the library lets through whatever went wrong in any of its layers
        raise UserError(
            "The data set {name} cannot be loaded ({reason}). Check its name, the network, and your login.",
            name=name, reason=(str(error).strip().splitlines() or [type(error).__name__])[0][:200],
        ) from error  # fmt: skip
    if not isinstance(loaded, datasets.DatasetDict):
        loaded = {"train": loaded}
    tables: dict[str, Any] = {}
    for split, table in loaded.items():
        if (known := SPLIT_OF.get(str(split))) and len(table):
            tables.setdefault(known, table)
    if not tables:
        raise UserError(
            "The data set {name} has no split for training, validation or test (there are: {there}). Choose another.",
            name=name, there=", ".join(map(str, loaded)) or "none",
        )  # fmt: skip
    return tables


def _columns(name: str, features: Mapping[str, Any], image: str | None, label: str | None) -> tuple[str, str]:
    pictures = [column for column, feature in features.items() if type(feature).__name__ == "Image"]
    role = {column: place(PurePosixPath(column)).role for column in pictures}

    def only(wanted: Callable[[str], bool]) -> str | None:
        found = [column for column in pictures if column not in (image, label) and wanted(column)]
        return found[0] if len(found) == 1 else None

    label = label or only(lambda column: role[column] == "label")
    image = image or only(lambda column: role[column] == "image") or (only(lambda column: True) if label else None)
    label = label or (only(lambda column: True) if image else None)
    if image not in pictures or label not in pictures or image == label:
        raise UserError(
            "The data set {name} does not tell its images from its label maps (columns with pictures: {columns}). "
            "Choose one with an image and a label column.",
            name=name, columns=", ".join(pictures) or "none",
        )  # fmt: skip
    return image, label


def _classes(name: str, features: Mapping[str, Any], revision: str | None) -> tuple[ClassMap | None, list[Sentence]]:
    for column, feature in features.items():
        # One ClassLabel says what the picture is; a list of them says what is in it.
        inner = getattr(feature, "feature", None) or (feature[0] if isinstance(feature, list) and feature else None)
        if inner is not None and type(inner).__name__ == "ClassLabel":
            named = Sentence('The column "{column}" names {count} classes.', column=column, count=len(inner.names))
            return ClassMap.of(*inner.names), [named]
    path = Path(name) / CLASS_FILE if Path(name).is_dir() else _fetched(name, revision)
    if path and path.is_file():
        classes = read_class_file(path).classes
        return classes, [Sentence("{file} names {count} classes.", file=CLASS_FILE, count=len(classes))]
    return None, []


def _fetched(name: str, revision: str | None) -> Path | None:
    from huggingface_hub import get_token, hf_hub_download

    token = get_token() or False
    try:
        return Path(hf_hub_download(name, CLASS_FILE, repo_type="dataset", revision=revision, token=token))
    except Exception:  # most data sets have no such file, and the pictures are there already
        return None


def _undecoded(table: Any, columns: tuple[str, str]) -> Any:
    """The two columns as the bytes of files: they are decoded here, with the header looked at first."""
    import datasets

    table = table.select_columns(list(columns))
    for column in columns:
        table = table.cast_column(column, datasets.Image(decode=False))
    return table


def _bytes(cell: Mapping[str, Any]) -> bytes:
    data = cell["bytes"]
    if data is None:
        try:
            data = Path(cell["path"]).read_bytes()
        except OSError as error:
            raise UserError(
                "{file} cannot be opened ({reason}). Check its name and permissions.",
                file=cell["path"], reason=error.strerror,
            ) from None  # fmt: skip
    return data


def _label_file(cell: Mapping[str, Any], shown: str) -> LabelFile:
    with opened(io.BytesIO(_bytes(cell)), name=shown) as picture:
        return label_file_of(picture, shown)


def _look(tables: Mapping[str, Any], label_column: str, progress: Progress | None) -> dict[tuple[str, int], LabelFacts]:
    """(split, number of the row) -> what its label map holds; rows without one are left out."""
    facts = {}
    total = sum(len(table) for table in tables.values())
    done = 0
    for split, table in tables.items():
        cells = table.select_columns([label_column])
        for number in range(len(cells)):
            if (cell := cells[number][label_column]) is not None:
                facts[split, number] = label_facts(_label_file(cell, f"{split}_{number:05}, {label_column}"))
            done += 1
            if progress:
                progress(done, total)
    return facts


def _rows(
    facts: Mapping[tuple[str, int], LabelFacts], reading: Reading, seed: int
) -> dict[str, tuple[tuple[str, int], ...]]:
    key_of = {f"{split}_{number:05}": (split, number) for split, number in facts}
    present = {name: classes_in(facts[key], reading.decoding) for name, key in key_of.items()}
    pairs = assign_splits([Pair(name, None, None, split) for name, (split, _) in key_of.items()], present, seed=seed)
    return {split: tuple(key_of[pair.name] for pair in pairs if pair.split == split) for split in SPLITS}
