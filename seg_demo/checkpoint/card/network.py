"""What a model card tells of the network: its arguments, as far as they say something to a reader."""

from __future__ import annotations

from typing import Any

from seg_demo.checkpoint.config import CheckpointConfig

# The entries of another library's config that say which network it is; all of them would fill pages.
TELLING = ("model_type", "_model_class", "encoder_name")
PARTS = ("backbone", "model_type", "encoder_name")  # names under which a network can be looked for


def arguments(config: CheckpointConfig) -> dict[str, Any]:
    """By name, without those that only say that there is none of something."""
    found: dict[str, Any] = {}
    for key, value in config.arguments.items():
        if isinstance(value, dict):
            found |= {name.lstrip("_"): value[name] for name in TELLING if isinstance(value.get(name), str)}
        elif value not in ("none", "", None):
            found[key] = value
    return found


def names(config: CheckpointConfig) -> list[str]:
    """The architecture, and the backbone or what else it is built on."""
    parts = arguments(config)
    return [config.architecture, *(parts[name] for name in PARTS if isinstance(parts.get(name), str))]


def extra(config: CheckpointConfig) -> str:
    """The extra of seg_demo without which the network cannot be built, or ""; it is called as the architecture."""
    return config.architecture if any(isinstance(value, dict) for value in config.arguments.values()) else ""
