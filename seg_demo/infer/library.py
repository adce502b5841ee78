"""The models that can be chosen by name: bundled, the user's own, and torchvision's."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from seg_demo.checkpoint import Checkpoint, find_checkpoints, load_checkpoint
from seg_demo.infer.pretrained import PRETRAINED, load_pretrained
from seg_demo.registry import look_up

if TYPE_CHECKING:
    from seg_demo.infer.lent import LentPredictor
    from seg_demo.infer.predictor import Predictor

Kind = Literal["bundled", "own", "visitor", "pretrained"]
BUNDLED = ("newts-binary", "newts-species")
KEPT_LOADED = 3  # models in memory at one time


def _written(folder: Path) -> float:
    """When a checkpoint was last written; 0 while it is being replaced."""
    return max((path.stat().st_mtime for path in folder.glob("*") if path.exists()), default=0.0)


def open_model(name: str) -> Checkpoint:
    """A checkpoint by its folder, or a pretrained network by its name in `PRETRAINED`.

    Raises `UserError` where there is neither.
    """
    if "/" in name or Path(name).is_dir():
        return load_checkpoint(name)
    return load_pretrained(name)


@dataclass(frozen=True)
class Entry:
    """A model to choose: the name that chooses it, what it is, and how it is shown."""

    name: str
    kind: Kind
    title: str
    folder: Path | None = None


class Library:
    """The checkpoints of `folder` and the pretrained networks, loaded on demand; safe to use from many threads.

    A visitor's checkpoints, in a folder of the visitor's own, are seen by whoever names that folder to `entries`. They
    have names that cannot be guessed, "newts@0f3a...", by which `predictor` finds them for everybody who was told one.
    """

    def __init__(self, folder: Path, shared: bool = False) -> None:
        """shared: whether strangers use the checkpoints of `folder`, too, so that nothing may be written there."""
        self.folder, self.shared = folder, shared
        self._visitors: dict[str, Path] = {}
        self._loaded: OrderedDict[tuple[str, float], Predictor | LentPredictor] = OrderedDict()
        self._lock = threading.Lock()
        self._loading: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def entries(self, visitor: Path | None = None) -> dict[str, Entry]:
        """All models by name: bundled first, then the user's own, then torchvision's. Reads the folders anew.

        visitor: the folder of a visitor's own checkpoints, besides those that all share.
        """
        folders = {path.name: path for path in find_checkpoints(self.folder)}
        bundled = [Entry(name, "bundled", name, folders[name]) for name in BUNDLED if name in folders]
        own = [Entry(name, "own", name, path) for name, path in folders.items() if name not in BUNDLED]
        pretrained = [
            Entry(name, "pretrained", f"{item.title} · VOC · {item.megabytes} MB")
            for name, item in PRETRAINED.items()
            if name not in folders
        ]
        visitors = self._of_visitor(visitor) if visitor and visitor != self.folder else ()
        return {entry.name: entry for entry in (*bundled, *own, *visitors, *pretrained)}

    def _of_visitor(self, folder: Path) -> list[Entry]:
        found = []
        for path in find_checkpoints(folder):
            name = f"{path.name}@{hashlib.sha256(os.fsencode(path)).hexdigest()[:24]}"
            self._visitors[name] = path
            found.append(Entry(name, "visitor", path.name, path))
        return found

    def entry(self, name: str) -> Entry:
        """The model `name`, a visitor's as well. Raises `UserError` for an unknown one."""
        if (folder := self._visitors.get(name)) and folder.is_dir():
            return Entry(name, "visitor", folder.name, folder)
        return look_up("model", self.entries(), name)

    def predictor(self, name: str) -> Predictor | LentPredictor:
        """The model `name`, ready to predict. Raises `UserError` for an unknown or unusable one."""
        from seg_demo.infer.lent import open_predictor

        entry = self.entry(name)
        # A checkpoint that was written again is another model.
        key = (name, _written(entry.folder) if entry.folder else 0.0)
        with self._lock:
            loading = self._loading[name]
        with loading:  # One visitor downloads a model, the others who want it wait; other models stay free.
            with self._lock:
                predictor = self._loaded.pop(key, None)
            predictor = predictor or open_predictor(self._load(entry))
            with self._lock:
                self._loaded[key] = predictor
                while len(self._loaded) > KEPT_LOADED:
                    self._loaded.popitem(last=False)
            return predictor

    @staticmethod
    def _load(entry: Entry) -> Checkpoint:
        return load_checkpoint(entry.folder) if entry.folder else load_pretrained(entry.name)
