"""A network over a picture of any size in bounded memory: overlapping tiles, blended; logits at another size."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

BAND_ROWS = 256  # rows at the new size that exist at one time


def tiled_logits(
    forward: Callable[[Tensor], Tensor], image: Tensor, tile: int, overlap: int
) -> Iterator[tuple[int, int, Tensor]]:
    """Yield `(top, bottom, logits)` strips, from top to bottom, that together cover `image` once.

    forward: (1, 3, h, w) uint8 -> (1, C, h, w) logits. image: (3, H, W) uint8. tile: side of a tile, in
    pixels; overlap: pixels that neighbours share, less than `tile`. logits: (C, bottom - top, W) float32.
    Only one row of tiles is held at a time. In an overlap the tiles are averaged with weights that fall
    linearly towards a tile's border, where the network sees least of the surroundings.
    """
    height, width = image.shape[-2:]
    tops, lefts = _starts(height, tile, overlap), _starts(width, tile, overlap)
    window = _ramp(min(tile, height), overlap)[:, None] * _ramp(min(tile, width), overlap)  # (h, w)
    total = weight = None
    for top, next_top in zip(tops, [*tops[1:], height], strict=True):
        for left in lefts:
            logits = forward(image[None, :, top : top + tile, left : left + tile])[0].float()  # (C, h, w)
            if total is None or weight is None:
                total = logits.new_zeros(logits.shape[0], logits.shape[1], width)
                weight = logits.new_zeros(logits.shape[1], width)
                window = window.to(logits.device)
            total[:, :, left : left + tile] += logits * window
            weight[:, left : left + tile] += window
        assert total is not None and weight is not None
        done = next_top - top  # rows that no later tile touches
        yield top, next_top, total[:, :done] / weight[:done]
        total = torch.cat([total[:, done:], torch.zeros_like(total[:, :done])], dim=1)
        weight = torch.cat([weight[done:], torch.zeros_like(weight[:done])])


def _starts(size: int, tile: int, overlap: int) -> list[int]:
    """First pixels of tiles that cover 0..`size`; the last one ends at the border.

    >>> _starts(10, 4, 1)
    [0, 3, 6]
    """
    if size <= tile:
        return [0]
    return [*range(0, size - tile, tile - overlap), size - tile]


def _ramp(size: int, overlap: int) -> Tensor:
    position = torch.arange(1, size + 1, dtype=torch.float32)
    return torch.minimum(position, position.flip(0)).clamp(max=overlap + 1)


def resized_strips(logits: Tensor, height: int, width: int) -> Iterator[tuple[int, int, Tensor]]:
    """(C, h, w) -> strips of (C, `height`, `width`), bilinear with half-pixel centres as `F.interpolate`'s.

    They come as `tiled_logits` gives them.
    """
    rows = logits.shape[1]
    source = ((torch.arange(height, device=logits.device) + 0.5) * (rows / height) - 0.5).clamp(min=0)
    above = source.long().clamp(max=rows - 1)
    below = (above + 1).clamp(max=rows - 1)
    share = (source - above)[:, None]  # (height, 1)
    for top in range(0, height, BAND_ROWS):
        band = slice(top, min(top + BAND_ROWS, height))
        strip = torch.lerp(logits[:, above[band]], logits[:, below[band]], share[band])  # (C, rows, w)
        size = (strip.shape[1], width)
        yield band.start, band.stop, F.interpolate(strip[None], size, mode="bilinear", align_corners=False)[0]
