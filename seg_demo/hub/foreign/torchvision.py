"""torchvision: state dicts of its FCN, DeepLabV3 and LR-ASPP, in safetensors, known by names and shapes alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seg_demo.checkpoint.config import CheckpointConfig
from seg_demo.checkpoint.folder import CONFIG_FILE, WEIGHTS_FILE
from seg_demo.checkpoint.header import Tensors, header_of, read_header
from seg_demo.data.preprocessing import Preprocessing
from seg_demo.errors import UserError
from seg_demo.hub.foreign.labels import classes_of
from seg_demo.hub.foreign.processor import PROCESSOR_FILE, from_processor
from seg_demo.hub.foreign.tensors import check_outputs, empty_model, paired, write
from seg_demo.models.registry import ARCHITECTURES, BACKBONES
from seg_demo.palettes import VOC

PREFIXES = ("module.", "model.", "net.", "network.", "_orig_mod.")
"""What programs put before all names of a state dict."""

# Blocks in the third stage, and whether they are bottlenecks, of the ResNets that there are.
_RESNETS = {
    (2, False): "resnet18", (6, False): "resnet34", (6, True): "resnet50", (23, True): "resnet101",
    (36, True): "resnet152",
}  # fmt: skip


def needed_files(files: Sequence[str]) -> Sequence[str]:
    return [name for name in (CONFIG_FILE, PROCESSOR_FILE, WEIGHTS_FILE) if name in files]


def describe(documents: Mapping[str, dict[str, Any]], tensors: Tensors) -> CheckpointConfig:
    """The network by its tensors; the classes by id2label of config.json, else VOC's where there are 21."""
    architecture, arguments, outputs = _network(_plain(tensors))
    check_outputs(outputs)
    config = documents.get(CONFIG_FILE, {})
    task, classes = classes_of(config.get("id2label"), outputs)
    if outputs == len(VOC) and not config.get("id2label"):
        classes = VOC
    preprocessing = Preprocessing("shortest", 520)
    source = "torchvision's own recipe, as the repository says nothing"
    if document := documents.get(PROCESSOR_FILE):
        preprocessing, source = from_processor(document, square=True), PROCESSOR_FILE
    title = f"{ARCHITECTURES[architecture].title} on {BACKBONES[arguments['backbone']]}"
    about = f"A state dict of torchvision's {title}. Preprocessing: {source}."
    described = CheckpointConfig(architecture, arguments, task, classes, preprocessing, training={"about": about})
    paired(tensors, _rename(tensors), empty_model(described), title)
    return described


def convert(weights: Path, config: CheckpointConfig, target: Path) -> None:
    tensors = read_header(header_of(weights), weights.stat().st_size, str(weights))
    model = empty_model(config)
    write(weights, paired(tensors, _rename(tensors), model, ARCHITECTURES[config.architecture].title), model, target)


def _network(tensors: Tensors) -> tuple[str, dict[str, Any], int]:
    """Architecture, arguments and number of outputs."""
    if "classifier.low_classifier.weight" in tensors:
        name, last = "lraspp", "classifier.low_classifier.weight"
    elif "classifier.0.convs.0.0.weight" in tensors:
        name, last = "deeplabv3", "classifier.4.weight"
    else:
        name, last = "fcn", "classifier.4.weight"
    backbone = _backbone(tensors)
    shape = tensors[last][1] if last in tensors else ()
    if backbone not in ARCHITECTURES[name].backbones or len(shape) != 4:
        raise UserError(
            "The weights are of no network that is understood: no config.json names a library, and they are not those "
            "of torchvision's FCN, DeepLabV3 or LR-ASPP. Choose another repository."
        )
    first = next(tensors[key][1] for key in ("backbone.conv1.weight", "backbone.0.0.weight") if key in tensors)
    if len(first) != 4 or first[1] != 3:
        raise UserError(
            "The network takes pictures of {channels} channels, not of red, green and blue. Choose another checkpoint.",
            channels=first[1] if len(first) == 4 else 0,
        )
    arguments: dict[str, Any] = {"backbone": backbone}
    if name != "lraspp":
        arguments["aux"] = any(key.startswith("aux_classifier.") for key in tensors)
    return name, arguments, shape[0]


def _backbone(tensors: Tensors) -> str:
    if "backbone.0.0.weight" in tensors and "backbone.16.0.weight" in tensors:
        return "mobilenet_v3_large"
    if "backbone.conv1.weight" not in tensors:
        return ""
    blocks = {key.split(".")[2] for key in tensors if re.match(r"backbone\.layer3\.\d+\.", key)}
    return _RESNETS.get((len(blocks), "backbone.layer3.0.conv3.weight" in tensors), "")


def _rename(tensors: Tensors) -> Any:
    prefix = _prefix(tensors)
    return lambda name: name.removeprefix(prefix)


def _plain(tensors: Tensors) -> Tensors:
    prefix = _prefix(tensors)
    return {name.removeprefix(prefix): value for name, value in tensors.items()}


def _prefix(tensors: Tensors) -> str:
    """What all names begin with that is none of torchvision's."""
    found = ""
    while tensors and (more := next((p for p in PREFIXES if all(n.startswith(found + p) for n in tensors)), "")):
        found += more
    return found
