"""transformers: what `model.save_pretrained` and `image_processor.save_pretrained` write."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seg_demo.checkpoint.config import CheckpointConfig
from seg_demo.checkpoint.folder import CONFIG_FILE, WEIGHTS_FILE
from seg_demo.checkpoint.header import Tensors, header_of, read_header
from seg_demo.data.preprocessing import Preprocessing
from seg_demo.errors import UserError, shorten
from seg_demo.hub.foreign.labels import classes_of
from seg_demo.hub.foreign.processor import LARGEST_SIDE, PROCESSOR_FILE, from_processor
from seg_demo.hub.foreign.tensors import WHOLE, Rename, check_outputs, empty_model, paired, write
from seg_demo.models.model import SegmentationModel
from seg_demo.models.registry import IMPORTED

NOT_WANTED = ("auxiliary_head.", "criterion.")
"""Weights that only help training."""


def needed_files(files: Sequence[str]) -> Sequence[str]:
    return [name for name in (CONFIG_FILE, PROCESSOR_FILE, WEIGHTS_FILE) if name in files]


def describe(documents: Mapping[str, dict[str, Any]], tensors: Tensors) -> CheckpointConfig:
    from seg_demo.models.imported.transformers import UNIVERSAL, tidy

    config = documents[CONFIG_FILE]
    network = tidy(config)
    id2label = config.get("id2label")
    outputs = len(id2label) if isinstance(id2label, Mapping) and id2label else config.get("num_labels", 2)
    if type(outputs) is not int:
        raise UserError(
            "config.json says {value} where the number of classes should be. Choose another checkpoint.",
            value=shorten(outputs),
        )
    task, classes = classes_of(id2label, check_outputs(outputs))
    processor = documents.get(PROCESSOR_FILE)
    # A size that is one number: DETR's descendants mean the shorter side.
    square = network["model_type"] not in UNIVERSAL
    preprocessing = from_processor(processor, square=square) if processor else _usual(config)
    title = _title(config)
    about = f"Made with transformers ({title}). Preprocessing: {PROCESSOR_FILE if processor else 'ImageNet, as usual'}."
    bgr = bool(processor and processor.get("do_flip_channel_order"))
    arguments = IMPORTED["transformers"].check("transformers", {"config": network, "bgr": bgr})
    described = CheckpointConfig("transformers", arguments, task, classes, preprocessing, training={"about": about})
    model = empty_model(described)
    paired(tensors, _rename(model, tensors), model, title)
    return described


def convert(weights: Path, config: CheckpointConfig, target: Path) -> None:
    tensors = read_header(header_of(weights), weights.stat().st_size, str(weights))
    model = empty_model(config)
    write(weights, paired(tensors, _rename(model, tensors), model, _title(config.arguments["config"])), model, target)


def _title(config: Mapping[str, Any]) -> str:
    backbone = config.get("backbone_config")
    inner = backbone.get("model_type") if isinstance(backbone, Mapping) else None
    return shorten(f"{config['model_type']} on {inner}" if inner else config["model_type"]).strip("'")


def _usual(config: Mapping[str, Any]) -> Preprocessing:
    """Where nothing is said: the size that the network was made for, and ImageNet's mean and deviation."""
    side = config.get("image_size")
    if type(side) is int and 1 <= side <= LARGEST_SIDE:
        return Preprocessing("exact", side)
    return Preprocessing("none")


def _rename(model: SegmentationModel, tensors: Tensors) -> Rename:
    """Our name of a tensor: the library keeps old names in its files, and knows the new ones of its networks."""
    from transformers.conversion_mapping import get_model_conversion_mapping
    from transformers.core_model_loading import WeightConverter, WeightRenaming, rename_source_key

    from seg_demo.models.imported.network import PREFIX

    network: Any = model.get_submodule(PREFIX.rstrip("."))
    state = network.state_dict()
    known = get_model_conversion_mapping(network)
    renamings = [entry for entry in known if isinstance(entry, WeightRenaming)]
    converters = [entry for entry in known if isinstance(entry, WeightConverter)]
    prefix = network.base_model_prefix
    buffers = {name for name, _ in network.named_buffers()}
    leftover = re.compile("|".join(_leftovers(network)) or r"(?!)")

    def rename(name: str) -> str | None:
        ours, converter = rename_source_key(name, renamings, converters, prefix, state)
        if converter is not None:  # such weights would have to be computed
            return PREFIX + name
        if ours not in state and name in state:
            ours, _ = rename_source_key(name, [], [], prefix, state)
        if ours in state:
            return str(PREFIX + ours)
        dropped = ours.startswith(NOT_WANTED) or ours in buffers or leftover.search(name) or tensors[name][0] in WHOLE
        return None if dropped else str(PREFIX + ours)

    return rename


def _leftovers(network: Any) -> list[str]:
    """What the library's own networks say that older files may hold besides their weights."""
    patterns = [getattr(module, "_keys_to_ignore_on_load_unexpected", None) or () for module in network.modules()]
    return sorted({pattern for found in patterns for pattern in found})
