"""A checkpoint as a folder: found, loaded, and written so that nobody ever sees half of one."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seg_demo.checkpoint.card import model_card
from seg_demo.checkpoint.config import MAX_CONFIG_BYTES, CheckpointConfig, read_config
from seg_demo.checkpoint.exchange import replace_folder
from seg_demo.checkpoint.link import LINK_FILE
from seg_demo.checkpoint.unfinished import unfinished
from seg_demo.errors import UserError

if TYPE_CHECKING:
    from torch import nn

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
CARD_FILE = "README.md"
FILES = (CONFIG_FILE, WEIGHTS_FILE, CARD_FILE)
SAMPLES = "samples"  # a folder with pictures for the card
PICTURES = (".png", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True)
class Checkpoint:
    """A model that is ready to run: `name` as shown to people, its config, and the network in eval mode.

    folder: from which it was loaded, if from one.
    """

    name: str
    config: CheckpointConfig
    model: nn.Module
    folder: Path | None = None


def find_checkpoints(folder: Path) -> list[Path]:
    """The checkpoint folders directly under `folder`, by name; hidden ones are unfinished and left out."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if not path.name.startswith(".") and (path / CONFIG_FILE).is_file())


def load_checkpoint(folder: str | Path) -> Checkpoint:
    """Load a checkpoint folder onto the CPU.

    The config is checked before anything is built and the weights before anything is filled, so that the
    result is either a whole model or a `UserError` of one sentence.

    >>> load_checkpoint("checkpoints/newts-binary").config.task
    'binary'
    """
    folder = Path(folder)
    if not os.path.isdir(folder):  # Unlike Path.is_dir, it takes a name that is too long as well.
        raise UserError(
            "There is no checkpoint folder {folder}. List the folders under checkpoints/ and choose one.",
            folder=folder,
        )
    config = read_config(folder)
    from seg_demo.checkpoint.weights import load_weights  # torch, only once it is known to be worth it

    return Checkpoint(folder.name, config, load_weights(folder / WEIGHTS_FILE, config), folder)


def save_checkpoint(folder: str | Path, model: nn.Module, config: CheckpointConfig) -> Path:
    """Write model and config as a checkpoint folder with its model card, replacing one that is there.

    Raises `UserError` as `placing` does.
    """
    from safetensors.torch import save_file

    folder = Path(folder)
    with placing(folder) as staging:
        state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
        save_file(state, staging / WEIGHTS_FILE, metadata={"format": "pt"})
        (staging / CONFIG_FILE).write_text(config.to_json(), "utf-8")
        (staging / CARD_FILE).write_text(model_card(folder.name, config), "utf-8")
    return folder


@contextlib.contextmanager
def placing(folder: Path) -> Iterator[Path]:
    """A hidden folder beside `folder` to write a checkpoint into, which takes its name at the end.

    All files are synced before that, and whoever looks sees a whole checkpoint, see `replace_folder`. The link of the
    one that is replaced stays, unless another was written; its sample pictures do not, as they show another model.
    After an error nothing is left. Raises `UserError` where the disk does not let us, or something else would be lost,
    see `check_replaceable`.
    """
    check_replaceable(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with unfinished(f".{folder.name}.", folder.parent) as staging:
            staging.chmod(0o755)  # It was made private.
            yield staging
            if (folder / LINK_FILE).is_file() and not (staging / LINK_FILE).exists():
                shutil.copyfile(folder / LINK_FILE, staging / LINK_FILE)
            for path in (*staging.rglob("*"), staging):
                if path.is_file():
                    path.chmod(0o644)  # safetensors makes it private, too
                sync(path)
            old = replace_folder(staging, folder)
            sync(folder.parent)
            if old is not None:
                shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise UserError(
            "The checkpoint {folder} could not be written ({reason}). Free some space or choose another folder.",
            folder=folder, reason=error.strerror or error,
        ) from None  # fmt: skip


def check_replaceable(folder: Path) -> None:
    """Replacing a folder removes what it holds: it must be empty, or hold a checkpoint of ours and nothing else but a
    link to the Hub and sample pictures.

    Raises `UserError` where it is neither; a folder that is not there is free.
    """
    held = sorted(folder.iterdir()) if folder.is_dir() else []
    if not folder.exists() or (folder.is_dir() and not held):
        return
    if not _is_ours(folder / CONFIG_FILE):
        raise UserError(
            "{folder} is there already and is no checkpoint, so it is not replaced. Name a new folder.", folder=folder
        )
    strange = [path.name for path in held if not _belongs(path)]
    if strange:
        raise UserError(
            "{folder} holds {name} besides a checkpoint, which would be lost, so it is not replaced. Name a new "
            "folder.",
            folder=folder, name=strange[0],
        )  # fmt: skip


def sample_pictures(folder: Path) -> list[Path]:
    """The pictures in the samples/ of a checkpoint folder, by name."""
    samples = folder / SAMPLES
    found = samples.iterdir() if samples.is_dir() else ()
    return sorted(path for path in found if path.suffix.lower() in PICTURES and path.is_file())


def _belongs(path: Path) -> bool:
    """Whether what lies in a checkpoint folder is a part of it, which another takes the place of."""
    if path.name == SAMPLES and path.is_dir():
        return len(sample_pictures(path.parent)) == len(list(path.iterdir()))
    return path.name in (*FILES, LINK_FILE) and path.is_file()


def _is_ours(config: Path) -> bool:
    """Whether we wrote it; a checkpoint of another program has a config.json and a model.safetensors as well."""
    try:
        with config.open("rb") as file:
            document = json.loads(file.read(MAX_CONFIG_BYTES))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(document, dict) and "seg_demo_version" in document


def sync(path: Path) -> None:
    """Have a file or folder on the disk before anything else happens. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
