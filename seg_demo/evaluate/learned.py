"""Whether a checkpoint has learned from the pictures that it is measured on, where that can be told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from seg_demo.checkpoint import Checkpoint, CheckpointConfig
from seg_demo.data.dataset import DataSet, fingerprint, in_classes
from seg_demo.data.folder import FolderDataSet
from seg_demo.data.procedural import ProceduralNewts
from seg_demo.errors import Sentence, UserError

SPLITS = ("train", "trainval", "val", "test")


def learned_from(
    checkpoint: Checkpoint, samples: DataSet, split: Callable[[str], DataSet] | None = None
) -> Sentence | None:
    """A warning where the checkpoint's config says that it has learned from some of `samples`; None where it does not.

    split: gives the other splits of the same pictures. A checkpoint keeps the fingerprint of all that it has learned
    from: where that is the fingerprint of `samples` themselves, or of one of these splits, it is known picture by
    picture. Otherwise it is likely where both name the same published data set and splits that overlap. Reads the bytes
    of the files, and decodes none.
    """
    config = checkpoint.config
    wanted = config.training.get("data_fingerprint")
    if not isinstance(wanted, str):
        return _likely(checkpoint, samples)
    drawn = _drawn(config)
    for candidate in _candidates(config, samples, split):
        try:
            fitted = in_classes(candidate, config.classes, config.task, checkpoint.name)
            if fingerprint(fitted, drawn) != wanted:
                continue
            known = {candidate.identity(index) for index in range(len(candidate))}
        except UserError:  # other classes, or a file that cannot be read: it is another split
            continue
        count = sum(samples.identity(index) in known for index in range(len(samples)))
        if not count:
            return None
        return Sentence(
            "{name} has learned from {count} of these {all} pictures, so its figures here say little about other "
            "pictures. Compare on pictures that were kept back.",
            name=checkpoint.name, count=count, all=len(samples),
        )  # fmt: skip
    return _likely(checkpoint, samples)


def _likely(checkpoint: Checkpoint, samples: DataSet) -> Sentence | None:
    training = checkpoint.config.training
    data, noted = training.get("data"), training.get("split")
    if not isinstance(samples, FolderDataSet) or not isinstance(data, str) or samples.listing.layout == "folders":
        return None
    if noted is None and (at_end := re.search(r", split (\w+)$", data)):  # as earlier versions wrote it
        noted = at_end[1]
    learned = {"train", "val"} if noted == "trainval" else {noted}
    if not re.match(rf"{samples.listing.layout}\b", data) or not learned & {pair.split for pair in samples.pairs}:
        return None
    return Sentence(
        '{name} has learned from "{data}" (split {split}), so it probably knows these pictures. Compare on pictures '
        "that were kept back.",
        name=checkpoint.name, data=data.removesuffix(f", split {noted}"), split=noted,
    )  # fmt: skip


def _candidates(
    config: CheckpointConfig, samples: DataSet, split: Callable[[str], DataSet] | None
) -> Iterator[DataSet]:
    yield samples
    noted = config.training.get("split")
    for name in (noted,) if noted in SPLITS else SPLITS:
        if split:
            try:
                yield split(name)
            except UserError:  # there is no such split
                continue


def _drawn(config: CheckpointConfig) -> Sequence:
    """The pictures that were drawn for its training, as far as its config says; none are drawn to tell them apart."""
    pictures, seed = config.training.get("pictures"), config.training.get("seed")
    count = pictures.get("drawn") if isinstance(pictures, dict) else 0
    if type(count) is not int or type(seed) is not int or count < 1:
        return ()
    species = len(config.classes) == 3
    return ProceduralNewts(min(count, 10**6), longest=config.preprocessing.size, species=species, seed=seed + 1)
