"""The training loop: a generator of events that can be stopped between any two steps, and resumed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import asdict
from typing import Any

import torch

from seg_demo.checkpoint import Checkpoint
from seg_demo.data.loader import AnyPicture, Batch, Order, ResizedPictures, Varied, batches, keys_of_batches
from seg_demo.data.transforms import training_chain
from seg_demo.errors import Sentence
from seg_demo.infer.device import find_device
from seg_demo.infer.memory import most_memory
from seg_demo.train.config import TrainConfig
from seg_demo.train.events import (
    EpochDone,
    Event,
    MemoryShort,
    RunFailed,
    RunFinished,
    RunStarted,
    RunStopped,
    StepDone,
)
from seg_demo.train.learner import Diverged, Learner
from seg_demo.train.pictures import Pictures
from seg_demo.train.progress import Length
from seg_demo.train.ranks import Ranks
from seg_demo.train.run import Run
from seg_demo.train.saving import Saving
from seg_demo.train.schedule import rate_factor
from seg_demo.train.start import starting_model
from seg_demo.train.telling import grew
from seg_demo.train.validation import validate


def train(
    config: TrainConfig,
    pictures: Pictures,
    run: Run,
    about: dict[str, Any] | None = None,
    *,
    seconds: float = math.inf,
    stop: Callable[[], bool] = lambda: False,
    device: str | None = None,
    ranks: Ranks | None = None,
) -> Generator[Event, None, None]:
    """Train as `config` says, from the state in `run` on, where there is one.

    config: as `complete` leaves it. about: what the checkpoints say of their training, besides what is known here.
    seconds: of this part of the run, which has one step at least; the next call goes on. stop: asked between any two
    steps or validation pictures. device: None takes CUDA where there is one. What is measured and saved is the running
    average of the weights, where there is one. `run`/best has the best figure so far; without validation pictures there
    is only `run`/last.

    Stopped and resumed any number of times, also by a kill, it comes to the same weights, on the CPU bit for bit, where
    the length is given in steps or epochs. A loss or weight that is not finite ends it with `RunFailed`. Raises
    `UserError` where there are no pictures, one cannot be read, or memory or disk are too small.
    """
    ranks = ranks or Ranks()
    ranks.check(config.batch_size, config.accumulate)
    begun = time.perf_counter()
    place = find_device(device)
    order = Order((len(pictures.real), len(pictures.drawn)), config.data.drawn_share, config.seed)
    length = Length.of(config, order.epoch_length)
    torch.manual_seed(config.seed)
    model = starting_model(config, pictures.classes, pictures.task, fresh=not run.has_state)
    learner = Learner(model, config, pictures.classes, pictures.task, place, ranks)
    saving = Saving(run, learner, config, pictures, about or {}, ranks)
    progress = saving.load()
    ranks.check_agreement(progress.step)
    before, started_at = progress.seconds, progress.step
    ending: list[Event] = []
    yield RunStarted(
        len(pictures.real), len(pictures.drawn), len(pictures.validation), length.steps, progress.step,
        *learner.sizes(), str(place), learner.precision, ranks.world,
    )  # fmt: skip
    try:
        with closing(_batches(config, pictures, order, progress.step, learner, run)) as stream:
            while True:
                now = ranks.first(time.perf_counter() - begun)
                progress.seconds = before + now
                learned = progress.step * config.batch_size
                # To see a picture takes about as long as to learn from it.
                first = len(pictures.validation) * progress.seconds / max(1, learned)
                if progress.due(length, config.validation.every, first):
                    saving.mark(progress)  # A validation that is broken off is made again as a whole.
                    checkpoint = Checkpoint("", saving.config(progress), learner.saved)
                    metrics = yield from validate(
                        checkpoint, pictures, config.validation, run, progress.step,
                        device=str(place), ranks=ranks, stop=stop,
                    )  # fmt: skip
                    if metrics is not None:
                        progress.note_validation(ranks.first(time.perf_counter() - begun) - now)
                        yield EpochDone(progress.step, order.passes(learned), metrics)
                        if progress.note_figure(metrics, config.validation.best):
                            yield saving.checkpoint("best", progress, metrics)
                        yield saving.checkpoint("last", progress, metrics)
                        saving.mark(None)
                        saving.state(progress, now)
                broken_off = saving.marked is not None
                if progress.tired(config.validation.patience):
                    reason = Sentence("{count} validations were no better", count=progress.waiting)
                    ending = [RunFinished(progress.step, progress.seconds, reason)]
                    break
                if progress.over(length) and progress.validated == progress.step:
                    ending = [RunFinished(progress.step, progress.seconds, Sentence("its length is reached"))]
                    break
                if (asked := ranks.any(broken_off or stop())) or (now >= seconds and progress.step > started_at):
                    saving.state(progress, now)
                    reason = Sentence("as it was asked to") if asked else Sentence("this part is over")
                    ending = [saving.checkpoint("last", progress), RunStopped(progress.step, reason)]
                    break

                parts, tick = learner.parts, time.perf_counter()
                share = progress.share(length, ahead=0.5)
                rate = config.optimizer.learning_rate * rate_factor(config.schedule, share)
                loss = learner.step(next(stream), rate)
                progress.step += 1
                speed = config.batch_size / (time.perf_counter() - tick)
                yield StepDone(
                    progress.step, order.passes(learned + config.batch_size), progress.share(length), loss, rate, speed,
                    progress.seconds, most_memory(place),
                )  # fmt: skip
                if learner.parts != parts:
                    yield MemoryShort(progress.step, learner.parts)
                if saving.due(now):
                    saving.state(progress, now)
    except Diverged as what:
        ending = [saving.checkpoint("last", progress)] if learner.finite() else []
        good = run.last if ending or run.last.is_dir() else None
        ending.append(RunFailed(progress.step + 1, grew(str(what), progress.step + 1, good)))
    except GeneratorExit:  # whoever asked for events wants no more
        saving.state(progress, 0.0)
        saving.checkpoint("last", progress)
        raise
    yield from ending


def _batches(
    config: TrainConfig, pictures: Pictures, order: Order, start: int, learner: Learner, run: Run
) -> Generator[Batch, None, None]:
    data, ranks = config.data, learner.ranks
    memory = data.memory * 1e9 / max(1, data.workers)
    real, drawn = (ResizedPictures(samples, data.preprocessing, memory) for samples in (pictures.real, pictures.drawn))
    ignore_index = pictures.classes.ignore_index
    others = AnyPicture((real, drawn), data.drawn_share)
    chain = training_chain(
        data.crop, data.preprocessing, ignore_index=ignore_index, others=others, **asdict(config.augmentation)
    )
    varied = Varied((real, drawn), chain, config.seed)
    if not config.model.keep_features:
        yield from batches(
            varied, order, batch_size=config.batch_size, start=start, workers=data.workers,
            rank=ranks.rank, world=ranks.world,
        )  # fmt: skip
        return
    with closing(learner.keep_features(varied, order, config, run.folder)) as kept:
        for keys in keys_of_batches(order, config.batch_size, start, ranks.rank, ranks.world):
            yield Batch(*kept.batch(keys), tuple(keys))
