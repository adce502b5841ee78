"""A checkpoint as one file for other programs."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from seg_demo.checkpoint.config import CheckpointConfig, read_config
from seg_demo.checkpoint.folder import WEIGHTS_FILE, load_checkpoint
from seg_demo.checkpoint.header import PREFIX, header_of
from seg_demo.checkpoint.package import Progress, write_package
from seg_demo.errors import UserError
from seg_demo.models.whole_file import whole_file
from seg_demo.registry import look_up

SIDE = 512  # pixels, for models that take pictures as they are
_METADATA = {"format": "pt"}
_PIECE = 1 << 20


class Format(NamedTuple):
    """A kind of file: `title` for people, `suffix` of its name, whether the size of the pictures is fixed in it
    (`sized`), and who writes it: checkpoint folder, file, size (H, W) and progress -> the file.
    """

    title: str
    suffix: str
    sized: bool
    write: Callable[[Path, Path, tuple[int, int] | None, Progress | None], Path]


def export_checkpoint(
    folder: Path, format: str, out: Path, size: tuple[int, int] | None = None, progress: Progress | None = None
) -> Path:
    """Write a checkpoint as the file `out`, replacing one that is there; returns it.

    format: a name in `FORMATS`. size: (H, W) of the pictures that it is to take, for the formats that fix it; by
    default `default_size`. Whoever looks at `out` sees a whole file or none. progress: is told bytes done and in all,
    where a file is copied; what it raises ends the work.

    Raises `UserError` for an unknown format, a folder that is no checkpoint, a size that cannot be, and where a package
    or the disk does not let us.

    >>> export_checkpoint(Path("checkpoints/newts-binary"), "onnx", Path("newts.onnx"), (192, 256))
    PosixPath('newts.onnx')
    """
    chosen = look_up("export format", FORMATS, format)
    if size and not chosen.sized:
        raise UserError("The format {format} fixes no size of pictures. Leave the size out.", format=format)
    folder, out = Path(folder), Path(out)
    if out.is_dir():  # It would be found at the end of the work.
        raise UserError(
            "{folder} is a folder. Name a file, such as {file}.", folder=out, file=f"{folder.name}{chosen.suffix}"
        )
    return chosen.write(folder, out, size, progress)


def default_size(config: CheckpointConfig) -> tuple[int, int]:
    """(H, W): a square of the size that the model's pictures are made."""
    rule = config.preprocessing
    return (SIDE, SIDE) if rule.resize == "none" else (rule.size, rule.size)


def about(config: CheckpointConfig, size: tuple[int, int]) -> dict[str, Any]:
    """What another program has to know of the model; ready for JSON.

    "mean" and "std" are per channel, of RGB values in [0, 1]; "size" is (H, W) in pixels. "logits" become probabilities
    by a sigmoid for the task "binary", whose only channel is the class 1, and by a softmax over the channels for the
    task "multiclass".
    """
    rule = config.preprocessing
    return {
        "seg_demo_version": config.seg_demo_version,
        "architecture": config.architecture,
        "task": config.task,
        "classes": list(config.classes.names),
        "palette": [list(color) for color in config.classes.colors],
        "ignore_index": config.classes.ignore_index,
        "input": "images",
        "output": "logits",
        "size": list(size),
        "resize": rule.resize,
        "mean": list(rule.mean),
        "std": list(rule.std),
        "threshold": config.threshold,
    }


def _onnx(folder: Path, out: Path, size: tuple[int, int] | None, progress: Progress | None) -> Path:
    checkpoint = load_checkpoint(folder)
    from seg_demo.models.export import export_onnx  # torch

    size = size or default_size(checkpoint.config)
    return export_onnx(checkpoint.model, out, size, about(checkpoint.config, size))  # type: ignore[arg-type]


def _program(folder: Path, out: Path, size: tuple[int, int] | None, progress: Progress | None) -> Path:
    checkpoint = load_checkpoint(folder)
    from seg_demo.models.export import export_program  # torch

    size = size or default_size(checkpoint.config)
    return export_program(checkpoint.model, out, size, about(checkpoint.config, size))  # type: ignore[arg-type]


def _weights(folder: Path, out: Path, size: tuple[int, int] | None, progress: Progress | None) -> Path:
    """The weights as they are, byte by byte; of what else the header may say, only that they are PyTorch's."""
    read_config(folder)
    weights = folder / WEIGHTS_FILE
    header = header_of(weights)
    begin = PREFIX + len(header)
    tensors = json.loads(header)
    if tensors.pop("__metadata__", None) != _METADATA:
        header = json.dumps({"__metadata__": _METADATA, **tensors}, separators=(",", ":")).encode()
        header += b" " * (-len(header) % 8)  # so that the weights begin at a multiple of 8
    with whole_file(out) as staging, staging.open("wb") as target, weights.open("rb") as source:
        target.write(struct.pack("<Q", len(header)) + header)
        total = weights.stat().st_size
        done = source.seek(begin)
        while piece := source.read(_PIECE):
            target.write(piece)
            done += len(piece)
            if progress:
                progress(done, total)
    return out


def _package(folder: Path, out: Path, size: tuple[int, int] | None, progress: Progress | None) -> Path:
    return write_package(folder, out, progress)


FORMATS = {
    "onnx": Format("ONNX", ".onnx", True, _onnx),
    "torch-export": Format("PyTorch program (torch.export)", ".pt2", True, _program),
    "safetensors": Format("The weights alone (safetensors)", ".safetensors", False, _weights),
    "zip": Format("The whole checkpoint (zip)", ".zip", False, _package),
}
