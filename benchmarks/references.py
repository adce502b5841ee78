"""Parameters of our networks beside those of other people's, with what makes the difference.

`python -m benchmarks.references` prints the table of docs/models.md; `--docs` writes it there. The tests add up
every line. "counted" references were built or written out layer by layer, and their parameters counted.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.markdown import table, write_table
from seg_demo.models import ARCHITECTURES, build_model


@dataclass(frozen=True)
class Reference:
    """Somebody else's form of one of our networks: its parameters, and ours minus theirs by reason."""

    architecture: str
    arguments: dict[str, Any]
    num_classes: int
    source: str
    parameters: int
    differences: tuple[tuple[str, int], ...] = ()

    def ours(self) -> int:
        with torch.device("meta"):  # shapes only
            model = build_model(self.architecture, self.num_classes, **self.arguments)
        return sum(parameter.numel() for parameter in model.parameters())


def _on(backbone: str) -> dict[str, Any]:
    return {"backbone": backbone}


_TORCHVISION = "torchvision, `num_params` of its published weights"
_SMP = "segmentation_models.pytorch 0.6.0, counted"
_ORIGIN = "ZijunDeng/pytorch-semantic-segmentation, counted"
_SEMSEG = "hszhao/semseg, counted"
_UP = "1x1 convolutions and bilinear instead of 2x2 transposed convolutions"
_SMP_UNET = (("the image joins the last level", 432), ("the classifier is 1x1, not 3x3", -128))
_KERNELS = "upsampling has a kernel per channel, not per pair of channels"
_STEM = (
    ("one 7x7 convolution instead of three 3x3 at the start", -103_296),
    ("the first block then has 64 channels in, not 128", -20_480),
)
_DUC = (
    ("2048 -> 512 -> 1344 channels instead of 2048 -> 1344", -9_141_248),
    ("no BatchNorm on the scores", -2_688),
)
_POOLINGS = (
    ("two links in each pooling chain (the paper's), not four", -8_257_536),
    ("no biases in the residual units", -6_400),
)
_SECOND = (("a second 3x3 convolution in the decoder, as in the paper", 590_336),)

REFERENCES = (
    Reference("fcn", _on("resnet50"), 21, _TORCHVISION, 35_322_218),
    Reference("fcn", _on("resnet101"), 21, _TORCHVISION, 54_314_346),
    Reference("deeplabv3", _on("resnet50"), 21, _TORCHVISION, 42_004_074),
    Reference("deeplabv3", _on("resnet101"), 21, _TORCHVISION, 60_996_202),
    Reference("deeplabv3", _on("mobilenet_v3_large"), 21, _TORCHVISION, 11_029_328),
    Reference("lraspp", {}, 21, _TORCHVISION, 3_221_538),
    Reference(
        "unet", {}, 21, "the paper's layers on colour images, counted", 31_033_045,
        ((_UP, -2_088_960), ("BatchNorm instead of biases", 5_888)),
    ),
    Reference("unet", _on("resnet34"), 1, _SMP, 24_436_369, _SMP_UNET),
    Reference("unet", _on("resnet50"), 1, _SMP, 32_521_105, _SMP_UNET),
    Reference("unet", _on("densenet121"), 1, _SMP, 13_607_633, _SMP_UNET),
    Reference(
        "unet", _on("vgg16_bn"), 1, _SMP, 23_756_689,
        (*_SMP_UNET, ("no two convolutions between encoder and decoder", -4_720_640),
         ("skips are taken after pooling, not before", -387_072)),
    ),
    Reference(
        "segnet", {}, 12, "the authors' Caffe model, counted", 29_449_932,
        (("no biases in the mirror image, before BatchNorm", -3_712),),
    ),
    Reference("fcn32s", {}, 21, _ORIGIN, 136_152_917, ((_KERNELS, -1_720_320),)),
    Reference("fcn16s", {}, 21, _ORIGIN, 134_815_994, ((_KERNELS, -436_800),)),
    Reference("fcn8s", {}, 21, _ORIGIN, 134_489_759, ((_KERNELS, -120_960),)),
    Reference("pspnet", _on("resnet50"), 21, _SEMSEG, 49_081_578, _STEM),
    Reference("pspnet", _on("resnet101"), 21, _SEMSEG, 68_073_706, _STEM),
    Reference(
        "pspnet", _on("resnet50"), 21, "mmsegmentation 1.2.2, PSPNet R-50-D8, counted", 48_977_034,
        (("one 7x7 convolution instead of three narrower 3x3 at the start", -19_232),),
    ),
    Reference(
        "gcn", _on("resnet152"), 21, _ORIGIN, 59_369_620, (("upsampling is learned", 1_680),)
    ),
    Reference("duc", _on("resnet152"), 21, _ORIGIN, 82_920_448, _DUC),
    Reference("hdc", _on("resnet152"), 21, _ORIGIN, 82_920_448, _DUC),
    Reference("deeplabv3plus", _on("resnet50"), 21, "VainF/DeepLabV3Plus-Pytorch, counted", 39_761_845, _SECOND),
    Reference("deeplabv3plus", _on("resnet101"), 21, "VainF/DeepLabV3Plus-Pytorch, counted", 58_753_973, _SECOND),
    Reference(
        "deeplabv3plus", _on("resnet50"), 21, _SMP, 26_682_725,
        (*_SECOND, ("plain convolutions in the pyramid, not separable ones", 12_527_616),
         ("a plain convolution in the decoder", 619_856), ("no separable convolution after the pyramid", -68_352)),
    ),
    Reference("refinenet", _on("resnet101"), 21, "DrSleep/refinenet-pytorch, counted", 118_052_437, _POOLINGS),
)  # fmt: skip


def rows() -> list[list[str]]:
    lines = []
    for reference in REFERENCES:
        ours = reference.ours()
        backbone = reference.arguments.get("backbone", "")
        title = ARCHITECTURES[reference.architecture].title
        why = "; ".join(f"{difference:+,} {reason}" for reason, difference in reference.differences) or "equal"
        lines.append(
            [
                f"{title} {backbone}".strip(),
                str(reference.num_classes),
                f"{ours:,}",
                f"{reference.parameters:,}",
                reference.source,
                f"{why}",
            ]
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--docs", action="store_true", help="write the table into docs/models.md")
    arguments = parser.parse_args()
    header = ["network", "classes", "ours", "theirs", "whose", "ours - theirs"]
    text = table(header, rows(), right=(1, 2, 3))
    print(text)
    if arguments.docs:
        write_table("references", text)


if __name__ == "__main__":
    main()
