"""The predictor: a checkpoint that segments images."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from seg_demo.checkpoint.folder import Checkpoint
from seg_demo.data.transforms import normalize, to_tensor
from seg_demo.data.transforms.crops import stride_of_window
from seg_demo.data.transforms.sizes import resized
from seg_demo.errors import UserError
from seg_demo.infer.device import find_device
from seg_demo.infer.memory import is_out_of_memory
from seg_demo.infer.segmentation import Segmentation
from seg_demo.infer.tiling import resized_strips, tiled_logits
from seg_demo.infer.variants import MeanProbability, Variant, variants_of
from seg_demo.models.model import SegmentationModel
from seg_demo.models.outputs import probabilities

DEFAULT_TILE = 1024
SMALLEST_TILE = 128
MAX_RESIZED_LOGITS = 1 << 29  # 2 GB of float32

Watch = Callable[[int, int, Tensor], None]
"""Is given each finished strip of logits: its first row, the row behind its last, and (C, rows, W) float32."""


class Predictor:
    """Segments images with a checkpoint.

    device: "cpu", "cuda", ...; None takes CUDA where there is one. depth: bits of the quantised
    probabilities, 8 or 16. keep_probabilities: keep the whole (C, H, W) of a multiclass prediction, or the planes of
    these classes in this order, not just the confidence. tile: side in pixels of the largest piece that goes through
    the network at once. window: side of sliding windows two thirds of a side apart, as PSPNet's authors predict (473
    for VOC, 713 for Cityscapes), in place of the tiles; 0 for none. scales, flip: predict the image at these multiples
    of the size that the checkpoint's resize rule gives, and mirrored as well, and average the probabilities (Zhao et
    al., PSPNet, CVPR 2017, section 5). amp: dtype of the forward pass under autocast, such as torch.bfloat16; None for
    float32.

    Raises `ValueError` for a window or scale that is none.

    >>> import numpy as np
    >>> from seg_demo.checkpoint import load_checkpoint
    >>> predict = Predictor(load_checkpoint("checkpoints/newts-binary"))
    >>> predict(np.zeros((48, 64, 3), np.uint8)).label_map.shape
    (48, 64)
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        device: str | None = None,
        *,
        depth: Literal[8, 16] = 8,
        keep_probabilities: bool | Sequence[int] = False,
        tile: int = DEFAULT_TILE,
        window: int = 0,
        scales: tuple[float, ...] = (1.0,),
        flip: bool = False,
        amp: torch.dtype | None = None,
    ) -> None:
        if window < 0:
            raise ValueError(f"window must be a number of pixels, or 0 for none, not {window}")
        self.variants = variants_of(scales, flip)
        self.checkpoint = checkpoint
        self.config = checkpoint.config
        self.device = find_device(device)
        self.model = checkpoint.model.to(self.device).eval()
        if isinstance(self.model, SegmentationModel):
            # A copy that shares the weights leaves the auxiliary head out: training still wants it.
            self.model = copy.copy(self.model)
            self.model.auxiliary = False
        self.depth = depth
        self.keep_probabilities = keep_probabilities
        self.tile = window or tile
        self.slides = window > 0
        self.amp = amp

    def __call__(self, image: np.ndarray, threshold: float | None = None, watch: Watch | None = None) -> Segmentation:
        """Segment an image (H, W, 3) uint8 RGB at its own size.

        threshold: for the task "binary", instead of the checkpoint's own. watch: is given the logits at the image's
        own size, on the model's device, strip by strip from top to bottom. Running out of memory halves the tiles and
        starts again, also with row 0 for `watch`; raises `UserError` when even the smallest tiles do not fit.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise ValueError(f"image must be (H, W, 3) uint8 with H, W >= 1, not {image.shape} {image.dtype}")
        tile = self.tile
        while True:
            try:
                return self._segment(image, self.config.threshold if threshold is None else threshold, tile, watch)
            except (torch.OutOfMemoryError, RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            if tile <= SMALLEST_TILE:
                raise UserError(
                    "There is not enough memory to segment {width} x {height} pixels. Make the picture smaller.",
                    width=image.shape[1], height=image.shape[0],
                )  # fmt: skip
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
            tile = max(SMALLEST_TILE, tile // 2)

    @torch.inference_mode()
    def _segment(self, image: np.ndarray, threshold: float, tile: int, watch: Watch | None) -> Segmentation:
        clock = _Clock(self.device)
        height, width = image.shape[:2]
        size = self.config.preprocessing.input_size(height, width)
        plain = self.variants == (Variant(),)
        # What is held as a whole; smaller tiles would not help.
        held = [variant.size(*size) for variant in self.variants if not plain or size != (height, width)]
        if any(self.config.num_outputs * rows * columns > MAX_RESIZED_LOGITS for rows, columns in held):
            raise MemoryError("the resized logits")
        picture = to_tensor(image).to(self.device)  # (3, H, W)
        if plain:
            picture = resized(picture, *size)  # (3, h, w)
            clock.lap("prepare")
            strips = self._strips(picture, tile)
        if held:
            logits = _joined(strips) if plain else self._averaged(picture, size, tile)  # (C, h, w)
            clock.lap("forward")
            strips = resized_strips(logits, height, width)
        parts = []
        for top, bottom, strip in strips:  # (C, bottom - top, W)
            if watch:
                watch(top, bottom, strip)
            parts.append(self._quantize(strip))
        label_map, confidence, planes = (np.concatenate([part[index] for part in parts], axis=-2) for index in range(3))
        clock.lap("quantize" if held else "forward")
        classes = self.config.classes
        if self.config.task == "binary":
            return Segmentation.from_probabilities(classes, planes, threshold, clock.laps)
        kept = planes if self.keep_probabilities else None
        return Segmentation(classes, "multiclass", label_map, confidence, kept, threshold, clock.laps)

    def keeping(self, probabilities: bool | Sequence[int], depth: Literal[8, 16] = 8) -> Predictor:
        """The same network, keeping other probabilities, quantised to other depths."""
        other = copy.copy(self)
        other.keep_probabilities, other.depth = probabilities, depth
        return other

    def _strips(self, picture: Tensor, tile: int) -> Iterator[tuple[int, int, Tensor]]:
        overlap = tile - stride_of_window(tile) if self.slides else tile // 4
        return tiled_logits(self._forward, picture, tile, overlap)

    def _averaged(self, picture: Tensor, size: tuple[int, int], tile: int) -> Tensor:
        """(3, H, W) -> (C, *size): the logits of the mean of the probabilities of all variants."""
        mean = MeanProbability(self.config.task)
        for variant in self.variants:
            seen = resized(picture, *variant.size(*size))
            logits = _joined(self._strips(seen.flip(-1) if variant.mirrored else seen, tile))
            mean.add(resized_strips(logits.flip(-1) if variant.mirrored else logits, *size))
        return mean.logits()

    def _forward(self, images: Tensor) -> Tensor:
        with torch.autocast(self.device.type, self.amp) if self.amp else nullcontext():
            return self.model(normalize(images, self.config.preprocessing))["out"]  # (1, C, h, w)

    def _quantize(self, logits: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(C, rows, W) logits -> label map and confidence (rows, W), and probability planes, quantised.

        Planes that nobody asked for are empty, (0, rows, W): with 150 classes they would be all the memory.
        """
        exact = probabilities(logits, self.config.task)
        full, dtype = (255, torch.uint8) if self.depth == 8 else (65535, torch.uint16)

        def integers(values: Tensor) -> np.ndarray:
            return (values * full + 0.5).to(torch.int32).to(dtype).cpu().numpy()

        highest, label_map = exact.max(dim=0)
        keep = self.keep_probabilities
        wanted = exact if keep is True or self.config.task == "binary" else exact[list(keep or ())]
        return (
            label_map.to(torch.uint8).cpu().numpy(),
            integers(highest),
            integers(wanted),
        )


def _joined(strips: Iterator[tuple[int, int, Tensor]]) -> Tensor:
    return torch.cat([strip for _, _, strip in strips], dim=1)  # (C, h, w)


class _Clock:
    """Milliseconds of consecutive steps; waits for the GPU, so that a step's work is counted as its own."""

    def __init__(self, device: torch.device) -> None:
        self.laps: dict[str, float] = {}
        self._device = device
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        now = time.perf_counter()
        self.laps[name] = round((now - self._last) * 1000, 2)
        self._last = now
