"""The predictor: a checkpoint that segments images."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from seg_demo.checkpoint.folder import Checkpoint
from seg_demo.data.transforms import normalize, resize_image, to_tensor
from seg_demo.errors import UserError
from seg_demo.infer.segmentation import Segmentation
from seg_demo.infer.tiling import tiled_logits
from seg_demo.models.model import SegmentationModel
from seg_demo.models.outputs import probabilities

DEFAULT_TILE = 1024
SMALLEST_TILE = 128
MAX_RESIZED_LOGITS = 1 << 29  # 2 GB of float32
BAND_ROWS = 256  # rows of the finished picture that exist as floats at one time


class Predictor:
    """Segments images with a checkpoint.

    device: "cpu", "cuda", ...; None takes CUDA where there is one. depth: bits of the quantised
    probabilities, 8 or 16. keep_probabilities: keep the whole (C, H, W) of a multiclass prediction, not just
    the confidence. tile: side in pixels of the largest piece that goes through the network at once.

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
        keep_probabilities: bool = False,
        tile: int = DEFAULT_TILE,
    ) -> None:
        self.checkpoint = checkpoint
        self.config = checkpoint.config
        self.device = _device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.model = checkpoint.model.to(self.device).eval()
        if isinstance(self.model, SegmentationModel):
            # A copy that shares the weights leaves the auxiliary head out: training still wants it.
            self.model = copy.copy(self.model)
            self.model.auxiliary = False
        self.depth = depth
        self.keep_probabilities = keep_probabilities
        self.tile = tile

    def __call__(self, image: np.ndarray, threshold: float | None = None) -> Segmentation:
        """Segment an image (H, W, 3) uint8 RGB at its own size.

        threshold: for the task "binary", instead of the checkpoint's own. Running out of memory halves the
        tiles and starts again; raises `UserError` when even the smallest tiles do not fit.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise ValueError(f"image must be (H, W, 3) uint8 with H, W >= 1, not {image.shape} {image.dtype}")
        tile = self.tile
        while True:
            try:
                return self._segment(image, self.config.threshold if threshold is None else threshold, tile)
            except (torch.OutOfMemoryError, RuntimeError, MemoryError) as error:
                if not _is_out_of_memory(error):
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
    def _segment(self, image: np.ndarray, threshold: float, tile: int) -> Segmentation:
        clock = _Clock(self.device)
        height, width = image.shape[:2]
        small_height, small_width = self.config.preprocessing.input_size(height, width)
        if self.config.preprocessing.resize != "none" and (
            self.config.num_outputs * small_height * small_width > MAX_RESIZED_LOGITS
        ):
            raise MemoryError("the resized logits")  # they are held as a whole, so smaller tiles would not help
        small = resize_image(to_tensor(image).to(self.device), self.config.preprocessing)  # (3, h, w)
        clock.lap("prepare")
        strips = tiled_logits(self._forward, small, tile, overlap=tile // 4)
        if small.shape[-2:] != (height, width):
            logits = torch.cat([strip for _, _, strip in strips], dim=1)  # (C, h, w)
            clock.lap("forward")
            strips = _upsampled(logits, height, width)
        parts = [self._quantize(strip) for _, _, strip in strips]
        label_map, confidence, planes = (np.concatenate([part[index] for part in parts], axis=-2) for index in range(3))
        clock.lap("quantize" if "forward" in clock.laps else "forward")
        classes = self.config.classes
        if self.config.task == "binary":
            return Segmentation.from_probabilities(classes, planes, threshold, clock.laps)
        kept = planes if self.keep_probabilities else None
        return Segmentation(classes, "multiclass", label_map, confidence, kept, threshold, clock.laps)

    def _forward(self, images: Tensor) -> Tensor:
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
        keep = self.config.task == "binary" or self.keep_probabilities
        return (
            label_map.to(torch.uint8).cpu().numpy(),
            integers(highest),
            integers(exact if keep else exact[:0]),
        )


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.empty(0, device=device)  # A GPU that is not there shows when it is used.
    except (RuntimeError, AssertionError):
        raise UserError("There is no device {name} here. Use cpu.", name=f'"{name}"') from None
    return device


def _upsampled(logits: Tensor, height: int, width: int) -> Iterator[tuple[int, int, Tensor]]:
    """(C, h, w) -> strips of (C, `height`, `width`), bilinear with half-pixel centres as `F.interpolate`'s."""
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


def _is_out_of_memory(error: BaseException) -> bool:
    text = str(error)
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in text


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
