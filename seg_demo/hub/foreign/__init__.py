"""Checkpoints of other libraries: recognised by their files, checked before their weights are fetched, made ours.

A layout is a module with `needed_files(files)`: the files of a repository that are wanted, the weights among them;
`describe(documents, tensors)`: our config, from JSON objects by the names of their files, and from the dtypes and
shapes of the weights; and `convert(weights, config, target)`: the weights as they were fetched, written as ours. All of
them raise `UserError`. Importing this imports neither torch nor any of the libraries.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Any

from seg_demo.checkpoint.config import CheckpointConfig
from seg_demo.checkpoint.folder import WEIGHTS_FILE
from seg_demo.checkpoint.header import Tensors
from seg_demo.errors import UserError

PICKLES = (".bin", ".pth", ".pt", ".ckpt", ".pkl", ".pickle", ".tar")
"""Ends of files that can run code when they are read."""
OTHERS = (".h5", ".keras", ".msgpack", ".pdparams", ".onnx", ".tflite")
"""Ends of files that only other frameworks read."""

_PLAIN = re.compile(r"[A-Za-z0-9][\w./-]{0,199}", re.ASCII)  # and so may stand in a command


@dataclass(frozen=True)
class Layout:
    """The module of a layout, imported when it is first used."""

    module: str

    def needed_files(self, files: Sequence[str]) -> Sequence[str]:
        return self._call("needed_files")(files)  # type: ignore[no-any-return]

    def describe(self, documents: Mapping[str, dict[str, Any]], tensors: Tensors) -> CheckpointConfig:
        return self._call("describe")(documents, tensors)  # type: ignore[no-any-return]

    def convert(self, weights: Path, config: CheckpointConfig, target: Path) -> None:
        self._call("convert")(weights, config, target)

    def _call(self, name: str) -> Callable[..., Any]:
        return getattr(import_module(f"seg_demo.hub.foreign.{self.module}"), name)  # type: ignore[no-any-return]


LAYOUTS = {name: Layout(name) for name in ("torchvision", "smp", "transformers")}


def recognise(files: Sequence[str], config: Mapping[str, Any] | None) -> str | None:
    """The name in `LAYOUTS` of a repository with these files, where config.json says `config`; None for no layout.

    >>> recognise(["config.json", "model.safetensors"], {"model_type": "segformer"})
    'transformers'
    """
    if WEIGHTS_FILE not in files:
        return None
    if config and isinstance(config.get("_model_class"), str):
        return "smp"
    if config and isinstance(config.get("model_type"), str):
        return "transformers"
    return "torchvision"


def conversion_hint(repo: str, files: Sequence[str]) -> UserError | None:
    """What to say of a repository whose weights cannot be taken as they are; None where there are none.

    Names that are not plain are passed over: people copy what is said here into a command line.
    """
    files = [name for name in files if _PLAIN.fullmatch(name)]
    if any(PurePosixPath(name).name == f"{WEIGHTS_FILE}.index.json" for name in files):
        return UserError(
            "{repo} has its weights in several files, which networks for segmentation hardly need. Choose another "
            "repository, or save the model again with max_shard_size='50GB'.",
            repo=repo,
        )  # fmt: skip
    others = sorted(name for name in files if name.endswith(".safetensors"))
    if others:
        return UserError(
            "{repo} holds {name}, but no {file}. Copy the repository and rename the file, or choose another one.",
            repo=repo, name=others[0], file=WEIGHTS_FILE,
        )  # fmt: skip
    pickles = sorted(name for name in files if name.lower().endswith(PICKLES))
    if pickles:
        return UserError(
            "{repo} holds its weights as {name}, and such a file can run code when it is opened, so it is not fetched. "
            "If you trust it, convert it on a computer of your own: python -c \"import torch, safetensors.torch as s; "
            "d = torch.load('{name}', map_location='cpu', weights_only=True); s.save_file({{k: v.contiguous().clone() "
            "for k, v in d.get('state_dict', d).items()}}, '{file}', {{'format': 'pt'}})\", and put {file} beside "
            "config.json.",
            repo=repo, name=pickles[0], file=WEIGHTS_FILE,
        )  # fmt: skip
    strange = sorted(name for name in files if name.lower().endswith(OTHERS))
    if strange:
        return UserError(
            "{repo} holds its weights as {name}, which only another framework reads. Choose a repository with a "
            "{file}.",
            repo=repo, name=strange[0], file=WEIGHTS_FILE,
        )  # fmt: skip
    return None
