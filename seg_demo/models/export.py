"""A network as one file for other programs: ONNX for runtimes without PyTorch, or a program for PyTorch alone."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from seg_demo.errors import UserError
from seg_demo.models.model import SegmentationModel
from seg_demo.models.whole_file import whole_file

MAX_BYTES = 3 * 2**29
"""Above this, torch's exporter puts the weights into a second file beside the first: protobuf ends at 2 GB."""
MAX_SIDE = 4096
METADATA = "seg_demo"
"""The name under which both kinds of files hold what is said of the model, as JSON."""


def export_onnx(
    model: SegmentationModel, path: str | Path, size: tuple[int, int], about: Mapping[str, Any] | None = None
) -> Path:
    """Write the prediction of `model` as one ONNX file, replacing one that is there; returns its path.

    size: (H, W) of the pictures that the file takes. Its input "images" is (N, 3, H, W), normalised as for the model
    itself, its output "logits" (N, C, H, W), both of the weights' dtype, float32; N may differ from call to call. The
    auxiliary head is left out. about: goes into the file's metadata as JSON, under `METADATA`. The model stays as it
    is. Whoever looks at `path` sees a whole file or none.

    Raises `UserError` where the packages for it are missing, for a size that cannot be, for a model that no single
    file holds or that torch cannot export, and where the disk does not let us.

    >>> export_onnx(build_model("unet", 1, width=8), "unet.onnx", (96, 128))
    PosixPath('unet.onnx')
    """
    path = Path(path)
    for package in ("onnx", "onnxscript"):
        if importlib.util.find_spec(package) is None:
            raise UserError(
                "Writing ONNX needs the package {package}. Install it with: pip install '.[onnx]' in the folder of "
                "this project.",
                package=package,
            )
    _check_size(size)
    weights = sum(value.nbytes for value in model.state_dict().values())
    if weights > MAX_BYTES:
        raise UserError(
            "An ONNX file holds {most} MB of weights at most, and this model has {megabytes} MB. Choose another "
            "format.",
            most=MAX_BYTES // 10**6, megabytes=weights // 10**6,
        )  # fmt: skip
    with _tracing(model, size, "ONNX") as (logits, images):
        program = torch.onnx.export(
            logits,
            (images,),
            dynamo=True,
            dynamic_shapes={"images": {0: torch.export.Dim("batch")}},
            input_names=["images"],
            output_names=["logits"],
            verbose=False,
        )
    assert program is not None
    for node in program.model.graph:
        node.metadata_props.pop("pkg.torch.onnx.stack_trace", None)  # it names folders of this computer
    program.model.metadata_props[METADATA] = json.dumps(dict(about or {}), ensure_ascii=False)
    with whole_file(path, ".onnx") as staging:  # by the suffix the format is chosen
        program.save(staging, external_data=False)
    return path


def export_program(
    model: SegmentationModel, path: str | Path, size: tuple[int, int], about: Mapping[str, Any] | None = None
) -> Path:
    """Write the prediction of `model` as a program of `torch.export`, as `export_onnx` does; returns its path.

    `torch.export.load(path).module()` takes images (N, 3, H, W) and returns logits (N, C, H, W), where nothing of this
    project is installed. about: goes into its extra file `METADATA` as JSON.

    Raises `UserError` as `export_onnx` does.

    >>> export_program(build_model("unet", 1, width=8), "unet.pt2", (96, 128))
    PosixPath('unet.pt2')
    """
    path = Path(path)
    _check_size(size)
    with _tracing(model, size, "torch.export") as (logits, images):
        program = torch.export.export(
            logits, (images,), dynamic_shapes={"images": {0: torch.export.Dim("batch")}}, strict=False
        )
    for module in program.graph_module.modules():
        for node in getattr(module, "graph", torch.fx.Graph()).nodes:
            node.meta.pop("stack_trace", None)  # it names folders of this computer
    program.example_inputs = None  # or they would go into the file
    extra = {METADATA: json.dumps(dict(about or {}), ensure_ascii=False)}
    # To an open file: torch would write the name of one that it opens into it.
    with whole_file(path) as staging, staging.open("wb") as file:
        torch.export.save(program, file, extra_files=extra)
    return path


class _Logits(nn.Module):
    """Images (N, 3, H, W) -> the logits (N, C, H, W) of the head "out" alone."""

    def __init__(self, model: SegmentationModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        return self.model(images)["out"]


@contextlib.contextmanager
def _tracing(model: SegmentationModel, size: tuple[int, int], title: str) -> Iterator[tuple[nn.Module, Tensor]]:
    """The prediction without the auxiliary head, and images to try it on; afterwards the model is as it was.

    title: of the format, for the sentence about a network that torch cannot follow.
    """
    auxiliary = model.auxiliary
    model.auxiliary = False
    try:
        with model.predicting():
            # A batch of one would be taken for a constant.
            yield _Logits(model).eval(), next(model.parameters()).new_zeros(2, 3, *size)
    except (UserError, OSError, MemoryError):
        raise
    except Exception:  # whatever a network of another library makes the exporter stumble over
        logging.getLogger(__name__).debug("An export failed.", exc_info=True)
        raise UserError(
            "PyTorch {version} cannot export this network as {format}. Choose another format, or another version of "
            "PyTorch.",
            version=torch.__version__, format=title,
        ) from None  # fmt: skip
    finally:
        model.auxiliary = auxiliary


def _check_size(size: tuple[int, int]) -> None:
    height, width = size
    if not 1 <= min(size) <= max(size) <= MAX_SIDE:
        raise UserError(
            "A model is exported for pictures of 1 to {most} pixels a side, not {width} x {height}. Choose another "
            "size.",
            most=MAX_SIDE, width=width, height=height,
        )  # fmt: skip
