"""segmentation-models-pytorch: its networks, by what `save_pretrained` writes into their config.json."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from seg_demo.errors import UserError, shorten
from seg_demo.models.imported.network import ImportedNetwork, missing
from seg_demo.models.imported.shapes import build_within_bounds
from seg_demo.registry import look_up

LIBRARY = "segmentation-models-pytorch"
# Activations that only turn logits into probabilities; without them the network gives the logits.
_OVER_LOGITS = ("identity", "softmax", "softmax2d", "logsoftmax")
# Of timm's encoders; whatever else a config might hand on to timm, such as a file to load, is not handed on.
_ENCODER_ARGUMENTS = ("img_size", "dynamic_img_size", "dynamic_img_pad", "window_size", "drop_rate", "drop_path_rate")
# Encoders that smp looks up in timm although their names begin otherwise.
_TIMMS = ("timm-regnet", "timm-res2", "timm-resnest", "timm-mobilenetv3", "timm-gernet")


class Network(ImportedNetwork):
    """A network of segmentation-models-pytorch."""

    def scores(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images)
        return logits


def build(num_classes: int, config: Mapping[str, Any]) -> Network:
    """The network of a config of smp, with `num_classes` outputs. Raises `UserError` for one that cannot be built."""
    kind, arguments = arguments_of(config)

    def make() -> nn.Module:
        network: nn.Module = kind(**arguments, encoder_weights=None, in_channels=3, classes=num_classes)
        return network

    network: Any = build_within_bounds(LIBRARY, make)
    multiple = int(getattr(network.encoder, "output_stride", 32) or 32)
    side = _side(network.encoder, arguments)
    return Network(network, "encoder", multiple=multiple if 32 % multiple else 32, side=side)


def _side(encoder: nn.Module, arguments: Mapping[str, Any]) -> int:
    """Height and width of the images that an encoder takes, in pixels; 0 where it takes any."""
    for module in encoder.modules():
        if getattr(module, "strict_img_size", False) and getattr(module, "img_size", None):
            return int(module.img_size[0])  # type: ignore[index, union-attr]
    name = timm_name(arguments["encoder_name"])
    if name and not arguments.get("dynamic_img_size"):
        import timm

        known = timm.get_pretrained_cfg(name)
        if known is not None and known.fixed_input_size:
            side = arguments.get("img_size") or known.input_size[-1]
            return int(side[0] if isinstance(side, list) else side)
    return 0


def tidy(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of a config.json of smp describes the network, and nothing else of it.

    Raises `UserError` for an unknown class or encoder, and for outputs that are not what we can show.
    """
    kind, arguments = arguments_of(config)
    return {"_model_class": kind.__name__, **arguments}


def arguments_of(config: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The class of a network and the arguments it is made with. Raises `UserError`, as `tidy`."""
    library: Any = _library()
    kinds = {kind.__name__: kind for kind in library.MODEL_ARCHITECTURES_MAPPING.values()}
    kind = look_up("network of segmentation-models-pytorch", kinds, config.get("_model_class", ""))
    encoder = config.get("encoder_name", "resnet34")
    _check_encoder(library, encoder)
    _check_activation(config.get("activation"), config.get("classes", 1))
    if config.get("in_channels", 3) != 3:
        raise UserError(
            "The network takes pictures of {channels} channels, not of red, green and blue. Choose another checkpoint.",
            channels=shorten(config.get("in_channels")),
        )
    known = set(inspect.signature(kind.__init__).parameters)
    known -= {"self", "kwargs", "activation", "aux_params", "classes", "in_channels", "encoder_weights"}
    if encoder.startswith("tu-"):
        known |= set(_ENCODER_ARGUMENTS)
    return kind, {name: value for name, value in config.items() if name in known} | {"encoder_name": encoder}


def timm_name(encoder: str) -> str:
    """The name under which timm knows an encoder of smp; empty where it is smp's own.

    >>> timm_name("tu-resnet18.a1_in1k")
    'resnet18.a1_in1k'
    """
    if encoder.startswith(_TIMMS):
        core = encoder.removeprefix("timm-")
        return f"tf_{core}" if "mobilenetv3" in core else core
    return encoder.removeprefix("tu-") if encoder.startswith("tu-") else ""


def _check_encoder(library: Any, encoder: object) -> None:
    """It must be one that the libraries define themselves: timm would also fetch a name such as "hf-hub:a/b"."""
    own = dict.fromkeys(library.encoders.get_encoder_names())
    if isinstance(encoder, str) and (name := timm_name(encoder)):
        import timm

        if re.fullmatch(r"[\w.-]+", name) and timm.is_model(name):
            return
    look_up("encoder of segmentation-models-pytorch", own, encoder if isinstance(encoder, str) else "")


def _check_activation(activation: object, classes: object) -> None:
    if activation is None or activation in _OVER_LOGITS or (activation == "sigmoid" and classes == 1):
        return
    if activation == "sigmoid":
        raise UserError(
            "The network gives a mask to each class by itself, and they may overlap, so that a pixel has no one class. "
            "Choose a checkpoint with one class, or whose classes exclude each other."
        )
    raise UserError(
        "The network ends in the activation {activation}, from which no logits can be had. Choose another checkpoint.",
        activation=shorten(activation),
    )


def _library() -> Any:
    try:
        import segmentation_models_pytorch
    except ImportError:
        raise missing(LIBRARY, "segmentation-models-pytorch>=0.6") from None
    return segmentation_models_pytorch
