"""Features of a frozen backbone that are computed once and kept, so that only the head is computed again and again."""

from __future__ import annotations

import errno
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from seg_demo.data.loader import Key
from seg_demo.errors import UserError
from seg_demo.models.model import SegmentationModel


class Kept(NamedTuple):
    """A batch for `SegmentationModel.forward`, in this order: images (N, 3, S, S), which are zeros where the head asks
    for nothing but their size, and the backbone's features (N, channels, h, w), None where the head uses them not."""

    images: Tensor
    features: list[Tensor | None]

    def chunk(self, parts: int) -> list[Kept]:
        """As `Tensor.chunk`: parts of the batch, one after the other."""
        images = self.images.chunk(parts)
        columns = [[None] * len(images) if value is None else value.chunk(parts) for value in self.features]
        return [Kept(some, list(features)) for some, *features in zip(images, *columns, strict=True)]


class KeptFeatures:
    """Batches whose backbone features are computed when they are first asked for, and kept.

    model: with a frozen backbone (`adapt.freeze`), on `device`; its heads may learn meanwhile. Other frozen parts, such
    as fc6 and fc7 of FCN on VGG, are computed each time. What the head uses is found out here, once, so
    `model.auxiliary` is set before. fetch: the normalised image (3, S, S) float32 and label map (1, S, S) uint8 of a
    key, always the same. views: pass p takes what pass p % `views` took, so that everything is there after so many
    passes. counts: pictures of each pool. block: how many pictures go through the backbone at once; they are neighbours
    of one pool and pass, whatever batch asks first, so the features are the same bits in any order of batches and after
    a resumption. dtype: float32 or bfloat16, in which the features are computed (by autocast) and kept. Above
    `memory_limit` bytes they are kept on the disk, in `folder`, in files that vanish however the process ends.

    Raises `UserError` where the backbone is not frozen, or not one that can be kept apart, where the disk is too small,
    and where a picture cannot be read.
    """

    def __init__(
        self,
        model: SegmentationModel,
        fetch: Callable[[Key], tuple[Tensor, Tensor]],
        views: int,
        counts: Sequence[int],
        *,
        block: int,
        dtype: torch.dtype,
        device: torch.device | str,
        folder: Path,
        memory_limit: float,
    ) -> None:
        _check(model)
        self.model, self.fetch, self.views, self.block, self.dtype = model, fetch, views, block, dtype
        self.device = torch.device(device)
        self.counts, self.pictures = tuple(counts), sum(counts)
        self.total = views * self.pictures
        """How many views there are to be kept."""
        self.done = 0
        """How many of them are there already."""
        self._blocks: set[tuple[int, int, int]] = set()
        first = next(pool for pool, count in enumerate(self.counts) if count)
        images, label_maps, features = self._encoded([Key(first, 0, 0)])
        used = self._used(images, features)
        kept = {str(number): value for number, value in enumerate(features) if used[number]}
        if used[-1]:
            kept["images"] = images.to(dtype)
        kept = {name: value.permute(0, 2, 3, 1) for name, value in kept.items()} | {"label_maps": label_maps}
        self.bytes = self.total * sum(value.nbytes for value in kept.values())
        """What all views need together."""
        self.on_disk = self.bytes > memory_limit
        if self.on_disk:
            _check_disk(folder, self.bytes)
        self._kept = {
            # Channels last, as convolutions like them: (views, h, w, channels), and label maps (views, S, S).
            name: _allocate(folder if self.on_disk else None, (self.total, *value.shape[1:]), value.dtype)
            for name, value in kept.items()
        }
        self._features = len(features)

    def batch(self, keys: Sequence[Key]) -> tuple[Kept, Tensor]:
        """The inputs of the head, and label maps (N, S, S) int64, on the device, after computing what is not there."""
        for pool, epoch, index in keys:
            self._compute((pool, epoch % self.views, index // self.block))
        rows = torch.tensor([self._row(pool, epoch % self.views, index) for pool, epoch, index in keys])
        taken = {name: values[rows].to(self.device) for name, values in self._kept.items()}
        label_maps = taken.pop("label_maps")  # (N, S, S)
        values = {name: value.permute(0, 3, 1, 2) for name, value in taken.items()}  # (N, channels, h, w)
        images = values.get("images")
        if images is None:  # the size is all that is asked for, and it needs no memory
            images = torch.zeros((), dtype=self.dtype, device=self.device)
            images = images.expand(len(keys), 3, *label_maps.shape[1:])  # (N, 3, S, S)
        return Kept(images, [values.get(str(number)) for number in range(self._features)]), label_maps.long()

    def forward(self, inputs: Kept) -> dict[str, Tensor]:
        """What the model makes of a batch, in `dtype`; gradients reach the head alone."""
        with self._autocast():
            outputs: dict[str, Tensor] = self.model(*inputs)
        return outputs

    def close(self) -> None:
        """Give the memory or the disk back; there are no batches after that."""
        self._kept = {}

    def _compute(self, block: tuple[int, int, int]) -> None:
        """Fill a block, given by pool, view and number."""
        if block in self._blocks:
            return
        pool, view, number = block
        indices = range(number * self.block, min((number + 1) * self.block, self.counts[pool]))
        images, label_maps, features = self._encoded([Key(pool, view, index) for index in indices])
        row = self._row(pool, view, indices[0])
        for name, kept in self._kept.items():
            if name == "label_maps":
                value = label_maps
            else:
                value = (images if name == "images" else features[int(name)]).permute(0, 2, 3, 1)
            kept[row : row + len(indices)] = value
        self._blocks.add(block)
        self.done += len(indices)

    def _row(self, pool: int, view: int, index: int) -> int:
        return view * self.pictures + sum(self.counts[:pool]) + index

    def _encoded(self, keys: Sequence[Key]) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Images (N, 3, S, S), label maps (N, S, S) uint8 and features (N, channels, h, w) in `dtype`."""
        pairs = [self.fetch(key) for key in keys]
        images = torch.stack([image for image, _ in pairs]).to(self.device)
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.no_grad(), self._autocast():
            features = self.model.encode(images)
        # Positions of a pooling, and other whole numbers, stay what they are.
        features = [value.to(self.dtype) if value.is_floating_point() else value for value in features]
        return images, torch.cat([label_map for _, label_map in pairs]), features

    def _used(self, images: Tensor, features: list[Tensor]) -> list[bool]:
        """Which of the features, and at last whether the images, have a say in what the head makes of them."""
        probes = [value.detach().requires_grad_(value.is_floating_point()) for value in (*features, images)]
        # Copies, as a head may change what it is given.
        *copies, image = [value.clone() for value in probes]
        with self.model.predicting(), torch.enable_grad(), self._autocast():
            total = torch.stack([logits.float().sum() for logits in self.model(image, copies).values()]).sum()
        asked = [value for value in probes if value.requires_grad]
        found = iter(torch.autograd.grad(total, asked, allow_unused=True))
        used = [next(found) is not None if value.requires_grad else True for value in probes]
        if not any(used[:-1]):
            raise UserError(
                "The network {name} does not call its backbone as a whole, so its features cannot be kept. Set "
                "model.keep_features to 0.",
                name=self.model.origin[0],
            )
        return used

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.dtype == torch.bfloat16)


def _check(model: SegmentationModel) -> None:
    name = model.origin[0]
    if "backbone" not in dict(model.named_children()):
        raise UserError(
            "The network {name} has no backbone whose features could be kept. Choose another network, or set "
            "model.keep_features to 0.",
            name=name,
        )  # fmt: skip
    learning = any(parameter.requires_grad for parameter in model.get_submodule("backbone").parameters())
    if learning or "backbone" not in model.frozen:
        raise UserError(
            "The features of {name} can be kept only while its backbone is frozen. Set model.freeze to true.",
            name=name,
        )  # fmt: skip


def _check_disk(folder: Path, wanted: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if wanted > shutil.disk_usage(folder).free:
        raise _full(folder, wanted)


def _full(folder: Path, wanted: int) -> UserError:
    return UserError(
        "The kept features need {wanted:.1f} GB, but there are only {free:.1f} GB free in {folder}. Free some space, "
        "or lower model.keep_features.",
        wanted=wanted / 1e9, free=shutil.disk_usage(folder).free / 1e9, folder=folder,
    )  # fmt: skip


def _allocate(folder: Path | None, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Memory of that shape; in a file in `folder`, if one is given, which has no name and vanishes with the tensor."""
    if folder is None:
        return torch.empty(shape, dtype=dtype)
    size = math.prod(shape)
    with tempfile.NamedTemporaryFile(dir=folder, prefix="features.") as file:
        try:
            # Not sparse where that can be helped: memory that the disk cannot hold would kill the process.
            getattr(os, "posix_fallocate", _stretch)(file.fileno(), 0, size * dtype.itemsize)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            raise _full(folder, size * dtype.itemsize) from None
        return torch.from_file(file.name, shared=True, size=size, dtype=dtype).view(shape)


def _stretch(file: int, start: int, length: int) -> None:
    os.truncate(file, start + length)
