"""model.safetensors of a checkpoint: checked against the architecture before a model is filled with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open

from seg_demo.checkpoint.config import CheckpointConfig
from seg_demo.checkpoint.header import WeightsError
from seg_demo.errors import Sentence, shorten
from seg_demo.models.registry import build_model

if TYPE_CHECKING:
    from torch import Tensor, nn


def load_weights(path: Path, config: CheckpointConfig) -> nn.Module:
    """Build the model of `config` and fill it from `path`, in eval mode on the CPU.

    Names, shapes and dtypes are compared with the architecture before any weight is read, and every weight
    must be finite. Raises `WeightsError` with one sentence; then no model has been made.
    """
    if not path.is_file():
        raise WeightsError(
            "{path} is missing, so the checkpoint has no weights. Copy the whole folder again.", path=path
        )
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            found = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - not a dict
            model = check_tensors(
                str(path), config, {name: (part.get_dtype(), part.get_shape()) for name, part in found.items()}
            )
            # Copies: the tensors read are windows into the file, and would change with it.
            state = {name: file.get_tensor(name).clone() for name in model.state_dict()}
    except SafetensorError:
        raise WeightsError("{path} is damaged or cut off. Copy or download the checkpoint again.", path=path) from None
    except OSError as error:
        raise WeightsError("{path} cannot be read ({reason}).", path=path, reason=error.strerror or error) from None
    for name, value in state.items():
        if not is_finite(value):
            raise WeightsError(
                '{path}: the weights "{name}" hold values that are not finite (NaN or infinity), as after a training '
                "that diverged. Use an earlier checkpoint.",
                path=path, name=name,
            )  # fmt: skip
    model.load_state_dict(state, strict=True, assign=True)
    return model.eval()


def is_finite(values: Tensor) -> bool:
    """Whether there is no NaN and no infinity among `values`, of any shape; without `isfinite`'s extra memory."""
    return not values.numel() or all(bool(torch.isfinite(end)) for end in torch.aminmax(values))


def check_tensors(where: str, config: CheckpointConfig, found: Mapping[str, tuple[str, Sequence[int]]]) -> nn.Module:
    """Whether a file holds just the weights that `config` needs; returns the model, which has no memory yet.

    where: how sentences name the file. found: dtype, as safetensors writes it, and shape of each tensor by its name.
    Raises `WeightsError`.
    """
    with torch.device("meta"):  # Shapes without memory: a config cannot make us allocate what the file lacks.
        model = build_model(config.architecture, config.num_outputs, **config.arguments)
    wanted = model.state_dict()
    _check_names(where, config, set(wanted), set(found))
    for name, tensor in wanted.items():
        dtype, shape = found[name]
        _check_shape(where, name, tensor, shape, dtype)
    return model


def _check_names(path: str, config: CheckpointConfig, wanted: set[str], found: set[str]) -> None:
    missing, strange = wanted - found, found - wanted
    if names := missing or strange:
        raise WeightsError(
            "{path} lacks the weights {name}{more}, which the {architecture} of its config needs. Take config.json and "
            "model.safetensors from the same checkpoint."
            if missing
            else "{path} holds the weights {name}{more}, which the {architecture} of its config does not have. Take "
            "config.json and model.safetensors from the same checkpoint.",
            path=path, name=shorten(min(names)), architecture=config.architecture,
            more=Sentence(" and {count} more", count=len(names) - 1) if len(names) > 1 else "",
        )  # fmt: skip


_DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "F64": torch.float64, "I64": torch.int64}


def _check_shape(path: str, name: str, wanted: Tensor, shape: Sequence[int], dtype: str) -> None:
    if list(shape) != list(wanted.shape):
        raise WeightsError(
            '{path}: the weights "{name}" have the shape {shape}, but the config asks for {wanted}. '
            "Take config.json and model.safetensors from the same checkpoint.",
            path=path, name=name, shape=shorten(list(shape)), wanted=list(wanted.shape),
        )  # fmt: skip
    if _DTYPES.get(dtype) != wanted.dtype:
        raise WeightsError(
            '{path}: the weights "{name}" are stored as {dtype}, but must be {wanted}. Save the checkpoint again '
            "with save_checkpoint.",
            path=path, name=name, dtype=dtype, wanted=str(wanted.dtype).removeprefix("torch."),
        )  # fmt: skip
