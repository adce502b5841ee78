"""segmentation-models-pytorch: what `model.save_pretrained` writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seg_demo.checkpoint.config import CheckpointConfig
from seg_demo.checkpoint.folder import CONFIG_FILE, WEIGHTS_FILE
from seg_demo.checkpoint.header import Tensors, header_of, read_header
from seg_demo.data.preprocessing import Preprocessing
from seg_demo.errors import UserError, shorten
from seg_demo.hub.foreign.labels import classes_of
from seg_demo.hub.foreign.processor import ALBUMENTATIONS_FILE, from_albumentations
from seg_demo.hub.foreign.tensors import check_outputs, empty_model, paired, write
from seg_demo.models.registry import IMPORTED

CLASSIFIER = "classification_head."
"""Weights of a head that names whole pictures, which is not wanted."""

Triple = tuple[float, float, float]

_HALVES = (0.5, 0.5, 0.5)
# Of encoders that were not trained with ImageNet's usual numbers, as smp publishes them: mean and std by the begin of
# their names. Its function would ask the Hub.
_ENCODERS: dict[str, tuple[Triple, Triple]] = {
    "inception": (_HALVES, _HALVES),
    "xception": (_HALVES, _HALVES),
    "timm-tf_efficientnet_lite": (_HALVES, _HALVES),
    "dpn": ((124 / 255, 117 / 255, 104 / 255), (0.23482446, 0.23482446, 0.23482446)),
}


def needed_files(files: Sequence[str]) -> Sequence[str]:
    return [name for name in (CONFIG_FILE, ALBUMENTATIONS_FILE, WEIGHTS_FILE) if name in files]


def describe(documents: Mapping[str, dict[str, Any]], tensors: Tensors) -> CheckpointConfig:
    from seg_demo.models.imported.smp import tidy

    config = documents[CONFIG_FILE]
    network = tidy(config)
    outputs = config.get("classes", 1)
    if type(outputs) is not int:
        raise UserError(
            "config.json says {value} where the number of classes should be. Choose another checkpoint.",
            value=shorten(outputs),
        )
    task, classes = classes_of(config.get("id2label"), check_outputs(outputs))
    preprocessing, source = _preprocessing(documents.get(ALBUMENTATIONS_FILE), network["encoder_name"])
    title = f"{network['_model_class']} on {network['encoder_name']}"
    about = f"Made with segmentation-models-pytorch ({title}). Preprocessing: {source}."
    arguments = IMPORTED["smp"].check("smp", {"config": network})
    described = CheckpointConfig("smp", arguments, task, classes, preprocessing, training={"about": about})
    paired(tensors, _rename, empty_model(described), title)
    return described


def convert(weights: Path, config: CheckpointConfig, target: Path) -> None:
    tensors = read_header(header_of(weights), weights.stat().st_size, str(weights))
    model = empty_model(config)
    write(weights, paired(tensors, _rename, model, "smp"), model, target)


def _rename(name: str) -> str | None:
    from seg_demo.models.imported.network import PREFIX

    return None if name.startswith(CLASSIFIER) else PREFIX + name


def _preprocessing(document: dict[str, Any] | None, encoder: str) -> tuple[Preprocessing, str]:
    """And where it comes from."""
    if document:
        return from_albumentations(document), ALBUMENTATIONS_FILE
    mean, std = _statistics(encoder)
    return Preprocessing(
        "none", mean=mean, std=std
    ), f"what {encoder} was pretrained with, as the repository says nothing"


def _statistics(encoder: str) -> tuple[Triple, Triple]:
    from seg_demo.models.imported.smp import timm_name

    for begin, known in _ENCODERS.items():
        if encoder.startswith(begin):
            return known
    if name := timm_name(encoder):
        import timm

        settings = timm.get_pretrained_cfg(name)
        if settings is not None:
            red, green, blue = map(float, settings.mean)
            return (red, green, blue), tuple(map(float, settings.std))  # type: ignore[return-value]
    return Preprocessing().mean, Preprocessing().std
