"""Where the picture of the Threshold tab comes from, so that a link can lead back to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from seg_demo.data.masks import palette_image
from seg_demo.data.procedural.examples import SCENES, ExampleNewts
from seg_demo.errors import UserError
from seg_demo.infer.binarisation import Binarisation
from seg_demo.ui.kept import KeptPictures
from seg_demo.ui.looking import Look, state_of
from seg_demo.ui.segment import DRAWN_EXAMPLES, EVERYDAY_EXAMPLES

# Names of the state in a link, as state.js writes them.
IN_LINK = {"threshold": "t", "low": "low", "smallest_object": "object", "smallest_hole": "hole"}


def examples() -> dict[str, Path]:
    """All example pictures by file name."""
    return {file.name: file for file in (*DRAWN_EXAMPLES.glob("*.jpg"), *EVERYDAY_EXAMPLES)}


def example(name: str, model: str, class_name: str = "") -> Look:
    """An example picture by its file name. Raises `UserError` where there is none."""
    if name not in examples():
        raise UserError("There is no such example picture any more. Choose another one, or bring your own.")
    return Look(str(examples()[name]), model, class_name, None, {"example": name})


def has_drawn_labels(look: Look) -> bool:
    """Whether the picture is an example that was drawn by code, whose label map can be drawn again."""
    return bool(look.place) and Path(look.file).stem in {name for name, *_ in SCENES}


def draw_labels(look: Look, folder: Path) -> Path:
    """The label map of a drawn example as a file in `folder`."""
    samples = ExampleNewts()
    index = [name for name, *_ in SCENES].index(Path(look.file).stem)
    path = folder / f"{Path(look.file).stem}.png"
    palette_image(samples[index].label_map, samples.classes).save(path)
    return path


def own(kept: KeptPictures, look: Look) -> Look:
    """The same look with a place: a copy of its picture and label file is kept. Without one where that fails."""
    try:
        found = kept.keep(Path(look.file), Path(look.labels) if look.labels else None)
    except OSError:
        return look
    return replace(look, place={"picture": found.token})


def of_segment(file: str, model: str, class_name: str) -> Look:
    """A picture that the Segment tab shows: an example, or the visitor's own."""
    known = examples().get(Path(file).name)
    return example(known.name, model, class_name) if known and str(known) == file else Look(file, model, class_name)


def of_link(kept: KeptPictures, query: Mapping[str, str]) -> Look:
    """What the query of the page's address names. Raises `UserError` where that is gone."""
    model, class_name = query.get("model", ""), query.get("class", "")
    if "picture" not in query:
        return example(query.get("example", ""), model, class_name)
    found = kept.find(query["picture"])
    labels = str(found.labels) if found.labels else None
    return Look(str(found.picture), model, class_name, labels, {"picture": found.token})


def state_in(query: Mapping[str, str]) -> Binarisation | None:
    """The threshold and the filters in the query of the page's address, if any. Raises `UserError` for rubbish."""
    told = {name: query[short] for name, short in IN_LINK.items() if short in query}
    return state_of(told) if told else None
