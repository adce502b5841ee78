"""Converting an export of a labelling tool into a data set of images and label maps."""

from __future__ import annotations

import dataclasses
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seg_demo.classes import IGNORE_INDEX, ClassMap
from seg_demo.data.images import opened, upright
from seg_demo.data.polygons.painting import paint, unknown_label
from seg_demo.data.polygons.pictures import PictureFinder
from seg_demo.data.polygons.registry import FORMATS, detect
from seg_demo.data.polygons.shapes import BACKGROUND_LABEL, IGNORE_LABEL, Drawing, Export
from seg_demo.data.polygons.splits import SPLIT_NAMES
from seg_demo.data.survey import Progress
from seg_demo.data.writer import DataSetWriter
from seg_demo.errors import Sentence, UserError
from seg_demo.registry import look_up


@dataclass(frozen=True)
class Conversion:
    """What a conversion did.

    format: name in `FORMATS`. why: a sentence about how it was recognised. pictures: number written. pixels: of each
    class over all pictures, by name. ignored: pixels that are not labelled. passed_over: sentences about
    what was left out, none of which was raised.
    """

    format: str
    why: Sentence
    pictures: int
    classes: ClassMap
    pixels: Mapping[str, int]
    ignored: int
    passed_over: tuple[Sentence, ...]


def convert(
    source: Path,
    out: Path,
    *,
    format: str = "auto",
    classes: Sequence[str] | None = None,
    order: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Conversion:
    """Read the export at `source`, a file or a folder, and write a data set to the new folder `out`.

    format: a name in `FORMATS`, or "auto". classes: names in id order from 0, the first for all that is not painted;
    without them "background" and then the format's own list, or the labels as they first appear. order: labels in the
    order in which they are painted, later ones over earlier ones, see `paint`. A picture's split is the one the format
    tells, or that of a folder named train, val or test on the way to it. progress: called with the number of pictures
    done and of all.

    Pictures that cannot be found are passed over. Raises `UserError` where the format is unknown or its files are
    damaged, where a label has no class, where a picture has another size than its drawing, and where nothing is left.
    Nothing is written then.
    """
    if format == "auto":
        format, why = detect(source)
    else:
        title = look_up("polygon format", FORMATS, format).title
        why = Sentence("{title}: chosen by name.", title=title)
        if not source.exists():
            raise UserError("{source} does not exist. Check the path.", source=source)
    if order is None and not FORMATS[format].ordered:
        why = Sentence("{why} It tells no painting order: larger shapes were painted first.", why=why)
    export = FORMATS[format].read(source)
    if not export.drawings:
        raise UserError("{source} holds no {title}. Check the path and the format.", source=source,
                        title=FORMATS[format].title)  # fmt: skip
    class_map = _class_map(export, classes)
    _check_labels(export, class_map, order)
    if source.is_dir() and out.resolve().is_relative_to(source.resolve()):
        raise UserError("{out} lies in {folder} itself. Name a folder outside of it.", out=out, folder=source)
    finder = PictureFinder(source)
    passed_over = [*export.passed_over, *_empty_shapes(export)]
    pixels = np.zeros(256, np.int64)
    with DataSetWriter(out, class_map) as writer:
        for done, drawing in enumerate(export.drawings, 1):
            picture = drawing.embedded() if drawing.embedded else finder.find(drawing.file, drawing.picture)
            if isinstance(picture, UserError):
                passed_over.append(picture)
            else:
                label_map = paint(_sized(drawing, picture), class_map, order)
                pixels += np.bincount(label_map.ravel(), minlength=256)
                writer.add(drawing.split or _folder_split(drawing.file, source), drawing.name, picture, label_map)
            if progress:
                progress(done, len(export.drawings))
        if not writer.count:
            raise UserError(
                "None of the {count} pictures was found: {first}", count=len(export.drawings), first=passed_over[-1]
            )
    counts = {name: int(count) for name, count in zip(class_map.names, pixels, strict=False)}
    return Conversion(
        format, why, writer.count, class_map, counts, int(pixels[IGNORE_INDEX]),
        tuple(error.sentence for error in passed_over),
    )  # fmt: skip


def _class_map(export: Export, classes: Sequence[str] | None) -> ClassMap:
    if classes is not None:
        names = tuple(classes)
    else:
        drawn = (shape.label for drawing in export.drawings for shape in drawing.shapes if not shape.ignore)
        labels = dict.fromkeys(export.labels or drawn)
        background = next((label for label in labels if label.lower() == "background"), "background")
        names = (background, *(label for label in labels if label not in (background, BACKGROUND_LABEL, IGNORE_LABEL)))
    colors = tuple(export.colors.get(name, (0, 0, 0)) for name in names)
    # The tool's own colours where it has one for each class, because its users know them.
    return ClassMap(names, colors) if len(set(colors)) == len(names) > 1 else ClassMap.of(*names)


def _check_labels(export: Export, classes: ClassMap, order: Sequence[str] | None) -> None:
    known = {*classes.names, BACKGROUND_LABEL}
    counts = Counter(shape.label for drawing in export.drawings for shape in drawing.shapes if not shape.ignore)
    for drawing in export.drawings:
        for shape in drawing.shapes:
            if not shape.ignore and shape.label not in known:
                raise unknown_label(drawing, shape.label, counts[shape.label], classes.names)
    for name in order or ():
        if name not in known | {IGNORE_LABEL}:
            raise UserError(
                'The painting order names "{name}", which is none of the classes {known}. Correct the order.',
                name=name, known=", ".join(classes.names),
            )  # fmt: skip


def _empty_shapes(export: Export) -> list[UserError]:
    counts = [(drawing, sum(shape.is_empty for shape in drawing.shapes)) for drawing in export.drawings]
    return [
        UserError(
            "{file}: {count} shapes on {picture} have no area, as after a stray click, and were passed over.",
            file=drawing.file, picture=drawing.picture, count=count,
        )
        for drawing, count in counts if count
    ]  # fmt: skip


def _sized(drawing: Drawing, picture: Path | bytes) -> Drawing:
    """With the size of the upright picture, which must be the one that the tool states."""
    name = picture.name if isinstance(picture, Path) else drawing.picture
    with opened(io.BytesIO(picture) if isinstance(picture, bytes) else picture, name=name) as image:
        stored_width, stored_height = image.size
        width, height = upright(image).size
    stated = (drawing.width or width, drawing.height or height)
    if stated == (width, height):
        return dataclasses.replace(drawing, width=width, height=height)
    if stated == (stored_width, stored_height):
        raise UserError(
            "{file} was drawn on {picture} as it is stored, {stated_width} x {stated_height}, but its EXIF block turns "
            "it to {width} x {height}. Remove the EXIF rotation from the picture.",
            file=drawing.file, picture=name, stated_width=stated[0], stated_height=stated[1],
            width=width, height=height,
        )  # fmt: skip
    raise UserError(
        "{file} was drawn on a picture of {stated_width} x {stated_height} pixels, but {picture} has {width} x "
        "{height}. Use the picture that was drawn on.",
        file=drawing.file, picture=name, stated_width=stated[0], stated_height=stated[1], width=width, height=height,
    )  # fmt: skip


def _folder_split(file: Path, source: Path) -> str | None:
    folders = file.relative_to(source).parts[:-1] if source.is_dir() else ()
    return next((SPLIT_NAMES[part.lower()] for part in folders if part.lower() in SPLIT_NAMES), None)
