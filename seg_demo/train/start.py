"""What a run begins with: its configuration filled up, and the model before the first step."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import cast

from seg_demo.checkpoint import load_checkpoint
from seg_demo.checkpoint.config import read_config
from seg_demo.classes import ClassMap, Task
from seg_demo.models import build_model
from seg_demo.models.adapt import freeze, reset_head
from seg_demo.models.model import SegmentationModel
from seg_demo.palettes import CLASS_MAPS
from seg_demo.train.balance import median_frequency
from seg_demo.train.config import TrainConfig
from seg_demo.train.pictures import Pictures


def complete(config: TrainConfig, pictures: Pictures) -> TrainConfig:
    """`config` with nothing left open: task, classes and their weights, and what the checkpoint it starts from says."""
    data = replace(config.data, task=pictures.task, classes=pictures.classes)
    if not pictures.real:
        data = replace(data, drawn_share=1.0)
    model, loss = config.model, config.loss
    if model.checkpoint:
        known = read_config(Path(model.checkpoint))
        arguments = {
            # Settings hold no objects; the networks of other libraries are described by some.
            name: json.dumps(value) if isinstance(value, dict) else value
            for name, value in known.arguments.items()
        }
        model = replace(model, architecture=known.architecture, arguments=arguments)
        data = replace(data, preprocessing=known.preprocessing)
    if loss.balance == "median-frequency":
        label_maps = (sample.label_map for sample in (pictures.real or pictures.drawn))
        weights = median_frequency(label_maps, len(pictures.classes), pictures.classes.ignore_index)
        loss = replace(loss, balance="none", class_weights=weights)
    return replace(config, model=model, data=data, loss=loss)


def starting_model(config: TrainConfig, classes: ClassMap, task: Task, fresh: bool = True) -> SegmentationModel:
    """The model as `config.model` says, with class layers for `classes`; new weights are drawn with torch's seed.

    fresh: whether it begins, or gets weights of its own afterwards, so that those it began with need not be there.

    Where it starts from weights for other classes, the layers that make class scores are new. Raises `UserError` where
    a checkpoint cannot be loaded or published weights do not arrive.
    """
    settings, outputs = config.model, 1 if task == "binary" else len(classes)
    if not fresh:
        model = build_model(settings.architecture, outputs, **settings.arguments)
        return freeze(model) if settings.freeze else model
    if settings.checkpoint:
        start = load_checkpoint(settings.checkpoint)
        model, known = cast(SegmentationModel, start.model), start.config.classes.names
        same = known == classes.names and start.config.num_outputs == outputs
    elif settings.weights:
        known = CLASS_MAPS["voc"].names
        model = build_model(settings.architecture, len(known), weights=settings.weights, **settings.arguments)
        same = known == classes.names and task == "multiclass"
    else:
        backbone = settings.backbone_weights or None
        model = build_model(settings.architecture, outputs, backbone_weights=backbone, **settings.arguments)
        same = True
    if not same or settings.head != "keep":
        reset_head(model, outputs, "default" if settings.head == "keep" else settings.head)
    return freeze(model) if settings.freeze else model
