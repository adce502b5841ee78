"""A network as an ONNX file, for runtimes without PyTorch."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import torch
from torch import Tensor, nn

from seg_demo.errors import UserError
from seg_demo.models.model import SegmentationModel

MAX_BYTES = 3 * 2**29
"""Above this, torch's exporter puts the weights into a second file beside the first: protobuf ends at 2 GB."""


def export_onnx(model: SegmentationModel, path: str | Path, size: tuple[int, int]) -> Path:
    """Write the prediction of `model` as one ONNX file, replacing one that is there; returns its path.

    size: (H, W) of the pictures that the file takes. Its input "images" is (N, 3, H, W), normalised as for the model
    itself, its output "logits" (N, C, H, W), both of the weights' dtype, float32; N may differ from call to call. The
    auxiliary head is left out. The model stays as it is. Whoever looks at `path` sees a whole file or none.

    Raises `UserError` where the packages for it are missing, for a size without pixels, for a model that no single
    file holds, and where the disk does not let us.

    >>> export_onnx(build_model("unet", 1, width=8), "unet.onnx", (96, 128))
    PosixPath('unet.onnx')
    """
    path = Path(path)
    _check(model, size)
    auxiliary = model.auxiliary
    model.auxiliary = False
    try:
        # A batch of one would be taken for a constant.
        images = next(model.parameters()).new_zeros(2, 3, *size)
        with model.predicting():
            program = torch.onnx.export(
                _Logits(model).eval(),
                (images,),
                dynamo=True,
                dynamic_shapes={"images": {0: torch.export.Dim("batch")}},
                input_names=["images"],
                output_names=["logits"],
                verbose=False,
            )
    finally:
        model.auxiliary = auxiliary
    assert program is not None
    for node in program.model.graph:
        node.metadata_props.pop("pkg.torch.onnx.stack_trace", None)  # it names folders of this computer
    # The name keeps its suffix, by which the format is chosen.
    staging = path.with_name(f".{path.stem}.{os.getpid()}.onnx")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        program.save(staging, external_data=False)
        os.replace(staging, path)
    except OSError as error:
        raise UserError(
            "The ONNX file {file} could not be written ({reason}). Free some space or choose another folder.",
            file=path, reason=error.strerror or error,
        ) from None  # fmt: skip
    finally:
        if staging.exists():
            staging.unlink()
    return path


class _Logits(nn.Module):
    """Images (N, 3, H, W) -> the logits (N, C, H, W) of the head "out" alone."""

    def __init__(self, model: SegmentationModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        return self.model(images)["out"]


def _check(model: SegmentationModel, size: tuple[int, int]) -> None:
    """All that can be known to fail before the work begins."""
    for package in ("onnx", "onnxscript"):
        if importlib.util.find_spec(package) is None:
            raise UserError(
                "Writing ONNX needs the package {package}. Install it with: pip install '.[onnx]' in the folder of "
                "this project.",
                package=package,
            )
    height, width = size
    if min(size) < 1:
        raise UserError(
            "An ONNX file takes pictures of at least 1 x 1 pixels, not {width} x {height}.", width=width, height=height
        )
    weights = sum(value.nbytes for value in model.state_dict().values())
    if weights > MAX_BYTES:
        raise UserError(
            "An ONNX file holds {most} MB of weights at most, and this model has {megabytes} MB. Build a smaller one.",
            most=MAX_BYTES // 10**6, megabytes=weights // 10**6,
        )  # fmt: skip
