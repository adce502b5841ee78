"""The probabilities of pictures of late, so that another class of one, or a file of it, costs no prediction."""

from __future__ import annotations

import hashlib
import threading
import weakref
from collections import OrderedDict
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from seg_demo.data.images import read_image
from seg_demo.infer.library import Library

if TYPE_CHECKING:
    from seg_demo.checkpoint import Checkpoint, CheckpointConfig

Key = tuple[str, str, int]  # model, digest of the picture's file, depth
LARGEST = 128 << 20  # bytes of the probabilities of one picture; beyond, only those of the class that is asked for


@dataclass(frozen=True, eq=False)
class Prediction:
    """An image (H, W, 3) uint8 and the quantised probabilities of some classes, (H, W) uint8 or uint16 each.

    areas: pixels of each class in the label map. made_by: the checkpoint, as long as it is loaded: a prediction must
    not keep its network in memory.
    """

    config: CheckpointConfig
    image: np.ndarray
    planes: dict[int, np.ndarray]
    areas: tuple[int, ...]
    made_by: weakref.ref[Checkpoint]

    @property
    def largest(self) -> int:
        """The class with the most probability besides the background; the most pixels, where planes are missing."""
        if len(self.planes) < len(self.areas) - 1:
            return int(np.argmax(self.areas[1:])) + 1
        if len(self.areas) == 1:
            return 0
        totals = {class_id: int(plane.sum()) for class_id, plane in self.planes.items() if class_id}
        return max(totals, key=lambda class_id: totals[class_id])

    @property
    def nbytes(self) -> int:
        return self.image.nbytes + sum(plane.nbytes for plane in self.planes.values())


class Planes:
    """Predicts with the models of a library and keeps the latest predictions; safe to use from many threads.

    turn: is held while a network runs. kept: bytes of predictions in memory.
    """

    def __init__(
        self, library: Library, turn: AbstractContextManager[object] | None = None, kept: int = 256 << 20
    ) -> None:
        self.library, self.turn, self.kept = library, turn or nullcontext(), kept
        self._latest: OrderedDict[Key, Prediction] = OrderedDict()
        self._lock = threading.Lock()

    def predict(self, model: str, file: Path, class_id: int, depth: Literal[8, 16] = 8) -> Prediction:
        """The prediction of a picture file, with the plane of `class_id` at least.

        class_id: 1 for the task "binary". Raises `UserError` as `read_image` and the library do.
        """
        predictor = self.library.predictor(model)
        key = (model, _digest(file), depth)
        if known := self._known(key, predictor.checkpoint, class_id):
            return known
        image = read_image(file, name=file.name)
        config = predictor.config
        outputs = [1] if config.task == "binary" else list(range(config.num_outputs))
        size = image.shape[0] * image.shape[1] * depth // 8
        wanted = outputs if size * len(outputs) <= LARGEST else [class_id]
        with self.turn:
            if known := self._known(key, predictor.checkpoint, class_id):  # somebody was quicker
                return known
            segmentation = predictor.keeping(wanted, depth)(image)
        assert segmentation.probabilities is not None
        planes = dict(zip(wanted, segmentation.probabilities, strict=True))
        areas = tuple(segmentation.counts().tolist())
        made = Prediction(config, image, planes, areas, weakref.ref(predictor.checkpoint))
        with self._lock:
            self._latest[key] = made
            self._latest.move_to_end(key)
            while len(self._latest) > 1 and sum(each.nbytes for each in self._latest.values()) > self.kept:
                self._latest.popitem(last=False)
        return made

    def _known(self, key: Key, checkpoint: Checkpoint, class_id: int) -> Prediction | None:
        with self._lock:
            known = self._latest.get(key)
            # A checkpoint that was written again is another one.
            if known is None or known.made_by() is not checkpoint or class_id not in known.planes:
                return None
            self._latest.move_to_end(key)
            return known


def _digest(file: Path) -> str:
    """Of the file's bytes, so that a copy of a picture is the same picture."""
    digest = hashlib.sha256()
    try:
        with file.open("rb") as stream:
            while part := stream.read(1 << 20):
                digest.update(part)
    except OSError:  # `read_image` says what is wrong
        return str(file)
    return digest.hexdigest()
