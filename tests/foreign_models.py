"""Small networks that other libraries build and save, as the tests of foreign checkpoints need them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from seg_demo.checkpoint import CheckpointConfig
from seg_demo.checkpoint.header import Tensors, header_of, read_header
from seg_demo.hub import foreign

NAMES = ("sky", "road", "a person", "tree", "<b>car</b>")
"""Classes of all of them but those that cannot name any."""

STAGES = ["stage1", "stage2", "stage3", "stage4"]
SWIN = {
    "model_type": "swin", "embed_dim": 8, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 2, 2], "window_size": 4,
    "image_size": 64, "out_features": STAGES,
}  # fmt: skip
VIT = {
    "hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 16, "image_size": 64,
    "patch_size": 16,
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A network by the name of its layout. make: builds it. scores: what the library itself says of images (N, 3, H, W)
    of `size`, as scores (N, C, H, W) of which the largest wins. logarithms: whether our logits are the logarithms of
    such scores. named: whether it says `NAMES`.
    """

    layout: str
    make: Callable[[], nn.Module]
    scores: Callable[[nn.Module, Tensor], Tensor]
    size: tuple[int, int] = (128, 160)
    logarithms: bool = False
    named: bool = True


def _smp(name: str, encoder: str, **arguments: Any) -> Case:
    def make() -> nn.Module:
        import segmentation_models_pytorch as smp

        network: nn.Module = getattr(smp, name)(encoder, encoder_weights=None, classes=5, **arguments)
        return network

    def scores(network: nn.Module, images: Tensor) -> Tensor:
        found = network(images)
        return found[0] if isinstance(found, tuple) else found  # type: ignore[no-any-return]  # with the picture's class

    return Case("smp", make, scores, named=False)


def _torchvision(name: str) -> Case:
    def make() -> nn.Module:
        from torchvision.models import get_model

        return get_model(name, weights=None, weights_backbone=None, num_classes=5)  # type: ignore[no-any-return]

    return Case("torchvision", make, lambda network, images: network(images)["out"], named=False)


def _resized(scores: Tensor, images: Tensor) -> Tensor:
    return F.interpolate(scores, images.shape[-2:], mode="bilinear", align_corners=False)


def _semantic(network: nn.Module, images: Tensor) -> Tensor:
    return _resized(network(pixel_values=images).logits, images)


def _universal(network: nn.Module, images: Tensor) -> Tensor:
    """The library's own post-processing: its scores, which it returns if it is asked to."""
    import transformers

    processor = {
        "mask2former": transformers.Mask2FormerImageProcessor,
        "maskformer": transformers.MaskFormerImageProcessor,
        "eomt": transformers.EomtImageProcessor,
    }[network.config.model_type]()  # type: ignore[union-attr, index]
    answer = network(pixel_values=images)
    sizes = [tuple(images.shape[-2:])] * len(images)
    if network.config.model_type == "eomt":  # type: ignore[union-attr]
        answer.patch_offsets = None
        side = network.config.image_size // 4  # type: ignore[union-attr, operator]
        more = {"size": {"shortest_edge": side, "longest_edge": side}}
    else:
        more = {}
    found = processor.post_process_semantic_segmentation(answer, sizes, return_segmentation_scores=True, **more)
    return torch.stack([each["segmentation_scores"] for each in found])


def _transformers(network: str, config: str, size: tuple[int, int] = (128, 160), **arguments: Any) -> Case:
    def make() -> nn.Module:
        import transformers

        fields = {
            name: transformers.CONFIG_MAPPING[value["model_type"]](
                **{key: part for key, part in value.items() if key != "model_type"}
            )
            if isinstance(value, dict)
            else value
            for name, value in arguments.items()
        }
        made = getattr(transformers, config)(**fields, id2label=dict(enumerate(NAMES)))
        built: nn.Module = getattr(transformers, network)(made)
        return built

    universal = not network.endswith("ForSemanticSegmentation")
    return Case("transformers", make, _universal if universal else _semantic, size, logarithms=universal)


CASES = {
    "smp-unet": _smp("Unet", "resnet18", decoder_channels=(16, 16, 8, 8, 8)),
    "smp-fpn": _smp("FPN", "timm-mobilenetv3_small_minimal_100", decoder_pyramid_channels=16),
    "smp-mit": _smp("Segformer", "mit_b0", decoder_segmentation_channels=16),
    "smp-pspnet": _smp("PSPNet", "mobilenet_v2", aux_params={"classes": 4}),
    "smp-dpt": _smp(
        "DPT", "tu-test_vit", decoder_intermediate_channels=(8, 8, 8, 8), decoder_fusion_channels=8,
        dynamic_img_size=True,
    ),
    "lraspp": _torchvision("lraspp_mobilenet_v3_large"),
    "deeplabv3": _torchvision("deeplabv3_mobilenet_v3_large"),
    "segformer": _transformers(
        "SegformerForSemanticSegmentation", "SegformerConfig", depths=[1, 1, 1, 1], hidden_sizes=[8, 8, 16, 16],
        num_attention_heads=[1, 1, 2, 2], decoder_hidden_size=16,
    ),
    "upernet-convnext": _transformers(
        "UperNetForSemanticSegmentation", "UperNetConfig", hidden_size=16, auxiliary_in_channels=16,
        backbone_config={
            "model_type": "convnext", "depths": [1] * 4, "hidden_sizes": [8, 8, 16, 16], "out_features": STAGES
        },
    ),
    "upernet-swin": _transformers(
        "UperNetForSemanticSegmentation", "UperNetConfig", hidden_size=16, use_auxiliary_head=False,
        backbone_config=SWIN,
    ),
    "upernet-timm": _transformers(
        "UperNetForSemanticSegmentation", "UperNetConfig", hidden_size=16, use_auxiliary_head=False,
        backbone_config={"model_type": "timm_backbone", "backbone": "test_resnet", "out_indices": [1, 2, 3, 4]},
    ),
    "mask2former": _transformers(
        "Mask2FormerForUniversalSegmentation", "Mask2FormerConfig", backbone_config=SWIN, feature_size=32,
        mask_feature_size=32, hidden_dim=32, encoder_feedforward_dim=16, encoder_layers=1, decoder_layers=2,
        num_attention_heads=2, dim_feedforward=16, num_queries=6,
    ),
    "maskformer": _transformers(
        "MaskFormerForInstanceSegmentation", "MaskFormerConfig", backbone_config=SWIN, fpn_feature_size=32,
        mask_feature_size=32,
        decoder_config={
            "model_type": "detr", "d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 16,
            "decoder_ffn_dim": 16, "encoder_attention_heads": 2, "decoder_attention_heads": 2, "num_queries": 6,
        },
    ),
    "eomt": _transformers(
        "EomtForUniversalSegmentation", "EomtConfig", (64, 64), hidden_size=16, num_hidden_layers=3,
        num_attention_heads=2, mlp_ratio=2, image_size=64, patch_size=16, num_queries=6, num_blocks=1,
    ),
    "beit": _transformers(
        "BeitForSemanticSegmentation", "BeitConfig", (64, 64), **VIT, out_indices=[1, 2, 3, 4],
        use_relative_position_bias=True, auxiliary_channels=8,
    ),
    "dpt": _transformers(
        "DPTForSemanticSegmentation", "DPTConfig", (64, 64), **VIT, backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8,
    ),
    "mobilevit": _transformers(
        "MobileViTForSemanticSegmentation", "MobileViTConfig", hidden_sizes=[8, 8, 8], neck_hidden_sizes=[8] * 7,
        num_attention_heads=1, aspp_out_channels=8,
    ),
    "mobilenet_v2": _transformers(
        "MobileNetV2ForSemanticSegmentation", "MobileNetV2Config", depth_multiplier=0.25
    ),
}  # fmt: skip
"""One of each kind; a new layout or wrapper has its case here."""


@dataclass(frozen=True)
class Saved:
    """A network, and the folder that its library wrote."""

    case: Case
    network: nn.Module
    folder: Path

    @property
    def documents(self) -> dict[str, dict[str, Any]]:
        return {path.name: json.loads(path.read_text()) for path in sorted(self.folder.glob("*.json"))}

    @property
    def tensors(self) -> Tensors:
        weights = self.folder / "model.safetensors"
        return read_header(header_of(weights), weights.stat().st_size, "model.safetensors")

    def describe(self) -> CheckpointConfig:
        return foreign.LAYOUTS[self.case.layout].describe(self.documents, self.tensors)

    def convert(self, target: Path, config: CheckpointConfig) -> Path:
        """The folder of a checkpoint of ours."""
        target.mkdir()
        (target / "config.json").write_text(config.to_json(), "utf-8")
        weights = self.folder / "model.safetensors"
        foreign.LAYOUTS[self.case.layout].convert(weights, config, target / "model.safetensors")
        return target


def save(case: Case, folder: Path) -> Saved:
    """Build a network, with random weights where its library begins with zeros as well, and save it as that does."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = case.make().eval()
        with torch.no_grad():
            statistics = [(name, value) for name, value in network.named_buffers() if "running_" in name]
            for name, value in (*network.named_parameters(), *statistics):
                if value.is_floating_point():
                    noise = torch.rand(value.shape) - (0 if name.endswith("running_var") else 0.5)
                    value.add_(noise, alpha=0.1)
    if case.layout == "torchvision":
        folder.mkdir()
        save_file(network.state_dict(), folder / "model.safetensors", {"format": "pt"})
    else:
        network.save_pretrained(folder)  # type: ignore[operator]
    return Saved(case, network, folder)


def rewrite(saved: Saved, change: Callable[[dict[str, Tensor]], dict[str, Tensor]], folder: Path) -> Saved:
    """The same with other weights."""
    from safetensors.torch import load_file

    folder.mkdir()
    for path in saved.folder.glob("*.json"):
        (folder / path.name).write_bytes(path.read_bytes())
    save_file(change(load_file(saved.folder / "model.safetensors")), folder / "model.safetensors", {"format": "pt"})
    return Saved(saved.case, saved.network, folder)
