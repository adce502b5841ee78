"""Weights that torchvision publishes, fetched when they are first used."""

from __future__ import annotations

from typing import Any
from urllib.error import URLError

from torch import nn
from torchvision.models import get_model, get_model_weights, get_weight

from seg_demo.errors import UserError
from seg_demo.models.adapt import head_names
from seg_demo.models.model import SegmentationModel
from seg_demo.models.registry import ARCHITECTURES, BACKBONES


def load_published(model: SegmentationModel) -> None:
    """Fill a network with the weights that are published for it; without 21 classes, its last layers stay new."""
    name, arguments = model.origin
    architecture = ARCHITECTURES[name]
    backbone = arguments["backbone"]
    published = architecture.published[backbone]
    title = f"{architecture.title} {BACKBONES[backbone]}"
    state = _fetch(get_weight(f"{published.name}.COCO_WITH_VOC_LABELS_V1"), title, published.megabytes)
    own = model.state_dict()
    heads = tuple(f"{head}." for head in head_names(model))
    for key in [key for key in state if key not in own and key.startswith("aux_classifier.")]:
        del state[key]  # a model without the auxiliary head was asked for
    for key, value in own.items():
        if key.startswith(heads) and key in state and state[key].shape != value.shape:
            state[key] = value
    model.load_state_dict(state, strict=True)


def imagenet_classifier(backbone: str) -> nn.Module:
    """torchvision's classifier `backbone` with the weights of the original ImageNet recipes (IMAGENET1K_V1)."""
    weights = get_model_weights(backbone).IMAGENET1K_V1  # type: ignore[attr-defined]
    _fetch(weights, f"{BACKBONES[backbone]} for ImageNet", round(weights.meta["_file_size"]))
    return get_model(backbone, weights=weights)


def _fetch(weights: Any, title: str, megabytes: int) -> dict[str, Any]:
    """The state dict of torchvision's `weights`, from torch's hub folder or else from the network.

    Shows a tqdm progress bar, and checks the file against the hash in its name.
    """
    try:
        return weights.get_state_dict(progress=True, check_hash=True, weights_only=True)
    except (URLError, TimeoutError, ConnectionError):
        raise UserError(
            "The weights of {title} ({megabytes} MB) could not be downloaded: there is no connection to "
            "download.pytorch.org. Connect and try again, or choose a bundled model.",
            title=title, megabytes=megabytes,
        ) from None  # fmt: skip
    except OSError as error:
        raise UserError(
            "The weights of {title} could not be kept ({reason}). Free some space for torch's hub folder.",
            title=title, reason=error.strerror or error,
        ) from None  # fmt: skip
    except Exception as error:  # a hash that differs is a RuntimeError, a cut-off file an UnpicklingError
        raise UserError(
            "The weights of {title} arrived damaged ({reason}). Remove them from torch's hub folder and try again.",
            title=title, reason=type(error).__name__,
        ) from error  # fmt: skip
