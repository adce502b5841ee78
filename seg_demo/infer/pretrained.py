"""torchvision's pretrained networks with VOC labels, fetched when they are first used."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.error import URLError

from seg_demo.checkpoint import Checkpoint, CheckpointConfig
from seg_demo.data.preprocessing import Preprocessing
from seg_demo.errors import UserError
from seg_demo.palettes import VOC
from seg_demo.registry import look_up


@dataclass(frozen=True)
class Pretrained:
    """A network of torchvision: shown title, builder and weights there, size of the download in MB."""

    title: str
    builder: str
    weights: str
    megabytes: int


PRETRAINED: dict[str, Pretrained] = {
    "deeplabv3-mobilenetv3": Pretrained(
        "DeepLabV3 MobileNetV3-Large", "deeplabv3_mobilenet_v3_large", "DeepLabV3_MobileNet_V3_Large_Weights", 42
    ),
    "lraspp-mobilenetv3": Pretrained(
        "LR-ASPP MobileNetV3-Large", "lraspp_mobilenet_v3_large", "LRASPP_MobileNet_V3_Large_Weights", 12
    ),
    "deeplabv3-resnet50": Pretrained(
        "DeepLabV3 ResNet-50", "deeplabv3_resnet50", "DeepLabV3_ResNet50_Weights", 161
    ),
    "deeplabv3-resnet101": Pretrained(
        "DeepLabV3 ResNet-101", "deeplabv3_resnet101", "DeepLabV3_ResNet101_Weights", 233
    ),
    "fcn-resnet50": Pretrained("FCN ResNet-50", "fcn_resnet50", "FCN_ResNet50_Weights", 135),
    "fcn-resnet101": Pretrained("FCN ResNet-101", "fcn_resnet101", "FCN_ResNet101_Weights", 208),
}  # fmt: skip


def load_pretrained(name: str) -> Checkpoint:
    """Build a network of `PRETRAINED` with weights trained on COCO for the 21 classes of VOC.

    The first use downloads the weights into torch's hub folder, with a tqdm progress bar, and checks them
    against the hash in their name. Raises `UserError` where that fails.
    """
    pretrained = look_up("pretrained model", PRETRAINED, name)
    from torchvision.models import get_weight, segmentation

    weights = get_weight(f"{pretrained.weights}.COCO_WITH_VOC_LABELS_V1")
    try:
        state = weights.get_state_dict(progress=True, check_hash=True, weights_only=True)
    except (URLError, TimeoutError, ConnectionError):
        raise UserError(
            "The weights of {title} ({megabytes} MB) could not be downloaded: there is no connection to "
            "download.pytorch.org. Connect and try again, or choose a bundled model.",
            title=pretrained.title, megabytes=pretrained.megabytes,
        ) from None  # fmt: skip
    except OSError as error:
        raise UserError(
            "The weights of {title} could not be kept ({reason}). Free some space for torch's hub folder.",
            title=pretrained.title, reason=error.strerror or error,
        ) from None  # fmt: skip
    except Exception as error:  # a hash that differs is a RuntimeError, a cut-off file an UnpicklingError
        raise UserError(
            "The weights of {title} arrived damaged ({reason}). Remove them from torch's hub folder and try again.",
            title=pretrained.title, reason=type(error).__name__,
        ) from error  # fmt: skip
    # The auxiliary head only helps training; with it the weights load strictly, without it prediction is faster.
    auxiliary = {"aux_loss": True} if any(key.startswith("aux_classifier") for key in state) else {}
    model = getattr(segmentation, pretrained.builder)(
        weights=None, weights_backbone=None, num_classes=len(VOC), **auxiliary
    )
    model.load_state_dict(state, strict=True)
    model.aux_classifier = None
    config = CheckpointConfig(name, {}, "multiclass", VOC, Preprocessing("shortest", 520))
    return Checkpoint(name, config, model.eval())
