"""The training recipes by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from seg_demo.data.preprocessing import Preprocessing
from seg_demo.palettes import NEWTS_BINARY, NEWTS_SPECIES
from seg_demo.train.config import TrainConfig


@dataclass(frozen=True)
class Preset:
    """A recipe: its configuration, and a sentence for the model card."""

    config: TrainConfig
    about: str


_NEWTS: dict[str, Any] = {
    "architecture": "unet",
    "arguments": {"width": 16, "depth": 5, "stem": 2},
    "preprocessing": Preprocessing("longest", 288),
    "crop": 160,
    "batch_size": 8,
    "steps": 7000,
    "drawn_share": 0.5,
    "drawn_pictures": 1000,
    "validate_every": 1000,
    "average": 0.998,
}

PRESETS: dict[str, Preset] = {
    "newts-binary": Preset(
        TrainConfig(task="binary", classes=NEWTS_BINARY, **_NEWTS),
        "It finds newts in photos, whatever their species.",
    ),
    "newts-species": Preset(
        TrainConfig(task="multiclass", classes=NEWTS_SPECIES, **{**_NEWTS, "steps": 9000}),
        "It tells red-bellied newts (akahara) from marbled newts (madara).",
    ),
}
