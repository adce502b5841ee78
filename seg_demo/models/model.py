"""What every network of the zoo shares: any input size, the form of the outputs, frozen parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import MethodType
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seg_demo.models.layers import enlarge

if TYPE_CHECKING:
    from typing_extensions import Self


class SegmentationModel(nn.Module):
    """Images (N, 3, H, W) float, normalised -> {"out": logits (N, C, H, W)}, and "aux" where there is such a head.

    A family says in `logits` what its paper says; here the image is padded by its border pixels until the network's
    grid fits, and logits of any size are enlarged and cropped to the image's own. This form is torchvision's.
    """

    stride: int = 1
    """Pixels from one logit to the next before they are enlarged, be it learned or not, to the size of the image."""
    multiple: int = 1
    """The sides of what `logits` is given are multiples of this."""
    smallest: int = 1
    """The shortest side that `logits` is given. Where a network has BatchNorm on its coarsest map, this leaves two
    pixels there: with one, a batch of one image could not be trained."""
    backbone_parts: tuple[str, ...] = ("backbone",)
    """The submodules whose weights may come from another task; all others are new."""
    origin: tuple[str, dict[str, Any]]
    """The name and arguments that `build_model` made it of."""
    auxiliary: bool = True
    """Whether the auxiliary head, which only helps training, is computed as well."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen: tuple[str, ...] = ()

    def logits(self, images: Tensor) -> dict[str, Tensor]:
        """Images (N, 3, H, W) with sides that suit the network -> logits (N, C, h, w) by the name of their head."""
        raise NotImplementedError

    def forward(self, images: Tensor, features: Sequence[Tensor | None] | None = None) -> dict[str, Tensor]:
        """As the class says. features: what `encode` gave for these images; then the backbone does not run, and of the
        images nothing counts but their size, unless the head itself looks at them. Those it does not use may be None.
        """
        height, width = images.shape[-2:]
        images = self._padded(images)
        logits_by_head = self.logits(images) if features is None else self._logits_of(images, features)
        top, left = self._padding(height)[0], self._padding(width)[0]
        outputs = {}
        for head, logits in logits_by_head.items():
            if logits.shape[-2:] != images.shape[-2:]:
                logits = enlarge(logits, like=images)
            outputs[head] = logits[..., top : top + height, left : left + width]  # (N, C, H, W)
        return outputs

    def encode(self, images: Tensor) -> list[Tensor]:
        """Images (N, 3, H, W) -> what the backbone makes of them, for `forward`."""
        features: list[Tensor] = self.get_submodule("backbone")(self._padded(images))  # (N, channels, h, w) each
        return features

    def train(self, mode: bool = True) -> Self:
        """As `nn.Module.train`, but frozen parts stay as in prediction: their BatchNorm keeps its statistics."""
        super().train(mode)
        for part in self.frozen:
            self.get_submodule(part).eval()
        return self

    @contextmanager
    def predicting(self) -> Iterator[None]:
        """Eval mode for a while; afterwards each module is again in the mode that it was in."""
        modes = {module: module.training for module in self.modules()}
        self.eval()
        try:
            yield
        finally:
            for module, mode in modes.items():
                module.training = mode

    def load_classifier(self, classifier: nn.Module) -> None:
        """Give the backbone the weights of a torchvision classifier of the same kind."""
        self.get_submodule("backbone").load_classifier(classifier)  # type: ignore[operator]

    # The compiler would not undo what is done to the backbone here; what is called from here is compiled.
    @torch.compiler.disable(recursive=False)
    def _logits_of(self, images: Tensor, features: Sequence[Tensor | None]) -> dict[str, Tensor]:
        """`logits`, but the backbone answers with `features`; nothing else that a family asks of it changes."""
        backbone: Any = self.get_submodule("backbone")
        backbone.given, backbone.forward = list(features), MethodType(_answer, backbone)
        try:
            return self.logits(images)
        finally:
            del backbone.given, backbone.forward

    def _padded(self, images: Tensor) -> Tensor:
        (top, bottom), (left, right) = (self._padding(size) for size in images.shape[-2:])
        if top or bottom or left or right:
            images = F.pad(images, (left, right, top, bottom), mode="replicate")
        return images

    def _padding(self, size: int) -> tuple[int, int]:
        """Pixels before and after."""
        wanted = max((size + self.multiple - 1) // self.multiple * self.multiple, self.smallest)
        return (wanted - size) // 2, wanted - size - (wanted - size) // 2


def _answer(backbone: Any, images: Tensor) -> list[Tensor | None]:
    return list(backbone.given)
