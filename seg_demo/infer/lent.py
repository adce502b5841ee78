"""Predicting where a GPU is lent for seconds: on a Space with ZeroGPU, in processes that `spaces` forks.

The page's own process has no GPU there: it holds the models on the CPU, and `each` sends pictures to a process that
has one. Off ZeroGPU `each` predicts where it is called, and nothing is imported.

A lent process is a fork of the page, so it has the models that were loaded before. The same one may be used again for
a later call, which asks for a model that was loaded since: so it is told where the model comes from, too.
"""

from __future__ import annotations

import copy
import importlib
import importlib.util
import os
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from weakref import WeakValueDictionary

import numpy as np

from seg_demo.checkpoint import Checkpoint, load_checkpoint
from seg_demo.errors import UserError

if TYPE_CHECKING:
    from seg_demo.infer.predictor import Predictor
    from seg_demo.infer.segmentation import Segmentation

# Seconds that a GPU is asked for: a shorter time comes sooner in ZeroGPU's queue, and a visitor has few minutes a day.
SETTING_UP = 8.0  # the process, CUDA, a model that moves there
PER_PICTURE = 0.2
PER_MEGAPIXEL = 0.8
LONGEST, MOST = 60, 120  # of several pictures, and of a single large one
KEPT_READY = 3  # models on the GPU at one time
LONGEST_REASON = 200  # characters of a reason that is passed on
ABORTED = ("ZeroGPU worker error", "GPU task aborted")  # title and message for a process that was killed


def zero_gpu() -> bool:
    """Whether this is a Space with ZeroGPU, where only what `spaces.GPU` decorates has a GPU. Imports nothing."""
    asked = os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")  # as `spaces` reads it
    return asked and importlib.util.find_spec("spaces") is not None


def refused(error: Exception) -> UserError:
    """What is told where ZeroGPU lends no GPU; `error` is what `spaces` raised, often one of Gradio's."""
    reason = " ".join(str(getattr(error, "message", error)).split())[:LONGEST_REASON].rstrip(".")
    return UserError("ZeroGPU lends no GPU ({reason}). Log in to Hugging Face, or come back later.", reason=reason)


def one_at_a_time() -> AbstractContextManager[object]:
    """What is held while a network runs: a lock, but nothing where ZeroGPU gives each caller a GPU in turn."""
    return nullcontext() if zero_gpu() else threading.Lock()


def begin_lending() -> None:
    """From now on, predict in lent processes. Before the page is launched: `spaces` tells ZeroGPU then what is lent."""
    global _lend
    spaces = importlib.import_module("spaces")
    for heavy in ("seg_demo.infer.predictor", "seg_demo.evaluate.report"):  # What was imported before it, a fork has.
        importlib.import_module(heavy)
    _lend = spaces.GPU(_serve, duration=lambda order: order.seconds)


def open_predictor(checkpoint: Checkpoint, device: str | None = None) -> Predictor | LentPredictor:
    """A predictor of a checkpoint, where predictions are made on this machine; `device` as `Predictor` takes it."""
    if _lend is not None:
        return LentPredictor(checkpoint)
    from seg_demo.infer.predictor import Predictor

    return Predictor(checkpoint, device)


class Source(NamedTuple):
    """Where a model comes from, and which of its probabilities are kept.

    place: the folder of a checkpoint, or the name of a pretrained network. written: when; at another time it was
    another model.
    """

    place: str
    written: float
    keep_probabilities: bool | tuple[int, ...] = False
    depth: Literal[8, 16] = 8

    @property
    def key(self) -> tuple[str, float]:
        return self.place, self.written


class LentPredictor:
    """What stands in for a `Predictor` in a process that has no GPU: same results, from a process that has one.

    Logits cannot be watched across processes: give `each` a function that does so over there.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint, self.config = checkpoint, checkpoint.config
        folder = checkpoint.folder
        self.source = Source(str(folder.resolve()), _written(folder)) if folder else Source(checkpoint.name, 0.0)
        _HELD[self.source.key] = checkpoint

    @property
    def depth(self) -> Literal[8, 16]:
        return self.source.depth

    def keeping(self, probabilities: bool | Sequence[int], depth: Literal[8, 16] = 8) -> LentPredictor:
        """As `Predictor.keeping`."""
        other = copy.copy(self)
        keep = probabilities if isinstance(probabilities, bool) else tuple(probabilities)
        other.source = self.source._replace(keep_probabilities=keep, depth=depth)
        return other

    def __call__(self, image: np.ndarray, threshold: float | None = None) -> Segmentation:
        """As `Predictor`, from a GPU of its own; several pictures share one through `each`."""
        [segmentation] = each(_segmented, [(image, threshold)], self)
        return segmentation


def each(
    work: Callable[..., Any],
    items: Iterable[tuple[Any, ...]],
    *predictors: Predictor | LentPredictor,
    turn: AbstractContextManager[object] | None = None,
) -> Generator[Any, None, None]:
    """Yield `work(*predictors, *item)` for each item, in their order; with lent ones, for many items on one GPU.

    work: a function of a module, which a lent process finds by its name. items: the first part of each is an image
    (H, W, 3), which is predicted once; they are made one after the other, some ahead where they go to a lent process.
    turn: is held while a network runs here. Raises what `work` raises; with lent predictors also `UserError` where no
    GPU is lent. To be closed when it is left early, so that the GPU is free for others.
    """
    if not all(isinstance(predictor, LentPredictor) for predictor in predictors):
        for item in items:
            with turn or nullcontext():
                result = work(*predictors, *item)
            yield result
        return
    sources = tuple(predictor.source for predictor in predictors if isinstance(predictor, LentPredictor))
    for batch, seconds in _batches(items):
        waiting = deque(batch)
        while waiting:
            before = len(waiting)
            try:
                with closing(_lease(Order(work, sources, tuple(waiting), seconds))) as results:
                    for result in results:
                        waiting.popleft()
                        yield result
            except _Aborted:
                if len(waiting) < before:  # Its time was up too early; the rest has another one.
                    continue
                raise UserError(
                    "The GPU was taken away before this was done, most likely because its time or the memory ran out. "
                    "Take fewer or smaller pictures."
                ) from None


class Order(NamedTuple):
    """What one lent process is to do: `work` for each item, with predictors of these models, within so many seconds."""

    work: Callable[..., Any]
    sources: tuple[Source, ...]
    items: tuple[tuple[Any, ...], ...]
    seconds: int


class _Aborted(Exception):
    """The lent process is no more."""


def _batches(items: Iterable[tuple[Any, ...]]) -> Iterator[tuple[list[tuple[Any, ...]], int]]:
    """As many items as have time enough, and the seconds for them."""
    batch: list[tuple[Any, ...]] = []
    needed = SETTING_UP
    for item in items:
        height, width = item[0].shape[:2]
        seconds = PER_PICTURE + PER_MEGAPIXEL * height * width / 1e6
        if batch and needed + seconds > LONGEST:
            yield batch, min(MOST, round(needed))
            batch, needed = [], SETTING_UP
        batch.append(item)
        needed += seconds
    if batch:
        yield batch, min(MOST, round(needed))


def _lease(order: Order) -> Generator[Any, None, None]:
    """What comes from the lent process. Raises `UserError` of its work, and where there is none."""
    assert _lend is not None
    with closing(_lend(order)) as told:
        while True:
            try:
                result = next(told)
            except StopIteration:
                return
            except Exception as error:  # Gradio's, of which nothing is known here
                title, message = getattr(error, "title", ""), str(getattr(error, "message", error))
                if (title, message) == ABORTED:
                    raise _Aborted from None
                if title == ABORTED[0]:  # The log has the traceback.
                    raise RuntimeError(f"A lent process failed: {message}") from None
                raise refused(error) from None
            if isinstance(result, UserError):
                raise result
            yield result[0]


def _segmented(predictor: Predictor, image: np.ndarray, threshold: float | None = None) -> Segmentation:
    return predictor(image, threshold)


def _written(folder: Path) -> float:
    """When a checkpoint was last written."""
    return max((path.stat().st_mtime for path in folder.glob("*") if path.exists()), default=0.0)


# In the lent process ----------------------------------------------------------------------------------------

_lend: Callable[[Order], Generator[Any, None, None]] | None = None
_HELD: WeakValueDictionary[tuple[str, float], Checkpoint] = WeakValueDictionary()
"""What the page has loaded: a fork has all of it."""
_READY: OrderedDict[tuple[str, float], Predictor] = OrderedDict()
"""What a lent process has brought to its GPU."""


def _serve(order: Order) -> Iterator[tuple[Any] | UserError]:
    """Each result in a tuple; a `UserError` in its place is the last: raised, it would lose its sentence on its way."""
    try:
        predictors = [_ready(source) for source in order.sources]
        for item in order.items:
            yield (order.work(*predictors, *item),)
    except UserError as error:
        yield error


def _ready(source: Source) -> Predictor:
    """The model on the device of this process. Takes no lock: in a fork, nobody would open it again."""
    from seg_demo.infer.predictor import Predictor

    predictor = _READY.pop(source.key, None)
    if predictor is None:
        predictor = Predictor(_HELD.get(source.key) or _loaded(source))
    _READY[source.key] = predictor
    while len(_READY) > KEPT_READY:
        _READY.popitem(last=False)
    return predictor.keeping(source.keep_probabilities, source.depth)


def _loaded(source: Source) -> Checkpoint:
    from seg_demo.infer.pretrained import load_pretrained

    # The name of a pretrained network is no absolute path.
    return load_checkpoint(source.place) if os.path.isabs(source.place) else load_pretrained(source.place)
