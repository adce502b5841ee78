"""What networks of other libraries share here."""

from __future__ import annotations

from torch import Tensor, nn

from seg_demo.errors import UserError
from seg_demo.models.layers import enlarge
from seg_demo.models.model import SegmentationModel

PREFIX = "network."
"""Before the names of weights, which are otherwise those of the library."""


class ImportedNetwork(SegmentationModel):
    """A network of another library, whose logits `scores` gives.

    side: where it takes images of one size only, their height and width in pixels; others are resized to that first.
    """

    stride = 4
    multiple = 32
    smallest = 128

    def __init__(self, network: nn.Module, backbone: str, *, multiple: int = 32, side: int = 0) -> None:
        super().__init__()
        self.network = network
        self.backbone_parts = (f"{PREFIX}{backbone}",)
        self.side = side
        self.multiple = 1 if side else multiple
        self.smallest = 1 if side else 4 * multiple

    def scores(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W) that suit the network -> logits (N, C, h, w)."""
        raise NotImplementedError

    def logits(self, images: Tensor) -> dict[str, Tensor]:
        seen = images
        if self.side and images.shape[-2:] != (self.side, self.side):
            seen = enlarge(images, like=images.new_empty((), device="meta").expand(self.side, self.side))
        return {"out": self.scores(seen)}


def missing(library: str, extra: str) -> UserError:
    """What is said where a library is not installed."""
    return UserError(
        'This checkpoint was made with {library}, which is not installed here. Run pip install "{package}" and try '
        "again.",
        library=library, package=extra,
    )  # fmt: skip
