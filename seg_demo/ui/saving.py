"""What the Threshold tab saves: the mask, the probabilities, a figure for a paper, the threshold of a checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from seg_demo.checkpoint import CheckpointConfig, save_checkpoint
from seg_demo.errors import UserError
from seg_demo.infer.binarisation import Binarisation
from seg_demo.infer.library import Library
from seg_demo.infer.outputs import writing_to
from seg_demo.infer.planes import Planes
from seg_demo.registry import look_up
from seg_demo.ui.looking import Look, class_id_of, subject_of
from seg_demo.viz.figure import Captions, ThresholdFigure, draw_figure


@dataclass(frozen=True)
class Order:
    """What is to be saved of a look. captions: the words of the figure."""

    look: Look
    binarisation: Binarisation
    captions: Captions


Writer = Callable[[Order, Planes, Path], None]


def _mask(order: Order, planes: Planes, path: Path) -> None:
    mask = order.binarisation.mask(_plane(order, planes, 8))
    Image.fromarray(mask.astype(np.uint8) * 255).save(path)


def _probability_8(order: Order, planes: Planes, path: Path) -> None:
    Image.fromarray(_plane(order, planes, 8)).save(path)


def _probability_16(order: Order, planes: Planes, path: Path) -> None:
    Image.fromarray(_plane(order, planes, 16)).save(path)


def _probability_npy(order: Order, planes: Planes, path: Path) -> None:
    np.save(path, _plane(order, planes, 16).astype(np.float32) / 65535)


def _figure(order: Order, planes: Planes, path: Path) -> None:
    look = order.look
    prediction = planes.predict(look.model, Path(look.file), _class_id(look, planes))
    subject = subject_of(look, prediction)
    binarisation = order.binarisation
    draw_figure(
        ThresholdFigure(
            image=subject.image, plane=subject.plane, mask=binarisation.mask(subject.plane),
            threshold=binarisation.threshold, low=binarisation.low, label_map=subject.label_map,
            class_name=look.class_name, captions=order.captions,
        ),
        path,
    )  # fmt: skip


def _class_id(look: Look, planes: Planes) -> int:
    return class_id_of(planes.library.predictor(look.model).config, look.class_name)


def _plane(order: Order, planes: Planes, depth: int) -> np.ndarray:
    class_id = _class_id(order.look, planes)
    made = planes.predict(order.look.model, Path(order.look.file), class_id, 8 if depth == 8 else 16)
    return made.planes[class_id]


# Name -> what the file's name ends in, and what writes it. The order is that of the buttons.
FORMATS: dict[str, tuple[str, Writer]] = {
    "mask": ("mask.png", _mask),
    "probability_8": ("probability.png", _probability_8),
    "probability_16": ("probability16.png", _probability_16),
    "probability_npy": ("probability.npy", _probability_npy),
    "figure_png": ("figure.png", _figure),
    "figure_svg": ("figure.svg", _figure),
    "figure_pdf": ("figure.pdf", _figure),
}


def saved(name: str, order: Order, planes: Planes, folder: Path) -> Path:
    """Write one file of `FORMATS` into `folder`; returns its path.

    The mask is 0 and 255 in 8 bits, the probabilities are 0..255, 0..65535, or (H, W) float32 from 0 to 1 of 16 bits.
    Raises `UserError` for an unknown name, or where nothing can be written.
    """
    ending, write = look_up("format", FORMATS, name)
    look = order.look
    words = [Path(look.file).stem, *([look.class_name] if look.class_name else [])]
    stem = "-".join("".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in word) for word in words)
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{_cut(stem) or 'picture'}.{ending}"
        write(order, planes, path)
    return path


def _cut(stem: str) -> str:
    """To what a file name can hold of it with its ending, 255 bytes in most file systems and 200 in Gradio's cache."""
    return stem.encode()[:170].decode(errors="ignore")


def is_writable(library: Library, model: str) -> bool:
    """Whether the page may write into a checkpoint: one of the user's own, and not where strangers share them."""
    return library.entry(model).kind == "own" and not library.shared


def write_threshold(library: Library, model: str, threshold: float) -> CheckpointConfig:
    """Write a threshold into a checkpoint of the user's own; returns the config that was there before.

    Raises `UserError` for a bundled or pretrained model, for the task "multiclass", and where it cannot be written.
    """
    entry = library.entry(model)
    if not is_writable(library, model) or entry.folder is None:
        raise UserError(
            "{model} comes with the page and stays as it is. Copy its folder under checkpoints/ and write there.",
            model=model,
        )
    checkpoint = library.predictor(model).checkpoint
    config = checkpoint.config
    if config.task != "binary":
        raise UserError(
            "{model} has several classes, and the most probable one is taken, so it has no threshold. Save the mask "
            "instead.",
            model=model,
        )
    save_checkpoint(entry.folder, checkpoint.model, replace(config, threshold=threshold))
    return config
