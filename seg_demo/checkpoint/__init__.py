"""The checkpoint contract: a folder with model.safetensors, config.json and README.md."""

from seg_demo.checkpoint.config import CheckpointConfig, read_config
from seg_demo.checkpoint.folder import Checkpoint, find_checkpoints, load_checkpoint, save_checkpoint

__all__ = [
    "Checkpoint",
    "CheckpointConfig",
    "find_checkpoints",
    "load_checkpoint",
    "read_config",
    "save_checkpoint",
]
