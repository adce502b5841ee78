"""Their weights beside ours: compared by names, shapes and dtypes, and written under our names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from seg_demo.checkpoint.config import CheckpointConfig
from seg_demo.checkpoint.header import Tensors, WeightsError
from seg_demo.errors import UserError, shorten

if TYPE_CHECKING:
    from torch import Tensor

    from seg_demo.models.model import SegmentationModel

FLOATS = ("F32", "F16", "BF16", "F64")
WHOLE = ("I64", "I32", "I16", "I8", "U8")
COUNTER = ".num_batches_tracked"
"""A buffer of BatchNorm that some programs leave out; no prediction needs it."""

Rename = Callable[[str], str | None]
"""Our name of one of their tensors; None for what is not wanted."""


def empty_model(config: CheckpointConfig) -> SegmentationModel:
    """The model of a config, without memory. Raises `UserError` where it cannot be built."""
    import torch

    from seg_demo.models.registry import build_model

    with torch.device("meta"):
        return build_model(config.architecture, config.num_outputs, **config.arguments)


def paired(theirs: Tensors, rename: Rename, model: SegmentationModel, network: str) -> dict[str, str]:
    """Their names by ours, for all weights of `model`. Counters of BatchNorm may be missing.

    network: its name, for people. Raises `WeightsError` where anything else is missing, left over or of another kind.
    """
    wanted = model.state_dict()
    pairs: dict[str, str] = {}
    for name in theirs:
        ours = rename(name)
        if ours is None:
            continue
        if ours not in wanted or ours in pairs:
            raise WeightsError(
                'model.safetensors holds the weights "{name}", which {network} does not have, so that the two do not '
                "belong together. Choose another repository.",
                name=shorten(name), network=network,
            )  # fmt: skip
        pairs[ours] = name
    lacking = sorted(name for name in wanted.keys() - pairs.keys() if not name.endswith(COUNTER))
    if lacking:
        raise WeightsError(
            'model.safetensors lacks the weights "{name}", which {network} needs, so that the two do not belong '
            "together. Choose another repository.",
            name=shorten(lacking[0]), network=network,
        )  # fmt: skip
    for ours, name in pairs.items():
        _check(name, theirs[name], wanted[ours], network)
    return pairs


def write(weights: Path, pairs: Mapping[str, str], model: SegmentationModel, target: Path) -> None:
    """Read their weights and write ours, in the dtypes of `model`. Raises `WeightsError` for a damaged file."""
    import torch
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import save_file

    wanted: dict[str, Tensor] = model.state_dict()
    try:
        with safe_open(weights, framework="pt", device="cpu") as file:
            state = {
                name: file.get_tensor(pairs[name]).to(value.dtype).contiguous()
                if name in pairs
                else torch.zeros(value.shape, dtype=value.dtype)
                for name, value in wanted.items()
            }
    except SafetensorError:
        raise WeightsError(
            "{path} is damaged or cut off. Copy or download the checkpoint again.", path=weights
        ) from None
    save_file(state, target, metadata={"format": "pt"})
    target.chmod(0o644)  # safetensors makes it private


def check_outputs(count: int) -> int:
    """`count`, where a label map can hold so many classes. Raises `UserError`."""
    from seg_demo.classes import MAX_CLASSES

    if not 1 <= count <= MAX_CLASSES:
        raise UserError(
            "There are {count} classes, but a label map can hold 1 to {most}. Merge or drop some.",
            count=count, most=MAX_CLASSES,
        )  # fmt: skip
    return count


def _check(name: str, found: tuple[str, tuple[int, ...]], wanted: Tensor, network: str) -> None:
    dtype, shape = found
    if tuple(shape) != tuple(wanted.shape):
        raise WeightsError(
            'The weights "{name}" have the shape {shape}, but {network} needs {wanted}, so that the two do not belong '
            "together. Choose another repository.",
            name=shorten(name), shape=shorten(list(shape)), network=network, wanted=list(wanted.shape),
        )  # fmt: skip
    if dtype not in (FLOATS if wanted.is_floating_point() else WHOLE):
        raise WeightsError(
            'The weights "{name}" are stored as {dtype}, as after quantising, which is not understood. Choose a '
            "repository with weights in float32, float16 or bfloat16.",
            name=shorten(name), dtype=dtype,
        )  # fmt: skip
