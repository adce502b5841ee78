"""transformers: its networks for semantic and universal segmentation, by their config.json."""

from __future__ import annotations

import copy
import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seg_demo.errors import UserError, shorten
from seg_demo.models.imported.network import ImportedNetwork, missing
from seg_demo.models.imported.shapes import build_within_bounds, too_large
from seg_demo.registry import look_up

LIBRARY = "transformers"
PACKAGE = "transformers>=5.24"
SEMANTIC = ("beit", "data2vec-vision", "dpt", "mobilenet_v2", "mobilevit", "mobilevitv2", "segformer", "upernet")
"""Those that score pixels, by `model_type`."""
UNIVERSAL = ("mask2former", "maskformer", "eomt", "eomt_dinov3")
"""Those that answer with masks and a class for each. OneFormer wants a text as well, videomt a film."""
ONE_SIZE = ("beit", "data2vec-vision", "dpt", "eomt", "eomt_dinov3")
"""Those whose positions, or whose grid of patches, are those of one size of image."""
NESTED = 4  # configs inside each other
MAX_LAYERS = 1024  # of one kind, which the library goes through before it makes the first; no network has as many
MASK2FORMER_GRID = 384  # pixels; to this its masks are enlarged before they are added up
EPSILON = 1e-6

_COUNTED = re.compile("layers|depths|blocks|stages|convs")
_BACKBONES = ("backbone", "model.pixel_level_module.encoder")


class SemanticNetwork(ImportedNetwork):
    """A network that scores the pixels. bgr: whether it takes blue, green and red in this order."""

    def __init__(self, network: nn.Module, backbone: str, *, bgr: bool, multiple: int, side: int) -> None:
        super().__init__(network, backbone, multiple=multiple, side=side)
        self.bgr = bgr

    def scores(self, images: Tensor) -> Tensor:
        logits: Tensor = self.answer(images).logits
        return logits

    def answer(self, images: Tensor) -> Any:
        """What the library's network makes of images (N, 3, H, W)."""
        return self.network(pixel_values=images.flip(1) if self.bgr else images)


class UniversalNetwork(SemanticNetwork):
    """A network that answers with masks and a class for each.

    A pixel's score for a class is the sum over all masks of the mask's probability there times its probability of being
    of that class. Source: Cheng, Schwing and Kirillov, "Per-Pixel Classification is Not All You Need for Semantic
    Segmentation", NeurIPS 2021, section 3.4, as `post_process_semantic_segmentation` of the library has it. Scores add
    up to no fixed sum; the logits are their logarithms, so that softmax gives their shares. A single class has the
    logit of its score.
    """

    def scores(self, images: Tensor) -> Tensor:
        answer = self.answer(images)
        classes = answer.class_queries_logits.float().softmax(dim=-1)[..., :-1]  # (N, queries, C)
        masks = answer.masks_queries_logits.float()  # (N, queries, h, w)
        config: Any = self.network.config
        if config.model_type == "mask2former" and max(masks.shape[-2:]) < MASK2FORMER_GRID:
            masks = F.interpolate(masks, (MASK2FORMER_GRID,) * 2, mode="bilinear", align_corners=False)
        scores = torch.einsum("nqc,nqhw->nchw", classes, masks.sigmoid())
        # Scores are resized, not their logarithms, so that the best class is the library's.
        scores = F.interpolate(scores, images.shape[-2:], mode="bilinear", align_corners=False)  # (N, C, H, W)
        if scores.shape[1] == 1:
            return torch.logit(scores, eps=EPSILON)
        return torch.log(scores + EPSILON)


def build(num_classes: int, config: Mapping[str, Any], bgr: bool) -> SemanticNetwork:
    """The network of a config, with `num_classes` outputs. Raises `UserError` for one that cannot be built."""
    config = tidy(config)
    kind, network_kind = _kinds(config["model_type"])

    def make() -> nn.Module:
        # The library changes what it is given.
        fields = copy.deepcopy({name: value for name, value in config.items() if name != "model_type"})
        made = kind(**fields, id2label={number: str(number) for number in range(num_classes)})
        network: nn.Module = network_kind(made)
        if hasattr(network, "criterion"):
            network.criterion = None  # type: ignore[assignment]  # a loss that is not used here
        return network

    network: Any = build_within_bounds(LIBRARY, make)
    parts = dict(network.named_modules())
    backbone = next((name for name in (*_BACKBONES, network.base_model_prefix) if name and name in parts), "embeddings")
    model_type = config["model_type"]
    wrapper = UniversalNetwork if model_type in UNIVERSAL else SemanticNetwork
    side = _side(network.config) if model_type in ONE_SIZE else 0
    return wrapper(network, backbone, bgr=bgr, multiple=_multiple(network.config), side=side)


def tidy(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of a config.json describes the network: the fields that the library's own class of configs defines.

    Everything else is left out, such as classes, dtypes, kernels to be fetched and code to be run. Auxiliary heads are
    switched off, as they only help training. Raises `UserError` for an unknown `model_type`, for pictures that are not
    RGB, and for a backbone that would have to be fetched.
    """
    known = _known()
    model_type = config.get("model_type")
    look_up("network of transformers", known, model_type if isinstance(model_type, str) else "")
    tidied = _tidied(config, NESTED)
    if "use_auxiliary_head" in _fields(_kinds(tidied["model_type"])[0]):
        tidied["use_auxiliary_head"] = False
    return tidied


def _tidied(config: Mapping[str, Any], depth: int) -> dict[str, Any]:
    kind = _config_kind(config.get("model_type"))
    if depth == 0:
        raise UserError(
            "The config holds more configs inside each other than any network has. Choose another checkpoint."
        )
    if config.get("num_channels", 3) != 3:
        raise UserError(
            "The network takes pictures of {channels} channels, not of red, green and blue. Choose another checkpoint.",
            channels=shorten(config.get("num_channels")),
        )
    fields = _fields(kind)
    tidied: dict[str, Any] = {"model_type": config["model_type"]}
    for name, value in config.items():
        if name not in fields:
            continue
        _check_layers(name, value)
        if isinstance(value, Mapping) and name in kind.sub_configs_defaults:
            value = {"model_type": kind.sub_configs_defaults[name].model_type, **value}
        if isinstance(value, Mapping) and "model_type" in value:
            value = _tidied(value, depth - 1)
        tidied[name] = value
    _check_backbone(config, tidied, fields)
    return tidied


def _check_layers(name: str, value: object) -> None:
    counts = [part for part in (value if isinstance(value, list) else [value]) if type(part) is int]
    if _COUNTED.search(name) and sum(map(abs, counts)) > MAX_LAYERS:
        raise too_large(LIBRARY)


def _check_backbone(config: Mapping[str, Any], tidied: dict[str, Any], fields: set[str]) -> None:
    """A backbone given by its name alone must be one of timm's; of any other, the library would ask the Hub."""
    name = config.get("backbone")
    if name is None or (config["model_type"] != "timm_backbone" and tidied.get("backbone_config")):
        return
    if not isinstance(name, str) or not re.fullmatch(r"[\w.-]+", name) or not _timm_knows(name):
        raise UserError(
            "The config names the backbone {name} without describing it, and only those of timm are known by their "
            "names. Choose another checkpoint.",
            name=shorten(name),
        )
    if config["model_type"] != "timm_backbone" and "backbone_config" in fields:
        extra = config.get("backbone_kwargs")
        extra = extra if isinstance(extra, Mapping) else {}
        tidied["backbone_config"] = _tidied({**extra, "model_type": "timm_backbone", "backbone": name}, 1)


def _timm_knows(name: str) -> bool:
    try:
        import timm
    except ImportError:
        raise missing("timm", "timm") from None
    return bool(timm.is_model(name))


def _fields(kind: Any) -> set[str]:
    """What a class of configs knows, and no other does, with the other names that it has for these."""
    from transformers import PretrainedConfig

    common = {field.name for field in dataclasses.fields(PretrainedConfig)}  # type: ignore[arg-type]
    own = {field.name for field in dataclasses.fields(kind)} - common
    own = {name for name in own if not name.startswith("_")} | set(kind.attribute_map)
    return own | ({"out_features", "out_indices"} if hasattr(kind, "set_output_features_output_indices") else set())


def _known() -> dict[str, str]:
    """The classes of networks by `model_type`, from the library's own lists."""
    _library()
    from transformers.models.auto import modeling_auto

    semantic = modeling_auto.MODEL_FOR_SEMANTIC_SEGMENTATION_MAPPING_NAMES
    universal = modeling_auto.MODEL_FOR_UNIVERSAL_SEGMENTATION_MAPPING_NAMES
    known = {name: semantic[name] for name in SEMANTIC if name in semantic}
    return known | {name: universal[name] for name in UNIVERSAL if name in universal}


def _kinds(model_type: str) -> tuple[Any, Any]:
    """The classes of the config and of the network."""
    import transformers

    return _config_kind(model_type), getattr(transformers, _known()[model_type])


def _config_kind(model_type: object) -> Any:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING, CONFIG_MAPPING_NAMES

    look_up("network of transformers", CONFIG_MAPPING_NAMES, model_type if isinstance(model_type, str) else "")
    return CONFIG_MAPPING[model_type]


def _side(config: Any) -> int:
    """Height and width of the images that the network takes, in pixels."""
    backbone = getattr(config, "backbone_config", None)
    if backbone is not None and not getattr(config, "is_hybrid", False):
        config = backbone
    side = config.image_size
    return int(side[0] if isinstance(side, list | tuple) else side)


def _multiple(config: Any) -> int:
    """A grid of pixels that suits the network: 32, or the side of its patches where these do not divide it."""
    for part in (config, getattr(config, "backbone_config", None)):
        patch = getattr(part, "patch_size", None)
        if type(patch) is int and patch > 0 and 32 % patch:
            return patch
    return 32


def _library() -> Any:
    try:
        import transformers
    except ImportError:
        raise missing(LIBRARY, PACKAGE) from None
    return transformers
