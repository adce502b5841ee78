"""Their preprocessing as ours, from the files that other libraries write beside the weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from seg_demo.data.preprocessing import Preprocessing, ResizeRule
from seg_demo.errors import UserError, shorten

PROCESSOR_FILE = "preprocessor_config.json"
ALBUMENTATIONS_FILE = "albumentations_config_eval.json"
LARGEST_SIDE = 8192
LARGEST_NUMBER = 1e9


def from_processor(document: Mapping[str, Any], *, square: bool) -> Preprocessing:
    """The preprocessing of an image processor of transformers.

    square: whether a size that is one number means both sides; else it means the shorter one. A crop after resizing is
    left out, so that the whole picture is segmented, at the same scale. Raises `UserError` for numbers that make no
    sense.
    """
    rule, size = ("none", Preprocessing().size)
    if document.get("do_resize", True):
        rule, size = _resize(document.get("size"), square)
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if document.get("do_normalize", True):
        mean = _triple("image_mean", document.get("image_mean", list(Preprocessing().mean)))
        std = _triple("image_std", document.get("image_std", list(Preprocessing().std)))
    # Theirs: (pixel * factor - mean) / std with pixels from 0 to 255. Ours: (pixel / 255 - mean) / std.
    factor = (
        _number("rescale_factor", document.get("rescale_factor", 1 / 255)) if document.get("do_rescale", True) else 1
    )
    scale = 255 * factor
    if not scale > 0:
        raise _wrong("rescale_factor", document.get("rescale_factor"))
    return _preprocessing(rule, size, _divided(mean, scale), _divided(std, scale))


def from_albumentations(document: Mapping[str, Any]) -> Preprocessing:
    """The preprocessing of a pipeline of albumentations: its first resizing and its first normalisation.

    Padding is left out: pictures of any size are padded as the network needs it. Raises `UserError` for numbers that
    make no sense.
    """
    top = document.get("transform")
    listed = top.get("transforms") if isinstance(top, Mapping) else None
    steps: dict[str, Mapping[str, Any]] = {}
    for step in listed if isinstance(listed, list) else []:
        if isinstance(step, Mapping):
            steps.setdefault(str(step.get("__class_fullname__")).rpartition(".")[2], step)
    rule, size = "none", Preprocessing().size
    if resize := steps.get("Resize"):
        rule, size = _resize({"height": resize.get("height"), "width": resize.get("width")}, True)
    elif (resize := steps.get("SmallestMaxSize")) or (resize := steps.get("LongestMaxSize")):
        rule = "shortest" if "SmallestMaxSize" in steps else "longest"
        size = _side(resize.get("max_size"))
    normalize = steps.get("Normalize")
    if normalize is None or normalize.get("normalization", "standard") != "standard":
        return _preprocessing(rule, size, Preprocessing().mean, Preprocessing().std)
    scale = 255 / _number("max_pixel_value", normalize.get("max_pixel_value", 255))
    mean, std = _triple("mean", normalize.get("mean")), _triple("std", normalize.get("std"))
    return _preprocessing(rule, size, _divided(mean, scale), _divided(std, scale))


def _resize(size: object, square: bool) -> tuple[str, int]:
    if isinstance(size, Mapping):
        if size.get("shortest_edge") is not None:
            return "shortest", _side(size["shortest_edge"])
        if size.get("longest_edge") is not None:
            return "longest", _side(size["longest_edge"])
        height, width = _side(size.get("height")), _side(size.get("width"))
        return ("exact", height) if height == width else ("shortest", min(height, width))
    if isinstance(size, list) and len(size) == 2:
        return _resize({"height": size[0], "width": size[1]}, square)
    return "exact" if square else "shortest", _side(size)


def _side(value: object) -> int:
    if type(value) is not int or not 1 <= value <= LARGEST_SIDE:
        raise _wrong("size", value)
    return value


def _number(entry: str, value: object) -> float:
    if type(value) not in (int, float) or not 1 / LARGEST_NUMBER <= cast(float, value) <= LARGEST_NUMBER:
        raise _wrong(entry, value)
    return float(cast(float, value))


def _triple(entry: str, value: object) -> tuple[float, float, float]:
    if type(value) in (int, float):
        value = [value] * 3
    if not isinstance(value, list) or len(value) != 3:
        raise _wrong(entry, value)
    if not all(type(part) in (int, float) and abs(part) <= LARGEST_NUMBER for part in value):
        raise _wrong(entry, value)
    red, green, blue = map(float, value)
    return red, green, blue


def _divided(values: tuple[float, float, float], scale: float) -> tuple[float, float, float]:
    red, green, blue = (round(value / scale, 12) for value in values)
    return red, green, blue


def _preprocessing(
    rule: str, size: int, mean: tuple[float, float, float], std: tuple[float, float, float]
) -> Preprocessing:
    return Preprocessing(cast(ResizeRule, rule), size, mean, std)


def _wrong(entry: str, value: object) -> UserError:
    return UserError(
        'The preprocessing of the repository cannot be used: "{entry}" is {value}. Choose another repository.',
        entry=entry, value=shorten(value),
    )  # fmt: skip
